/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How NVTX loads us: by dlopen() and dlsym(), which wait for the loader's lock, on whichever
 * thread uses NVTX first. Without a tool it does neither, so a library may have a constructor
 * that waits for such a thread: it would for ever, as the loader has its lock while constructors
 * run. So what NVTX asks for is answered here, without the loader.
 */
#include "shim/nvtx.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "shim/dlsym.h"
#include "shim/trampoline.h"

/* Ourselves: as NVTX is told to load us, and what dlopen() returns of us. NULL: it is not told. */
static const char *path;
static void *handle;

/* What the trampoline calls, as in dlsym.c. */
__attribute__((used, visibility("hidden"))) void *ct_dlopen_pick(const char *file, int mode);

CT_TRAMPOLINE("dlopen", "ct_dlopen_pick")

/* By the loader, as dlsym() takes no other handle of what was preloaded. Nobody gives it back. */
void ct_nvtx_load_offer(const char *library)
{
	handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
	path = handle ? library : NULL;
}

static void *give_handle(const char *file, int mode)
{
	(void)file;
	(void)mode;
	return handle;
}

/* The functions that NVTX asks for: its own, and that of its extensions. */
static void *give_function(void *unused, const char *name)
{
	(void)unused;
	if (strcmp(name, "InitializeInjectionNvtx2") == 0)
		return ct_nvtx_initialize;
	return strcmp(name, "InitializeInjectionNvtxExtension") == 0 ? ct_nvtx_extend : NULL;
}

static void *no_dlopen(const char *file, int mode)
{
	(void)file;
	(void)mode;
	return NULL;
}

void *ct_dlopen_pick(const char *file, int mode)
{
	static void *known;
	void *real = __atomic_load_n(&known, __ATOMIC_RELAXED);

	(void)mode;
	if (file && path && strcmp(file, path) == 0)
		return (void *)give_handle;
	if (real)
		return real;
	real = ct_dlsym(RTLD_NEXT, "dlopen"); /* another library's, perhaps */
	if (!real)
		real = ct_dlsym_loaders("dlopen");
	__atomic_store_n(&known, real, __ATOMIC_RELAXED);
	return real ? real : (void *)no_dlopen;
}

void *ct_nvtx_pick(void *of, const char *name)
{
	return handle && of == handle && name && give_function(NULL, name) ? (void *)give_function : NULL;
}

bool ct_nvtx_is(const void *of)
{
	return handle && of == handle;
}
