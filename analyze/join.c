/* SPDX-License-Identifier: Apache-2.0 */
/* Links calls, device operations, streams and events to each other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/correlate.h"
#include "analyze/device.h"
#include "analyze/handle.h"
#include "analyze/model.h"
#include "analyze/nvtx.h"
#include "analyze/occupancy.h"
#include "analyze/order.h"
#include "analyze/sort.h"
#include "analyze/unite.h"

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b))

static int by_enter(const void *a, const void *b)
{
	const struct ct_host_call *x = a, *y = b;

	return COMPARE(x->raw.enter_ns, y->raw.enter_ns) ?: COMPARE(x->tid, y->tid);
}

static int by_start(const void *a, const void *b)
{
	const struct ct_device_op *x = &((const struct ct_op *)a)->raw;
	const struct ct_device_op *y = &((const struct ct_op *)b)->raw;

	return COMPARE(x->start_ns, y->start_ns) ?: COMPARE(x->end_ns, y->end_ns)
		?: COMPARE(x->correlation, y->correlation) ?: COMPARE(x->context, y->context)
		?: COMPARE(x->stream, y->stream) ?: COMPARE(x->name, y->name);
}

static int by_event_sync(const void *a, const void *b)
{
	const struct ct_event *x = a, *y = b;

	return COMPARE(x->event_sync, y->event_sync) ?: COMPARE(x->correlation, y->correlation);
}

static int by_overhead_start(const void *a, const void *b)
{
	const struct ct_overhead *x = a, *y = b;

	return COMPARE(x->start_ns, y->start_ns) ?: COMPARE(x->end_ns, y->end_ns)
		?: COMPARE(x->kind, y->kind) ?: COMPARE(x->tid, y->tid)
		?: COMPARE(x->correlation, y->correlation);
}

#define SORT(array, compare)                                                                       \
	do {                                                                                       \
		if ((array).count)                                                                 \
			qsort((array).at, (array).count, sizeof(*(array).at), compare);            \
	} while (0)

/* Where a stream is or belongs among the first `count`, which are in order. */
static size_t place_of(const struct ct_model *model, size_t count, uint32_t context, uint32_t id)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ct_stream_info *s = &model->streams.at[middle];

		if (s->context < context || (s->context == context && s->id < id))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_stream(const struct ct_model *model, size_t index, uint32_t context, uint32_t id)
{
	return index < model->streams.count && model->streams.at[index].context == context &&
	       model->streams.at[index].id == id;
}

uint32_t ct_stream_index(struct ct_model *model, uint32_t context, uint32_t id, bool add)
{
	const struct ct_stream_info fresh = { .context = context, .id = id };
	size_t low = place_of(model, model->streams.count, context, id);

	if (is_stream(model, low, context, id))
		return (uint32_t)low;
	if (!add || CT_PUSH(&model->streams, fresh) < 0)
		return CT_NONE;
	memmove(&model->streams.at[low + 1], &model->streams.at[low],
		(model->streams.count - 1 - low) * sizeof(fresh));
	model->streams.at[low] = fresh;
	return (uint32_t)low;
}

static int push_index(uint32_t **list, uint32_t *count, uint32_t *room, uint32_t value)
{
	size_t wide = *room;
	int r = ct_grow(list, *count, &wide, sizeof(**list));

	*room = (uint32_t)wide;
	if (r == 0)
		(*list)[(*count)++] = value;
	return r;
}

static int by_tid(const void *a, const void *b)
{
	const struct ct_thread_info *x = a, *y = b;

	return COMPARE(x->tid, y->tid);
}

/* Every thread that made a call, by tid; those whose THREAD record was damaged, too. */
static int complete_threads(struct ct_model *model)
{
	uint32_t last = 0;

	SORT(model->threads, by_tid);
	for (size_t i = 0; i < model->calls.count; i++) {
		struct ct_thread_info fresh = { .tid = model->calls.at[i].tid };

		if ((i && fresh.tid == last) || ct_model_thread(model, fresh.tid)) {
			last = fresh.tid;
			continue;
		}
		if (CT_PUSH(&model->threads, fresh) < 0)
			return -ENOMEM;
		SORT(model->threads, by_tid);
	}
	return 0;
}

