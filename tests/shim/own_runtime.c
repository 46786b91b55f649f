/* SPDX-License-Identifier: Apache-2.0 */
/* A library that uses the runtime it is linked to; built twice, for two runtimes. */
#include <cuda_runtime_api.h>

int own_runtime(void);

/*
 * Work, then make an error and ask for it: asking is not wrapped, so only the runtime that
 * the failing call really went to can tell of it. Returns 0 if all is as it should be.
 */
int own_runtime(void)
{
	void *memory = NULL;

	if (cudaMalloc(&memory, 4096) || cudaFree(memory) || cudaGetLastError())
		return 1;
	if (!cudaMalloc(NULL, 4096))
		return 2;
	return cudaGetLastError() ? 0 : 3;
}
