/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what dlsym() and dlerror() say to a program: which library each name was found
 * in, as seen by the program and by a library that it loads. `finder LIBRARY`. With a second
 * library, which loads the first and brings the driver, only what the first sees then.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "finder.h"

static void cuda_names(void *everything)
{
	static const char *const names[] = { "cuInit", "cuMemFree_v2", "cuptiSubscribe", "cudaMalloc",
					     "cuserid" };

	for (int i = 0; i < 5; i++) {
		finder_say("default", RTLD_DEFAULT, names[i]);
		finder_say("next", RTLD_NEXT, names[i]);
		finder_say("program", everything, names[i]);
	}
}

int main(int argc, char **argv)
{
	void *family = argc > 2 ? dlopen(argv[2], RTLD_NOW | RTLD_LOCAL) : NULL;
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	void *everything = dlopen(NULL, RTLD_NOW), *driver;
	void (*look)(void);

	if (!library)
		return 2;
	if (family) {
		*(void **)&look = dlsym(family, "finder_driver");
		look();
		return 17;
	}
	finder_say("default", RTLD_DEFAULT, "malloc");
	finder_say("next", RTLD_NEXT, "malloc");
	finder_say("default", RTLD_DEFAULT, "finder_own"); /* the library's, not in our scope */
	finder_say("default", RTLD_DEFAULT, "current");
	cuda_names(everything); /* no driver is loaded: there must be none to be found */
	*(void **)&look = dlsym(library, "finder_look");
	look();
	driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	cuda_names(everything); /* local to its handle */
	finder_say("driver", driver, "cuNoSuch");
	finder_say("driver", driver, "malloc");
	dlsym(library, "nothing_of_the_kind");
	if (!dlsym(driver, "cuMemFree_v2") || dlerror())
		puts("a lookup that succeeds leaves no error");
	printf("cuMemFree_v2 %s\n", dlsym(driver, "cuMemFree_v2") ? "found" : "not found");
	dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
	printf("cuMemFree_v2 %s\n", dlsym(RTLD_DEFAULT, "cuMemFree_v2") ? "found" : "not found");
	return 16;
}
