/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a runtime does at its first call, shared or static: dlopen() the driver, dlsym() one function,
 * cuGetProcAddress_v2, and ask that for all others, by plain name, version and flags.
 */
#include "static_driver.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without parameters, so in no header. */
STATIC_DRIVER(cuCtxSynchronize, (void), ())
STATIC_DRIVER(cuProfilerStart, (void), ())
STATIC_DRIVER(cuProfilerStop, (void), ())

static bool cut(char *name, const char *suffix)
{
	size_t length = strlen(name), end = strlen(suffix);
	bool ends = length > end && strcmp(name + length - end, suffix) == 0;

	if (ends)
		name[length - end] = '\0';
	return ends;
}

/* By plain name, version and flags. */
static void *ask(const char *symbol)
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
	return get && get(plain, &found, 12000, flags, NULL) == CUDA_SUCCESS ? found : NULL;
}

extern const struct static_driver __start_static_driver[] __attribute__((visibility("hidden")));
extern const struct static_driver __stop_static_driver[] __attribute__((visibility("hidden")));

void static_driver_find(const char *symbol)
{
	bool there = false;

	for (const struct static_driver *one = __start_static_driver; one < __stop_static_driver;
	     one++) {
		void *found = ask(one->symbol);

		if (found)
			__atomic_store_n(one->function, found, __ATOMIC_RELAXED);
		there |= found && strcmp(one->symbol, symbol) == 0;
	}
	if (!there) {
		fprintf(stderr, "runtime: the driver has no %s\n", symbol);
		abort();
	}
}
