/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/py_find.h"

#include <stdint.h>
#include <string.h>

#include "shim/export.h"

#define FREE_THREADED_FLAG "free-threading" /* in Py_GetVersion() of such a build */

static uint64_t address_of(const struct dl_phdr_info *info, const char *name, size_t *ret_bytes)
{
	struct ct_export found = { 0 };

	if (!ct_export_find(info, name, &found))
		return 0;
	if (ret_bytes)
		*ret_bytes = found.bytes;
	return (uint64_t)(uintptr_t)found.address;
}

/* The minor version of a 3.x; 0 = another. Reading the text needs no running interpreter. */
static unsigned minor_version(const char *version)
{
	unsigned minor = 0;

	if (strncmp(version, "3.", 2) != 0)
		return 0;
	for (version += 2; *version >= '0' && *version <= '9' && minor < 1000; version++)
		minor = minor * 10 + (unsigned)(*version - '0');
	return minor;
}

static const char *version_of(const struct dl_phdr_info *info)
{
	uint64_t address = address_of(info, "Py_GetVersion", NULL);
	const char *(*get)(void);

	if (!address)
		return "";
	*(void **)&get = (void *)(uintptr_t)address;
	return get();
}

/* The eval loop, the types that frames are made of, and whether frames may be looked at. */
static bool find_parts(const struct dl_phdr_info *info, struct ct_py_interpreter *py)
{
	uint64_t ending = address_of(info, "Py_IsFinalizing", NULL);
	size_t bytes = 0;

	if (!ending)
		ending = address_of(info, "_Py_IsFinalizing", NULL);
	*(void **)&py->ending = (void *)(uintptr_t)ending;
	*(void **)&py->started = (void *)(uintptr_t)address_of(info, "Py_IsInitialized", NULL);

	py->eval_start = address_of(info, "_PyEval_EvalFrameDefault", &bytes);
	py->eval_end = py->eval_start + bytes;
	py->code_type = address_of(info, "PyCode_Type", NULL);
	py->text_type = address_of(info, "PyUnicode_Type", NULL);
	py->bytes_type = address_of(info, "PyBytes_Type", NULL);
	return py->ending && py->started && py->code_type && py->text_type && py->bytes_type;
}

static enum ct_script_state examine(const struct dl_phdr_info *info, struct ct_py_interpreter *py)
{
	const char *version = version_of(info);
	const struct ct_py_layout *layout = ct_py_layout_of(minor_version(version));
	bool free_threaded = strstr(version, FREE_THREADED_FLAG) != NULL;
	size_t bytes = 0;
	uint64_t runtime = address_of(info, "_PyRuntime", &bytes);

	if (free_threaded)
		return CT_SCRIPT_FREE_THREADED;
	if (!layout)
		return CT_SCRIPT_VERSION;
	py->layout = *layout;
	if (layout->minor == 13 && runtime &&
	    ct_py_layout_published((const void *)(uintptr_t)runtime, bytes, &py->layout,
				   &free_threaded) &&
	    free_threaded)
		return CT_SCRIPT_FREE_THREADED;
	return find_parts(info, py) ? CT_SCRIPT_PENDING : CT_SCRIPT_UNREADABLE;
}

bool ct_py_find(const struct dl_phdr_info *info, struct ct_py_found *ret)
{
	uint64_t get_state = address_of(info, "PyGILState_GetThisThreadState", NULL);
	bool other = !get_state && address_of(info, "PyPy_GetVersion", NULL);

	if ((!get_state && !other) || strlen(info->dlpi_name) >= sizeof(ret->path))
		return false;
	memset(&ret->py, 0, sizeof(ret->py));
	strcpy(ret->path, info->dlpi_name);
	*(void **)&ret->py.thread_state = (void *)(uintptr_t)get_state;
	ret->state = other ? CT_SCRIPT_OTHER : examine(info, &ret->py);
	return true;
}
