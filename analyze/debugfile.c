/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/debugfile.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Paths come from the trace and may name anything by now. O_NONBLOCK: opening a FIFO
 * must not wait for a writer.
 */
static int open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static bool has_build_id(int fd, const unsigned char *id, int length)
{
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	const void *found;
	bool same = elf && dwelf_elf_gnu_build_id(elf, &found) == length &&
		    memcmp(found, id, (size_t)length) == 0;

	elf_end(elf);
	return same;
}

/*
 * Where a .gnu_debuglink may point: beside the file, .debug below it, /usr/lib/debug.
 * Only a file of the same build id is taken. Returns a descriptor or -1.
 */
static int follow_debuglink(Dwfl_Module *module, const char *file, const char *link,
			    char **ret_path)
{
	static const char *const forms[] = { "%.*s/%s", "%.*s/.debug/%s", "/usr/lib/debug%.*s/%s" };
	const char *slash = strrchr(file, '/');
	const unsigned char *id;
	GElf_Addr unused;
	int id_length = dwfl_module_build_id(module, &id, &unused);
	char path[PATH_MAX];

	if (!slash || strchr(link, '/') || id_length <= 0)
		return -1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		int n = snprintf(path, sizeof(path), forms[i], (int)(slash - file), file, link);
		int fd = n > 0 && n < (int)sizeof(path) ? open_regular(path) : -1;

		if (fd >= 0 && has_build_id(fd, id, id_length)) {
			*ret_path = strdup(path);
			return fd;
		}
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

/* Dwfl_Callbacks.find_debuginfo: by build id below /usr/lib/debug, then by debuglink. */
static int find_debuginfo(Dwfl_Module *module, void **userdata, const char *name,
			  Dwarf_Addr base, const char *file, const char *link, GElf_Word crc,
			  char **ret_path)
{
	int fd = dwfl_build_id_find_debuginfo(module, userdata, name, base, file, link, crc,
					      ret_path);

	if (fd >= 0 || !file || !link)
		return fd;
	return follow_debuglink(module, file, link, ret_path);
}

/* Dwfl_Callbacks.find_elf: never needed, the file is handed over open. */
static int find_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
		    char **ret_path, Elf **ret_elf)
{
	(void)module, (void)userdata, (void)name, (void)base, (void)ret_path, (void)ret_elf;
	return -1;
}

/* Longer ones are not recorded (shim/modules.c). */
#define BUILD_ID_MAX 32

static int check_build_id(Dwfl_Module *module, const uint8_t *build_id, uint32_t length)
{
	const unsigned char *found;
	GElf_Addr unused;
	int n = dwfl_module_build_id(module, &found, &unused);

	if (n < 0 || n > BUILD_ID_MAX)
		n = 0;
	return n == (int)length && (!n || memcmp(found, build_id, length) == 0) ? 0 : -ESTALE;
}

int ct_debugfile_open(const char *path, uint64_t bias, const uint8_t *build_id,
		      uint32_t build_id_length, Dwfl **ret_dwfl, Dwfl_Module **ret_module)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = find_elf,
		.find_debuginfo = find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	Dwfl_Module *module;
	Dwfl *dwfl;
	int fd = open_regular(path);
	int err;

	if (fd < 0)
		return fd;
	dwfl = dwfl_begin(&callbacks);
	if (!dwfl) {
		close(fd);
		return -ENOMEM;
	}
	dwfl_report_begin(dwfl);
	module = dwfl_report_elf(dwfl, path, path, fd, bias, true);
	if (!module) {
		close(fd); /* dwfl owns it only on success */
		err = -ENOEXEC;
		goto out_end;
	}
	dwfl_report_end(dwfl, NULL, NULL);
	err = check_build_id(module, build_id, build_id_length);
	if (err)
		goto out_end;
	*ret_dwfl = dwfl;
	*ret_module = module;
	return 0;

out_end:
	dwfl_end(dwfl);
	return err;
}

bool ct_debugfile_outside(Dwfl_Module *module)
{
	Dwarf_Addr unused;
	Dwarf *dwarf = dwfl_module_getdwarf(module, &unused);
	const char *name;
	const void *id;

	return dwarf && dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &id) != 0;
}
