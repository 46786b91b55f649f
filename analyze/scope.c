/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/scope.h"

#include "analyze/device.h"
#include "analyze/order.h"

#define LONG_KERNEL_NS 20000 /* no launch takes so long by itself */
#define RETURN_NS 500000     /* nor does one that waited return so late */
#define ELSEWHERE_RETURN_NS 1000000 /* of a free that waited: unpinning 1 MiB takes half of that */
#define LAUNCH_BEFORE_MAX 64 /* calls that are looked through for another launch */

static void add(const struct ct_model *model, const struct ct_host_call *call, uint32_t op,
		struct ct_scope *scope)
{
	if (op == CT_NONE || model->ops.at[op].raw.end_ns <= call->raw.enter_ns)
		return;
	if (scope->count < CT_SCOPE_STREAMS_MAX)
		scope->pending[scope->count++] = op;
	else if (scope->last == CT_NONE ||
		 model->ops.at[op].raw.end_ns > model->ops.at[scope->last].raw.end_ns)
		scope->pending[0] = op; /* the one that matters is always among them */
	if (scope->last == CT_NONE ||
	    model->ops.at[op].raw.end_ns > model->ops.at[scope->last].raw.end_ns)
		scope->last = op;
}

/* Events that the stream was told to wait for since its last operation. */
static void add_stream_waits(const struct ct_model *model, const struct ct_host_call *call,
			     uint32_t stream, uint64_t since_ns, struct ct_scope *scope)
{
	size_t low = 0, high = model->stream_waits.count;

	while (low < high) { /* first wait of the stream after since_ns */
		size_t middle = low + (high - low) / 2;
		const struct ct_stream_wait *w = &model->stream_waits.at[middle];

		if (w->stream < stream || (w->stream == stream && w->time_ns <= since_ns))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < model->stream_waits.count; low++) {
		const struct ct_stream_wait *w = &model->stream_waits.at[low];

		if (w->stream != stream || w->time_ns >= call->raw.enter_ns)
			break;
		add(model, call, w->op, scope);
	}
}

static void add_stream(const struct ct_model *model, const struct ct_host_call *call,
		       uint32_t stream, struct ct_scope *scope)
{
	uint32_t self = (uint32_t)(call - model->calls.at);
	uint32_t last = ct_model_last_before(model, stream, call->raw.enter_ns, self);

	add(model, call, last, scope);
	add_stream_waits(model, call, stream, last == CT_NONE ? 0 : model->ops.at[last].submit_ns,
			 scope);
}

/* All streams of the device that the call is about, or, where that is not known, of its context. */
static void add_device(const struct ct_model *model, const struct ct_host_call *call,
		       struct ct_scope *scope)
{
	for (uint32_t s = 0; s < model->streams.count; s++) {
		const struct ct_stream_info *stream = &model->streams.at[s];

		if (call->device != CT_NONE ? stream->device == call->device
					    : !call->raw.context || stream->context == call->raw.context)
			add_stream(model, call, s, scope);
	}
}

static void add_context(const struct ct_model *model, const struct ct_host_call *call,
			struct ct_scope *scope)
{
	for (uint32_t s = 0; s < model->streams.count; s++)
		if (!call->raw.context || model->streams.at[s].context == call->raw.context)
			add_stream(model, call, s, scope);
}

static bool asks_for_stream(const struct ct_model *model, const struct ct_host_call *call)
{
	return (call->sync == CT_NONE || model->syncs.at[call->sync].kind != CT_SYNC_EVENT) &&
	       call->raw.stream != CT_STREAM_NONE && call->stream != CT_NONE;
}

