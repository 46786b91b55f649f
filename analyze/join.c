/* SPDX-License-Identifier: Apache-2.0 */
/* Links calls, device operations, streams and events to each other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/model.h"
#include "analyze/occupancy.h"
#include "analyze/order.h"

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

static int by_sync_correlation(const void *a, const void *b)
{
	const struct ct_sync *x = a, *y = b;

	return COMPARE(x->correlation, y->correlation);
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

static int by_handle(const void *a, const void *b)
{
	const struct ct_handle *x = a, *y = b;

	return COMPARE(x->handle, y->handle) ?: COMPARE(x->since_ns, y->since_ns);
}

static int by_key(const void *a, const void *b)
{
	const struct ct_key *x = a, *y = b;

	return COMPARE(x->correlation, y->correlation) ?: COMPARE(x->other, y->other) ?:
	       COMPARE(x->call, y->call);
}

#define SORT(array, compare)                                                                       \
	do {                                                                                       \
		if ((array).count)                                                                 \
			qsort((array).at, (array).count, sizeof(*(array).at), compare);            \
	} while (0)

uint32_t ct_stream_index(struct ct_model *model, uint32_t context, uint32_t id, bool add)
{
	struct ct_stream_info fresh = { .context = context, .id = id };
	size_t low = 0, high = model->streams.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ct_stream_info *s = &model->streams.at[middle];

		if (s->context == context && s->id == id)
			return (uint32_t)middle;
		if (s->context < context || (s->context == context && s->id < id))
			low = middle + 1;
		else
			high = middle;
	}
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

static struct ct_thread_info *thread_of(const struct ct_model *model, uint32_t tid)
{
	const struct ct_thread_info want = { .tid = tid };

	return model->threads.count ? bsearch(&want, model->threads.at, model->threads.count,
					      sizeof(want), by_tid)
				    : NULL;
}

/* Every thread that made a call, by tid; those whose THREAD record was damaged, too. */
static int complete_threads(struct ct_model *model)
{
	SORT(model->threads, by_tid);
	for (size_t i = 0; i < model->calls.count; i++) {
		struct ct_thread_info fresh = { .tid = model->calls.at[i].tid };

		if (thread_of(model, fresh.tid))
			continue;
		if (CT_PUSH(&model->threads, fresh) < 0)
			return -ENOMEM;
		SORT(model->threads, by_tid);
	}
	return 0;
}

static int join_threads(struct ct_model *model)
{
	int r = complete_threads(model);

	for (size_t i = 0; r == 0 && i < model->calls.count; i++) {
		struct ct_host_call *call = &model->calls.at[i];
		struct ct_thread_info *thread = thread_of(model, call->tid);

		call->thread = (uint32_t)(thread - model->threads.at);
		call->previous = thread->call_count ? thread->calls[thread->call_count - 1] : CT_NONE;
		r = push_index(&thread->calls, &thread->call_count, &thread->call_room, (uint32_t)i);
	}
	return r;
}

/*
 * Ids are shared by the driver calls that a launch of the runtime makes, where that was not
 * recorded itself: the one that submits work comes first.
 */
static int index_calls(struct ct_model *model)
{
	const uint32_t recorded = CT_LAUNCH | CT_COPY | CT_FILL | CT_SYNC | CT_ORDER;

	for (size_t i = 0; i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		struct ct_key key = { call->raw.correlation, (uint32_t)i, !(call->effects & recorded) };

		if (key.correlation && CT_PUSH(&model->call_keys, key) < 0)
			return -ENOMEM;
	}
	SORT(model->call_keys, by_key);
	return 0;
}

static int by_op_correlation(const void *a, const void *b, void *arg)
{
	const struct ct_op *ops = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return COMPARE(ops[x].raw.correlation, ops[y].raw.correlation) ?: COMPARE(x, y);
}

static int join_ops(struct ct_model *model)
{
	for (size_t i = 0; i < model->ops.count; i++) {
		struct ct_op *op = &model->ops.at[i];

		if (CT_PUSH(&model->by_correlation, (uint32_t)i) < 0 ||
		    ct_stream_index(model, op->raw.context, op->raw.stream, true) == CT_NONE)
			return -ENOMEM;
		op->call = ct_model_call_of(model, op->raw.correlation);
		op->submit_ns = op->raw.start_ns;
		if (op->call == CT_NONE && model->kept_from_ns) {
			model->early_submits++; /* a call made later would be there */
			if (model->kept_from_ns < op->submit_ns)
				op->submit_ns = model->kept_from_ns;
		} else if (op->call == CT_NONE)
			model->unjoined_ops++;
		else if (model->calls.at[op->call].raw.enter_ns < op->submit_ns)
			op->submit_ns = model->calls.at[op->call].raw.enter_ns;
	}
	if (!model->ops.count)
		return 0;
	qsort_r(model->by_correlation.at, model->by_correlation.count, sizeof(uint32_t),
		by_op_correlation, model->ops.at);
	for (size_t i = 0; i < model->by_correlation.count; i++) {
		uint32_t call = model->ops.at[model->by_correlation.at[i]].call;

		if (call == CT_NONE)
			continue;
		if (!model->calls.at[call].op_count++)
			model->calls.at[call].first_op = (uint32_t)i;
	}
	return 0;
}

