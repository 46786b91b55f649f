/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs share that use the driver API alone, found by dlopen. */
#ifndef DRIVER_H
#define DRIVER_H

#include <dlfcn.h>
#include <stdint.h>

#include "expect.h"

static const char spin_ptx[] =
	".version 6.4\n.target sm_75\n.address_size 64\n"
	".visible .entry spin(.param .u64 ns)\n{\n"
	"\t.reg .pred %p;\n\t.reg .u64 %start, %now, %ns;\n"
	"\tld.param.u64 %ns, [ns];\n"
	"\tmov.u64 %start, %globaltimer;\n"
	"again:\n"
	"\tmov.u64 %now, %globaltimer;\n"
	"\tsub.u64 %now, %now, %start;\n"
	"\tsetp.lt.u64 %p, %now, %ns;\n"
	"\t@%p bra again;\n"
	"\tret;\n}\n";

static void *driver;

/* A driver function by its exported name, called with the arguments given. */
#define CALL(name, types, ...) check(((int(*) types)find(#name)) (__VA_ARGS__), #name)

/* The same, and remember its line. */
#define CALL_AT(ret_line, ...)                                                                     \
	do {                                                                                       \
		(ret_line) = __LINE__;                                                             \
		CALL(__VA_ARGS__);                                                                 \
	} while (0)

#define COPY_TYPES (uint64_t, const void *, size_t)

static inline void *find(const char *name)
{
	void *function = dlsym(driver, name);

	if (!function) {
		fprintf(stderr, "libcuda.so.1 has no %s\n", name);
		exit(1);
	}
	return function;
}

static inline void check(int result, const char *name)
{
	if (result == 0)
		return;
	fprintf(stderr, "%s: CUresult %d\n", name, result);
	exit(1);
}

/* The kernel, in the current context. */
static inline void *load_spin(void)
{
	void *module, *function;

	CALL(cuModuleLoadData, (void **, const void *), &module, spin_ptx);
	CALL(cuModuleGetFunction, (void **, void *, const char *), &function, module, "spin");
	return function;
}

static inline void launch(void *function, uint64_t ns, void *stream)
{
	void *arguments[] = { &ns };

	CALL(cuLaunchKernel,
	     (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *,
	      void **, void **),
	     function, 1, 1, 1, 1, 1, 1, 0, stream, arguments, NULL);
}

/* The first device's primary context, made current. Exits with 77 where there is no driver. */
static inline void *start_driver(void)
{
	void *context;
	int device;

	driver = dlopen("libcuda.so.1", RTLD_NOW);
	if (!driver) {
		fprintf(stderr, "skipped: %s\n", dlerror());
		exit(77);
	}
	CALL(cuInit, (unsigned int), 0);
	CALL(cuDeviceGet, (int *, int), &device, 0);
	CALL(cuDevicePrimaryCtxRetain, (void **, int), &context, device);
	CALL(cuCtxSetCurrent, (void *), context);
	return context;
}

#endif