uint32_t ct_scope_asked(const struct ct_model *model, const struct ct_host_call *call, bool *ret_all)
{
	const struct ct_sync *sync = call->sync == CT_NONE ? NULL : &model->syncs.at[call->sync];
	bool event = call->api == CT_API_cudaEventSynchronize || call->api == CT_API_cuEventSynchronize;

	*ret_all = false;
	if (sync && sync->kind == CT_SYNC_EVENT)
		return ct_order_event(model, sync);
	if (asks_for_stream(model, call))
		return ct_model_last_before(model, call->stream, call->raw.enter_ns,
					    (uint32_t)(call - model->calls.at));
	*ret_all = !event;
	return CT_NONE;
}

static void asked_scope(const struct ct_model *model, const struct ct_host_call *call,
			struct ct_scope *scope)
{
	bool all;
	uint32_t op = ct_scope_asked(model, call, &all);

	scope->asked = true;
	scope->why = "the program asked to wait";
	if (all)
		add_context(model, call, scope);
	else if (asks_for_stream(model, call))
		add_stream(model, call, call->stream, scope);
	else
		add(model, call, op, scope);
}

/*
 * A copy or fill that the host waits for: synchronous by name, or of pageable memory.
 * It waits for what its own operation had to follow, until that operation starts. One
 * that returned before (a fill of device memory, a staged copy) did not wait.
 */
static void copy_scope(const struct ct_model *model, const struct ct_host_call *call,
		       struct ct_scope *scope)
{
	const struct ct_op *own;

	if (!call->op_count || (call->effects & CT_ASYNC && !call->pageable))
		return;
	own = &model->ops.at[ct_model_op_of(model, call, 0)];
	if (own->raw.start_ns > call->raw.leave_ns + CT_TOUCH_NS)
		return;
	if (own->raw.start_ns < scope->until_ns)
		scope->until_ns = own->raw.start_ns;
	scope->why = call->effects & CT_ASYNC
		? "a copy of pageable memory is not asynchronous: it waits for its stream"
		: "a synchronous copy or fill waits for its stream";
	add(model, call, own->previous, scope);
	for (int kind = 0; kind < CT_EDGES; kind++)
		add(model, call, own->edges[kind].op, scope);
}

static void drain_scope(const struct ct_model *model, const struct ct_host_call *call,
			struct ct_scope *scope)
{
	if (call->effects & CT_FREE && (!call->raw.addr || call->past & CT_PAST_STREAM_ORDERED))
		return;
	scope->why = call->effects & CT_FREE ? "freeing waits for all work on the device"
					     : "it waits for all work on the device";
	add_device(model, call, scope);
}

/* What a launch submitted, if it ran for long; CT_NONE. */
static uint32_t long_kernel_of(const struct ct_model *model, const struct ct_host_call *call)
{
	const struct ct_device_op *own;
	uint32_t index;

	if (!(call->effects & CT_LAUNCH) || !call->op_count)
		return CT_NONE;
	index = ct_model_op_of(model, call, call->op_count - 1);
	own = &model->ops.at[index].raw;
	return own->end_ns - own->start_ns < LONG_KERNEL_NS ? CT_NONE : index;
}

/* Did the thread's launch before this one return while its kernel, a long one, still ran? */
static bool launched_freely_before(const struct ct_model *model, const struct ct_host_call *call)
{
	for (int n = 0; n < LAUNCH_BEFORE_MAX && call->previous != CT_NONE; n++) {
		uint32_t own;

		call = &model->calls.at[call->previous];
		own = long_kernel_of(model, call);
		if (own != CT_NONE)
			return model->ops.at[own].raw.end_ns > call->raw.leave_ns + CT_TOUCH_NS;
	}
	return false;
}

/*
 * A launch that returned after its own kernel, which was long, had ended: it waited
 * for it, as every launch does under CUDA_LAUNCH_BLOCKING=1 (Programming Guide). Where
 * others did not, its thread was kept from running meanwhile by the operating system.
 */
static void launch_scope(const struct ct_model *model, const struct ct_host_call *call,
			 struct ct_scope *scope)
{
	uint32_t index = long_kernel_of(model, call);
	uint64_t end_ns;