/* A stream is a queue: the order of its operations is that in which they started. */
static int by_start_in_stream(const void *a, const void *b)
{
	return COMPARE(*(const uint32_t *)a, *(const uint32_t *)b); /* ops are sorted by start */
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

static int join_streams(struct ct_model *model)
{
	for (size_t i = 0; i < model->ops.count; i++) {
		struct ct_op *op = &model->ops.at[i];
		struct ct_stream_info *stream;

		op->stream = ct_stream_index(model, op->raw.context, op->raw.stream, false);
		stream = &model->streams.at[op->stream];
		stream->device = op->raw.device;
		if (push_index(&stream->ops, &stream->op_count, &stream->op_room, (uint32_t)i) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < model->streams.count; i++) {
		struct ct_stream_info *s = &model->streams.at[i];

		if (s->op_count)
			qsort(s->ops, s->op_count, sizeof(*s->ops), by_start_in_stream);
		order_submissions(model, s);
	}
	return 0;
}

/* What a handle named at a time: the latest stream created until then, or else the first after. */
static const struct ct_handle *handle_at(const struct ct_model *model, uint64_t handle,
					 uint64_t time_ns)
{
	const struct ct_handle *found = NULL;
	size_t low = 0, high = model->handles.count;

	while (low < high) { /* the first of this handle */
		size_t middle = low + (high - low) / 2;

		if (model->handles.at[middle].handle < handle)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < model->handles.count && model->handles.at[low].handle == handle; low++)
		if (!found || model->handles.at[low].since_ns <= time_ns)
			found = &model->handles.at[low];
	return found;
}

static uint32_t stream_of_handle(const struct ct_model *model, uint64_t handle, uint64_t time_ns)
{
	const struct ct_handle *found = handle_at(model, handle, time_ns);

	return found ? ct_stream_index((struct ct_model *)(uintptr_t)model, found->context,
				       found->stream, false)
		     : CT_NONE;
}

static uint32_t default_stream(const struct ct_model *model, const struct ct_host_call *call)
{
	for (size_t i = 0; i < model->contexts.count; i++) {
		const struct ct_context *c = &model->contexts.at[i];

		if ((c->context == call->raw.context || !call->raw.context) &&
		    c->null_stream != CT_ID_NONE)
			return ct_stream_index((struct ct_model *)(uintptr_t)model, c->context,
					       c->null_stream, false);
	}
	return CT_NONE;
}

#define STREAM_LEGACY 1     /* cudaStreamLegacy */
#define STREAM_PER_THREAD 2 /* cudaStreamPerThread */

static bool names_thread_default(const struct ct_host_call *call)
{
	return call->raw.stream == STREAM_PER_THREAD ||
	       (call->raw.stream == 0 && call->effects & CT_PER_THREAD);
}

/* Did the call put one operation, and nothing else, into the stream that it names? */
static bool shows_stream(const struct ct_model *model, const struct ct_host_call *call)
{
	return call->op_count == 1 && call->effects & (CT_LAUNCH | CT_COPY | CT_FILL) &&
	       call->raw.stream != CT_STREAM_NONE && !names_thread_default(call) &&
	       !model->ops.at[ct_model_op_of(model, call, 0)].raw.graph;
}

static int learn_handle(struct ct_model *model, const struct ct_host_call *call,
			const struct ct_device_op *op)
{
	struct ct_handle fresh = { .handle = call->raw.stream, .context = op->context,
				   .stream = op->stream };
	const struct ct_handle *known = handle_at(model, fresh.handle, call->raw.leave_ns);

	if (known && known->since_ns <= call->raw.leave_ns)
		return 0;
	if (CT_PUSH(&model->handles, fresh) < 0)
		return -ENOMEM;
	SORT(model->handles, by_handle);
	return 0;
}

static int learn_default(struct ct_model *model, const struct ct_device_op *op)
{
	struct ct_context fresh = { .context = op->context, .device = op->device,
				    .null_stream = op->stream };
	uint32_t stream = ct_stream_index(model, op->context, op->stream, false);
	size_t i = 0;

	while (i < model->contexts.count && model->contexts.at[i].context != op->context)
		i++;
	if (i < model->contexts.count && model->contexts.at[i].null_stream != CT_ID_NONE)
		return 0;
	if (model->streams.at[stream].flag == CT_STREAM_FLAG_UNKNOWN)
		model->streams.at[stream].flag = CT_STREAM_FLAG_LEGACY;
	if (i < model->contexts.count) {
		model->contexts.at[i].null_stream = op->stream;
		return 0;
	}
	if (CT_PUSH(&model->context_tids, 0) < 0)
		return -ENOMEM;
	return CT_PUSH(&model->contexts, fresh);
}

/*
 * CUPTI tells nothing of contexts and streams that were there before it (CUTRACE_MODE=auto):
 * what a call put into the stream that it names says which one that is.
 */
static int learn_streams(struct ct_model *model)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		const struct ct_device_op *op;

		if (!shows_stream(model, call))
			continue;
		op = &model->ops.at[ct_model_op_of(model, call, 0)].raw;
		r = call->raw.stream == 0 || call->raw.stream == STREAM_LEGACY
			    ? learn_default(model, op)
			    : learn_handle(model, call, op);
	}
	return r;
}

