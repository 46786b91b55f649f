/* SPDX-License-Identifier: Apache-2.0 */
#include "cupti/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 4096

struct ct_cupti ct_cupti;

/* Major versions to try, the driver's own first. */
static const int *majors(void)
{
	static const int newest_first[] = { 13, 12, 0 }, twelve_first[] = { 12, 13, 0 };

	return ct_cupti.driver_version && ct_cupti.driver_version < 13000 ? twelve_first
									  : newest_first;
}

static void *open_in(const char *directory, int flags)
{
	static char path[PATH_BYTES + 32]; /* stacks may be small, and this runs once */
	void *lib;

	for (const int *major = majors(); *major; major++) {
		snprintf(path, sizeof(path), "%s%slibcupti.so.%d", directory,
			 *directory ? "/" : "", *major);
		lib = dlopen(path, RTLD_NOW | RTLD_LOCAL | flags);
		if (lib)
			return lib;
	}
	return NULL;
}

/* dl_iterate_phdr() callback: the directory of a mapped CUDA runtime. */
static int find_runtime(struct dl_phdr_info *info, size_t size, void *ret)
{
	const char *name = info->dlpi_name;
	const char *slash = name ? strrchr(name, '/') : NULL;

	(void)size;
	if (!slash || strncmp(slash + 1, "libcudart.so", 12) != 0 ||
	    (size_t)(slash - name) >= PATH_BYTES)
		return 0;
	memcpy(ret, name, (size_t)(slash - name));
	((char *)ret)[slash - name] = '\0';
	return 1;
}

static void *open_under(const char *root, const char *const *subdirectories)
{
	static char directory[PATH_BYTES];
	void *lib = NULL;

	for (; !lib && *subdirectories; subdirectories++)
		if (snprintf(directory, sizeof(directory), "%s/%s", root, *subdirectories) <
		    (int)sizeof(directory))
			lib = open_in(directory, 0);
	return lib;
}

static void *open_beside_runtime(void)
{
	/* a toolkit's lib64, its CUPTI, and pip's two layouts */
	static const char *const around[] = {
		".", "../extras/CUPTI/lib64", "../../../extras/CUPTI/lib64",
		"../../cuda_cupti/lib", NULL,
	};
	static char runtime[PATH_BYTES];

	if (!dl_iterate_phdr(find_runtime, runtime))
		return NULL;
	return open_under(runtime, around);
}

static void *open_in_toolkits(void)
{
	static const char *const below[] = {
		"lib64", "extras/CUPTI/lib64", "targets/x86_64-linux/lib", "lib", NULL,
	};
	const char *roots[] = {
		secure_getenv("CUDA_HOME"), secure_getenv("CUDA_PATH"), "/usr/local/cuda",
		"/usr/local/cuda-13", "/usr/local/cuda-12", "/opt/cuda",
	};
	void *lib = NULL;

	for (size_t i = 0; !lib && i < sizeof(roots) / sizeof(roots[0]); i++)
		if (roots[i] && *roots[i])
			lib = open_under(roots[i], below);
	return lib;
}

static void *search(void)
{
	void *lib = open_in("", RTLD_NOLOAD);

	if (!lib)
		lib = open_beside_runtime();
	if (!lib)
		lib = open_in("", 0); /* LD_LIBRARY_PATH is the user's word */
	if (!lib)
		lib = open_in_toolkits();
	return lib;
}

/* Fill the table. Returns the name of a missing function that we need, or NULL. */
static const char *resolve(void *lib)
{
	const char *missing = NULL;

#define CT_CUPTI_LIKE(function) *(void **)&ct_cupti.function = dlsym(lib, #function);
#define CT_CUPTI_NEED(function)                                                                    \
	CT_CUPTI_LIKE(function)                                                                    \
	if (!ct_cupti.function)                                                                    \
		missing = #function;
#include "cupti/functions.def"
#undef CT_CUPTI_NEED
#undef CT_CUPTI_LIKE
	return missing;
}

static int read_driver_version(void)
{
	void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
	CUresult (*get)(int *) = NULL;
	int version = 0;

	if (!driver)
		return 0;
	*(void **)&get = dlsym(driver, "cuDriverGetVersion");
	if (get && get(&version) != CUDA_SUCCESS)
		version = 0;
	dlclose(driver);
	return version;
}

int ct_cupti_load(const char *library, char *why, size_t why_size)
{
	const char *missing;
	Dl_info info;
	void *lib;

	ct_cupti.driver_version = read_driver_version();
	lib = *library ? dlopen(library, RTLD_NOW | RTLD_LOCAL) : search();
	if (!lib) {
		snprintf(why, why_size, *library
			 ? "%s cannot be loaded; check CUTRACE_CUPTI_LIBRARY"
			 : "libcupti.so not found%s; install CUPTI (with the CUDA toolkit, or pip "
			   "install nvidia-cuda-cupti) or set CUTRACE_CUPTI_LIBRARY", library);
		return -ENOENT;
	}
	missing = resolve(lib);
	if (missing) {
		snprintf(why, why_size, "libcupti has no %s: too old; CUDA 12.0 or newer is needed",
			 missing);
		return -ENOENT;
	}
	if (dladdr((void *)ct_cupti.cuptiSubscribe, &info) && info.dli_fname)
		snprintf(ct_cupti.path, sizeof(ct_cupti.path), "%s", info.dli_fname);
	ct_cupti.cuptiGetVersion(&ct_cupti.version);
	return 0;
}
