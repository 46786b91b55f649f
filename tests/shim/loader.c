/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the CUDA runtime by dlopen(RTLD_LOCAL) and calls it through dlsym(), as Python's
 * ctypes does: no wrapper sees these calls. `loader again` unloads and loads it once more;
 * `loader deepbind` loads it so that it binds to nothing preloaded; `loader copy FILE` loads
 * FILE, another copy of it, as well; `loader pair FILE FILE` loads two libraries that are
 * linked to runtimes of their own, `loader reload FILE FILE` unloads the first, loads the
 * second in its place and then the first again; `loader loop FILE` loads and unloads both the
 * runtime and FILE over and over; `loader namespace` has the runtime in a namespace of its own;
 * `loader deeplinked FILE` loads FILE, which is linked to a runtime, so that it binds to nothing
 * preloaded.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define ROUNDS 5
#define LOOPS 200

static int work(void *runtime)
{
	int (*allocate)(void **, size_t), (*release)(void *), (*synchronize)(void);
	void *memory = NULL;
	int bad = 0;

	*(void **)&allocate = dlsym(runtime, "cudaMalloc");
	*(void **)&release = dlsym(runtime, "cudaFree");
	*(void **)&synchronize = dlsym(runtime, "cudaDeviceSynchronize");
	for (int i = 0; i < ROUNDS; i++)
		bad += allocate(&memory, 4096) || synchronize() || release(memory);
	return bad;
}

static int use_pair(char **files)
{
	int (*own_runtime[2])(void);

	for (int i = 0; i < 2; i++) {
		void *library = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);

		*(void **)&own_runtime[i] = library ? dlsym(library, "own_runtime") : NULL;
		if (!own_runtime[i])
			return 4;
	}
	for (int i = 0; i < 2 * ROUNDS; i++)
		printf("library %d: %d\n", i % 2, own_runtime[i % 2]());
	return 15;
}

/* Load a library, use the runtime that it brings, and unload both. */
static int use_once(const char *file, void **ret_library)
{
	int (*own_runtime)(void);

	*ret_library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	*(void **)&own_runtime = *ret_library ? dlsym(*ret_library, "own_runtime") : NULL;
	return own_runtime ? own_runtime() : -1;
}

/* One after the other at what is likely the same address, each with a runtime of its own. */
static int alternate(char **files)
{
	for (int i = 0; i < 6; i++) {
		void *library = dlopen(files[i % 2], RTLD_NOW | RTLD_LOCAL);
		int (*own_runtime)(void);

		if (!library)
			return 2;
		*(void **)&own_runtime = dlsym(library, "own_runtime");
		printf("%d\n", own_runtime());
		dlclose(library);
	}
	return 14;
}

static int reload(char **files)
{
	void *first, *second, *again;

	printf("first: %d\n", use_once(files[0], &first));
	dlclose(first);
	for (int i = 0; i < 64; i++) /* nothing comes back to where it was */
		mmap(NULL, 16384, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("second: %d\n", use_once(files[1], &second));
	printf("again: %d\n", use_once(files[0], &again));
	return 16;
}

static int mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int count = 0;

	for (int c; maps && (c = getc(maps)) != EOF;)
		count += c == '\n';
	if (maps)
		fclose(maps);
	return count;
}

/* Nothing of what is unloaded may stay behind, but once. */
static int loop(const char *file)
{
	int bad = 0, settled = 0;

	for (int i = 0; i < LOOPS; i++) {
		void *runtime = dlopen("libcudart.so.13", RTLD_NOW | RTLD_LOCAL), *library = NULL;

		bad += !runtime || work(runtime) || dlclose(runtime);
		bad += use_once(file, &library) != 0 || dlclose(library);
		if (i == LOOPS / 4)
			settled = mappings();
	}
	printf("%d of %d loops failed\n", bad, LOOPS);
	printf("mappings grow: %s\n", mappings() > settled + 8 ? "yes" : "no");
	return 17;
}

static int use_deeplinked(const char *file)
{
	int (*own_runtime)(void);
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);

	*(void **)&own_runtime = library ? dlsym(library, "own_runtime") : NULL;
	if (!own_runtime)
		return 4;
	for (int i = 0; i < ROUNDS; i++)
		printf("deep: %d\n", own_runtime());
	return 18;
}

static int use_namespace(void)
{
	void *runtime = dlmopen(LM_ID_NEWLM, "libcudart.so.13", RTLD_NOW | RTLD_LOCAL);

	if (!runtime) {
		printf("dlmopen: %s\n", dlerror());
		return 5;
	}
	printf("%d of %d rounds failed\n", work(runtime), ROUNDS);
	return 19;
}

int main(int argc, char **argv)
{
	int deep = argc > 1 && strcmp(argv[1], "deepbind") == 0 ? RTLD_DEEPBIND : 0;
	void *runtime;

	if (argc > 3 && strcmp(argv[1], "pair") == 0)
		return use_pair(&argv[2]);
	if (argc > 2 && strcmp(argv[1], "loop") == 0)
		return loop(argv[2]);
	if (argc > 2 && strcmp(argv[1], "deeplinked") == 0)
		return use_deeplinked(argv[2]);
	if (argc > 1 && strcmp(argv[1], "namespace") == 0)
		return use_namespace();
	if (argc > 3 && strcmp(argv[1], "alternate") == 0)
		return alternate(&argv[2]);
	if (argc > 3 && strcmp(argv[1], "reload") == 0)
		return reload(&argv[2]);
	runtime = dlopen("libcudart.so.13", RTLD_NOW | RTLD_LOCAL | deep);
	if (!runtime)
		return 2;
	printf("%d of %d rounds failed\n", work(runtime), ROUNDS);
	if (argc > 1 && strcmp(argv[1], "again") == 0) {
		dlclose(runtime);
		runtime = dlopen("libcudart.so.13", RTLD_NOW | RTLD_LOCAL);
		printf("%d of %d rounds failed\n", work(runtime), ROUNDS);
	}
	if (argc > 2 && strcmp(argv[1], "copy") == 0) {
		void *other = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);

		if (!other || other == runtime)
			return 3;
		printf("%d of %d rounds failed\n", work(other), ROUNDS);
		printf("%d of %d rounds failed\n", work(runtime), ROUNDS);
	}
	return 14;
}
