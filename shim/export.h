/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exported symbols of loaded modules, found in the modules' own hash tables: unlike
 * dlsym() this takes no lock of the loader, sees modules opened with RTLD_LOCAL and
 * tells a symbol's size.
 */
#ifndef CT_SHIM_EXPORT_H
#define CT_SHIM_EXPORT_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>

struct ct_export {
	void *address;
	size_t bytes; /* 0 = the module does not say */
};

/*
 * Find a symbol that a module defines. info: as dl_iterate_phdr() passes it, valid as long
 * as its callback runs. Returns false, and leaves *ret alone, if the module has none.
 * Source of the tables: the ELF gABI (DT_HASH); glibc's and binutils' DT_GNU_HASH.
 */
bool ct_export_find(const struct dl_phdr_info *info, const char *name, struct ct_export *ret);

#endif
