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

static void find_all(const void *caller)
{
	for (struct ct_real_function *f = ct_real_functions; f->symbol; f++)
		if (!__atomic_load_n(&f->function, __ATOMIC_RELAXED))
			__atomic_store_n(&f->function, look_everywhere(f->symbol, caller),
					 __ATOMIC_RELAXED);
}

void *ct_real(int slot, const void *caller)
{
	static uint32_t all_sought;
	struct ct_real_function *f = &ct_real_functions[slot];
	void *real = __atomic_load_n(&f->function, __ATOMIC_RELAXED);
	int saved = errno;

	if (__builtin_expect(real != NULL, 1))
		return real;
	real = look_everywhere(f->symbol, caller);
	__atomic_store_n(&f->function, real, __ATOMIC_RELAXED);
	if (real && !__atomic_exchange_n(&all_sought, 1, __ATOMIC_RELAXED))
		find_all(caller);
	errno = saved;
	return real;
}
