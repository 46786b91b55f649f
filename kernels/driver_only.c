/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a program traced that never touches the CUDA runtime?
 *
 * It finds libcuda.so.1 with dlopen, loads a kernel from PTX, copies 1 MiB to the device,
 * and frees a buffer behind the 20 ms kernel: cuMemFree waits for it, as cudaFree does.
 * Without a driver it says so and exits with 77.
 */
#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <stdint.h>

#include "expect.h"

#define BYTES (1 * MIB)

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

static void *find(const char *name)
{
	void *function = dlsym(driver, name);

	if (!function) {
		fprintf(stderr, "libcuda.so.1 has no %s\n", name);
		exit(1);
	}
	return function;
}

static void check(int result, const char *name)
{
	if (result == 0)
		return;
	fprintf(stderr, "%s: CUresult %d\n", name, result);
	exit(1);
}

static void *load_spin(void)
{
	void *context, *module, *function;
	int device;

	CALL(cuInit, (unsigned int), 0);
	CALL(cuDeviceGet, (int *, int), &device, 0);
	CALL(cuDevicePrimaryCtxRetain, (void **, int), &context, device);
	CALL(cuCtxSetCurrent, (void *), context);
	CALL(cuModuleLoadData, (void **, const void *), &module, spin_ptx);
	CALL(cuModuleGetFunction, (void **, void *, const char *), &function, module, "spin");
	return function;
}

static void launch(void *function, uint64_t ns)
{
	void *arguments[] = { &ns };

	CALL(cuLaunchKernel,
	     (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *,
	      void **, void **),
	     function, 1, 1, 1, 1, 1, 1, 0, NULL, arguments, NULL);
}

int main(void)
{
	void *host = calloc(1, BYTES);
	int copy_line, free_line;
	void *function;
	uint64_t memory;

	driver = dlopen("libcuda.so.1", RTLD_NOW);
	if (!driver) {
		fprintf(stderr, "skipped: %s\n", dlerror());
		return 77;
	}
	function = load_spin();
	launch(function, 1000);
	CALL(cuCtxSynchronize, (void));

	CALL(cuMemAlloc_v2, (uint64_t *, size_t), &memory, BYTES);
	CALL_AT(copy_line, cuMemcpyHtoD_v2, COPY_TYPES, memory, host, BYTES);
	launch(function, 20 * MS);
	CALL_AT(free_line, cuMemFree_v2, (uint64_t), memory);
	free(host);

	expect("calls cuMemAlloc 1");
	expect("calls cuMemcpyHtoD 1");
	expect("calls cuLaunchKernel 2");
	expect("calls cuMemFree 1");
	expect("device kernel 2");
	expect("device copy 1");
	expect("not_blocked cuMemAlloc");
	expect("not_blocked cuMemcpyHtoD at=%s", SITE(copy_line));
	expect("blocked cuMemFree class=device_wait on=spin at=%s count=1 ns=12e6..40e6",
	       SITE(free_line));
	expect("nothing_serialized");
	return done();
}
