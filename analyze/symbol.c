/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/symbol.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/debugfile.h"
#include "analyze/demangle.h"
#include "analyze/lookup.h"
#include "analyze/scopes.h"
#include "analyze/symtab.h"

enum state { UNOPENED, OPEN, UNUSABLE };

struct module {
	struct module *next; /* of all modules: frames may point into those that were replaced */
	uint64_t bias, start, end;
	uint8_t build_id[32];
	uint32_t build_id_length;
	enum state state;
	bool has_lines; /* if open: its debug information may be read */
	bool outside;   /* some of that is in other files */
	Dwfl *dwfl;
	Dwfl_Module *dwfl_module;
	struct ct_symtab *symtab; /* NULL = not yet */
	char path[];
};

/* The frames of one address, by pc. */
struct resolved {
	struct ct_link link;
	uint64_t pc;
	const struct module *module; /* NULL = none; resolved again when it was replaced */
	struct resolved *next;          /* of all entries */
	int count;
	struct ct_frame frames[];
};

/* Demangled names and other texts that nobody else keeps. */
struct text {
	struct text *next;
	char *memory;
};

struct ct_symbols {
	struct module *modules;
	void *mapped; /* a tree, as of tsearch(), of those that no later one has replaced */
	struct ct_scopes scopes;
	struct ct_lookup by_pc;
	struct resolved *entries;
	struct text *texts;
	uint32_t mismatched, missing, unverified, outside;
	bool failed;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int ct_symbols_create(struct ct_symbols **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

/* A tree's modules are freed with all others. */
static void keep(void *module)
{
	(void)module;
}

void ct_symbols_destroy(struct ct_symbols *symbols)
{
	if (!symbols)
		return;
	tdestroy(symbols->mapped, keep);
	ct_lookup_clear(&symbols->by_pc);
	ct_scopes_clear(&symbols->scopes);
	for (struct resolved *e = symbols->entries, *next; e; e = next) {
		next = e->next;
		free(e);
	}
	for (struct text *t = symbols->texts, *next; t; t = next) {
		next = t->next;
		free(t->memory);
		free(t);
	}
	for (struct module *m = symbols->modules, *next; m; m = next) {
		next = m->next;
		ct_symtab_destroy(m->symtab);
		dwfl_end(m->dwfl);
		free(m);
	}
	free(symbols);
}

bool ct_symbols_failed(const struct ct_symbols *symbols)
{
	return symbols->failed;
}

uint32_t ct_symbols_mismatched(const struct ct_symbols *symbols)
{
	return symbols->mismatched;
}

uint32_t ct_symbols_missing(const struct ct_symbols *symbols)
{
	return symbols->missing;
}

uint32_t ct_symbols_unverified(const struct ct_symbols *symbols)
{
	return symbols->unverified;
}

uint32_t ct_symbols_outside(const struct ct_symbols *symbols)
{
	return symbols->outside;
}

/* The shim tells of every module again after each dlopen(): most are known. */
static bool same_module(const struct module *a, const struct module *b)
{
	return a->bias == b->bias && a->start == b->start && a->end == b->end &&
	       a->build_id_length == b->build_id_length &&
	       memcmp(a->build_id, b->build_id, a->build_id_length) == 0 &&
	       strcmp(a->path, b->path) == 0;
}

/* By address; modules that overlap are equal, of which none are in the tree. */
static int by_address(const void *a, const void *b)
{
	const struct module *x = a, *y = b;

	return x->end <= y->start ? -1 : y->end <= x->start;
}

/* Some mapped module with an address in [start, end); NULL if there is none. */
static struct module *find_mapped(const struct ct_symbols *symbols, uint64_t start, uint64_t end)
{
	const struct module range = { .start = start, .end = end };
	struct module *const *found = tfind(&range, &symbols->mapped, by_address);

	return found ? *found : NULL;
}

int ct_symbols_module(struct ct_symbols *symbols, const char *path, uint64_t bias, uint64_t start,
		      uint64_t end, const uint8_t *build_id, uint32_t build_id_length)
{
	size_t path_bytes = strlen(path) + 1;
	struct module *module, *known;

	if (start >= end || build_id_length > sizeof(module->build_id))
		return -EINVAL;
	module = calloc(1, sizeof(*module) + path_bytes);
	if (!module)
		return -ENOMEM;
	module->bias = bias;
	module->start = start;
	module->end = end;
	module->build_id_length = build_id_length;
	if (build_id_length)
		memcpy(module->build_id, build_id, build_id_length);
	memcpy(module->path, path, path_bytes);
	known = find_mapped(symbols, start, end);
	if (known && same_module(known, module)) {
		free(module);
		return 0;
	}
	for (; known; known = find_mapped(symbols, start, end))
		tdelete(known, &symbols->mapped, by_address);
	if (!tsearch(module, &symbols->mapped, by_address)) {
		free(module);
		return -ENOMEM;
	}
	module->next = symbols->modules;
	symbols->modules = module;
	return 0;
}

/*
 * The C library called the program, or a thread's function: its lines help nobody, and where
 * its debug information is installed, unpacking that takes longer than a short report.
 */
static bool wants_lines(const struct module *m)
{
	return strcmp(base_name(m->path), "libc.so.6") != 0;
}

static void note_outside(struct ct_symbols *symbols, struct module *m, bool outside)
{
	symbols->outside += outside && !m->outside;
	m->outside |= outside;
}

/* Open the module's file if that was not tried yet. Returns whether it can be used. */
static bool open_module(struct ct_symbols *symbols, struct module *m)
{
	int r;

	if (m->state != UNOPENED)
		return m->state == OPEN;
	r = ct_debugfile_open(m->path, m->bias, m->build_id, m->build_id_length, &m->dwfl,
			      &m->dwfl_module);
	m->state = r ? UNUSABLE : OPEN;
	if (r == -ESTALE)
		symbols->mismatched++;
	else if (r)
		symbols->missing++;
	if (r)
		return false;
	symbols->unverified += m->build_id_length == 0;
	if (wants_lines(m)) {
		m->has_lines = !ct_debugfile_outside(m->dwfl_module);
		note_outside(symbols, m, !m->has_lines);
	}
	return true;
}

/* The demangled name; kept until the end. Falls back to the symbol itself. */
static const char *readable(struct ct_symbols *symbols, const char *symbol)
{
	struct text *text;
	const char *name;
	char *memory;

	if (!symbol)
		return NULL;
	name = ct_demangle(symbol, &memory);
	if (!memory)
		return name;
	text = malloc(sizeof(*text));
	if (!text) {
		free(memory);
		symbols->failed = true;
		return symbol;
	}
	text->memory = memory;
	text->next = symbols->texts;
	symbols->texts = text;
	return name;
}

/*
 * The compile unit of an address. clang writes no .debug_aranges unless asked to, so
 * when the index does not know, every unit's own ranges are asked.
 */
static Dwarf_Die *find_unit(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *ret_bias)
{
	Dwarf_Die *unit = dwfl_module_addrdie(module, address, ret_bias);

	if (unit)
		return unit;
	while ((unit = dwfl_module_nextcu(module, unit, ret_bias)))
		if (dwarf_haspc(unit, address - *ret_bias) > 0)
			return unit;
	return NULL;
}

static void set_source(struct ct_frame *frame, const char *path, int line)
{
	if (!path)
		return;
	frame->path = path;
	frame->file = base_name(path);
	frame->line = line > 0 ? (uint32_t)line : 0;
}

static void set_line(struct ct_frame *frame, Dwarf_Die *unit, Dwarf_Addr address)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, address);
	int number = 0;

