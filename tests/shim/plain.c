/* SPDX-License-Identifier: Apache-2.0 */
/* Built without debug information: calls from main() and from a thread. */
#include <cuda_runtime_api.h>
#include <pthread.h>

static void *waits(void *unused)
{
	cudaDeviceSynchronize();
	return unused;
}

int main(void)
{
	pthread_t thread;
	void *memory;

	if (cudaMalloc(&memory, 64) || pthread_create(&thread, NULL, waits, NULL))
		return 1;
	return pthread_join(thread, NULL);
}
