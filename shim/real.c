/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "shim/dlsym.h"
#include "shim/fix.h"
#include "shim/self.h"

void *ct_real_look_in(const char *library, const char *name)
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
	return ct_real_look_in(info.dli_fname, name);
}

void *ct_real_loaded(const struct ct_real_table *table, const char *name)
{
	void *found = NULL;

	for (size_t i = 0; !found && table->libraries[i]; i++)
		found = ct_real_look_in(table->libraries[i], name);
	return found;
}

static void *look_everywhere(const struct ct_real_table *table, const char *name,
			     const void *caller)
{
	void *found = ct_dlsym(RTLD_NEXT, name);

	if (found && !ct_ours(found))
		return found;
	found = look_behind_caller(name, caller);
	return found ? found : ct_real_loaded(table, name);
}

/* Another thread may have found it, and even replaced it, meanwhile. Returns what is there. */
static void *put(struct ct_real_function *f, void *found)
{
	void *before = NULL;

	if (__atomic_compare_exchange_n(&f->function, &before, found, false, __ATOMIC_RELEASE,
					__ATOMIC_RELAXED))
		return found;
	return before;
}

static void find_all(struct ct_real_table *table, const void *caller)
{
	for (struct ct_real_function *f = table->functions; f->symbol; f++)
		if (!__atomic_load_n(&f->function, __ATOMIC_RELAXED))
			put(f, look_everywhere(table, f->symbol, caller));
	__atomic_store_n(&table->all_done, 1, __ATOMIC_RELEASE);
	if (table == &ct_real_driver)
		ct_fix_install();
}

/* The first exists in every version of the library. Another thread may be in the middle of it. */
static void find_all_if_need_be(struct ct_real_table *table, const void *caller)
{
	if (!__atomic_load_n(&table->all_done, __ATOMIC_ACQUIRE) ||
	    !__atomic_load_n(&table->functions[0].function, __ATOMIC_RELAXED))
		find_all(table, caller);
}

/*
 * From now on a wrapper calls into this library: keep it even if the program closes it. A
 * call at its old address would be the program's end.
 */
void ct_real_keep(const void *function)
{
	Dl_info info;

	if (dladdr(function, &info) && !dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD))
		dlerror(); /* ours, not the program's: it is the executable itself */
}

static void keep_once(struct ct_real_table *table, const void *function)
{
	if (!__atomic_exchange_n(&table->kept, 1, __ATOMIC_RELAXED))
		ct_real_keep(function);
}

/* The first function found under this name; most processes have but one library of a table. */
static void *first_found(struct ct_real_table *table, int slot, const void *caller)
{
	struct ct_real_function *f = &table->functions[slot];
	void *real = __atomic_load_n(&f->function, __ATOMIC_RELAXED);

	if (real)
		return real;
	real = put(f, look_everywhere(table, f->symbol, caller));
	if (real && !__atomic_exchange_n(&table->all_sought, 1, __ATOMIC_RELAXED)) {
		keep_once(table, real);
		find_all(table, caller);
	}
	return real;
}

void *ct_real(struct ct_real_table *table, int slot, const void *caller)
{
	void *real = __atomic_load_n(&table->functions[slot].function, __ATOMIC_RELAXED);
	int saved = errno;

	if (__builtin_expect(real != NULL, 1))
		return real;
	real = first_found(table, slot, caller);
	errno = saved;
	return real;
}

void *ct_real_swap(struct ct_real_table *table, void *found, const void *caller)
{
	int saved = errno;

	find_all_if_need_be(table, caller);
	errno = saved;
	for (const struct ct_real_function *f = table->functions; f->symbol; f++)
		if (__atomic_load_n(&f->function, __ATOMIC_RELAXED) == found ||
		    __atomic_load_n(&f->replaced, __ATOMIC_RELAXED) == found) {
			keep_once(table, found);
			errno = saved;
			return f->wrapper;
		}
	return found;
}

/* Asked for hundreds of names by every runtime that starts: lengths tell most of them apart. */
static struct ct_real_function *by_name(const struct ct_real_table *table, const char *symbol)
{
	size_t length = strlen(symbol);

	for (struct ct_real_function *f = table->functions; f->symbol; f++)
		if (f->length == length && memcmp(f->symbol, symbol, length) == 0)
			return f;
	return NULL;
}

void *ct_real_adopt(struct ct_real_table *table, const char *symbol, void *found)
{
	struct ct_real_function *f = by_name(table, symbol);
	int saved = errno;

	if (!f)
		return found;
	__atomic_store_n(&f->function, found, __ATOMIC_RELAXED);
	keep_once(table, found);
	errno = saved;
	return f->wrapper;
}

bool ct_real_replace(struct ct_real_table *table, const char *symbol, void *by, void **ret_behind)
{
	struct ct_real_function *f = by_name(table, symbol);
	void *behind = f ? __atomic_load_n(&f->function, __ATOMIC_ACQUIRE) : NULL;

	if (!behind)
		return false;
	if (ret_behind)
		*ret_behind = behind;
	if (!f->replaced)
		__atomic_store_n(&f->replaced, behind, __ATOMIC_RELEASE);
	__atomic_store_n(&f->function, by, __ATOMIC_RELEASE);
	return true;
}

void *ct_real_wrapper(const struct ct_real_table *table, const char *symbol)
{
	const struct ct_real_function *f = by_name(table, symbol);

	return f ? f->wrapper : NULL;
}

int ct_real_knows(const struct ct_real_table *table, const char *symbol)
{
	return by_name(table, symbol) != NULL;
}
