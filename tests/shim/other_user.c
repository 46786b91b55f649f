/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that is linked to the other runtime (other_runtime.c). */
#include <stddef.h>
#include <stdint.h>

int cudaMalloc(void **ret, size_t bytes);
int cudaFree(void *memory);

__attribute__((visibility("default"))) int use_cuda(void);

/* 0 if the allocation came from that runtime, by its address, and went back to it. */
int use_cuda(void)
{
	void *memory = NULL;

	return cudaMalloc(&memory, 4096) || (uintptr_t)memory >> 20 != 0x12 || cudaFree(memory);
}
