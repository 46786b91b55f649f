/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/symtab.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define NOTHING SIZE_MAX /* also what is before the first */

struct symbol {
	uint64_t start, end; /* the same: a label, of unknown size */
	uint64_t reach;      /* the last end of those so far */
	size_t around;       /* the last before it that ends later; NOTHING */
	const char *name;
	GElf_Word section;
	int number;            /* in the module */
	unsigned char binding; /* as it is preferred */
};

struct ct_symtab {
	Dwfl_Module *module;
	size_t count;
	struct symbol symbols[]; /* by start; of the same, what is preferred comes last */
};

static unsigned char preference(const GElf_Sym *symbol)
{
	switch (GELF_ST_BIND(symbol->st_info)) {
	case STB_GLOBAL:
		return 3;
	case STB_WEAK:
		return 2;
	case STB_LOCAL:
		return 1;
	default:
		return 0;
	}
}

static bool is_place(const GElf_Sym *symbol, GElf_Word section, const char *name)
{
	int type = GELF_ST_TYPE(symbol->st_info);

	return name && *name && section != SHN_UNDEF && type != STT_SECTION && type != STT_FILE &&
	       type != STT_TLS;
}

static int compare(const void *a_, const void *b_)
{
	const struct symbol *a = a_, *b = b_;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->end != b->end) /* a label is less than anything with a size */
		return a->end == a->start || (b->end != b->start && a->end > b->end) ? -1 : 1;
	if (a->binding != b->binding)
		return a->binding < b->binding ? -1 : 1;
	return (a->number < b->number) - (a->number > b->number); /* of aliases the first */
}

static void list(struct ct_symtab *symtab, int count)
{
	for (int i = 1; i < count; i++) {
		struct symbol *symbol = &symtab->symbols[symtab->count];
		GElf_Sym from = { 0 }; /* as it stays where there is none */

		symbol->name = dwfl_module_getsym_info(symtab->module, i, &from, &symbol->start,
						       &symbol->section, NULL, NULL);
		if (!is_place(&from, symbol->section, symbol->name))
			continue;
		symbol->end = symbol->start + from.st_size;
		symbol->binding = preference(&from);
		symbol->number = i;
		symtab->count++;
	}
}

/* What is around each, as far as that can be seen from the one before. */
static void nest(struct ct_symtab *symtab)
{
	uint64_t reach = 0;

	for (size_t i = 0; i < symtab->count; i++) {
		struct symbol *symbol = &symtab->symbols[i];
		size_t around = i ? i - 1 : NOTHING;

		while (around != NOTHING && symtab->symbols[around].end <= symbol->end)
			around = symtab->symbols[around].around;
		symbol->around = around;
		reach = symbol->end > reach ? symbol->end : reach;
		symbol->reach = reach;
	}
}

int ct_symtab_create(Dwfl_Module *module, struct ct_symtab **ret)
{
	int count = dwfl_module_getsymtab(module);
	struct ct_symtab *symtab;

	if (count < 0)
		count = 0;
	symtab = malloc(sizeof(*symtab) + (size_t)count * sizeof(symtab->symbols[0]));
	if (!symtab)
		return -ENOMEM;
	*symtab = (struct ct_symtab){ .module = module };
	list(symtab, count);
	qsort(symtab->symbols, symtab->count, sizeof(symtab->symbols[0]), compare);
	nest(symtab);
	*ret = symtab;
	return 0;
}

void ct_symtab_destroy(struct ct_symtab *symtab)
{
	free(symtab);
}

/* How many begin at the address or before. */
static size_t count_before(const struct ct_symtab *symtab, uint64_t address)
{
	size_t first = 0, last = symtab->count;

	while (first < last) {
		size_t middle = first + (last - first) / 2;

		if (symtab->symbols[middle].start <= address)
			first = middle + 1;
		else
			last = middle;
	}
	return first;
}

static bool in_section(const struct ct_symtab *symtab, const struct symbol *label, uint64_t address)
{
	GElf_Addr relative = address, bias;
	Elf_Scn *section = dwfl_module_address_section(symtab->module, &relative, &bias);

	return section && elf_ndxscn(section) == label->section;
}

const char *ct_symtab_find(const struct ct_symtab *symtab, uint64_t address)
{
	size_t before = count_before(symtab, address);
	const struct symbol *last;

	for (size_t i = before - 1; before && i != NOTHING; i = symtab->symbols[i].around)
		if (symtab->symbols[i].end > address)
			return symtab->symbols[i].name;
	if (!before)
		return NULL;
	last = &symtab->symbols[before - 1];
	if (last->end != last->start || last->reach > last->start)
		return NULL;
	return in_section(symtab, last, address) ? last->name : NULL;
}
