/* SPDX-License-Identifier: Apache-2.0 */
/* `odd NAME [LIBRARY]`: launches a kernel of that name from a thread of that name. */
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>

void **__cudaRegisterFatBinary(void *image);
void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
			    int thread_limit, uint3 *tid, uint3 *bid, dim3 *block, dim3 *grid,
			    int *warp);

static const char kernel;

static void *launch(void *name)
{
	const dim3 one = { 1, 1, 1 };
	cudaError_t error;

	prctl(PR_SET_NAME, name);
	error = cudaLaunchKernel(&kernel, one, one, NULL, 0, NULL);
	cudaDeviceSynchronize();
	return (void *)(long)error;
}

int main(int argc, char **argv)
{
	int (*from_library)(void) = NULL;
	pthread_t thread;
	void *error = NULL, *library;

	if (argc < 2)
		return 2;
	__cudaRegisterFunction(__cudaRegisterFatBinary(NULL), &kernel, NULL, argv[1], -1, NULL, NULL,
			       NULL, NULL, NULL);
	if (pthread_create(&thread, NULL, launch, argv[1]))
		return 3;
	pthread_join(thread, &error);
	library = argc > 2 ? dlopen(argv[2], RTLD_NOW) : NULL;
	if (library)
		*(void **)&from_library = dlsym(library, "own_runtime");
	printf("launch: %ld, from a library: %d\n", (long)error, from_library ? from_library() : -1);
	return 17;
}
