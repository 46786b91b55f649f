/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/export.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>

struct tables {
	const ElfW(Sym) *symbols;
	const char *names;
	const uint32_t *gnu;  /* DT_GNU_HASH; NULL = none */
	const uint32_t *sysv; /* DT_HASH; NULL = none */
};

/* glibc has relocated these pointers in place, other loaders (and the vdso) have not. */
static const void *pointer(const struct dl_phdr_info *info, ElfW(Addr) value)
{
	return (const void *)(value < info->dlpi_addr ? value + info->dlpi_addr : value);
}

static bool find_tables(const struct dl_phdr_info *info, struct tables *ret)
{
	const ElfW(Dyn) *dynamic = NULL;

	memset(ret, 0, sizeof(*ret));
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			dynamic = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		if (dynamic->d_tag == DT_SYMTAB)
			ret->symbols = pointer(info, dynamic->d_un.d_ptr);
		else if (dynamic->d_tag == DT_STRTAB)
			ret->names = pointer(info, dynamic->d_un.d_ptr);
		else if (dynamic->d_tag == DT_GNU_HASH)
			ret->gnu = pointer(info, dynamic->d_un.d_ptr);
		else if (dynamic->d_tag == DT_HASH)
			ret->sysv = pointer(info, dynamic->d_un.d_ptr);
	}
	return ret->symbols && ret->names && (ret->gnu || ret->sysv);
}

static bool is(const struct tables *t, uint32_t i, const char *name)
{
	return t->symbols[i].st_shndx != SHN_UNDEF &&
	       strcmp(t->names + t->symbols[i].st_name, name) == 0;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t h = 5381;

	for (; *name; name++)
		h = h * 33 + (unsigned char)*name;
	return h;
}

/* Index of the symbol; 0 = none. */
static uint32_t find_gnu(const struct tables *t, const char *name)
{
	uint32_t bucket_count = t->gnu[0], first = t->gnu[1], words = t->gnu[2], shift = t->gnu[3];
	const ElfW(Addr) *bloom = (const void *)(t->gnu + 4);
	const uint32_t *buckets = (const void *)(bloom + words), *chains = buckets + bucket_count;
	const uint32_t bits = sizeof(*bloom) * 8;
	uint32_t h = gnu_hash(name), i;

	if (!bucket_count || !words)
		return 0;
	if (!(bloom[h / bits % words] >> h % bits & bloom[h / bits % words] >> (h >> shift) % bits & 1))
		return 0;
	i = buckets[h % bucket_count];
	if (i < first)
		return 0;
	for (;; i++) {
		uint32_t one = chains[i - first];

		if ((one | 1) == (h | 1) && is(t, i, name))
			return i;
		if (one & 1)
			return 0;
	}
}

static uint32_t sysv_hash(const char *name)
{
	uint32_t h = 0;

	for (; *name; name++) {
		h = (h << 4) + (unsigned char)*name;
		h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
	}
	return h;
}

static uint32_t find_sysv(const struct tables *t, const char *name)
{
	uint32_t bucket_count = t->sysv[0];
	const uint32_t *buckets = t->sysv + 2, *chains = buckets + bucket_count;

	if (!bucket_count)
		return 0;
	for (uint32_t i = buckets[sysv_hash(name) % bucket_count]; i; i = chains[i])
		if (is(t, i, name))
			return i;
	return 0;
}

bool ct_export_find(const struct dl_phdr_info *info, const char *name, struct ct_export *ret)
{
	struct tables tables;
	uint32_t i;

	if (!find_tables(info, &tables))
		return false;
	i = tables.gnu ? find_gnu(&tables, name) : find_sysv(&tables, name);
	if (!i)
		return false;
	ret->address = (void *)(info->dlpi_addr + tables.symbols[i].st_value);
	ret->bytes = tables.symbols[i].st_size;
	return true;
}
