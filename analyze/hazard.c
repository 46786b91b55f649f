/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an implicit wait may be all that keeps a result right. What kernels and the host
 * touch is not in a trace: that no wait which the program asked for covers the work, from
 * the removed wait until the work is done anew, is taken for a sign.
 */
#include <stdbool.h>

#include "analyze/device.h"
#include "analyze/order.h"
#include "analyze/whatif.h"

#define LOOKED_AT 4096 /* calls after a wait, and operations before it */

static bool is_legacy(const struct ct_model *model, uint32_t stream)
{
	return stream != CT_NONE && model->streams.at[stream].flag == CT_STREAM_FLAG_LEGACY;
}

/* Does a call wait, because the program asks it to, for an operation? */
static bool covers(const struct ct_model *model, const struct ct_host_call *call,
		   const struct ct_op *op)
{
	const struct ct_sync *sync = call->sync == CT_NONE ? NULL : &model->syncs.at[call->sync];
	bool copies = call->effects & CT_COPY && !(call->effects & CT_ASYNC);
	uint32_t event;

	if (!(call->effects & (CT_SYNC | CT_POLL)) && !copies)
		return false;
	if (sync && sync->kind == CT_SYNC_EVENT) {
		event = ct_order_event(model, sync);
		return event != CT_NONE && model->ops.at[event].stream == op->stream &&
		       model->ops.at[event].submit_ns >= op->submit_ns;
	}
	if (call->effects & CT_POLL) /* an event's stream is not known: in doubt it asked for it */
		return call->stream == CT_NONE || call->stream == op->stream;
	if (!copies && call->raw.stream == CT_STREAM_NONE)
		return ct_device_same(call->device, op->raw.device);
	return call->stream == op->stream ||
	       (is_legacy(model, call->stream) &&
		model->streams.at[call->stream].context == model->streams.at[op->stream].context &&
		model->streams.at[op->stream].flag != CT_STREAM_FLAG_NON_BLOCKING);
}

/* Does a call do again what the operation did: as much, the same way? */
static bool repeats(const struct ct_model *model, const struct ct_host_call *call,
		    const struct ct_op *op)
{
	const struct ct_device_op *other;

	if (!call->op_count || call->stream != op->stream)
		return false;
	other = &model->ops.at[ct_model_op_of(model, call, 0)].raw;
	return other->kind == op->raw.kind &&
	       (op->raw.kind != CT_DEVICE_COPY ||
		(other->u.copy.direction == op->raw.u.copy.direction &&
		 other->u.copy.bytes == op->raw.u.copy.bytes));
}

/*
 * Was no wait for it asked for behind a call before the like was done again, or (or_end) the
 * run ended?
 */
static bool uncovered(const struct ct_model *model, uint32_t call, uint32_t index, bool or_end)
{
	const struct ct_op *op = &model->ops.at[index];
	size_t end = call + 1 + LOOKED_AT < model->calls.count ? call + 1 + LOOKED_AT
							       : model->calls.count;

	for (size_t i = call + 1; i < end; i++) {
		if (covers(model, &model->calls.at[i], op))
			return false;
		if (repeats(model, &model->calls.at[i], op))
			return true;
	}
	return or_end && end == model->calls.count;
}

static void note(struct ct_change *change, enum ct_hazard hazard, uint32_t op)
{
	if (change->hazard == CT_HAZARD_NONE) {
		change->hazard = hazard;
		change->hazard_op = op;
	}
	change->hazard_calls += change->hazard == hazard;
}

static bool has_managed(const struct ct_model *model)
{
	for (size_t i = 0; i < model->calls.count; i++)
		if (model->calls.at[i].api == CT_API_cudaMallocManaged ||
		    model->calls.at[i].api == CT_API_cuMemAllocManaged)
			return true;
	return false;
}

