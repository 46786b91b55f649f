/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/shim.h"

static int ours(const void *function)
{
	return (uintptr_t)function >= ct_shim.text_start && (uintptr_t)function < ct_shim.text_end;
}

static void *look_in(const char *library, const char *name)
{
	void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
	void *found;

	if (!handle)
		return NULL;
	found = dlsym(handle, name);
	dlclose(handle); /* NOLOAD only took a reference */
	return found && !ours(found) ? found : NULL;
}

static void *look_behind_caller(const char *name, const void *caller)
{
	Dl_info info;

	if (!dladdr(caller, &info) || !info.dli_fname)
		return NULL;
	return look_in(info.dli_fname, name);
}

static void *look_everywhere(const char *name, const void *caller)
{
	static const char *const runtimes[] = {
		"libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "libcudart.so",
	};
	void *found = dlsym(RTLD_NEXT, name);

	if (found && !ours(found))
		return found;
	found = look_behind_caller(name, caller);
	for (size_t i = 0; !found && i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
		found = look_in(runtimes[i], name);
	return found;
}

void *ct_real(void **slot, const char *name, const void *caller)
{
	void *real = __atomic_load_n(slot, __ATOMIC_RELAXED);
	int saved = errno;

	if (__builtin_expect(real != NULL, 1))
		return real;
	real = look_everywhere(name, caller);
	__atomic_store_n(slot, real, __ATOMIC_RELAXED);
	errno = saved;
	return real;
}
