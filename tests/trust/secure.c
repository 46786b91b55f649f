/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `secure FOLDER LIBRARY`: loads the fake device of a folder and libcutrace.so by their paths,
 * as a loader would that a secure program's environment cannot keep away (ld.so.preload), and
 * makes a call through the wrapper. Prints whether the process is a secure one, the call's
 * result and what the environment tells the driver.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

static void *load(const char *folder, const char *name)
{
	char path[PATH_MAX];
	void *library;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	if (!library)
		fprintf(stderr, "%s\n", dlerror());
	return library;
}

int main(int argc, char **argv)
{
	int (*allocate)(void **, size_t) = NULL;
	void *memory = NULL, *library;
	const char *injection;

	if (argc != 3 || !load(argv[1], "libcuda.so.1") || !load(argv[1], "libcudart.so.13"))
		return 2;
	library = load("", argv[2]);
	if (library)
		*(void **)&allocate = dlsym(library, "cudaMalloc");
	if (!allocate)
		return 3;
	printf("cudaMalloc: %d\n", allocate(&memory, 4096));
	injection = getenv("CUDA_INJECTION64_PATH");
	printf("secure: %d\n", getauxval(AT_SECURE) != 0);
	printf("injection: %s\n", injection ? injection : "none");
	return 16;
}
