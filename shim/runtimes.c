/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several CUDA runtimes a call is for. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shim/dlsym.h"
#include "shim/nvtx.h"
#include "shim/real.h"
#include "shim/self.h"

#define RUNTIMES_MAX 32
#define SONAME_BYTES 64
#define PAGES 512 /* code pages of callers that are remembered */
#define PAGE_SHIFT 12

/* A libcudart that some caller needs. Number 0 stands for callers of which no one knows. */
static struct runtime {
	char soname[SONAME_BYTES];
	uint32_t ready;
	uint32_t sought; /* all its functions */
	void *functions[CT_REAL_SLOTS_MAX]; /* by slot; NULL: not found yet */
} runtimes[RUNTIMES_MAX];
static uint32_t runtime_count = 1;

/* By page of code: the page and the number of the runtime its calls go to; 0 = free. */
static uint64_t pages[PAGES];

/* Also "libcudart-faf08d9a.so.13", as wheels that bring their own copy call it. */
static bool is_runtime(const char *soname)
{
	const char *rest = soname + strlen("libcudart");

	return !strncmp(soname, "libcudart", strlen("libcudart")) && strchr(".-", *rest) && *rest &&
	       strstr(rest, ".so");
}

/* Has another preloaded tool a wrapper of its own here, and not a runtime its function? */
static bool of_tool(const void *function)
{
	const char *base;
	Dl_info info;

	if (ct_ours(function) || !dladdr(function, &info) || !info.dli_fname)
		return false;
	base = strrchr(info.dli_fname, '/');
	return !is_runtime(base ? base + 1 : info.dli_fname);
}

/* What is preloaded behind us wraps the calls of everybody, whichever runtime they are for. */
static void *look(const struct runtime *runtime, struct ct_real_table *table, int slot,
		  const void *caller)
{
	const char *symbol = table->functions[slot].symbol;
	void *own = *runtime->soname ? ct_real_look_in(runtime->soname, symbol) : NULL;
	void *next = own ? ct_dlsym(RTLD_NEXT, symbol) : NULL;

	if (next && next != own && of_tool(next))
		return next;
	return own ? own : ct_real(table, slot, caller);
}

/* All at once: see ct_real(). */
static void *find(struct runtime *runtime, struct ct_real_table *table, int slot,
		  const void *caller)
{
	void *real = look(runtime, table, slot, caller);

	__atomic_store_n(&runtime->functions[slot], real, __ATOMIC_RELAXED);
	if (!real || __atomic_exchange_n(&runtime->sought, 1, __ATOMIC_RELAXED))
		return real;
	ct_real_keep(real);
	for (int i = 0; table->functions[i].symbol && i < CT_REAL_SLOTS_MAX; i++)
		if (!__atomic_load_n(&runtime->functions[i], __ATOMIC_RELAXED))
			__atomic_store_n(&runtime->functions[i], look(runtime, table, i, caller),
					 __ATOMIC_RELAXED);
	return real;
}

/*
 * The libcudart that a loaded object names among the libraries it needs, or NULL. Reads
 * the object's own tables: no lock of the loader.
 */
__attribute__((unused)) static const char *needed_runtime(const struct link_map *map)
{
	const char *strings = NULL;

	for (const ElfW(Dyn) *d = map->l_ld; d && d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_STRTAB)
			strings = (const char *)(d->d_un.d_ptr < map->l_addr
							 ? d->d_un.d_ptr + map->l_addr
							 : d->d_un.d_ptr);
	for (const ElfW(Dyn) *d = map->l_ld; strings && d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_NEEDED && is_runtime(strings + d->d_un.d_val))
			return strings + d->d_un.d_val;
	return NULL;
}

/*
 * Comparing and copying by hand: ThreadSanitizer's strcmp() and strcpy() would call it a race,
 * as it sees the program's calls of them but not the atomics of a library built without it.
 */
static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static void copy(char *to, const char *from)
{
	do
		*to++ = *from;
	while (*from++);
}

