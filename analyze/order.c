/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/order.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/device.h"

#define RECENT_FREES 64  /* blocks the allocator may still have to hand on */
#define BEHIND_NS 20000  /* an operation that starts so soon behind another waited for it */
#define NEIGHBOURS 256   /* operations looked at before one that may have waited */
#define CHANNELS 256     /* hardware queues that a record can name */
#define WAITED_NS 100000 /* if it had been waiting for at least so long */

/* When the call with a correlation id began; UINT64_MAX if it was not recorded. */
static uint64_t call_time(const struct ct_model *model, uint32_t correlation)
{
	uint32_t call = ct_model_call_of(model, correlation);

	return call == CT_NONE ? UINT64_MAX : model->calls.at[call].raw.enter_ns;
}

static const struct ct_event *event_by_sync(const struct ct_model *model, uint64_t event_sync)
{
	size_t low = 0, high = model->events.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (model->events.at[middle].event_sync < event_sync)
			low = middle + 1;
		else
			high = middle;
	}
	return low < model->events.count && model->events.at[low].event_sync == event_sync
		       ? &model->events.at[low]
		       : NULL;
}

static int compare_ids(const struct ct_event *x, const struct ct_event *y)
{
	if (x->event != y->event)
		return x->event < y->event ? -1 : 1;
	if (x->context != y->context)
		return x->context < y->context ? -1 : 1;
	return x->correlation < y->correlation ? -1 : x->correlation > y->correlation;
}

/* The latest record of an event in a context before a synchronisation; NULL: there is none. */
static const struct ct_event *event_in(const struct ct_model *model, const struct ct_sync *sync,
				       uint32_t context)
{
	const struct ct_event want = { .event = sync->event, .context = context,
				       .correlation = sync->correlation };
	size_t low = 0, high = model->events_by_id.count;
	const struct ct_event *found;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_ids(&model->events.at[model->events_by_id.at[middle]], &want) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	found = low ? &model->events.at[model->events_by_id.at[low - 1]] : NULL;
	return found && found->event == sync->event && found->context == context ? found : NULL;
}

/*
 * The EVENT record a synchronisation refers to: by its unique id where CUPTI has one
 * (since CUDA 12.8), else the latest record of the event before the wait. Another context's
 * event may have the same id: it is meant where the synchronisation's own has none.
 */
static const struct ct_event *event_of(const struct ct_model *model, const struct ct_sync *sync)
{
	const struct ct_event *found, *other;

	if (sync->event_sync)
		return event_by_sync(model, sync->event_sync);
	found = event_in(model, sync, sync->context);
	if (found)
		return found;
	for (size_t i = 0; i < model->streams.count; i++) { /* by context */
		if (i && model->streams.at[i].context == model->streams.at[i - 1].context)
			continue;
		other = event_in(model, sync, model->streams.at[i].context);
		if (other && (!found || other->correlation > found->correlation))
			found = other;
	}
	return found;
}

static int by_id(const void *a, const void *b, void *arg)
{
	const struct ct_event *events = arg;
	const struct ct_event *x = &events[*(const uint32_t *)a], *y = &events[*(const uint32_t *)b];

	/* of two that say the same the first is found */
	return compare_ids(x, y) ?: (x < y ? 1 : -1);
}

/* Where a synchronisation names an event by its id, which is used again and again. */
static int index_events(struct ct_model *model)
{
	size_t i = 0;

	while (i < model->syncs.count &&
	       (model->syncs.at[i].event_sync || model->syncs.at[i].kind > CT_SYNC_STREAM_WAIT))
		i++;
	if (i == model->syncs.count || !model->events.count)
		return 0;
	for (uint32_t n = 0; n < model->events.count; n++)
		if (CT_PUSH(&model->events_by_id, n) < 0)
			return -ENOMEM;
	qsort_r(model->events_by_id.at, model->events_by_id.count, sizeof(uint32_t), by_id,
		model->events.at);
	return 0;
}

uint32_t ct_order_event(const struct ct_model *model, const struct ct_sync *sync)
{
	const struct ct_event *event = event_of(model, sync);
	uint32_t stream;
	uint64_t recorded;

	if (!event)
		return CT_NONE;
	stream = ct_stream_index((struct ct_model *)(uintptr_t)model, event->context, event->stream,
				 false);
	recorded = call_time(model, event->correlation);
	if (recorded == UINT64_MAX && model->kept_from_ns) /* before all that is kept */
		recorded = model->kept_from_ns + 1;
	if (stream == CT_NONE || recorded == UINT64_MAX)
		return CT_NONE;
	return ct_model_last_before(model, stream, recorded, CT_NONE);
}

