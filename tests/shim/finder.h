/* SPDX-License-Identifier: Apache-2.0 */
/* Of finder.c and finder_library.c: look up a name from where this header is included. */
#ifndef CT_TESTS_FINDER_H
#define CT_TESTS_FINDER_H

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* A function of its own in each: dlsym() cares who calls it. */
static inline void finder_say(const char *scope, void *handle, const char *name)
{
	void *found = dlsym(handle, name);
	const char *error = dlerror(), *base = "";
	Dl_info info;

	if (found && dladdr(found, &info)) {
		base = strrchr(info.dli_fname, '/');
		base = base ? base + 1 : info.dli_fname;
	}
	error = error ? strstr(error, "undefined symbol") : "";
	printf("%s %s: %s%s\n", scope, name, base, error ? error : "another error");
}

#endif
