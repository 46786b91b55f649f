/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "shim/dlsym.h"
#include "shim/self.h"

static void *look_in(const char *library, const char *name)
{
	void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
	void *found;

	if (!handle)
		return NULL;
	found = ct_dlsym(handle, name);
	dlclose(handle); /* NOLOAD only took a reference */
	return found && !ct_ours(found) ? found : NULL;
}

static void *look_behind_caller(const char *name, const void *caller)
{
	Dl_info info;

	if (!dladdr(caller, &info) || !info.dli_fname)
		return NULL;
	return look_in(info.dli_fname, name);
}

static void *look_everywhere(const struct ct_real_table *table, const char *name,
			     const void *caller)
{
	void *found = ct_dlsym(RTLD_NEXT, name);

	if (found && !ct_ours(found))
		return found;
	found = look_behind_caller(name, caller);
	for (size_t i = 0; !found && table->libraries[i]; i++)
		found = look_in(table->libraries[i], name);
	return found;
}

static void find_all(struct ct_real_table *table, const void *caller)
{
	for (struct ct_real_function *f = table->functions; f->symbol; f++)
		if (!__atomic_load_n(&f->function, __ATOMIC_RELAXED))
			__atomic_store_n(&f->function, look_everywhere(table, f->symbol, caller),
					 __ATOMIC_RELAXED);
}

void *ct_real(struct ct_real_table *table, int slot, const void *caller)
{
	struct ct_real_function *f = &table->functions[slot];
	void *real = __atomic_load_n(&f->function, __ATOMIC_RELAXED);
	int saved = errno;

	if (__builtin_expect(real != NULL, 1))
		return real;
	real = look_everywhere(table, f->symbol, caller);
	__atomic_store_n(&f->function, real, __ATOMIC_RELAXED);
	if (real && !__atomic_exchange_n(&table->all_sought, 1, __ATOMIC_RELAXED))
		find_all(table, caller);
	errno = saved;
	return real;
}

/*
 * The wrapper that is handed out goes on calling this library's function: keep the library
 * even if the program closes it, or the next one loaded would be called at old addresses.
 */
static void pin(struct ct_real_table *table, const void *function)
{
	int saved = errno;
	Dl_info info;

	if (!__atomic_exchange_n(&table->pinned, 1, __ATOMIC_RELAXED) && dladdr(function, &info) &&
	    !dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD))
		dlerror(); /* ours, not the program's */
	errno = saved;
}

void *ct_real_swap(struct ct_real_table *table, void *found, const void *caller)
{
	int saved = errno;

	if (!__atomic_load_n(&table->functions[0].function, __ATOMIC_RELAXED))
		find_all(table, caller); /* the first exists in every version of the library */
	errno = saved;
	for (const struct ct_real_function *f = table->functions; f->symbol; f++)
		if (__atomic_load_n(&f->function, __ATOMIC_RELAXED) == found) {
			pin(table, found);
			return f->wrapper;
		}
	return found;
}

int ct_real_knows(const struct ct_real_table *table, const char *symbol)
{
	for (const struct ct_real_function *f = table->functions; f->symbol; f++)
		if (strcmp(f->symbol, symbol) == 0)
			return 1;
	return 0;
}