static int join_threads(struct ct_model *model)
{
	struct ct_thread_info *thread = NULL;
	int r = complete_threads(model);

	for (size_t i = 0; r == 0 && i < model->calls.count; i++) {
		struct ct_host_call *call = &model->calls.at[i];

		if (!thread || thread->tid != call->tid)
			thread = ct_model_thread(model, call->tid);
		call->thread = (uint32_t)(thread - model->threads.at);
		call->previous = thread->call_count ? thread->calls[thread->call_count - 1] : CT_NONE;
		r = push_index(&thread->calls, &thread->call_count, &thread->call_room, (uint32_t)i);
	}
	return r;
}

static bool moves_pageable(const struct ct_device_op *op)
{
	return op->kind == CT_DEVICE_COPY && (op->u.copy.source == CT_MEMORY_PAGEABLE ||
					      op->u.copy.target == CT_MEMORY_PAGEABLE);
}

static int join_ops(struct ct_model *model)
{
	for (size_t i = 0; i < model->ops.count; i++) {
		struct ct_op *op = &model->ops.at[i];

		op->call = ct_model_call_of(model, op->raw.correlation);
		op->submit_ns = op->raw.start_ns;
		if (op->call == CT_NONE && model->kept_from_ns) {
			model->early_submits++; /* a call made later would be there */
			if (model->kept_from_ns < op->submit_ns)
				op->submit_ns = model->kept_from_ns;
		}
		if (op->call == CT_NONE)
			continue;
		if (model->calls.at[op->call].raw.enter_ns < op->submit_ns)
			op->submit_ns = model->calls.at[op->call].raw.enter_ns;
		model->calls.at[op->call].pageable |= moves_pageable(&op->raw);
	}
	return ct_correlate_ops(model);
}

/*
 * Two threads may submit to one stream, and the call that began first may have got the
 * lock last: an operation was submitted no earlier than the one before it.
 */
static void order_submissions(struct ct_model *model, const struct ct_stream_info *stream)
{
	for (uint32_t n = 1; n < stream->op_count; n++) {
		struct ct_op *op = &model->ops.at[stream->ops[n]];

		op->previous = stream->ops[n - 1];
		if (model->ops.at[op->previous].submit_ns > op->submit_ns)
			op->submit_ns = model->ops.at[op->previous].submit_ns;
	}
}

/* Streams that were looked up last, by id. */
struct stream_memo {
	uint32_t context, id, index; /* CT_NONE: none */
};

#define STREAM_MEMOS 64

static void forget_streams(struct stream_memo *memos)
{
	for (size_t i = 0; i < STREAM_MEMOS; i++)
		memos[i].index = CT_NONE;
}

static bool remembers(const struct stream_memo *memo, const struct ct_device_op *op)
{
	return memo->index != CT_NONE && memo->context == op->context && memo->id == op->stream;
}

static uint32_t stream_of_op(struct ct_model *model, struct stream_memo *memos,
			     const struct ct_device_op *op)
{
	struct stream_memo *memo = &memos[op->stream % STREAM_MEMOS];

	if (!remembers(memo, op))
		*memo = (struct stream_memo){ op->context, op->stream,
					      ct_stream_index(model, op->context, op->stream, false) };
	return memo->index;
}

#define LISTED_LEAST 4096

/*
 * Streams that no record describes, but operations were on. They are listed behind those that are
 * known, some more than once, and united when they are as many.
 */
static int add_streams(struct ct_model *model)
{
	struct stream_memo memos[STREAM_MEMOS];
	size_t known = model->streams.count;
	int r = 0;

	forget_streams(memos);
	for (size_t i = 0; r == 0 && i < model->ops.count; i++) {
		const struct ct_device_op *op = &model->ops.at[i].raw;
		const struct ct_stream_info fresh = { .context = op->context, .id = op->stream };
		struct stream_memo *memo = &memos[op->stream % STREAM_MEMOS];

		if (remembers(memo, op))
			continue;
		*memo = (struct stream_memo){ op->context, op->stream, 0 };
		if (!is_stream(model, place_of(model, known, op->context, op->stream), op->context,
			       op->stream))
			r = CT_PUSH(&model->streams, fresh);
		if (r == 0 && model->streams.count - known > LISTED_LEAST + known) {
			r = ct_unite_streams(model);
			known = model->streams.count;
		}
	}
	return r == 0 && model->streams.count > known ? ct_unite_streams(model) : r;
}

