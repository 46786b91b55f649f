/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/site.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyze/blocking.h"
#include "analyze/demangle.h"
#include "analyze/scope.h"
#include "analyze/script.h"

#define WHERE_BYTES 512
#define FUNCTION_WIDTH 48

/* Libraries whose frames are the way into the driver, not the program. */
static bool plumbing(const char *module)
{
	static const char *const names[] = { "libcutrace.so", "libcudart.so", "libcuda.so",
					     "libcupti.so", "libnvidia-" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(module, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* Functions that nvcc and a static runtime put into the program itself. */
static bool generated(const struct ct_frame *frame)
{
	const char *name = frame->symbol ? frame->symbol : "";

	if (strstr(name, "__device_stub__") || strstr(name, "__cudaLaunchKernel"))
		return true;
	if (frame->function && strstr(frame->function, "__cudaLaunchKernel"))
		return true; /* inlined: only DWARF has its name */
	/* of libcudart_static.a, which has no line numbers; the program's own have */
	return !frame->line && (!strncmp(name, "cuda", 4) || !strncmp(name, "libcudart_static", 16) || !strncmp(name, "__cuda", 6) ||
				!strncmp(name, "_ZN6cudart", 10));
}

/*
 * The host function of a kernel: what `kernel<<<...>>>()` calls. Its body calls the
 * device stub, "void __device_stub__Z4spinx(long)" for "_Z4spinx"; optimised code
 * has one inlined into the other.
 */
static bool launcher(const struct ct_frame *stub, const struct ct_frame *frame)
{
	const char *name = !stub ? NULL : stub->symbol ? stub->symbol : stub->function;
	const char *of = name ? strstr(name, "__device_stub__") : NULL;

	return of && frame->symbol && frame->symbol[0] == '_' &&
	       strstr(of + strlen("__device_stub_"), frame->symbol) != NULL;
}

static void raw_frame_text(const struct ct_frame *frame, char *ret, size_t size)
{
	char function[200];

	if (frame->script) {
		if (!frame->file)
			snprintf(ret, size, "(unknown %s code)", frame->module);
		else if (!frame->line)
			snprintf(ret, size, "%s %s", frame->file, frame->function);
		else
			snprintf(ret, size, "%s:%u %s", frame->file, frame->line, frame->function);
		return;
	}
	ct_demangle_short(frame->function ? frame->function : "?", function, sizeof(function),
			  FUNCTION_WIDTH);
	if (frame->file && frame->line)
		snprintf(ret, size, "%s:%u %s", frame->file, frame->line, function);
	else if (!frame->function) /* as addr2line takes it */
		snprintf(ret, size, "%s+0x%" PRIx64, frame->module, frame->address);
	else
		snprintf(ret, size, "%s %s", frame->module, function);
}

static void frame_text(const struct ct_frame *frame, char *ret, size_t size)
{
	raw_frame_text(frame, ret, size);
	ct_tame(ret);
}

/* Has one of the frames further out, in the same module, a name? */
static bool named_later(struct ct_symbols *symbols, const struct ct_stack_info *info, uint32_t from,
			const char *module)
{
	const struct ct_frame *frames;

	for (uint32_t i = from; i < info->count; i++)
		if (ct_symbols_resolve(symbols, info->pc[i], &frames) > 0 && frames[0].function &&
		    !strcmp(frames[0].module, module))
			return true;
	return false;
}

/*
 * Walks a stack from the inside and calls visit() for every frame of the program;
 * visit returns false to stop.
 */
static void walk(const struct ct_model *model, struct ct_symbols *symbols, uint32_t stack,
		 bool (*visit)(void *arg, const struct ct_frame *frame), void *arg)
{
	const struct ct_stack_info *info = &model->stacks.at[stack];
	const struct ct_frame *stub = NULL;
	bool inside = false;

	for (uint32_t i = 0; i < info->count; i++) {
		const struct ct_frame *frames;
		int n = ct_symbols_resolve(symbols, info->pc[i], &frames);

		for (int f = 0; f < n; f++) {
			if (!inside && (plumbing(frames[f].module) || generated(&frames[f]))) {
				stub = &frames[f];
				continue;
			}
			if (!inside && launcher(stub, &frames[f]))
				continue;
			/* a static runtime's inner functions have no names; its callers do */
			if (!inside && !frames[f].function &&
			    named_later(symbols, info, i + 1, frames[f].module))
				continue;
			inside = true;
			if (!visit(arg, &frames[f]))
				return;
		}
	}
}

/* Libraries that start programs and threads: nobody's call is made there. */
static bool of_system(const char *module)
{
	return !strncmp(module, "libc.so", 7) || !strncmp(module, "libc-", 5) ||
	       !strncmp(module, "ld-linux", 8) || !strncmp(module, "libpthread", 10);
}

static bool is_main(const struct ct_frame *frame)
{
	return frame->symbol && !strcmp(frame->symbol, "main");
}

struct text {
	char *at;
	size_t size, used;
	int frames;
	bool main_seen; /* what follows is the runtime's, script frames apart */
	const char *module; /* of the innermost frame, and whether that has a name */
	bool named;
};

/*
 * The innermost frame. Where that is a library's without lines, the first one further out
 * that has a line, and behind it what it called. Where it has not even a name, its
 * caller's address too: launches of one kernel all come from its stub, and only the caller
 * tells them apart.
 */
static bool first_frame(void *arg, const struct ct_frame *frame)
{
	struct text *text = arg;
	char inner[WHERE_BYTES];
	size_t used;

	if (!text->frames++) {
		frame_text(frame, text->at, text->size);
		text->module = frame->module;
		text->named = frame->function != NULL;
		text->main_seen = is_main(frame);
		return !frame->line;
	}
	if (text->main_seen || of_system(frame->module))
		return false; /* what started the program or thread */
	if (frame->file && frame->line) {
		strcpy(inner, text->at);
		frame_text(frame, text->at, text->size);
		used = strlen(text->at);
		snprintf(text->at + used, text->size - used, ", in %s", inner);
		return false;
	}
	if (text->frames == 2 && !text->named && !strcmp(frame->module, text->module)) {
		used = strlen(text->at);
		snprintf(text->at + used, text->size - used, " from +0x%" PRIx64, frame->address);
	}
	text->main_seen = is_main(frame);
	return true;
}

static bool every_frame(void *arg, const struct ct_frame *frame)
{
	struct text *text = arg;
	char one[WHERE_BYTES];
	int n;

	if (text->main_seen && !frame->script)
		return true;
	frame_text(frame, one, sizeof(one));
	n = snprintf(text->at + text->used, text->size - text->used, "%s%s",
		     text->used ? " < " : "", one);
	if (n < 0 || (size_t)n >= text->size - text->used)
		return false;
	text->used += (size_t)n;
	text->main_seen |= is_main(frame);
	return true;
}

void ct_sites_stack_text(const struct ct_model *model, struct ct_sites *sites, uint32_t stack,
			 char *ret, size_t size)
{
	struct text text = { .at = ret, .size = size };

	*ret = '\0';
	if (stack && stack < model->stacks.count)
		walk(model, sites->symbols, stack, every_frame, &text);
}

const char *ct_sites_where(const struct ct_model *model, struct ct_sites *sites, uint32_t stack)
{
	struct text text = { .size = WHERE_BYTES };
	const struct ct_frame *script;

	if (!stack || stack >= sites->where_count || !model->stacks.at[stack].count)
		return "(no stack)";
	if (sites->where[stack])
		return sites->where[stack];
	text.at = calloc(1, WHERE_BYTES);
	if (!text.at)
		return "(no memory)";
	script = ct_script_place(sites->symbols, &model->stacks.at[stack]);
	if (script)
		frame_text(script, text.at, text.size);
	else
		walk(model, sites->symbols, stack, first_frame, &text);
	if (!script && !text.frames)
		strcpy(text.at, "(unknown code)");
	return sites->where[stack] = text.at;
}

static int tell_modules(const struct ct_model *model, struct ct_symbols *symbols)
{
	for (size_t i = 0; i < model->modules.count; i++) {
		const struct ct_module *m = model->modules.at[i];
		char *path = strndup(m->path, m->path_length);
		int r;

		if (!path)
			return -ENOMEM;
		r = ct_symbols_module(symbols, path, m->bias, m->start, m->end, m->build_id,
				      m->build_id_length);
		free(path);
		if (r == -ENOMEM)
			return r;
	}
	return ct_script_tell(model, symbols);
}

/* Where the calls of one stack and name went: most calls find their site here. */
struct shortcut {
	uint64_t key; /* stack and api */
	uint32_t site;
	UT_hash_handle hh;
};

/* Does the text of a site say a line, as in "file:12 function"? */
static bool says_line(const char *where)
{
	for (const char *colon = strchr(where, ':'); colon; colon = strchr(colon + 1, ':')) {
		size_t digits = strspn(colon + 1, "0123456789");

		if (digits && (colon[1 + digits] == ' ' || !colon[1 + digits]))
			return true;
	}
	return false;
}

static uint32_t find_site(struct ct_sites *sites, const struct ct_host_call *call, const char *where)
{
	struct ct_site fresh = {
		.where = where,
		.name = call->name,
		.effects = call->effects,
		.stack = call->raw.stack,
		.line = says_line(where),
		.worst = CT_PART_DRIVER_WORK,
		.worst_wait = CT_NONE,
		.edge = CT_EDGES,
	};

	for (size_t i = 0; i < sites->all.count; i++)
		if (sites->all.at[i].name == call->name && !strcmp(sites->all.at[i].where, where))
			return (uint32_t)i;
	return CT_PUSH(&sites->all, fresh) < 0 ? CT_NONE : (uint32_t)sites->all.count - 1;
}

static uint32_t site_of(const struct ct_model *model, struct ct_sites *sites,
			struct shortcut **shortcuts, const struct ct_host_call *call)
{
	uint64_t key = (uint64_t)call->raw.stack << 32 | (uint32_t)call->api;
	struct shortcut *one;

	HASH_FIND(hh, *shortcuts, &key, sizeof(key), one);
	if (one)
		return one->site;
	one = calloc(1, sizeof(*one));
	if (!one)
		return CT_NONE;
	one->key = key;
	one->site = find_site(sites, call, ct_sites_where(model, sites, call->raw.stack));
	HASH_ADD(hh, *shortcuts, key, sizeof(one->key), one);
	return one->site;
}

static void add_call(struct ct_site *site, const struct ct_host_call *call)
{
	site->calls++;
	site->total_ns += call->raw.leave_ns - call->raw.enter_ns;
	site->blocked_ns += ct_blocking_blocked(call);
	site->chances += call->chance;
	site->waited += call->chance && call->parts[CT_PART_DEVICE_WAIT] > 0;
	for (int part = 0; part < CT_PART_COUNT; part++)
		site->parts[part] += call->parts[part];
}

static void find_worst(const struct ct_model *model, struct ct_sites *sites)
{
	for (size_t i = 0; i < sites->all.count; i++) {
		struct ct_site *site = &sites->all.at[i];
		uint64_t most = 0;

		for (int part = 0; part < CT_PART_COUNT; part++)
			if (part != CT_PART_DRIVER_WORK && part != CT_PART_TOOL &&
			    site->parts[part] > most) {
				most = site->parts[part];
				site->worst = (enum ct_part)part;
			}
	}
	for (size_t i = 0; i < model->waits.count; i++) {
		const struct ct_wait *wait = &model->waits.at[i];
		struct ct_site *site = &sites->all.at[sites->of_call[wait->call]];
		const struct ct_wait *worst;

		if (wait->part != site->worst)
			continue;
		worst = site->worst_wait == CT_NONE ? NULL : &model->waits.at[site->worst_wait];
		if (!worst || wait->end_ns - wait->start_ns > worst->end_ns - worst->start_ns)
			site->worst_wait = (uint32_t)i;
	}
}

static int group(const struct ct_model *model, struct ct_sites *sites)
{
	struct shortcut *shortcuts = NULL, *one, *next;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		uint32_t site = site_of(model, sites, &shortcuts, call);

		if (site == CT_NONE) {
			r = -ENOMEM;
			break;
		}
		sites->of_call[i] = site;
		sites->all.at[site].pageable |= ct_scope_pageable(model, call);
		add_call(&sites->all.at[site], call);
	}
	HASH_ITER(hh, shortcuts, one, next) {
		HASH_DEL(shortcuts, one);
		free(one);
	}
	if (r == 0)
		find_worst(model, sites);
	return r;
}

int ct_sites_create(const struct ct_model *model, struct ct_sites **ret)
{
	struct ct_sites *sites = calloc(1, sizeof(*sites));
	int r;

	if (!sites)
		return -ENOMEM;
	sites->where_count = model->stacks.count;
	sites->where = calloc(sites->where_count + 1, sizeof(*sites->where));
	sites->of_call = calloc(model->calls.count + 1, sizeof(*sites->of_call));
	r = sites->where && sites->of_call ? ct_symbols_create(&sites->symbols) : -ENOMEM;
	if (r == 0)
		r = tell_modules(model, sites->symbols);
	if (r == 0)
		r = group(model, sites);
	if (r == 0) {
		sites->ranked = calloc(sites->all.count + 1, sizeof(*sites->ranked));
		r = sites->ranked ? 0 : -ENOMEM;
	}
	if (r < 0) {
		ct_sites_destroy(sites);
		return r;
	}
	ct_sites_rank(sites);
	*ret = sites;
	return 0;
}

void ct_sites_destroy(struct ct_sites *sites)
{
	if (!sites)
		return;
	for (size_t i = 0; sites->where && i < sites->where_count; i++)
		free(sites->where[i]);
	free(sites->where);
	free(sites->of_call);
	free(sites->ranked);
	free(sites->all.at);
	ct_symbols_destroy(sites->symbols);
	free(sites);
}

static int by_cost(const void *a, const void *b, void *arg)
{
	const struct ct_site *all = arg;
	const struct ct_site *x = &all[*(const uint32_t *)a], *y = &all[*(const uint32_t *)b];

	if (x->lost_ns != y->lost_ns)
		return x->lost_ns > y->lost_ns ? -1 : 1;
	if (x->blocked_ns != y->blocked_ns)
		return x->blocked_ns > y->blocked_ns ? -1 : 1;
	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

void ct_sites_rank(struct ct_sites *sites)
{
	for (size_t i = 0; i < sites->all.count; i++)
		sites->ranked[i] = (uint32_t)i;
	qsort_r(sites->ranked, sites->all.count, sizeof(*sites->ranked), by_cost, sites->all.at);
}
