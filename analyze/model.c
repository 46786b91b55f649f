/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/demangle.h"
#include "analyze/device.h"
#include "analyze/history.h"
#include "analyze/load.h"
#include "analyze/seen.h"

const char *const ct_part_names[CT_PART_COUNT] = {
#define X(id, name, text) [CT_PART_##id] = name,
	CT_PARTS(X)
#undef X
};

int ct_grow(void *at, size_t count, size_t *room, size_t bytes)
{
	void **array = at;
	size_t more = *room ? *room * 2 : 64;
	void *grown;

	if (count < *room)
		return 0;
	grown = reallocarray(*array, more, bytes);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = more;
	return 0;
}

/* A model of the whole file, with nothing in it yet. Takes the reader, also on failure. */
static int create(struct ct_reader *reader, struct ct_model **ret_model)
{
	struct ct_model *model = calloc(1, sizeof(*model));

	if (!model) {
		ct_reader_close(reader);
		return -ENOMEM;
	}
	model->reader = reader;
	model->header = ct_reader_header(reader);
	model->core.end_ns = model->core.to_ns = UINT64_MAX;
	*ret_model = model;
	return 0;
}

int ct_model_read(struct ct_reader *reader, struct ct_model **ret_model)
{
	struct ct_history *history = NULL;
	struct ct_model *model;
	int r = create(reader, &model);

	if (r < 0)
		return r;
	r = ct_load_records(model);
	if (r == 0)
		r = ct_join(model);
	if (r == 0)
		r = ct_sights_find(model);
	if (r == 0)
		r = ct_history_create(&history);
	if (r == 0)
		r = ct_history_mark(history, model);
	ct_history_destroy(history);
	if (r < 0) {
		ct_model_destroy(model);
		return r;
	}
	*ret_model = model;
	return 0;
}

int ct_model_load(const char *path, struct ct_model **ret_model)
{
	struct ct_reader *reader;
	int r = ct_reader_open(path, &reader);

	return r < 0 ? r : ct_model_read(reader, ret_model);
}

int ct_facts_load(struct ct_reader *reader, const struct ct_survey *survey,
		  struct ct_model **ret_model)
{
	struct ct_model *model;
	int r = create(reader, &model);

	if (r < 0)
		return r;
	model->devices = survey->devices;
	r = ct_load_facts(model, survey);
	if (r == 0)
		r = ct_join(model);
	model->begin_ns = survey->begin_ns;
	model->end_ns = survey->end_ns;
	if (r == 0)
		r = ct_sights_find(model);
	if (r < 0) {
		ct_model_destroy(model);
		return r;
	}
	*ret_model = model;
	return 0;
}

