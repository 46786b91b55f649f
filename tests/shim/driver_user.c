/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses the driver API alone. `driver_user HOW`, where HOW says how it finds the functions:
 * dlsym (as ctypes and cuda-python do), get (cuGetProcAddress of CUDA 11), get2
 * (cuGetProcAddress_v2), thread (the same, asking for per-thread default streams). Built with
 * LINKED it calls them directly, with RUNTIME it asks cudaGetDriverEntryPointByVersion.
 * `driver_user HOW handler` also has SIGUSR2's handler free nothing, and says how often.
 */
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS 5
#define BYTES 4096

static const char *how;
static void *driver;
static bool strange; /* a lookup's answer was not as documented */
static CUresult (*release)(CUdeviceptr);
static volatile sig_atomic_t handled;

static void free_nothing(int unused)
{
	(void)unused;
	release(0);
	handled++;
}

#ifdef RUNTIME
#include <cuda_runtime_api.h>
#define FIND(function, name, plain, version)                                                       \
	(strange |= cudaGetDriverEntryPointByVersion(plain, (void **)&(function), version,         \
						     cudaEnableDefault, NULL) != cudaSuccess)
#elif defined(LINKED)
#define FIND(function, name, plain, version) (*(void **)&(function) = (void *)name)
#else
#define FIND(function, name, plain, version)                                                       \
	(*(void **)&(function) = find(#name, plain, version))

static void *find(const char *symbol, const char *plain, int version)
{
	CUresult (*get)(const char *, void **, int, cuuint64_t);
	CUresult (*get2)(const char *, void **, int, cuuint64_t, CUdriverProcAddressQueryResult *);
	bool per_thread = strcmp(how, "thread") == 0;
	CUdriverProcAddressQueryResult status = 77;
	void *found = NULL;

	if (strcmp(how, "dlsym") == 0)
		return dlsym(driver, symbol);
	if (strcmp(how, "get") == 0) {
		*(void **)&get = dlsym(driver, "cuGetProcAddress");
		strange |= get(plain, &found, version, 0) != CUDA_SUCCESS;
		strange |= get("cuNoSuch", &found, 11030, 0) != CUDA_ERROR_NOT_FOUND;
		get(plain, &found, version, 0);
		return found;
	}
	*(void **)&get2 = dlsym(driver, "cuGetProcAddress_v2");
	strange |= get2("cuNoSuch", &found, 12000, 0, &status) != CUDA_ERROR_NOT_FOUND;
	strange |= found || status != CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
	get2(plain, &found, version, per_thread ? CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM : 0,
	     &status);
	strange |= status != CU_GET_PROC_ADDRESS_SUCCESS;
	return found;
}
#endif

int main(int argc, char **argv)
{
	CUresult (*init)(unsigned int), (*retain)(CUcontext *, CUdevice), (*set)(CUcontext);
	CUresult (*allocate)(CUdeviceptr *, size_t);
	CUresult (*fill)(CUdeviceptr, unsigned char, size_t, CUstream), (*wait)(CUstream);
	CUresult (*wait_all)(void), (*wait_all_13)(CUcontext);
	CUcontext context;
	int bad = 0;

	how = argc > 1 ? argv[1] : "";
	driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!driver)
		return 2;
	FIND(init, cuInit, "cuInit", 12000);
	FIND(retain, cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", 12000);
	FIND(set, cuCtxSetCurrent, "cuCtxSetCurrent", 12000);
	FIND(allocate, cuMemAlloc_v2, "cuMemAlloc", 12000);
	FIND(release, cuMemFree_v2, "cuMemFree", 12000);
	FIND(fill, cuMemsetD8Async, "cuMemsetD8Async", 12000);
	FIND(wait, cuStreamSynchronize, "cuStreamSynchronize", 12000);
	FIND(wait_all, cuCtxSynchronize, "cuCtxSynchronize", 12000);
	FIND(wait_all_13, cuCtxSynchronize_v2, "cuCtxSynchronize", 13000);
	if (argc > 2)
		signal(SIGUSR2, free_nothing);
	if (init(0) || retain(&context, 0) || set(context))
		return 3;
	for (int i = 0; i < ROUNDS; i++) {
		CUdeviceptr memory = 0;

		bad += allocate(&memory, BYTES) || fill(memory, 1, BYTES, NULL) || wait(NULL) ||
		       release(memory);
	}
	strange |= wait_all() || wait_all_13(context);
	if (argc > 2) {
		signal(SIGUSR2, SIG_IGN);
		printf("%d of the handler\n", (int)handled);
	}
	printf("%d of %d rounds failed%s\n", bad, ROUNDS, strange ? ", strange lookups" : "");
	return 15;
}