/* Work in flight as a call began that brings the host something, and is not waited for otherwise. */
static void find_read(const struct ct_model *model, struct ct_change *change, uint32_t call,
		      bool managed)
{
	const struct ct_host_call *c = &model->calls.at[call];

	for (uint32_t p = 0; p < c->pending_count; p++) {
		uint32_t op = model->pending.at[c->first_pending + p];

		for (int n = 0; op != CT_NONE && n < LOOKED_AT &&
				model->ops.at[op].raw.end_ns > c->raw.enter_ns;
		     n++, op = model->ops.at[op].previous) {
			const struct ct_device_op *raw = &model->ops.at[op].raw;
			bool copy = raw->kind == CT_DEVICE_COPY && raw->u.copy.direction == CT_DIRECTION_D2H;

			if (!copy && !(managed && raw->kind == CT_DEVICE_KERNEL))
				continue;
			if (uncovered(model, call, op, true)) {
				note(change, copy ? CT_HAZARD_READ : CT_HAZARD_MANAGED, op);
				return;
			}
		}
	}
}

/* The allocation of a block that a call frees; CT_NONE. */
static uint32_t allocation_of(const struct ct_model *model, uint32_t free_call)
{
	uint32_t least = free_call > LOOKED_AT ? free_call - LOOKED_AT : 0;

	for (uint32_t i = free_call; i-- > least;)
		if (model->calls.at[i].effects & CT_ALLOC &&
		    model->calls.at[i].raw.addr == model->calls.at[free_call].raw.addr)
			return i;
	return CT_NONE;
}

/* Copies and fills of several streams between a block's allocation and its free. */
static void find_shared(const struct ct_model *model, struct ct_change *change, uint32_t call)
{
	uint64_t addr = model->calls.at[call].raw.addr;
	uint32_t first = allocation_of(model, call), stream = CT_NONE;

	for (uint32_t i = first; first != CT_NONE && i < call; i++) {
		const struct ct_host_call *c = &model->calls.at[i];

		if (!(c->effects & (CT_COPY | CT_FILL)) || !c->op_count || c->raw.addr < addr ||
		    c->raw.addr - addr >= model->calls.at[first].raw.bytes)
			continue;
		if (stream != CT_NONE && c->stream != stream) {
			note(change, CT_HAZARD_SHARED, ct_model_op_of(model, c, 0));
			return;
		}
		stream = c->stream;
	}
}

static void find_copied(const struct ct_model *model, struct ct_change *change, uint32_t call)
{
	const struct ct_host_call *c = &model->calls.at[call];
	uint32_t op = c->op_count ? ct_model_op_of(model, c, 0) : CT_NONE;
	bool reads;

	if (op == CT_NONE)
		return;
	reads = model->ops.at[op].raw.u.copy.direction == CT_DIRECTION_D2H;
	if (uncovered(model, call, op, reads))
		note(change, reads ? CT_HAZARD_READ : CT_HAZARD_REUSE, op);
}

static void find_ordered(const struct ct_model *model, struct ct_change *change, uint32_t call)
{
	const struct ct_host_call *c = &model->calls.at[call];

	if (c->op_count && c->effects & (CT_COPY | CT_FILL))
		note(change, CT_HAZARD_ORDER, ct_model_op_of(model, c, 0));
}

void ct_hazards_find(const struct ct_analysis *a, struct ct_change *change,
		     const struct ct_change_item *items)
{
	bool managed = has_managed(a->model);
	size_t count = change->count < LOOKED_AT ? change->count : LOOKED_AT;

	for (size_t i = 0; i < count; i++) {
		uint32_t call = items[i].call;
		/* memory that is kept, in place of what is ranked, is not freed, and nothing waits there */
		bool freed = change->kind == CT_CHANGE_HOIST && change->rank == CT_NONE &&
			     a->model->calls.at[call].effects & CT_FREE;

		if (a->sites->of_call[call] != change->site && !freed)
			continue;
		if (change->kind == CT_CHANGE_PIN)
			find_copied(a->model, change, call);
		else if (change->kind == CT_CHANGE_STREAM)
			find_ordered(a->model, change, call);
		else
			find_read(a->model, change, call, managed);
		if (change->kind == CT_CHANGE_FREE)
			find_shared(a->model, change, call);
	}
}
