/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds its parts by RUNPATH alone, as relocatable programs and wheels do. Built twice:
 * as a program whose RUNPATH is $ORIGIN/lib, as the library origin_part.so there, whose
 * RUNPATH is $ORIGIN/more, and the CUDA runtime lies there.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>

#ifdef PART
int origin_part(void);

int origin_part(void)
{
	int (*allocate)(void **, size_t);
	struct link_map *map;
	void *runtime = dlopen("libcudart.so.13", RTLD_NOW | RTLD_LOCAL), *memory;

	if (!runtime || dlinfo(runtime, RTLD_DI_LINKMAP, &map)) {
		printf("no runtime: %s\n", dlerror());
		return 1;
	}
	*(void **)&allocate = dlsym(runtime, "cudaMalloc");
	printf("runtime: %s\nallocating: %d\n", map->l_name, allocate(&memory, 4096));
	return 0;
}
#else
int main(void)
{
	void *part = dlopen("origin_part.so", RTLD_NOW | RTLD_LOCAL);
	int (*run)(void);

	if (!part) {
		printf("no part: %s\n", dlerror());
		return 2;
	}
	*(void **)&run = dlsym(part, "origin_part");
	return run();
}
#endif
