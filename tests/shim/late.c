/* SPDX-License-Identifier: Apache-2.0 */
/* Calls CUDA, loads a library, calls CUDA again and for a while, and closes the library. */
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <time.h>

int main(int argc, char **argv)
{
	const struct timespec while_ = { .tv_sec = 1, .tv_nsec = 500000000 };
	void *lib;

	cudaDeviceSynchronize();
	lib = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	if (!lib)
		return 1;
	cudaFree(NULL); /* a new stack: loaded modules are looked at */
	cudaDeviceSynchronize();
	nanosleep(&while_, NULL);
	cudaDeviceSynchronize();
	dlclose(lib);
	cudaDeviceSynchronize();
	return 0;
}
