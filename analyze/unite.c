/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/unite.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/sort.h"

/*
 * Of entries with keys: by index, the first entry with the same key. Takes the items, whose indices
 * are in order. The caller frees the result; NULL: no memory.
 */
static uint32_t *firsts_of(struct ct_ranked *items, size_t count)
{
	uint32_t *firsts = items ? malloc((count + 1) * sizeof(*firsts)) : NULL;
	uint32_t first = 0;

	if (firsts && ct_sort_ranked(items, count) < 0) {
		free(firsts);
		firsts = NULL;
	}
	for (size_t i = 0; firsts && i < count; i++) {
		if (i == 0 || items[i].key != items[i - 1].key)
			first = items[i].index;
		firsts[items[i].index] = first;
	}
	free(items);
	return firsts;
}

static struct ct_ranked *items_for(size_t count)
{
	return malloc((count + 1) * sizeof(struct ct_ranked));
}

int ct_unite_threads(struct ct_model *model)
{
	size_t count = model->threads.count, kept = 0;
	struct ct_ranked *items = items_for(count);
	uint32_t *firsts;

	for (size_t i = 0; items && i < count; i++)
		items[i] = (struct ct_ranked){ model->threads.at[i].tid, (uint32_t)i };
	firsts = firsts_of(items, count);
	if (!firsts)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (firsts[i] == i)
			model->threads.at[kept++] = model->threads.at[i];
	model->threads.count = kept;
	free(firsts);
	return 0;
}

/* What a later record says of a context, and whose it is. */
static void add_to_context(struct ct_model *model, size_t known, size_t later)
{
	struct ct_context *to = &model->contexts.at[known];
	const struct ct_context *from = &model->contexts.at[later];

	if (from->null_stream != CT_ID_NONE)
		to->null_stream = from->null_stream;
	if (from->seen_ns && !from->destroyed) {
		to->seen_ns = from->seen_ns;
		model->context_tids.at[known] = model->context_tids.at[later];
	}
}

int ct_unite_contexts(struct ct_model *model)
{
	size_t count = model->contexts.count, kept = 0;
	struct ct_ranked *items = items_for(count);
	uint32_t *places;

	for (size_t i = 0; items && i < count; i++)
		items[i] = (struct ct_ranked){ model->contexts.at[i].context, (uint32_t)i };
	places = firsts_of(items, count);
	if (!places)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (places[i] != i) { /* that of the first has been replaced by where it is now */
			add_to_context(model, places[places[i]], i);
			continue;
		}
		model->contexts.at[kept] = model->contexts.at[i];
		model->context_tids.at[kept] = model->context_tids.at[i];
		places[i] = (uint32_t)kept++;
	}
	model->contexts.count = model->context_tids.count = kept;
	free(places);
	return 0;
}

/* What its latest entry that knows says of a stream. */
static void add_to_stream(struct ct_stream_info *known, const struct ct_stream_info *later)
{
	if (!later->flag)
		return;
	known->flag = later->flag;
	known->priority = later->priority;
}

int ct_unite_streams(struct ct_model *model)
{
	size_t count = model->streams.count, kept = 0;
	struct ct_ranked *items = items_for(count);
	struct ct_stream_info *united = malloc((count + 1) * sizeof(*united));
	int r = items && united ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct ct_stream_info *s = &model->streams.at[i];

		items[i] = (struct ct_ranked){ (uint64_t)s->context << 32 | s->id, (uint32_t)i };
	}
	if (r == 0)
		r = ct_sort_ranked(items, count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct ct_stream_info *s = &model->streams.at[items[i].index];

		if (i && items[i].key == items[i - 1].key)
			add_to_stream(&united[kept - 1], s);
		else
			united[kept++] = *s;
	}
	free(items);
	if (r < 0) {
		free(united);
		return r;
	}
	free(model->streams.at);
	model->streams.at = united;
	model->streams.count = kept;
	model->streams.room = count + 1;
	return 0;
}