	if (line && dwarf_lineno(line, &number) == 0)
		set_source(frame, dwarf_linesrc(line, NULL, NULL), number);
}

/* Where the function that was expanded at `die` had been called. */
static void set_call_site(struct ct_frame *frame, Dwarf_Die *unit, Dwarf_Die *die)
{
	Dwarf_Word file = 0, line = 0;
	Dwarf_Attribute attr;
	Dwarf_Files *files;
	size_t count;

	if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attr), &file) != 0 ||
	    dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attr), &line) != 0 ||
	    dwarf_getsrcfiles(unit, &files, &count) != 0 || file >= count)
		return;
	set_source(frame, dwarf_filesrc(files, file, NULL, NULL), (int)line);
}

static const char *die_symbol(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	const char *name = dwarf_formstring(
		dwarf_attr_integrate(die, DW_AT_linkage_name, &attr));

	if (!name)
		name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr));
	return name ? name : dwarf_diename(die);
}

/* Aliases have linkage names too (__GI_qsort): only a C++ one says more than the name. */
static const char *die_function(struct ct_symbols *symbols, Dwarf_Die *die, const char *symbol)
{
	const char *name = dwarf_diename(die);

	return name && symbol && strncmp(symbol, "_Z", 2) != 0 ? name : readable(symbols, symbol);
}

/* Fill frames from debug information. Returns how many; 0 if there is none. */
static int frames_of_scopes(struct ct_symbols *symbols, Dwarf_Die *unit, Dwarf_Addr address,
			    struct ct_frame *frames)
{
	Dwarf_Die functions[CT_FRAMES_MAX];
	int count = ct_scopes_find(&symbols->scopes, unit, address, functions, CT_FRAMES_MAX);

	symbols->failed |= count < 0;
	for (int i = 0; i < count; i++) {
		struct ct_frame *frame = &frames[i];

		frame->inlined = dwarf_tag(&functions[i]) == DW_TAG_inlined_subroutine;
		frame->symbol = die_symbol(&functions[i]);
		frame->function = die_function(symbols, &functions[i], frame->symbol);
		if (i)
			set_call_site(frame, unit, &functions[i - 1]);
		else
			set_line(frame, unit, address);
	}
	return count > 0 ? count : 0;
}

