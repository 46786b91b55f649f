/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls every wrapped function of the hollow runtime (or DRIVER) once and prints what each returned
 * and did to errno. `every null`: all arguments are zero; `every page`: all are the address
 * of a page of zeros.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SENTINEL 1234

/* Enough arguments for any of them; the callee takes what it has parameters for. */
typedef int any_function(void *, void *, void *, void *, void *, void *, void *, void *, void *,
			 void *, void *, void *);

#define FUNCTION(name) extern int name(void);
#ifndef DRIVER
#define CT_RUNTIME(name, ...) FUNCTION(name)
#define CT_RUNTIME_VOID(name, ...) FUNCTION(name)
#define CT_RUNTIME_ALIAS(name, ...) FUNCTION(name)
#endif
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"

static const struct {
	const char *name;
	int (*function)(void);
} functions[] = {
#ifdef DRIVER /* looked up by dlsym() */
#define ROW(name) { #name, NULL },
#define CT_DRIVER(name, ...) ROW(name)
#define CT_DRIVER_VOID(name, ...) ROW(name)
#define CT_DRIVER_SEEN(name, ...) ROW(name)
#else
#define ROW(name) { #name, name },
#define CT_RUNTIME(name, ...) ROW(name)
#define CT_RUNTIME_VOID(name, ...) ROW(name)
#define CT_RUNTIME_ALIAS(name, ...) ROW(name)
#endif
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
};

int main(int argc, char **argv)
{
	static char page[4096];
	void *driver = dlopen("libhollow_driver.so", RTLD_NOW);
	void *a = argc > 1 && strcmp(argv[1], "page") == 0 ? page : NULL;

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		any_function *function;
		int result;

		memcpy(&function, &functions[i].function, sizeof(function));
		if (!function)
			*(void **)&function = dlsym(driver, functions[i].name);
		errno = SENTINEL;
		result = function(a, a, a, a, a, a, a, a, a, a, a, a);
		printf("%s: %d, errno %d\n", functions[i].name, result, errno);
		fflush(stdout);
	}
	return 0;
}
