/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/place.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/demangle.h"
#include "analyze/lookup.h"
#include "analyze/script.h"
#include "trace/tame.h"

struct place_text {
	struct ct_link link; /* by text */
	char text[];
};

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
	ct_tame(ret, '?');
}

/* Has one of the frames further out, in the same module, a name? */
static bool named_later(struct ct_symbols *symbols, const struct ct_stack_info *info, uint32_t from,
			const char *module)
{
	const struct ct_frame *frames;

	for (uint32_t i = from; i < info->count && i - from < CT_STACK_FRAMES_MAX; i++)
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
	const char *source; /* path of the file that the text names; NULL = none */
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
		text->source = frame->line ? frame->path : NULL;
		return !frame->line;
	}
	if (text->main_seen || of_system(frame->module))
		return false; /* what started the program or thread */
	if (frame->file && frame->line) {
		strcpy(inner, text->at);
		frame_text(frame, text->at, text->size);
		used = strlen(text->at);
		snprintf(text->at + used, text->size - used, ", in %s", inner);
		text->source = frame->path;
		return false;
	}
	if (text->frames == 2 && !text->named && !strcmp(frame->module, text->module)) {
		used = strlen(text->at);
		snprintf(text->at + used, text->size - used, " from +0x%" PRIx64, frame->address);
	}
	text->main_seen = is_main(frame);
	return true;
}

/* Frames on their way to a visitor. */
struct frames {
	bool (*visit)(void *arg, const char *frame);
	void *arg;
	bool main_seen; /* what follows is the runtime's, script frames apart */
};

static bool every_frame(void *arg, const struct ct_frame *frame)
{
	struct frames *frames = arg;
	char one[WHERE_BYTES];

	if (frames->main_seen && !frame->script)
		return true;
	frames->main_seen |= is_main(frame);
	frame_text(frame, one, sizeof(one));
	return frames->visit(frames->arg, one);
}

void ct_places_frames(const struct ct_model *model, struct ct_places *places, uint32_t stack,
		      bool (*visit)(void *arg, const char *frame), void *arg)
{
	struct frames frames = { .visit = visit, .arg = arg };

	if (stack && stack < model->stacks.count)
		walk(model, places->symbols, stack, every_frame, &frames);
}

struct sought {
	const char *part;
	bool found;
};

static bool seek(void *arg, const struct ct_frame *frame)
{
	struct sought *sought = arg;

	sought->found = frame->symbol && strstr(frame->symbol, sought->part);
	return !sought->found;
}

bool ct_places_through(const struct ct_model *model, struct ct_places *places, uint32_t stack,
		       const char *part)
{
	struct sought sought = { .part = part };

	if (stack && stack < model->stacks.count)
		walk(model, places->symbols, stack, seek, &sought);
	return sought.found;
}

static bool add_frame(void *arg, const char *frame)
{
	struct text *text = arg;
	int n = snprintf(text->at + text->used, text->size - text->used, "%s%s",
			 text->used ? " < " : "", frame);

	if (n < 0 || (size_t)n >= text->size - text->used)
		return false;
	text->used += (size_t)n;
	return true;
}

void ct_places_stack_text(const struct ct_model *model, struct ct_places *places, uint32_t stack,
			  char *ret, size_t size)
{
	struct text text = { .at = ret, .size = size };

	*ret = '\0';
	ct_places_frames(model, places, stack, add_frame, &text);
}

/* The one copy there is of a text; NULL without memory. */
static const char *keep_text(struct ct_places *places, const char *text)
{
	size_t length = strlen(text);
	struct place_text *one = ct_lookup_find(&places->texts, text, length);

	if (one)
		return one->text;
	one = calloc(1, sizeof(*one) + length + 1);
	if (!one)
		return NULL;
	memcpy(one->text, text, length);
	if (ct_lookup_add(&places->texts, one, one->text, length) < 0) {
		free(one);
		return NULL;
	}
	return one->text;
}

static const char *make_text(const struct ct_model *model, struct ct_places *places, uint32_t stack)
{
	const struct ct_frame *script = ct_script_place(places->symbols, &model->stacks.at[stack]);
	char at[WHERE_BYTES] = "";
	struct text text = { .at = at, .size = sizeof(at) };

	if (script)
		frame_text(script, text.at, text.size);
	else
		walk(model, places->symbols, stack, first_frame, &text);
	if (!script && !text.frames)
		strcpy(at, "(unknown code)");
	return keep_text(places, at);
}

const char *ct_places_of(const struct ct_model *model, struct ct_places *places, uint32_t stack)
{
	if (!stack || stack >= places->count || !model->stacks.at[stack].count)
		return "(no stack)";
	if (!places->of_stack[stack])
		places->of_stack[stack] = make_text(model, places, stack);
	if (places->of_stack[stack])
		return places->of_stack[stack];
	places->failed = true;
	return "(no memory)";
}

const char *ct_places_source(const struct ct_model *model, struct ct_places *places, uint32_t stack)
{
	const struct ct_frame *script;
	char at[WHERE_BYTES] = "";
	struct text text = { .at = at, .size = sizeof(at) };

	if (!stack || stack >= places->count || !model->stacks.at[stack].count)
		return NULL;
	script = ct_script_place(places->symbols, &model->stacks.at[stack]);
	if (script)
		return script->line ? script->path : NULL;
	walk(model, places->symbols, stack, first_frame, &text);
	return text.source;
}

bool ct_places_failed(const struct ct_places *places)
{
	return places->failed || ct_symbols_failed(places->symbols);
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

int ct_places_create(const struct ct_model *model, struct ct_places **ret)
{
	struct ct_places *places = calloc(1, sizeof(*places));
	int r;

	if (!places)
		return -ENOMEM;
	places->count = model->stacks.count;
	places->of_stack = calloc(places->count + 1, sizeof(*places->of_stack));
	r = places->of_stack ? ct_symbols_create(&places->symbols) : -ENOMEM;
	if (r == 0)
		r = tell_modules(model, places->symbols);
	if (r < 0) {
		ct_places_destroy(places);
		return r;
	}
	*ret = places;
	return 0;
}

void ct_places_destroy(struct ct_places *places)
{
	if (!places)
		return;
	ct_lookup_free(&places->texts);
	free(places->of_stack);
	ct_symbols_destroy(places->symbols);
	free(places);
}
