/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/symbol.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/debugfile.h"
#include "analyze/demangle.h"
#include "analyze/lookup.h"

enum state { UNOPENED, OPEN, UNUSABLE };

struct module {
	struct module *next; /* newest first */
	uint64_t bias, start, end;
	uint8_t build_id[32];
	uint32_t build_id_length;
	bool replaced; /* by a later one; kept, for frames may point into it */
	enum state state;
	bool has_lines; /* if open: its debug information may be read */
	bool outside;   /* some of that is in other files */
	Dwfl *dwfl;
	Dwfl_Module *dwfl_module;
	char path[];
};

/* The frames of one address, by pc. */
struct entry {
	struct ct_link link;
	uint64_t pc;
	const struct module *module; /* NULL = none; resolved again when it was replaced */
	struct entry *next;          /* of all entries */
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
	struct ct_lookup by_pc;
	struct entry *entries;
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

void ct_symbols_destroy(struct ct_symbols *symbols)
{
	if (!symbols)
		return;
	ct_lookup_clear(&symbols->by_pc);
	for (struct entry *e = symbols->entries, *next; e; e = next) {
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

static bool is_known(const struct ct_symbols *symbols, const struct module *module)
{
	for (const struct module *m = symbols->modules; m; m = m->next)
		if (!m->replaced && same_module(m, module))
			return true;
	return false;
}

int ct_symbols_module(struct ct_symbols *symbols, const char *path, uint64_t bias, uint64_t start,
		      uint64_t end, const uint8_t *build_id, uint32_t build_id_length)
{
	size_t path_bytes = strlen(path) + 1;
	struct module *module;

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
	if (is_known(symbols, module)) {
		free(module);
		return 0;
	}
	for (struct module *m = symbols->modules; m; m = m->next)
		if (m->start < end && start < m->end)
			m->replaced = true;
	module->next = symbols->modules;
	symbols->modules = module;
	return 0;
}

static struct module *find_module(struct ct_symbols *symbols, uint64_t address)
{
	for (struct module *m = symbols->modules; m; m = m->next)
		if (!m->replaced && address >= m->start && address < m->end)
			return m;
	return NULL;
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

/*
 * The DIEs around an address, innermost first, as they lie in the concrete code:
 * dwarf_getscopes() itself leaves it for the abstract definition at the first
 * inlined function. Returns their count; *ret_scopes is to be freed.
 */
static int find_scopes(Dwfl_Module *module, Dwarf_Die *unit, Dwarf_Addr address,
		       Dwarf_Die **ret_scopes)
{
	Dwarf_Die *scopes = NULL, innermost;
	Dwarf_Addr unused;
	int count = dwarf_getscopes(unit, address, &scopes);
	bool found = count > 0 && dwarf_offdie(dwfl_module_getdwarf(module, &unused),
					       dwarf_dieoffset(&scopes[0]), &innermost);

	free(scopes);
	*ret_scopes = NULL;
	if (!found)
		return 0;
	count = dwarf_getscopes_die(&innermost, ret_scopes);
	return count > 0 ? count : 0;
}

/* Fill frames from debug information. Returns how many; 0 if there is none. */
static int frames_of_scopes(struct ct_symbols *symbols, struct module *m, Dwarf_Die *unit,
			    Dwarf_Addr address, struct ct_frame *frames)
{
	Dwarf_Die *scopes, *previous = NULL;
	int count = find_scopes(m->dwfl_module, unit, address, &scopes);
	int n = 0;

	for (int i = 0; i < count && n < CT_FRAMES_MAX; i++) {
		int tag = dwarf_tag(&scopes[i]);
		struct ct_frame *frame = &frames[n];

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		frame->inlined = tag == DW_TAG_inlined_subroutine;
		frame->symbol = die_symbol(&scopes[i]);
		frame->function = die_function(symbols, &scopes[i], frame->symbol);
		if (previous)
			set_call_site(frame, unit, previous);
		else
			set_line(frame, unit, address);
		n++;
		if (!frame->inlined)
			break;
		previous = &scopes[i];
	}
	free(scopes);
	return n;
}

/* Only a unit's lines are in the module: its functions are in a .dwo file, which is not opened. */
static bool is_split(const Dwarf_Die *unit)
{
	uint8_t type;

	return dwarf_cu_info(unit->cu, NULL, &type, NULL, NULL, NULL, NULL, NULL) == 0 &&
	       type == DW_UT_skeleton;
}

/* Fill frames; the module is open. Returns how many. */
static int find_frames(struct ct_symbols *symbols, struct module *m, uint64_t address,
		       struct ct_frame *frames)
{
	Dwarf_Addr bias = 0;
	Dwarf_Die *unit = m->has_lines ? find_unit(m->dwfl_module, address, &bias) : NULL;
	GElf_Off offset;
	GElf_Sym sym;
	const char *symbol = dwfl_module_addrinfo(m->dwfl_module, address, &offset, &sym, NULL,
						  NULL, NULL);
	bool split = unit && is_split(unit);
	int n = unit && !split ? frames_of_scopes(symbols, m, unit, address - bias, frames) : 0;

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
static struct entry *keep_entry(struct ct_symbols *symbols, struct entry *entry, struct entry *old)
{
	entry->next = symbols->entries;
	symbols->entries = entry;
	if (old)
		ct_lookup_remove(&symbols->by_pc, old);
	return ct_lookup_add(&symbols->by_pc, entry, &entry->pc, sizeof(entry->pc)) < 0 ? NULL : entry;
}

/* The entry of a script frame; an id nobody told of has a frame without a place. */
static struct entry *make_script(struct ct_symbols *symbols, uint64_t pc)
{
	struct entry *entry = calloc(1, sizeof(*entry) + sizeof(entry->frames[0]));

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
	struct entry *entry = ct_lookup_find(&symbols->by_pc, &pc, sizeof(pc));

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

static struct entry *make_entry(struct ct_symbols *symbols, uint64_t pc, struct module *m,
				struct entry *old)
{
	struct ct_frame frames[CT_FRAMES_MAX] = { 0 };
	struct entry *entry;
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
	struct module *module = script ? NULL : find_module(symbols, pc ? pc - 1 : 0);
	struct entry *entry = ct_lookup_find(&symbols->by_pc, &pc, sizeof(pc));

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