/* The number of a runtime by its soname; 0 where there is no room for one more. */
__attribute__((unused)) static uint32_t number_of(const char *soname)
{
	uint32_t count = __atomic_load_n(&runtime_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 1; i < count && i < RUNTIMES_MAX; i++)
		if (__atomic_load_n(&runtimes[i].ready, __ATOMIC_ACQUIRE) &&
		    same(runtimes[i].soname, soname))
			return i;
	if (count >= RUNTIMES_MAX || strlen(soname) >= SONAME_BYTES)
		return 0;
	count = __atomic_fetch_add(&runtime_count, 1, __ATOMIC_ACQ_REL);
	if (count >= RUNTIMES_MAX)
		return 0;
	copy(runtimes[count].soname, soname);
	__atomic_store_n(&runtimes[count].ready, 1, __ATOMIC_RELEASE);
	return count;
}

/*
 * _dl_find_object (glibc 2.35) takes no lock. Without it all calls go to the first runtime
 * that is found, which is right unless a process has two.
 */
static uint32_t identify(const void *caller)
{
#ifdef DLFO_STRUCT_HAS_EH_DBASE
	static int (*find_object)(void *, struct dl_find_object *);
	static uint32_t sought;
	int (*look_up)(void *, struct dl_find_object *);
	struct dl_find_object object;
	const char *soname;

	if (!__atomic_load_n(&sought, __ATOMIC_ACQUIRE)) {
		void *found = ct_dlsym(RTLD_DEFAULT, "_dl_find_object");

		__atomic_store_n((void **)&find_object, found, __ATOMIC_RELAXED);
		__atomic_store_n(&sought, 1, __ATOMIC_RELEASE);
	}
	look_up = __atomic_load_n(&find_object, __ATOMIC_RELAXED); /* others may store it, too */
	if (!look_up || look_up((void *)(uintptr_t)caller, &object) != 0)
		return 0;
	soname = needed_runtime(object.dlfo_link_map);
	return soname ? number_of(soname) : 0;
#else
	(void)caller;
	return 0;
#endif
}

__attribute__((visibility("default"))) int dlclose(void *handle);

/*
 * What is loaded next may lie where this was, and need another runtime: all pages are
 * forgotten. Nobody can load anything, let alone call it, before the loader lets go of its
 * lock, which is just before the real function returns.
 */
int dlclose(void *handle)
{
	static int (*real)(void *);
	int (*close)(void *) = __atomic_load_n(&real, __ATOMIC_RELAXED);
	int r;

	if (ct_nvtx_is(handle))
		return 0;
	if (!close) {
		*(void **)&close = ct_dlsym(RTLD_NEXT, "dlclose");
		__atomic_store_n(&real, close, __ATOMIC_RELAXED);
	}
	r = close ? close(handle) : 0; /* what is not closed harms nobody */
	for (int i = 0; i < PAGES; i++)
		__atomic_store_n(&pages[i], 0, __ATOMIC_RELAXED);
	return r;
}

__attribute__((noinline)) static void *find_slowly(struct ct_real_table *table, int slot,
						    const void *caller)
{
	uint64_t page = (uintptr_t)caller >> PAGE_SHIFT;
	int saved = errno;
	uint32_t number = identify(caller);
	void *real = __atomic_load_n(&runtimes[number].functions[slot], __ATOMIC_RELAXED);

	if (!real)
		real = find(&runtimes[number], table, slot, caller);
	__atomic_store_n(&pages[page % PAGES], page << 8 | number, __ATOMIC_RELAXED);
	errno = saved;
	return real;
}

void *ct_real_of_caller(struct ct_real_table *table, int slot, const void *caller)
{
	uint64_t page = (uintptr_t)caller >> PAGE_SHIFT;
	uint64_t known = __atomic_load_n(&pages[page % PAGES], __ATOMIC_RELAXED);
	void *real = NULL;

	if (__builtin_expect(known >> 8 == page, 1))
		real = __atomic_load_n(&runtimes[known & 0xff].functions[slot], __ATOMIC_RELAXED);
	return __builtin_expect(real != NULL, 1) ? real : find_slowly(table, slot, caller);
}
