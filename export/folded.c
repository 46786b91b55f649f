/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folded stacks, weighted by the time blocked: a line per stack, call and part of its time,
 * outermost frame first, as flamegraph.pl, speedscope and Perfetto read them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/lookup.h"
#include "analyze/report.h"
#include "export/export.h"

#define FRAMES_MAX (CT_STACK_FRAMES_MAX + 4 * CT_STACK_SCRIPTS_MAX) /* of inlined ones, too */

struct key {
	uint32_t stack;
	uint32_t api;
	uint32_t part;
};

/* Time blocked in calls of one API from one stack. */
struct fold {
	struct ct_link link; /* by key */
	struct key key;
	uint64_t ns;
};

struct folded {
	const struct ct_export *export;
	struct ct_lookup folds; /* of the process at hand */
};

static int open_folded(const struct ct_export *export, void **ret)
{
	struct folded *folded = calloc(1, sizeof(*folded));

	if (!folded)
		return -ENOMEM;
	folded->export = export;
	*ret = folded;
	return 0;
}

static int add(struct folded *folded, struct key key, uint64_t ns)
{
	struct fold *fold = ct_lookup_find(&folded->folds, &key, sizeof(key));

	if (!fold) {
		fold = calloc(1, sizeof(*fold));
		if (!fold)
			return -ENOMEM;
		fold->key = key;
		if (ct_lookup_add(&folded->folds, fold, &fold->key, sizeof(fold->key)) < 0) {
			free(fold);
			return -ENOMEM;
		}
	}
	fold->ns += ns;
	return 0;
}

/* What counts as blocked: see ct_blocking_blocked(). */
static bool blocks(int part)
{
	return part != CT_PART_DRIVER_WORK && part != CT_PART_TOOL;
}

static int add_part(void *writer, const struct ct_export_process *process,
		    const struct ct_analysis *part)
{
	const struct ct_model *model = part->model;
	int r = 0;

	(void)process;
	for (uint32_t i = model->core.first_call; r == 0 && i < model->core.end_call; i++) {
		const struct ct_host_call *call = &model->calls.at[i];

		for (uint32_t p = 0; r == 0 && p < CT_PART_COUNT; p++)
			if (blocks((int)p) && call->parts[p])
				r = add(writer, (struct key){ call->raw.stack, call->api, p },
					call->parts[p]);
	}
	return r;
}

/* ';' divides frames. */
static void write_frame(FILE *to, const char *text)
{
	for (; *text; text++)
		fputc(*text == ';' ? ',' : (unsigned char)*text < ' ' ? '?' : *text, to);
	fputc(';', to);
}

struct frames {
	char *at[FRAMES_MAX];
	size_t count, left_out;
	bool no_memory;
};

static bool take_frame(void *arg, const char *text)
{
	struct frames *frames = arg;

	if (frames->count == FRAMES_MAX) {
		frames->left_out++;
		return true;
	}
	frames->at[frames->count] = strdup(text);
	frames->no_memory |= !frames->at[frames->count];
	frames->count += frames->at[frames->count] != NULL;
	return !frames->no_memory;
}

static int write_stack(FILE *to, const struct ct_analysis *a, uint32_t stack)
{
	struct frames frames = { .count = 0 };

	ct_places_frames(a->model, a->sites->places, stack, take_frame, &frames);
	if (frames.left_out)
		write_frame(to, "(frames left out)");
	if (!frames.count)
		write_frame(to, "(no stack)");
	while (frames.count) {
		write_frame(to, frames.at[--frames.count]);
		free(frames.at[frames.count]);
	}
	return frames.no_memory ? -ENOMEM : 0;
}

static int write_fold(FILE *to, const struct ct_analysis *a, const char *label,
		      const struct fold *fold)
{
	int r;

	write_frame(to, label);
	r = write_stack(to, a, fold->key.stack);
	write_frame(to, fold->key.api ? ct_apis[fold->key.api].name : CT_UNKNOWN_CALL);
	fprintf(to, "[%s] %" PRIu64 "\n", ct_part_names[fold->key.part], fold->ns);
	return r;
}

struct loss_line {
	FILE *to;
	const char *label;
};

/* A stack without weight: it is in the file, and in no sum. */
static int write_loss(void *arg, uint64_t count, const char *text)
{
	const struct loss_line *line = arg;
	char things[CT_THINGS_BYTES];

	write_frame(line->to, line->label);
	write_frame(line->to, "NOT SEEN");
	if (count)
		text = ct_report_things(count, text, things);
	for (; *text; text++)
		fputc(*text == ';' ? ',' : *text, line->to);
	fputs(" 0\n", line->to);
	return 0;
}

static int end_process(void *writer, const struct ct_export_process *process,
		       const struct ct_analysis *a)
{
	struct folded *folded = writer;
	FILE *to = folded->export->to;
	struct ct_link *link, *next;
	char label[128];
	int r = 0;

	(void)process;
	ct_export_label(a->model, label, sizeof(label));
	HASH_ITER(hh, folded->folds.first, link, next) {
		if (r == 0)
			r = write_fold(to, a, label, (const struct fold *)link);
	}
	ct_lookup_free(&folded->folds);
	return r < 0 ? r : ct_export_losses(a, write_loss, &(struct loss_line){ to, label });
}

/* Traces that are not in it. */
static int finish(void *writer)
{
	const struct ct_export *export = ((struct folded *)writer)->export;
	struct loss_line line = { export->to, "(all)" };

	return export->left_out ? write_loss(&line, export->left_out,
					     "traces that could not be used") : 0;
}

static void destroy(void *writer)
{
	struct folded *folded = writer;

	if (folded)
		ct_lookup_free(&folded->folds);
	free(folded);
}

const struct ct_export_format ct_export_folded = {
	.open = open_folded,
	.part = add_part,
	.end_process = end_process,
	.finish = finish,
	.destroy = destroy,
};
