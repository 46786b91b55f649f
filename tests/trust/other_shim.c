/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another tool of our kind, to be preloaded: wraps two functions of the runtime, finds the next
 * ones as everybody does, and says at the end how many calls came by.
 */
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int allocations, frees;

__attribute__((destructor)) static void say(void)
{
	if (allocations || frees)
		printf("other shim: %d allocations, %d frees\n", allocations, frees);
	fflush(stdout);
}

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
	cudaError_t (*next)(void **, size_t);

	*(void **)&next = dlsym(RTLD_NEXT, "cudaMalloc");
	atomic_fetch_add(&allocations, 1);
	return next(memory, bytes);
}

cudaError_t cudaFree(void *memory)
{
	cudaError_t (*next)(void *);

	*(void **)&next = dlsym(RTLD_NEXT, "cudaFree");
	atomic_fetch_add(&frees, 1);
	return next(memory);
}