/* No record says which stream is a thread's own: what it submitted there does. */
static void find_thread_defaults(struct ct_model *model)
{
	for (size_t t = 0; t < model->threads.count; t++)
		model->threads.at[t].default_stream = CT_NONE;
	for (size_t i = 0; i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];

		if (call->op_count && names_thread_default(call))
			model->threads.at[call->thread].default_stream =
				model->ops.at[ct_model_op_of(model, call, 0)].stream;
	}
}

static uint32_t stream_of_call(const struct ct_model *model, const struct ct_host_call *call)
{
	uint64_t handle = call->raw.stream;

	if (call->op_count)
		return model->ops.at[ct_model_op_of(model, call, 0)].stream;
	if (names_thread_default(call)) /* CUPTI's record names the legacy stream instead */
		return model->threads.at[call->thread].default_stream;
	if (call->sync != CT_NONE && model->syncs.at[call->sync].stream != CT_ID_NONE)
		return ct_stream_index((struct ct_model *)(uintptr_t)model,
				       model->syncs.at[call->sync].context,
				       model->syncs.at[call->sync].stream, false);
	if (handle == CT_STREAM_NONE)
		return CT_NONE;
	if (handle == 0 || handle == STREAM_LEGACY)
		return default_stream(model, call);
	return stream_of_handle(model, handle, call->raw.leave_ns);
}

static void join_syncs(struct ct_model *model)
{
	for (size_t i = 0; i < model->syncs.count; i++) {
		uint32_t call = ct_model_call_of(model, model->syncs.at[i].correlation);

		if (call != CT_NONE)
			model->calls.at[call].sync = (uint32_t)i;
	}
	find_thread_defaults(model);
	for (size_t i = 0; i < model->calls.count; i++)
		model->calls.at[i].stream = stream_of_call(model, &model->calls.at[i]);
}

static void span_of_run(struct ct_model *model)
{
	model->begin_ns = UINT64_MAX;
	for (size_t i = 0; i < model->calls.count; i++) {
		const struct ct_call *call = &model->calls.at[i].raw;

		model->begin_ns = call->enter_ns < model->begin_ns ? call->enter_ns : model->begin_ns;
		model->end_ns = call->leave_ns > model->end_ns ? call->leave_ns : model->end_ns;
	}
	for (size_t i = 0; i < model->ops.count; i++) {
		const struct ct_device_op *op = &model->ops.at[i].raw;

		model->begin_ns = op->start_ns < model->begin_ns ? op->start_ns : model->begin_ns;
		model->end_ns = op->end_ns > model->end_ns ? op->end_ns : model->end_ns;
	}
	if (model->begin_ns < model->kept_from_ns)
		model->begin_ns = model->kept_from_ns;
	if (model->begin_ns > model->end_ns)
		model->begin_ns = model->end_ns;
}

int ct_join(struct ct_model *model)
{
	int r;

	SORT(model->calls, by_enter);
	SORT(model->ops, by_start);
	SORT(model->syncs, by_sync_correlation);
	SORT(model->events, by_event_sync);
	SORT(model->overheads, by_overhead_start);
	SORT(model->handles, by_handle);
	span_of_run(model);
	r = index_calls(model);
	if (r == 0)
		r = join_threads(model);
	if (r == 0)
		r = join_ops(model);
	if (r == 0)
		r = join_streams(model);
	if (r == 0)
		r = learn_streams(model);
	if (r == 0) {
		join_syncs(model);
		ct_occupancy_fill(model);
		r = ct_order_streams(model);
	}
	return r;
}
