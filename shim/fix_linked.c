/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/fix_linked.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/export.h"
#include "shim/fix.h"
#include "shim/options.h"
#include "shim/real.h"
#include "shim/self.h"

#if defined(__x86_64__)
#define CALLED R_X86_64_JUMP_SLOT
#define TAKEN R_X86_64_GLOB_DAT
#define STORED R_X86_64_64
#else
#define CALLED R_AARCH64_JUMP_SLOT
#define TAKEN R_AARCH64_GLOB_DAT
#define STORED R_AARCH64_ABS64
#endif

struct sweep {
	struct dl_phdr_info driver; /* dlpi_addr and so on; dlpi_phdr is NULL until it is found */
	bool look_only;
	uint32_t modules; /* that have some address of the driver's which we have a wrapper for */
};

/* What a module says of where the loader puts addresses. */
struct slots {
	const struct dl_phdr_info *module;
	const ElfW(Sym) *symbols;
	const char *names;
	const ElfW(Rela) *tables[2];
	size_t counts[2];
};

static bool is_named(const struct dl_phdr_info *info, const char *beginning)
{
	const char *slash = strrchr(info->dlpi_name, '/');

	return strncmp(slash ? slash + 1 : info->dlpi_name, beginning, strlen(beginning)) == 0;
}

/* glibc has relocated these pointers in place, as in export.c. */
static const void *pointer(const struct dl_phdr_info *info, ElfW(Addr) value)
{
	return (const void *)(value < info->dlpi_addr ? value + info->dlpi_addr : value);
}

static bool find_slots(const struct dl_phdr_info *info, struct slots *ret)
{
	const ElfW(Dyn) *d = NULL;

	*ret = (struct slots){ .module = info };
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			d = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	for (; d && d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_SYMTAB)
			ret->symbols = pointer(info, d->d_un.d_ptr);
		else if (d->d_tag == DT_STRTAB)
			ret->names = pointer(info, d->d_un.d_ptr);
		else if (d->d_tag == DT_RELA)
			ret->tables[0] = pointer(info, d->d_un.d_ptr);
		else if (d->d_tag == DT_RELASZ)
			ret->counts[0] = d->d_un.d_val / sizeof(ElfW(Rela));
		else if (d->d_tag == DT_JMPREL)
			ret->tables[1] = pointer(info, d->d_un.d_ptr);
		else if (d->d_tag == DT_PLTRELSZ)
			ret->counts[1] = d->d_un.d_val / sizeof(ElfW(Rela));
	}
	return ret->symbols && ret->names;
}

static bool within(const struct dl_phdr_info *info, const void *address, ElfW(Word) type)
{
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == type &&
		    (uintptr_t)address - info->dlpi_addr - info->dlpi_phdr[i].p_vaddr <
			    info->dlpi_phdr[i].p_memsz)
			return true;
	return false;
}

/* What is read-only since it was relocated is so again afterwards. */
static void put(const struct dl_phdr_info *info, void **slot, void *wrapper)
{
	uintptr_t page = (uintptr_t)slot & ~((uintptr_t)getauxval(AT_PAGESZ) - 1);
	size_t bytes = (uintptr_t)(slot + 1) - page;
	bool read_only = within(info, slot, PT_GNU_RELRO);

	if (read_only && mprotect((void *)page, bytes, PROT_READ | PROT_WRITE) < 0)
		return;
	__atomic_store_n(slot, wrapper, __ATOMIC_RELEASE);
	if (read_only)
		mprotect((void *)page, bytes, PROT_READ);
}

/* Returns whether the driver's function of this name is, or will be, in the place. */
static bool is_drivers(const struct sweep *sweep, const struct slots *s, const ElfW(Rela) *rela,
		       const char *name)
{
	const void *there = *(void **)(s->module->dlpi_addr + rela->r_offset);
	struct ct_export driver;

	if (!ct_export_find(&sweep->driver, name, &driver))
		return false;
	return there == driver.address || /* bound, or not before the first call: */
	       (ELF64_R_TYPE(rela->r_info) == CALLED && within(s->module, there, PT_LOAD));
}

/* Returns whether there is such an address. */
static bool sweep_slot(const struct sweep *sweep, const struct slots *s, const ElfW(Rela) *rela)
{
	const ElfW(Sym) *symbol = &s->symbols[ELF64_R_SYM(rela->r_info)];
	const char *name = s->names + symbol->st_name;
	uint32_t type = ELF64_R_TYPE(rela->r_info);
	void *wrapper;

	if ((type != CALLED && type != TAKEN && type != STORED) || symbol->st_shndx != SHN_UNDEF ||
	    name[0] != 'c' || name[1] != 'u')
		return false;
	wrapper = ct_real_wrapper(&ct_real_driver, name);
	if (!wrapper || !is_drivers(sweep, s, rela, name))
		return false;
	if (!sweep->look_only)
		put(s->module, (void **)(s->module->dlpi_addr + rela->r_offset), wrapper);
	return true;
}

/* CUDA's own libraries call the driver for their own work. */
static int sweep_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct sweep *sweep = arg;
	struct slots slots;
	bool any = false;

	(void)size;
	if (is_named(info, "libcuda.so") || is_named(info, "libcupti") || is_named(info, "libnv") ||
	    within(info, (const void *)ct_fix_linked, PT_LOAD) || !find_slots(info, &slots))
		return 0;
	for (int t = 0; t < 2; t++)
		for (size_t i = 0; i < slots.counts[t]; i++)
			any |= sweep_slot(sweep, &slots, &slots.tables[t][i]);
	sweep->modules += any;
	return 0;
}

static int find_driver(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct sweep *sweep = arg;

	(void)size;
	if (!is_named(info, "libcuda.so"))
		return 0;
	sweep->driver = *info;
	return 1;
}

static uint32_t sweep_all(bool look_only)
{
	struct sweep sweep = { .look_only = look_only };
	int saved = errno;

	if ((ct_options_fix() == CT_FIX_FREES || *ct_options_fix_counts()) &&
	    dl_iterate_phdr(find_driver, &sweep))
		dl_iterate_phdr(sweep_module, &sweep);
	errno = saved;
	return sweep.modules;
}

void ct_fix_linked(void)
{
	sweep_all(false);
}

void ct_fix_linked_end(void)
{
	struct ct_fix_counts *counts = ct_fix_counts();

	if (counts->pid == (uint32_t)getpid())
		counts->unreached = sweep_all(true);
}