/* What a part of a run adds to, it gets a copy of. */
static int copy_lists(const struct ct_model *facts, struct ct_model *part)
{
	for (size_t i = 0; i < facts->threads.count; i++)
		if (CT_PUSH(&part->threads, facts->threads.at[i]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < facts->streams.count; i++)
		if (CT_PUSH(&part->streams, facts->streams.at[i]) < 0)
			return -ENOMEM;
	return 0;
}

int ct_part_create(const struct ct_model *facts, struct ct_model **ret_model)
{
	struct ct_model *part = malloc(sizeof(*part));

	if (!part)
		return -ENOMEM;
	*part = *facts;
	memset(&part->threads, 0, sizeof(part->threads));
	memset(&part->streams, 0, sizeof(part->streams));
	memset(&part->ranges, 0, sizeof(part->ranges)); /* the facts have those that are open */
	part->facts = facts;
	if (copy_lists(facts, part) < 0) {
		ct_model_destroy(part);
		return -ENOMEM;
	}
	*ret_model = part;
	return 0;
}

/* Take over the memory of an array, empty. */
#define REUSE(part, old, array)                                                                    \
	do {                                                                                       \
		(part)->array.at = (old)->array.at;                                                \
		(part)->array.room = (old)->array.room;                                            \
		(old)->array.at = NULL;                                                            \
	} while (0)

static void reuse(struct ct_model *part, struct ct_model *old)
{
	REUSE(part, old, calls);
	REUSE(part, old, ops);
	REUSE(part, old, syncs);
	REUSE(part, old, events);
	REUSE(part, old, overheads);
	REUSE(part, old, call_keys);
	REUSE(part, old, by_call);
	REUSE(part, old, waits);
	REUSE(part, old, pending);
	REUSE(part, old, polls);
	REUSE(part, old, stream_waits);
	REUSE(part, old, ranges);
}

int ct_part_load(const struct ct_model *facts, const struct ct_survey *survey,
		 const struct ct_window *window, struct ct_model *old, struct ct_model **ret_model)
{
	struct ct_model *part;
	int r = ct_part_create(facts, &part);

	if (r == 0 && old)
		reuse(part, old);
	ct_model_destroy(old);
	if (r < 0)
		return r;
	part->begin_ns = part->end_ns = 0;
	part->core = (struct ct_core){ .begin_ns = window->begin_ns, .end_ns = window->end_ns,
				       .from_ns = window->from_ns, .to_ns = window->to_ns };
	r = ct_load_moments(part, survey);
	if (r == 0)
		r = ct_join(part);
	if (r < 0) {
		ct_model_destroy(part);
		return r;
	}
	*ret_model = part;
	return 0;
}

static void destroy_facts(struct ct_model *model)
{
	for (size_t i = 0; i < model->scripts.count; i++) {
		free(model->scripts.at[i].file);
		free(model->scripts.at[i].function);
	}
	for (size_t i = 0; i < model->strings.count; i++)
		free(model->strings.at[i]);
	for (size_t i = 0; i < model->nvtx_names.count; i++)
		free(model->nvtx_names.at[i]);
	for (size_t i = 0; i < model->stacks.count; i++)
		free((void *)(uintptr_t)model->stacks.at[i].pc);
	for (size_t i = 0; i < model->modules.count; i++)
		free(model->modules.at[i]);
	for (size_t i = 0; i < model->notes.count; i++)
		free(model->notes.at[i].text);
	free(model->mode_changes.at);
	free(model->sights.at);
	free(model->totals.at);
	free(model->apis);
	free(model->effects);
	free(model->api_names);
	free(model->contexts.at);
	free(model->context_tids.at);
	free(model->gpus.at);
	free(model->handles.at);
	free(model->stacks.at);
	free(model->scripts.at);
	free(model->strings.at);
	free(model->nvtx_names.at);
	free(model->open_ranges.at);
	free(model->modules.at);
	free(model->notes.at);
	ct_reader_close(model->reader);
}

void ct_model_destroy(struct ct_model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < model->streams.count; i++)
		free(model->streams.at[i].ops);
	for (size_t i = 0; i < model->threads.count; i++)
		free(model->threads.at[i].calls);
	free(model->calls.at);
	free(model->ops.at);
	free(model->syncs.at);
	free(model->events.at);
	free(model->events_by_id.at);
	free(model->overheads.at);
	free(model->streams.at);
	free(model->threads.at);
	free(model->call_keys.at);
	free(model->call_table.at);
	free(model->by_call.at);
	free(model->waits.at);
	free(model->pending.at);
	free(model->polls.at);
	free(model->stream_waits.at);
	free(model->ranges.at);
	if (!model->facts)
		destroy_facts(model);
	free(model);
}

uint32_t ct_model_op_of(const struct ct_model *model, const struct ct_host_call *call, uint32_t n)
{
	return model->by_call.at[call->first_op + n];
}

uint32_t ct_model_call_of(const struct ct_model *model, uint32_t correlation)
{
	size_t low = 0, high = model->call_keys.count;

	if (model->call_table.count) {
		uint32_t at = correlation - model->call_table_first;

		return at < model->call_table.count ? model->call_table.at[at] : CT_NONE;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (model->call_keys.at[middle].correlation < correlation)
			low = middle + 1;
		else
			high = middle;
	}
	return low < model->call_keys.count && model->call_keys.at[low].correlation == correlation
		       ? model->call_keys.at[low].call
		       : CT_NONE;
}

