/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/seen.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/order.h"

static int by_time(const void *a, const void *b)
{
	const struct ct_mode_change *x = a, *y = b;

	return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

/* Was memory allocated in stream order? Freeing such memory in the ordinary way waits for nothing. */
static bool uses_pools(const struct ct_model *model)
{
	for (size_t i = 0; i < model->calls.count; i++)
		if (model->calls.at[i].effects & CT_ALLOC && model->calls.at[i].effects & CT_ASYNC)
			return true;
	return false;
}

/* Does this call, when it returns, leave no work in flight that was there when it began? */
static bool waits_for_all(const struct ct_host_call *call, bool pools)
{
	uint32_t frees = CT_FREE | CT_DRAINS;

	if (call->raw.error)
		return false;
	if ((call->effects & (frees | CT_HOSTMEM)) == frees)
		return call->raw.addr && !pools;
	return call->effects & CT_SYNC && !call->raw.addr && call->raw.stream == CT_STREAM_NONE;
}

/* Contexts that are older than CUPTI have no record, but their streams are seen at work. */
static bool several_contexts(const struct ct_model *model)
{
	const struct ct_stream_info *streams = model->streams.at;
	size_t count = model->streams.count; /* by context */

	return model->contexts.count > 1 ||
	       (count && streams[0].context != streams[count - 1].context) ||
	       (count && model->contexts.count &&
		streams[0].context != model->contexts.at[0].context);
}

/* When the first call that waits for the whole device, made within the sight, returned. */
static uint64_t settled_by_call(const struct ct_model *model, const struct ct_sight *sight, bool pools)
{
	size_t low = 0, high = model->calls.count;

	if (several_contexts(model))
		return UINT64_MAX; /* it waits for one of them */
	while (low < high) { /* first call made within the sight */
		size_t middle = low + (high - low) / 2;

		if (model->calls.at[middle].raw.enter_ns < sight->start_ns)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < model->calls.count && model->calls.at[low].raw.enter_ns < sight->end_ns; low++)
		if (waits_for_all(&model->calls.at[low], pools))
			return model->calls.at[low].raw.leave_ns;
	return UINT64_MAX;
}

/* When the first operation submitted to a stream within the sight began: all before it is over. */
static uint64_t settled_stream(const struct ct_model *model, const struct ct_sight *sight,
			       uint32_t stream)
{
	uint32_t op = ct_model_first_after(model, stream, sight->start_ns);

	if (op == CT_NONE || model->ops.at[op].submit_ns >= sight->end_ns)
		return UINT64_MAX;
	return model->ops.at[op].raw.start_ns;
}

/* When that holds of every stream that was seen at work, ever. */
static uint64_t settled_by_streams(const struct ct_model *model, const struct ct_sight *sight)
{
	uint64_t last_ns = 0;

	for (uint32_t s = 0; s < model->streams.count; s++) {
		uint64_t at_ns;

		if (!model->streams.at[s].op_count)
			continue;
		at_ns = settled_stream(model, sight, s);
		last_ns = at_ns > last_ns ? at_ns : last_ns;
	}
	return last_ns ? last_ns : UINT64_MAX;
}

static int add_sight(struct ct_model *model, uint64_t start_ns, uint64_t end_ns, bool pools)
{
	struct ct_sight sight = { .start_ns = start_ns, .end_ns = end_ns };
	uint64_t by_call, by_streams;

	if (end_ns > model->cupti_end_ns)
		sight.end_ns = end_ns = model->cupti_end_ns;
	if (start_ns >= end_ns || end_ns <= model->begin_ns)
		return 0;
	if (start_ns) { /* what was submitted before may still be at work */
		by_call = settled_by_call(model, &sight, pools);
		by_streams = settled_by_streams(model, &sight);
		sight.settled_ns = by_call < by_streams ? by_call : by_streams;
	}
	return CT_PUSH(&model->sights, sight);
}

int ct_sights_find(struct ct_model *model)
{
	uint64_t since_ns = 0;
	bool pools = uses_pools(model), full;
	int r = 0;

	if (model->mode_changes.count)
		qsort(model->mode_changes.at, model->mode_changes.count,
		      sizeof(*model->mode_changes.at), by_time);
	full = !model->mode_changes.count || model->mode_changes.at[0].mode != CT_MODE_FULL;
	for (size_t i = 0; r == 0 && i < model->mode_changes.count; i++) {
		const struct ct_mode_change *change = &model->mode_changes.at[i];

		if (full && change->mode != CT_MODE_FULL)
			r = add_sight(model, since_ns, change->time_ns, pools);
		if (!full && change->mode == CT_MODE_FULL)
			since_ns = change->time_ns;
		full = change->mode == CT_MODE_FULL;
	}
	if (r == 0 && full)
		r = add_sight(model, since_ns, UINT64_MAX, pools);
	return r;
}

const struct ct_sight *ct_sight_at(const struct ct_model *model, uint64_t time_ns)
{
	size_t low = 0, high = model->sights.count;

	while (low < high) { /* first sight that begins later */
		size_t middle = low + (high - low) / 2;

		if (model->sights.at[middle].start_ns <= time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low && time_ns < model->sights.at[low - 1].end_ns ? &model->sights.at[low - 1] : NULL;
}

/* Does the call wait for one stream alone, of which nothing from before the sight is left? */
static bool settled_for(const struct ct_model *model, const struct ct_sight *sight,
			const struct ct_host_call *call)
{
	const struct ct_sync *sync = call->sync == CT_NONE ? NULL : &model->syncs.at[call->sync];

	if (call->raw.enter_ns >= sight->settled_ns)
		return true;
	if (sync && sync->kind == CT_SYNC_EVENT) {
		uint32_t op = ct_order_event(model, sync);

		return op != CT_NONE && model->ops.at[op].submit_ns >= sight->start_ns;
	}
	return call->stream != CT_NONE && call->effects & (CT_SYNC | CT_COPY) &&
	       settled_stream(model, sight, call->stream) <= call->raw.enter_ns;
}

enum ct_seen ct_seen_call(const struct ct_model *model, const struct ct_host_call *call)
{
	const struct ct_sight *sight;

	if (call->raw.leave_ns >= model->cupti_end_ns)
		return CT_SEEN_NOTHING;
	sight = ct_sight_at(model, call->raw.leave_ns);
	if (!sight || call->raw.enter_ns < sight->start_ns || !settled_for(model, sight, call))
		return CT_SEEN_LIGHT;
	return CT_SEEN_ALL;
}

bool ct_seen_light(const struct ct_model *model, enum ct_seen seen)
{
	return seen == CT_SEEN_LIGHT || (seen == CT_SEEN_NOTHING && ct_seen_partly(model));
}

bool ct_seen_gap(const struct ct_model *model, uint64_t start_ns, uint64_t end_ns)
{
	const struct ct_sight *sight = ct_sight_at(model, end_ns);

	return sight && start_ns >= sight->start_ns && start_ns >= sight->settled_ns;
}

bool ct_seen_op(const struct ct_model *model, const struct ct_op *op)
{
	return ct_seen_gap(model, op->submit_ns, op->raw.start_ns);
}

bool ct_seen_unrecorded(const struct ct_model *model, const struct ct_wait *wait)
{
	return wait->part == CT_PART_DEVICE_WAIT && wait->op == CT_NONE &&
	       ct_seen_light(model, ct_seen_call(model, &model->calls.at[wait->call]));
}

uint64_t ct_seen_ns(const struct ct_model *model)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < model->sights.count; i++) {
		const struct ct_sight *s = &model->sights.at[i];
		uint64_t start = s->start_ns > model->begin_ns ? s->start_ns : model->begin_ns;
		uint64_t end = s->end_ns < model->end_ns ? s->end_ns : model->end_ns;

		sum += end > start ? end - start : 0;
	}
	return sum;
}

bool ct_seen_partly(const struct ct_model *model)
{
	for (size_t i = 0; i < model->mode_changes.count; i++)
		if (model->mode_changes.at[i].mode != CT_MODE_FULL)
			return true;
	return false;
}

static bool was(const struct ct_model *model, enum ct_mode mode)
{
	for (size_t i = 0; i < model->mode_changes.count; i++)
		if (model->mode_changes.at[i].mode == mode)
			return true;
	return false;
}

bool ct_seen_windows(const struct ct_model *model)
{
	return was(model, CT_MODE_OFF);
}

bool ct_seen_light_mode(const struct ct_model *model)
{
	return was(model, CT_MODE_LIGHT);
}

const char *ct_seen_lack(const struct ct_model *model)
{
	if (!ct_seen_windows(model))
		return "light";
	return ct_seen_light_mode(model) ? "light, or outside the windows" : "outside the windows";
}

const char *ct_seen_unfit(const struct ct_model *model)
{
	return ct_seen_windows(model) ? "calls were recorded in windows only"
				      : "kernels and launches were not recorded all the time (light)";
}

bool ct_seen_work(const struct ct_model *model, const struct ct_host_call *call)
{
	uint64_t enter_ns = call->raw.enter_ns;

	return (call->effects & CT_COPY && enter_ns >= model->cupti_begin_ns) ||
	       !ct_seen_partly(model) || ct_sight_at(model, enter_ns);
}

bool ct_seen_cut(const struct ct_model *model, const struct ct_host_call *call)
{
	const struct ct_sight *sight = ct_sight_at(model, call->raw.enter_ns);
	uint32_t next;

	if (call->effects & CT_COPY || !ct_seen_partly(model) || !sight ||
	    sight->end_ns >= model->end_ns)
		return false;
	next = call->stream == CT_NONE
		       ? CT_NONE
		       : ct_model_first_after(model, call->stream, call->raw.leave_ns);
	return next == CT_NONE || model->ops.at[next].submit_ns >= sight->end_ns;
}
