/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be preloaded: a malloc() that finds the next one with dlsym(), as jemalloc and checkers
 * do, from a constructor and, if it is called before that, from malloc() itself.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

static void *(*next)(size_t);

__attribute__((constructor)) static void find(void)
{
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "malloc");
}

void *malloc(size_t bytes)
{
	find();
	return next ? next(bytes) : NULL;
}
