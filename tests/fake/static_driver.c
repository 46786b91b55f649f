/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a static runtime does at its first call: dlopen() the driver, dlsym() one function,
 * cuGetProcAddress_v2, and ask that for all others, by plain name, version and flags.
 */
#include "static_driver.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

STATIC_DRIVER(cuCtxSynchronize, (void), ()) /* without parameters, so in no header */

static bool cut(char *name, const char *suffix)
{
	size_t length = strlen(name), end = strlen(suffix);
	bool ends = length > end && strcmp(name + length - end, suffix) == 0;

	if (ends)
		name[length - end] = '\0';
	return ends;
}

void *static_driver_find(const char *symbol)
{
	static CUresult (*get)(const char *, void **, int, cuuint64_t,
			       CUdriverProcAddressQueryResult *);
	char plain[128];
	cuuint64_t flags = 0;
	void *found = NULL;

	if (!get)
		*(void **)&get = dlsym(dlopen("libcuda.so.1", RTLD_NOW), "cuGetProcAddress_v2");
	snprintf(plain, sizeof(plain), "%s", symbol);
	if (cut(plain, "_ptsz") || cut(plain, "_ptds"))
		flags = CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
	if (!cut(plain, "_v2") && !cut(plain, "_v3"))
		cut(plain, "_v4");
	if (!get || get(plain, &found, 12000, flags, NULL) || !found) {
		fprintf(stderr, "static runtime: no %s\n", symbol);
		abort();
	}
	return found;
}
