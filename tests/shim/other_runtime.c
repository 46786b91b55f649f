/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second CUDA runtime, of another version: its memory is told from the first one's by its
 * address. It refuses what it did not allocate, as real runtimes do with each other's objects.
 */
#include <stddef.h>
#include <stdint.h>

#define BASE 0x1200000u
#define INVALID 1 /* cudaErrorInvalidValue */

__attribute__((visibility("default"))) int cudaMalloc(void **ret, size_t bytes);
__attribute__((visibility("default"))) int cudaFree(void *memory);

static uintptr_t count;

int cudaMalloc(void **ret, size_t bytes)
{
	(void)bytes;
	*ret = (void *)(BASE + count++);
	return 0;
}

int cudaFree(void *memory)
{
	return (uintptr_t)memory >= BASE && (uintptr_t)memory < BASE + count ? 0 : INVALID;
}