uint32_t ct_model_last_before(const struct ct_model *model, uint32_t stream, uint64_t time_ns,
			      uint32_t except_call)
{
	const struct ct_stream_info *s = &model->streams.at[stream];
	uint32_t low = 0, high = s->op_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (model->ops.at[s->ops[middle]].submit_ns < time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	while (low > 0 && except_call != CT_NONE && model->ops.at[s->ops[low - 1]].call == except_call)
		low--;
	return low ? s->ops[low - 1] : CT_NONE;
}

uint32_t ct_model_first_after(const struct ct_model *model, uint32_t stream, uint64_t time_ns)
{
	const struct ct_stream_info *s = &model->streams.at[stream];
	uint32_t low = 0, high = s->op_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (model->ops.at[s->ops[middle]].submit_ns > time_ns)
			high = middle;
		else
			low = middle + 1;
	}
	return low < s->op_count ? s->ops[low] : CT_NONE;
}

struct ct_thread_info *ct_model_thread(const struct ct_model *model, uint32_t tid)
{
	size_t low = 0, high = model->threads.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (model->threads.at[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < model->threads.count && model->threads.at[low].tid == tid
		       ? &model->threads.at[low]
		       : NULL;
}

uint32_t ct_model_first_ending(const struct ct_model *model, const struct ct_thread_info *thread,
			       uint64_t time_ns)
{
	uint32_t low = 0, high = thread->call_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (model->calls.at[thread->calls[middle]].raw.leave_ns > time_ns)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

uint32_t ct_model_depth(const struct ct_model *model, uint32_t stream, uint64_t time_ns)
{
	const struct ct_stream_info *s = &model->streams.at[stream];
	uint32_t last = ct_model_last_before(model, stream, time_ns, CT_NONE);
	uint32_t depth = 0;

	while (last != CT_NONE && model->ops.at[last].raw.end_ns > time_ns && depth < s->op_count) {
		depth++;
		last = model->ops.at[last].previous;
	}
	return depth;
}

static const char *memory_name(uint8_t memory)
{
	static const char *const names[] = {
		[CT_MEMORY_PAGEABLE] = "pageable", [CT_MEMORY_PINNED] = "pinned",
		[CT_MEMORY_MANAGED] = "managed",
	};

	return memory < sizeof(names) / sizeof(names[0]) && names[memory] ? names[memory] : "";
}

static const char *direction_name(uint8_t direction)
{
	static const char *const names[] = { "?",   "H2D", "D2H", "H2A", "A2H", "A2A",
					     "A2D", "D2A", "D2D", "H2H", "P2P" };

	return direction < sizeof(names) / sizeof(names[0]) ? names[direction] : "?";
}

static void copy_name(const struct ct_device_op *op, char *ret, size_t size)
{
	const char *host = memory_name(op->u.copy.source);

	if (ct_device_source(op) != CT_NONE && ct_device_target(op) != CT_NONE) {
		snprintf(ret, size, "copy P2P %u->%u %" PRIu64 " B", ct_device_source(op),
			 ct_device_target(op), op->u.copy.bytes);
		return;
	}
	if (!*host)
		host = memory_name(op->u.copy.target);
	snprintf(ret, size, "copy %s %s%s%" PRIu64 " B", direction_name(op->u.copy.direction), host,
		 *host ? " " : "", op->u.copy.bytes);
}

void ct_model_op_name(const struct ct_model *model, uint32_t index, char *ret, size_t size)
{
	const struct ct_device_op *op = &model->ops.at[index].raw;
	const char *name = op->name < model->strings.count ? model->strings.at[op->name] : NULL;

	switch (op->kind) {
	case CT_DEVICE_COPY:
		copy_name(op, ret, size);
		break;
	case CT_DEVICE_FILL:
		snprintf(ret, size, "memset %" PRIu64 " B", op->u.copy.bytes);
		break;
	case CT_DEVICE_GRAPH:
		snprintf(ret, size, "graph %u", op->graph);
		break;
	default:
		snprintf(ret, size, "%s", name ? name : "kernel");
		break;
	}
}