/* Only a unit's lines are in the module: its functions are in a .dwo file, which is not opened. */
static bool is_split(const Dwarf_Die *unit)
{
	uint8_t type;

	return dwarf_cu_info(unit->cu, NULL, &type, NULL, NULL, NULL, NULL, NULL) == 0 &&
	       type == DW_UT_skeleton;
}

static const char *symbol_at(struct ct_symbols *symbols, struct module *m, uint64_t address)
{
	if (!m->symtab && ct_symtab_create(m->dwfl_module, &m->symtab) < 0) {
		symbols->failed = true;
		return NULL;
	}
	return ct_symtab_find(m->symtab, address);
}

/* Fill frames; the module is open. Returns how many. */
static int find_frames(struct ct_symbols *symbols, struct module *m, uint64_t address,
		       struct ct_frame *frames)
{
	Dwarf_Addr bias = 0;
	Dwarf_Die *unit = m->has_lines ? find_unit(m->dwfl_module, address, &bias) : NULL;
	const char *symbol = symbol_at(symbols, m, address);
	bool split = unit && is_split(unit);
	int n = unit && !split ? frames_of_scopes(symbols, unit, address - bias, frames) : 0;

	note_outside(symbols, m, split);
	if (n == 0) {
		frames[0].function = readable(symbols, symbol);
		frames[0].symbol = symbol;
		if (unit)
			set_line(&frames[0], unit, address - bias);
		return 1;
	}
	if (symbol && !frames[n - 1].inlined) {
		frames[n - 1].symbol = symbol;
		if (!frames[n - 1].function)
			frames[n - 1].function = readable(symbols, symbol);
	}
	return n;
}

/* Keep an entry in the place of an older one with its pc. Returns it; NULL without memory. */
static struct resolved *keep_entry(struct ct_symbols *symbols, struct resolved *entry,
				   struct resolved *old)
{
	entry->next = symbols->entries;
	symbols->entries = entry;
	if (old)
		ct_lookup_remove(&symbols->by_pc, old);
	return ct_lookup_add(&symbols->by_pc, entry, &entry->pc, sizeof(entry->pc)) < 0 ? NULL : entry;
}

/* The entry of a script frame; an id nobody told of has a frame without a place. */
static struct resolved *make_script(struct ct_symbols *symbols, uint64_t pc)
{
	struct resolved *entry = calloc(1, sizeof(*entry) + sizeof(entry->frames[0]));

	if (!entry)
		return NULL;
	entry->pc = pc;
	entry->count = 1;
	entry->frames[0].script = true;
	entry->frames[0].module = "Python";
	return keep_entry(symbols, entry, NULL);
}

int ct_symbols_script(struct ct_symbols *symbols, uint32_t id, const char *path, uint32_t line,
		      const char *function)
{
	uint64_t pc = CT_PC_SCRIPT(id);
	struct resolved *entry = ct_lookup_find(&symbols->by_pc, &pc, sizeof(pc));

	if (entry)
		return 0;
	entry = make_script(symbols, pc);
	if (!entry)
		return -ENOMEM;
	entry->frames[0].function = function;
	entry->frames[0].path = path;
	entry->frames[0].file = *path == '<' ? path : base_name(path);
	entry->frames[0].line = line;
	return 0;
}

static struct resolved *make_entry(struct ct_symbols *symbols, uint64_t pc, struct module *m,
				struct resolved *old)
{
	struct ct_frame frames[CT_FRAMES_MAX] = { 0 };
	struct resolved *entry;
	int count = 1;

	if (m && open_module(symbols, m))
		count = find_frames(symbols, m, pc ? pc - 1 : 0, frames);
	entry = calloc(1, sizeof(*entry) + (size_t)count * sizeof(frames[0]));
	if (!entry)
		return NULL;
	for (int i = 0; i < count; i++) {
		frames[i].module = m && *base_name(m->path) ? base_name(m->path) : "?";
		frames[i].address = m ? pc - m->bias : 0;
	}
	entry->pc = pc;
	entry->module = m;
	entry->count = count;
	memcpy(entry->frames, frames, (size_t)count * sizeof(frames[0]));
	return keep_entry(symbols, entry, old);
}

int ct_symbols_resolve(struct ct_symbols *symbols, uint64_t pc, const struct ct_frame **ret_frames)
{
	bool script = CT_PC_IS_SCRIPT(pc);
	uint64_t inside = pc ? pc - 1 : 0; /* the call that it returns from */
	struct module *module = script ? NULL : find_mapped(symbols, inside, inside + 1);
	struct resolved *entry = ct_lookup_find(&symbols->by_pc, &pc, sizeof(pc));

	if (script && !entry)
		entry = make_script(symbols, pc);
	else if (!entry || entry->module != module)
		entry = make_entry(symbols, pc, module, entry);
	if (!entry) {
		symbols->failed = true;
		return -ENOMEM;
	}
	*ret_frames = entry->frames;
	return entry->count;
}