/* Remember the later-ending of the operations that `op` had to follow for one reason. */
static void follow(struct ct_model *model, uint32_t op, enum ct_edge_kind kind, uint32_t earlier,
		   uint32_t cause)
{
	struct ct_edge *edge = &model->ops.at[op].edges[kind];

	if (earlier == CT_NONE || earlier == op)
		return;
	if (edge->op == CT_NONE ||
	    model->ops.at[earlier].raw.end_ns > model->ops.at[edge->op].raw.end_ns)
		*edge = (struct ct_edge){ earlier, cause };
}

static int by_stream_and_time(const void *a, const void *b)
{
	const struct ct_stream_wait *x = a, *y = b;

	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

static int order_by_events(struct ct_model *model)
{
	for (size_t i = 0; i < model->syncs.count; i++) {
		const struct ct_sync *sync = &model->syncs.at[i];
		struct ct_stream_wait wait;
		uint64_t waited;
		uint32_t stream, op;

		if (sync->kind != CT_SYNC_STREAM_WAIT)
			continue;
		stream = ct_stream_index(model, sync->context, sync->stream, false);
		waited = call_time(model, sync->correlation);
		if (stream == CT_NONE || waited == UINT64_MAX)
			continue;
		wait = (struct ct_stream_wait){ stream, ct_order_event(model, sync), waited };
		if (wait.op != CT_NONE && CT_PUSH(&model->stream_waits, wait) < 0)
			return -ENOMEM;
		op = ct_model_first_after(model, stream, waited);
		if (op != CT_NONE)
			follow(model, op, CT_EDGE_EVENT, wait.op, CT_NONE);
	}
	if (model->stream_waits.count)
		qsort(model->stream_waits.at, model->stream_waits.count,
		      sizeof(*model->stream_waits.at), by_stream_and_time);
	return 0;
}

/* A stream without a record is: but for those that are older than CUPTI, of which it has none. */
static bool blocking(const struct ct_stream_info *stream, const struct ct_context *context)
{
	return stream->flag == CT_STREAM_FLAG_BLOCKING ||
	       (stream->flag == CT_STREAM_FLAG_UNKNOWN && context->seen_ns);
}

/* Both directions of the legacy default stream's rule, between it and one other stream. */
static void order_pair(struct ct_model *model, uint32_t legacy, uint32_t other)
{
	const struct ct_stream_info *null_stream = &model->streams.at[legacy];
	const struct ct_stream_info *stream = &model->streams.at[other];

	for (uint32_t n = 0; n < null_stream->op_count; n++) {
		const struct ct_op *op = &model->ops.at[null_stream->ops[n]];

		follow(model, null_stream->ops[n], CT_EDGE_DEFAULT,
		       ct_model_last_before(model, other, op->submit_ns, CT_NONE), op->call);
	}
	for (uint32_t n = 0; n < stream->op_count; n++) {
		const struct ct_op *op = &model->ops.at[stream->ops[n]];
		uint32_t before = ct_model_last_before(model, legacy, op->submit_ns, CT_NONE);

		if (before != CT_NONE)
			follow(model, stream->ops[n], CT_EDGE_DEFAULT, before,
			       model->ops.at[before].call);
	}
}

static void order_by_default_stream(struct ct_model *model, const struct ct_context *context,
				    uint32_t legacy)
{
	for (uint32_t s = 0; s < model->streams.count; s++)
		if (s != legacy && blocking(&model->streams.at[s], context) &&
		    model->streams.at[s].context == model->streams.at[legacy].context)
			order_pair(model, legacy, s);
}

/* A block of stream-ordered memory that was given back. */
struct freed {
	uint64_t addr;
	uint64_t end_ns; /* of `last` */
	uint32_t stream;
	uint32_t last;   /* operation of the stream before it was given back; CT_NONE */
};

/* When an operation had all it needed: submitted, its stream and the program's orders done. */
static uint64_t ready_time(const struct ct_model *model, const struct ct_op *op)
{
	uint64_t ready_ns = op->submit_ns;

	if (op->previous != CT_NONE && model->ops.at[op->previous].raw.end_ns > ready_ns)
		ready_ns = model->ops.at[op->previous].raw.end_ns;
	for (int kind = CT_EDGE_EVENT; kind <= CT_EDGE_DEFAULT; kind++)
		if (op->edges[kind].op != CT_NONE &&
		    model->ops.at[op->edges[kind].op].raw.end_ns > ready_ns)
			ready_ns = model->ops.at[op->edges[kind].op].raw.end_ns;
	return ready_ns;
}

/* Did `op` start when `earlier` ended, though all else it needed was there long before? */
static bool started_behind(const struct ct_model *model, uint32_t op, uint32_t earlier)
{
	const struct ct_op *o = &model->ops.at[op];
	uint64_t end_ns = model->ops.at[earlier].raw.end_ns;

	return o->raw.start_ns - end_ns < BEHIND_NS && end_ns > ready_time(model, o) + WAITED_NS;
}

/* Did code loading take part of this call's time? */
static bool loads_code(const struct ct_model *model, uint32_t index)
{
	const struct ct_call *call = &model->calls.at[index].raw;
	size_t low = 0, high = model->overheads.count;

	while (low < high) { /* first overhead that begins in the call */
		size_t middle = low + (high - low) / 2;

		if (model->overheads.at[middle].start_ns < call->enter_ns)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < model->overheads.count; low++) {
		const struct ct_overhead *o = &model->overheads.at[low];

		if (o->start_ns >= call->leave_ns)
			break;
		if (o->kind == CT_OVERHEAD_LAZY_LOADING || o->kind == CT_OVERHEAD_MODULE_LOADING)
			return true;
	}
	return false;
}

/*
 * The allocator may hand memory freed in one stream to another before the first has
 * got there, and makes the second wait (Programming Guide, stream-ordered allocator,
 * cudaMemPoolReuseAllowInternalDependencies). No record tells: the address does, or
 * that an operation started the moment another stream's ended. op: the first one behind
 * the allocation.
 */
static void order_by_reuse(struct ct_model *model, const struct freed *freed, uint32_t index,
			   uint32_t op)
{
	const struct ct_host_call *call = &model->calls.at[index];

	if (freed->last == CT_NONE || freed->stream == call->stream ||
	    freed->end_ns <= call->raw.enter_ns || model->ops.at[op].raw.start_ns < freed->end_ns)
		return;
	if (freed->addr == call->raw.addr ||
	    (model->ops.at[op].raw.device == model->ops.at[freed->last].raw.device &&
	     started_behind(model, op, freed->last)))
		follow(model, op, CT_EDGE_REUSE, freed->last, index);
}

/* What was given back, and the last operation before that in its stream. */
static struct freed freed_by(const struct ct_model *model, const struct ct_host_call *call)
{
	struct freed freed = { .addr = call->raw.addr, .stream = call->stream, .last = CT_NONE };

	if (call->stream != CT_NONE)
		freed.last = ct_model_last_before(model, call->stream, call->raw.enter_ns, CT_NONE);
	if (freed.last != CT_NONE)
		freed.end_ns = model->ops.at[freed.last].raw.end_ns;
	return freed;
}

static void order_by_allocator(struct ct_model *model)
{
	struct freed recent[RECENT_FREES];
	uint32_t count = 0;

	for (uint32_t i = 0; i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		uint32_t op;

		if (!(call->effects & CT_ASYNC) || !call->raw.addr || call->raw.error)
			continue;
		if (call->effects & CT_FREE)
			recent[count++ % RECENT_FREES] = freed_by(model, call);
		if (!(call->effects & CT_ALLOC) || call->stream == CT_NONE || !count)
			continue;
		op = ct_model_first_after(model, call->stream, call->raw.enter_ns);
		for (uint32_t n = 0; op != CT_NONE && n < count && n < RECENT_FREES; n++)
			order_by_reuse(model, &recent[n], i, op);
	}
}

/*
 * More streams than hardware queues (CUDA_DEVICE_MAX_CONNECTIONS) share them. A kernel
 * that waits for its stream at the head of a queue holds those of other streams behind
 * it until it starts. CUPTI names the queue; that a kernel was held shows in its start.
 */
static void order_by_queue(struct ct_model *model, uint32_t (*queues)[CHANNELS], uint32_t index)
{
	const struct ct_op *op = &model->ops.at[index];
	uint32_t *last = &queues[ct_device_place(model, op->raw.device)][op->raw.channel];
	uint32_t earlier = *last;
	const struct ct_op *head = &model->ops.at[earlier == CT_NONE ? index : earlier];

	if (op->raw.kind != CT_DEVICE_KERNEL || !op->raw.channel)
		return;
	*last = index;
	if (earlier != CT_NONE && head->stream != op->stream &&
	    head->raw.device == op->raw.device && head->submit_ns < op->submit_ns &&
	    op->raw.start_ns - head->raw.start_ns < BEHIND_NS &&
	    head->raw.start_ns > ready_time(model, op) + WAITED_NS)
		follow(model, index, CT_EDGE_ALIAS, earlier, head->call);
}

/*
 * Loading a function on its first use may have to wait for the device (Programming
 * Guide, "Lazy Loading"): the kernel starts when another stream's work has ended.
 */
static void order_by_loading(struct ct_model *model, uint32_t index)
{
	const struct ct_op *op = &model->ops.at[index];

	if (op->raw.kind != CT_DEVICE_KERNEL || op->call == CT_NONE || !loads_code(model, op->call))
		return;
	for (uint32_t i = index; i-- > 0 && i + NEIGHBOURS > index;)
		if (model->ops.at[i].stream != op->stream &&
		    model->ops.at[i].raw.device == op->raw.device &&
		    model->ops.at[i].raw.end_ns <= op->raw.start_ns &&
		    model->ops.at[i].submit_ns < op->submit_ns && started_behind(model, index, i))
			follow(model, index, CT_EDGE_LOADING, i, op->call);
}

/* Each device has its own. */
static int order_by_queues(struct ct_model *model)
{
	size_t bytes = (model->device_count + 1) * sizeof(uint32_t[CHANNELS]);
	uint32_t (*queues)[CHANNELS] = malloc(bytes);

	if (!queues)
		return -ENOMEM;
	memset(queues, 0xff, bytes);
	for (uint32_t i = 0; i < model->ops.count; i++)
		order_by_queue(model, queues, i);
	free(queues);
	for (uint32_t i = 0; model->overheads.count && i < model->ops.count; i++)
		order_by_loading(model, i);
	return 0;
}

static const struct ct_context *context_of(const struct ct_model *model, uint32_t id)
{
	for (size_t i = 0; i < model->contexts.count; i++)
		if (model->contexts.at[i].context == id)
			return &model->contexts.at[i];
	return NULL;
}

static bool is_barrier(const struct ct_model *model, const struct ct_op *op)
{
	return ct_device_peers(&op->raw) && op->call != CT_NONE &&
	       !(model->calls.at[op->call].effects & CT_ASYNC);
}

/* May the streams of a device be ordered with the copy? Where its devices are not known, all may. */
static bool concerns(const struct ct_device_op *copy, uint32_t device)
{
	uint32_t source = ct_device_source(copy), target = ct_device_target(copy);

	return ct_device_same(source, device) || ct_device_same(target, device);
}

/*
 * Does the legacy default stream's rule hold between the copy and a stream of its other device? Not
 * if the copy is in a thread's own default stream.
 */
static bool ruled(const struct ct_model *model, const struct ct_op *copy, uint32_t index)
{
	const struct ct_stream_info *stream = &model->streams.at[index];
	const struct ct_context *context = context_of(model, stream->context);

	return context && stream->context != copy->raw.context && !model->streams.at[copy->stream].per_thread &&
	       ct_device_source(&copy->raw) != CT_NONE && ct_device_target(&copy->raw) != CT_NONE &&
	       (stream->id == context->null_stream || blocking(stream, context));
}

/*
 * A copy in the default stream between two devices starts when all that was asked of either before
 * is done, and what is asked of them later starts after it (Programming Guide, Peer-to-Peer
 * Memory Copy). On two H200 that was not so of non-blocking streams, so it is taken for the rule
 * of both devices' default streams, unless times speak against it. Of other streams, and in
 * old traces, which do not say which devices they were, it is believed where an operation
 * started the moment another one ended.
 */
static void order_by_peer_copy(struct ct_model *model, uint32_t index)
{
	const struct ct_op *copy = &model->ops.at[index];

	for (uint32_t s = 0; s < model->streams.count; s++) {
		bool rule = ruled(model, copy, s);
		uint32_t before, behind;

		if (s == copy->stream || !concerns(&copy->raw, model->streams.at[s].device))
			continue;
		before = ct_model_last_before(model, s, copy->submit_ns, CT_NONE);
		behind = ct_model_first_after(model, s, copy->submit_ns);
		if (before != CT_NONE && model->ops.at[before].raw.end_ns <= copy->raw.start_ns &&
		    (rule || started_behind(model, index, before)))
			follow(model, index, CT_EDGE_PEERS, before, copy->call);
		if (behind != CT_NONE && copy->raw.end_ns <= model->ops.at[behind].raw.start_ns &&
		    (rule || started_behind(model, behind, index)))
			follow(model, behind, CT_EDGE_PEERS, index, copy->call);
	}
}

static void order_by_peer_copies(struct ct_model *model)
{
	for (uint32_t i = 0; ct_devices_several(model) && i < model->ops.count; i++)
		if (is_barrier(model, &model->ops.at[i]))
			order_by_peer_copy(model, i);
}

int ct_order_streams(struct ct_model *model)
{
	if (index_events(model) < 0 || order_by_events(model) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < model->contexts.count; i++) {
		const struct ct_context *c = &model->contexts.at[i];
		uint32_t legacy;

		if (c->null_stream == CT_ID_NONE)
			continue;
		legacy = ct_stream_index(model, c->context, c->null_stream, false);
		if (legacy != CT_NONE && model->streams.at[legacy].op_count)
			order_by_default_stream(model, c, legacy);
	}
	order_by_allocator(model);
	order_by_peer_copies(model);
	return order_by_queues(model);
}