	if (index == CT_NONE)
		return;
	end_ns = model->ops.at[index].raw.end_ns;
	if (end_ns > call->raw.leave_ns || call->raw.leave_ns - end_ns > RETURN_NS ||
	    launched_freely_before(model, call))
		return;
	scope->why = "the launch waited for its own kernel (CUDA_LAUNCH_BLOCKING?)";
	add(model, call, index, scope);
}

bool ct_scope_may_wait(const struct ct_host_call *call)
{
	if (call->raw.flags & CT_CALL_CAPTURING)
		return false;
	if (call->effects & CT_DRAINS && call->effects & CT_FREE)
		return call->raw.addr && !(call->past & CT_PAST_STREAM_ORDERED);
	if (call->effects & (CT_COPY | CT_FILL))
		return !(call->effects & CT_ASYNC) || call->pageable;
	return (call->effects & (CT_SYNC | CT_DRAINS)) != 0;
}

/* A call that returned while some of it still ran did not wait for all of it. */
static void drop_unfinished(const struct ct_model *model, const struct ct_host_call *call,
			    struct ct_scope *scope)
{
	if (scope->last == CT_NONE || scope->asked ||
	    model->ops.at[scope->last].raw.end_ns <= call->raw.leave_ns + CT_TOUCH_NS)
		return;
	scope->count = 0;
	scope->last = CT_NONE;
}

static uint64_t end_of(const struct ct_model *model, const struct ct_host_call *call,
		       const struct ct_scope *scope)
{
	return scope->last == CT_NONE ? call->raw.enter_ns : model->ops.at[scope->last].raw.end_ns;
}

/*
 * A call that waits for its device may wait for others as well: nothing is documented, and on two
 * H200 none did (kernels/free_other_device). That it did shows where it went on for long after its own device's work, and work of another ended
 * shortly before its return.
 */
static void elsewhere_scope(const struct ct_model *model, const struct ct_host_call *call,
			    struct ct_scope *scope)
{
	uint64_t own_end_ns = end_of(model, call, scope), rest_ns = call->raw.leave_ns - own_end_ns;
	uint64_t soon_ns = rest_ns / 4 > ELSEWHERE_RETURN_NS ? rest_ns / 4 : ELSEWHERE_RETURN_NS;
	struct ct_scope all = *scope;
	uint64_t end_ns;

	if (rest_ns < ELSEWHERE_RETURN_NS)
		return;
	for (uint32_t s = 0; s < model->streams.count; s++)
		if (model->streams.at[s].device != call->device)
			add_stream(model, call, s, &all);
	drop_unfinished(model, call, &all);
	end_ns = end_of(model, call, &all);
	if (end_ns < own_end_ns + rest_ns / 2 || end_ns + soon_ns < call->raw.leave_ns)
		return;
	all.elsewhere = all.chance = true;
	all.why = call->effects & CT_FREE ? "freeing waited for work on another device"
					  : "it waited for work on another device";
	*scope = all;
}

void ct_scope_of(const struct ct_model *model, const struct ct_host_call *call,
		 struct ct_scope *ret)
{
	ret->count = 0;
	ret->last = CT_NONE;
	ret->until_ns = call->raw.leave_ns;
	ret->asked = false;
	ret->chance = false;
	ret->elsewhere = false;
	ret->why = "";
	if (call->effects & CT_SYNC)
		asked_scope(model, call, ret);
	else if (call->effects & CT_DRAINS)
		drain_scope(model, call, ret);
	else if (call->effects & (CT_COPY | CT_FILL))
		copy_scope(model, call, ret);
	else if (call->effects & CT_LAUNCH)
		launch_scope(model, call, ret);
	ret->chance = ret->last != CT_NONE;
	drop_unfinished(model, call, ret);
	if (call->effects & CT_DRAINS && *ret->why && ct_devices_several(model))
		elsewhere_scope(model, call, ret);
}