/* A stream is a queue: the order of its operations is that in which they started. */
static int join_streams(struct ct_model *model)
{
	struct stream_memo memos[STREAM_MEMOS];
	int r = add_streams(model);

	if (r == 0)
		ct_devices_of_streams(model);
	forget_streams(memos);
	for (size_t i = 0; r == 0 && i < model->ops.count; i++) {
		struct ct_op *op = &model->ops.at[i];
		struct ct_stream_info *stream;

		op->stream = stream_of_op(model, memos, &op->raw);
		stream = &model->streams.at[op->stream];
		stream->device = op->raw.device;
		r = push_index(&stream->ops, &stream->op_count, &stream->op_room, (uint32_t)i);
	}
	for (size_t i = 0; r == 0 && i < model->streams.count; i++)
		order_submissions(model, &model->streams.at[i]);
	return r;
}

static int join_syncs(struct ct_model *model)
{
	for (size_t i = 0; i < model->syncs.count; i++) {
		uint32_t call = ct_model_call_of(model, model->syncs.at[i].correlation);

		if (call != CT_NONE)
			model->calls.at[call].sync = (uint32_t)i;
	}
	return ct_handles_resolve(model);
}

/* Index of the first call that begins at or after a time. */
static uint32_t first_call_from(const struct ct_model *model, uint64_t time_ns)
{
	size_t low = 0, high = model->calls.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (model->calls.at[middle].raw.enter_ns < time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32_t)low;
}

static uint32_t first_op_from(const struct ct_model *model, uint64_t time_ns)
{
	size_t low = 0, high = model->ops.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (model->ops.at[middle].raw.start_ns < time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32_t)low;
}

static void find_core(struct ct_model *model)
{
	struct ct_core *core = &model->core;

	core->first_call = first_call_from(model, core->begin_ns);
	core->end_call = first_call_from(model, core->end_ns);
	core->first_op = first_op_from(model, core->begin_ns);
	core->end_op = first_op_from(model, core->end_ns);
}

static void span_of_run(struct ct_model *model)
{
	model->begin_ns = UINT64_MAX;
	if (model->calls.count)
		model->begin_ns = model->calls.at[0].raw.enter_ns;
	if (model->ops.count && model->ops.at[0].raw.start_ns < model->begin_ns)
		model->begin_ns = model->ops.at[0].raw.start_ns;
	for (size_t i = 0; i < model->calls.count; i++) {
		const struct ct_call *call = &model->calls.at[i].raw;

		model->end_ns = call->leave_ns > model->end_ns ? call->leave_ns : model->end_ns;
	}
	for (size_t i = 0; i < model->ops.count; i++) {
		const struct ct_device_op *op = &model->ops.at[i].raw;

		model->end_ns = op->end_ns > model->end_ns ? op->end_ns : model->end_ns;
	}
	if (model->begin_ns < model->kept_from_ns)
		model->begin_ns = model->kept_from_ns;
	if (model->begin_ns > model->end_ns)
		model->begin_ns = model->end_ns;
}

/* A device has one record; those of one that has more are in the same order, whatever wrote them. */
static int by_device(const void *a, const void *b)
{
	const struct ct_gpu *x = a, *y = b;

	return COMPARE(x->device, y->device) ?: memcmp(x, y, sizeof(*x));
}

static int sort_records(struct ct_model *model)
{
	if (CT_SORT_BY(model->calls, raw.enter_ns, by_enter) < 0 ||
	    CT_SORT_BY(model->ops, raw.start_ns, by_start) < 0 ||
	    CT_SORT_BY(model->events, event_sync, by_event_sync) < 0 ||
	    CT_SORT_BY(model->overheads, start_ns, by_overhead_start) < 0)
		return -ENOMEM;
	if (model->facts) /* those of a part are shared, and in order */
		return 0;
	SORT(model->gpus, by_device);
	ct_handles_sort(model);
	return 0;
}

int ct_join(struct ct_model *model)
{
	int r;

	r = sort_records(model);
	if (r < 0)
		return r;
	find_core(model);
	span_of_run(model);
	r = ct_correlate_calls(model);
	if (r == 0)
		r = join_threads(model);
	if (r == 0)
		r = join_ops(model);
	if (r == 0)
		r = join_streams(model);
	if (r == 0)
		r = ct_handles_learn(model);
	if (r == 0)
		r = join_syncs(model);
	if (r == 0)
		r = ct_nvtx_join(model);
	if (r == 0) {
		ct_devices_find(model);
		ct_occupancy_fill(model);
		r = ct_order_streams(model);
	}
	return r;
}
