/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a module and its debug information, found on this machine only. */
#ifndef CT_ANALYZE_DEBUGFILE_H
#define CT_ANALYZE_DEBUGFILE_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Open the ELF file of a module that was mapped with `bias`. Only regular files are
 * opened. build_id_length 0: the module had no build id, so the file must not have one;
 * that it is the same file is not known then.
 *
 * No network: libdwfl would ask a debuginfod server from dwfl_standard_find_debuginfo()
 * and dwfl_build_id_find_elf() only, and neither is used; libdw would for the files that
 * ct_debugfile_outside() is about.
 *
 * Returns 0 and stores a session to be ended with dwfl_end() and the module in it, or
 *   -ESTALE  the file has another build id than the module had
 *   -ENOEXEC not an ELF file
 *   -EINVAL  not a regular file
 *   -errno   from open or fstat, or -ENOMEM
 */
int ct_debugfile_open(const char *path, uint64_t bias, const uint8_t *build_id,
		      uint32_t build_id_length, Dwfl **ret_dwfl, Dwfl_Module **ret_module);

/*
 * May a module's debug information go on in a file that it names by any path (dwz's
 * .gnu_debugaltlink)? Then it is not to be read: at the first reference libdw opens that
 * path as it comes, a FIFO too, which hangs, or asks a debuginfod server. Loads debug
 * information, which may take long the first time.
 */
bool ct_debugfile_outside(Dwfl_Module *module);

#endif
