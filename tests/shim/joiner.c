/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library whose constructor starts a thread and waits for it. The loader's lock is held
 * meanwhile, so the thread may make CUDA calls but nothing in them may want that lock.
 */
#include <cuda_runtime_api.h>
#include <pthread.h>

static void *call_cuda(void *unused)
{
	void *memory;

	if (cudaMallocHost(&memory, 4096) == cudaSuccess)
		cudaFreeHost(memory);
	return unused;
}

__attribute__((constructor)) static void constructor(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, call_cuda, NULL) == 0)
		pthread_join(thread, NULL);
}
