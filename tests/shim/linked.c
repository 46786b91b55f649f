/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls the driver that it is linked to, and looks nothing up. `linked` frees with work in flight;
 * `linked LIBRARY` leaves that to a library, which is loaded when the driver has been initialised.
 */
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#include <dlfcn.h>
#include <stdio.h>

#define ROUNDS 5
#define BYTES 65536

int rounds(void);

/* Returns how many failed. */
int rounds(void)
{
	static CUresult (*const stored)(CUdeviceptr) = cuMemFree_v2; /* an address that is data */
	CUdeviceptr memory;
	int failed = 0;

	for (int i = 0; i < ROUNDS; i++)
		failed += cuMemAlloc_v2(&memory, BYTES) || cuMemsetD8Async(memory, 1, BYTES, NULL) ||
			  (i % 2 ? stored(memory) : cuMemFree_v2(memory));
	return failed + (cuStreamSynchronize(NULL) != CUDA_SUCCESS);
}

#ifndef LIBRARY
int main(int argc, char **argv)
{
	int (*run)(void) = rounds;
	CUcontext context;
	void *library;

	if (cuInit(0) || cuDevicePrimaryCtxRetain(&context, 0) || cuCtxSetCurrent(context))
		return 3;
	if (argc > 1) {
		library = dlopen(argv[1], RTLD_NOW);
		*(void **)&run = library ? dlsym(library, "rounds") : NULL;
	}
	if (!run)
		return 2;
	printf("%d of %d rounds failed\n", run(), ROUNDS);
	return 0;
}
#endif
