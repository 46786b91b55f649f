/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlsym(), interposed. Programs and static runtimes find the driver's functions with it.
 *
 * The real dlsym() looks at its return address to know whose scope RTLD_NEXT and
 * RTLD_DEFAULT mean, so a wrapper in C would change what everybody finds. Ours is a few
 * instructions that leave the arguments and the return address as they are and jump to
 * the real one. Only for names of the wrappers, looked up by anybody but us and CUDA's
 * own tools, does it jump to answer(), which asks the real one and may swap the result.
 */
#include "shim/dlsym.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shim/nvtx.h"
#include "shim/options.h"
#include "shim/real.h"
#include "shim/self.h"
#include "shim/trampoline.h"

typedef void *dlsym_function(void *handle, const char *name);

/* What the trampoline calls. caller: its return address. Returns the function to jump to. */
__attribute__((used, visibility("hidden"))) void *ct_dlsym_pick(void *handle, const char *name,
								const void *caller);

CT_TRAMPOLINE("dlsym", "ct_dlsym_pick")
#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#else
#define OLDEST "GLIBC_2.17" /* where no trampoline is written, dlsym() is left alone */
#endif

void *ct_dlsym_loaders(const char *name)
{
	void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.34");

	return found ? found : dlvsym(RTLD_NEXT, name, OLDEST);
}

/*
 * Found by version, since by name we would find ourselves. Called before any constructor
 * has run if another preloaded library asks so early; two threads may both look.
 */
static dlsym_function *real_dlsym(void)
{
	static dlsym_function *known;
	dlsym_function *found = __atomic_load_n(&known, __ATOMIC_RELAXED);
	int saved = errno;

	if (found)
		return found;
	*(void **)&found = ct_dlsym_loaders("dlsym");
	__atomic_store_n(&known, found, __ATOMIC_RELAXED);
	errno = saved;
	return found;
}

void *ct_dlsym(void *handle, const char *name)
{
	void *found = real_dlsym()(handle, name);

	__asm__ volatile("" : : "r"(found)); /* no tail call: the return address says who asks */
	return found;
}

static struct ct_real_table *table_of(const char *name)
{
	if (strncmp(name, "cupti", 5) == 0)
		return &ct_real_cupti;
	return strncmp(name, "cuda", 4) == 0 ? &ct_real_runtime : &ct_real_driver;
}

struct search {
	const void *caller;
	bool ahead, done;
};

static bool holds(const struct dl_phdr_info *info, const void *address)
{
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD &&
		    (uintptr_t)address - info->dlpi_addr - info->dlpi_phdr[i].p_vaddr <
			    info->dlpi_phdr[i].p_memsz)
			return true;
	return false;
}

/* dl_iterate_phdr() callback: whichever of the caller and us comes first. */
static int which_first(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;

	(void)size;
	search->done = holds(info, (const void *)ct_dlsym_pick);
	search->ahead = !search->done && holds(info, search->caller);
	return search->done || search->ahead;
}

/* Does RTLD_NEXT mean us to this caller? To the program and what is preloaded before us. */
static bool ahead_of_us(const void *caller)
{
	struct search search = { .caller = caller };

	dl_iterate_phdr(which_first, &search);
	return search.ahead;
}

/*
 * What RTLD_DEFAULT finds of the runtime or CUPTI besides us: in the global scope behind us,
 * then in what the caller came with. A library may have come with another that brought the
 * runtime, which cannot be asked for: then any that is mapped will do, as one too many is
 * better than one too few. What the program itself or a tool ahead of us defines under such
 * a name is not found.
 */
static void *find_default(const char *name, const void *caller)
{
	void *found = ct_dlsym(RTLD_NEXT, name);
	void *own = NULL;
	Dl_info info;

	if (found || ahead_of_us(caller) || !dladdr(caller, &info) || !info.dli_fname)
		return found;
	own = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	if (own) {
		found = ct_dlsym(own, name);
		dlclose(own);
	}
	if (!found || ct_ours(found))
		found = ct_real_loaded(table_of(name), name);
	return found ? found : ct_dlsym(RTLD_NEXT, name); /* for dlerror() */
}

/*
 * The wrapper for what the program finds. What it finds may be our own exported symbol, the
 * global scope being part of most scopes: then it matters whether there is another behind
 * it, as the program must not find a driver where there is none.
 *
 * A runtime found by its handle is left alone where CUPTI is to show its calls.
 */
static void *answer(void *handle, const char *name, const void *caller)
{
	struct ct_real_table *table = table_of(name);
	bool global = true;
	void *found;

	if (handle == RTLD_DEFAULT || handle == RTLD_NEXT) {
		found = handle == RTLD_NEXT ? ct_dlsym(handle, name) : find_default(name, caller);
	} else {
		found = ct_dlsym(handle, name);
		global = found && ct_ours(found);
		if (global)
			found = ct_dlsym(RTLD_NEXT, name);
	}
	if (!found || (table == &ct_real_runtime && !global && ct_cupti_at_start(ct_options_cupti())))
		return found;
	found = table == &ct_real_cupti ? ct_real_adopt(table, name, found)
					: ct_real_swap(table, found, caller);
	dlerror(); /* what we sought besides, in vain, is not the program's to hear of */
	return found;
}

/* CUDA's own libraries look the driver up for their own work, not the program's. */
static bool is_tool(const void *caller)
{
	static const char *const tools[] = { "libcuda.so", "libcupti.so", "libnvperf", "libnvidia" };
	const char *base;
	Dl_info info;

	if (ct_ours(caller))
		return true;
	if (!dladdr(caller, &info) || !info.dli_fname)
		return false;
	base = strrchr(info.dli_fname, '/');
	base = base ? base + 1 : info.dli_fname;
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (strncmp(base, tools[i], strlen(tools[i])) == 0)
			return true;
	return false;
}

void *ct_dlsym_pick(void *handle, const char *name, const void *caller)
{
	bool global = handle == RTLD_DEFAULT || handle == RTLD_NEXT;
	void *nvtx = ct_nvtx_pick(handle, name);

	if (nvtx)
		return nvtx;
	if (name && name[0] == 'c' && name[1] == 'u' && ct_real_knows(table_of(name), name) &&
	    !(global && table_of(name) == &ct_real_driver) && !is_tool(caller) &&
	    (handle != RTLD_NEXT || ahead_of_us(caller)))
		return (void *)answer;
	return (void *)real_dlsym();
}
