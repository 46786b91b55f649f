/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/idle.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analyze/seen.h"
#include "analyze/sort.h"

static uint64_t overlap(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	uint64_t start = a > c ? a : c, end = b < d ? b : d;

	return end > start ? end - start : 0;
}

/* Had an operation to follow one of another device for most of a gap of its own? */
static bool followed_other(const struct ct_model *model, const struct ct_op *op, const struct ct_gap *gap)
{
	for (int kind = 0; gap->device != CT_NONE && kind < CT_EDGES; kind++) {
		const struct ct_device_op *earlier;

		if (op->edges[kind].op == CT_NONE)
			continue;
		earlier = &model->ops.at[op->edges[kind].op].raw;
		if (earlier->device != gap->device &&
		    overlap(gap->start_ns, earlier->end_ns, gap->start_ns, gap->end_ns) >
			    (gap->end_ns - gap->start_ns) / 2)
			return true;
	}
	return false;
}

/* What the thread that submitted the gap's next operation did during the gap. */
static void find_cause(const struct ct_model *model, struct ct_gap *gap)
{
	const struct ct_op *op = &model->ops.at[gap->next_op];
	const struct ct_thread_info *thread;
	uint64_t submitted, in_calls = 0, longest = 0;

	gap->cause = followed_other(model, op, gap) ? CT_IDLE_OTHER : CT_IDLE_DEVICE;
	gap->call = op->call;
	if (op->call == CT_NONE)
		return;
	submitted = model->calls.at[op->call].raw.leave_ns;
	if (submitted > gap->end_ns)
		submitted = gap->end_ns;
	if (submitted <= gap->start_ns || gap->end_ns - submitted > submitted - gap->start_ns)
		return; /* it lay with the device for most of the gap */
	thread = &model->threads.at[model->calls.at[op->call].thread];
	for (uint32_t i = ct_model_first_ending(model, thread, gap->start_ns); i < thread->call_count; i++) {
		const struct ct_call *call = &model->calls.at[thread->calls[i]].raw;
		uint64_t shared = overlap(call->enter_ns, call->leave_ns, gap->start_ns, submitted);

		if (call->enter_ns >= submitted)
			break;
		in_calls += shared;
		if (shared > longest) {
			longest = shared;
			gap->call = thread->calls[i];
		}
	}
	gap->cause = longest > submitted - gap->start_ns - in_calls ? CT_IDLE_CALL : CT_IDLE_HOST;
	if (gap->cause == CT_IDLE_HOST)
		gap->call = op->call;
}

/* Union of the times in which some host thread was blocked. */
static int blocked_spans(const struct ct_model *model, struct ct_spans *ret)
{
	struct ct_span *all = malloc((model->waits.count + 1) * sizeof(*all));
	size_t n = 0;
	int r;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < model->waits.count; i++) {
		const struct ct_wait *wait = &model->waits.at[i];

		if (wait->part != CT_PART_DRIVER_WORK && wait->part != CT_PART_TOOL)
			all[n++] = (struct ct_span){ wait->start_ns, wait->end_ns };
	}
	r = ct_sort(&all, n, n + 1, sizeof(*all), offsetof(struct ct_span, start), NULL);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = ct_spans_append(ret, all[i].start, all[i].end);
	free(all);
	return r;
}

static int note_gap(const struct ct_model *model, struct ct_idle *idle, uint32_t track,
		    uint64_t start_ns, uint32_t next_op, const struct ct_spans *blocked)
{
	struct ct_gap gap = { .start_ns = start_ns, .end_ns = model->ops.at[next_op].raw.start_ns,
			      .next_op = next_op, .device = track == CT_IDLE_ALL ? CT_NONE : track };
	uint64_t ns = gap.end_ns - gap.start_ns;

	if (!ct_seen_gap(model, gap.start_ns, gap.end_ns))
		return 0;
	find_cause(model, &gap);
	if (track == CT_IDLE_ALL) {
		idle->idle_ns += ns;
		idle->idle_blocked_ns += ct_spans_overlap(blocked, gap.start_ns, gap.end_ns);
		idle->by_cause_ns[gap.cause] += ns;
	} else {
		idle->devices[track].idle_ns += ns;
		idle->devices[track].by_cause_ns[gap.cause] += ns;
	}
	return ns >= CT_IDLE_LEAST_NS ? CT_PUSH(&idle->gaps, gap) : 0;
}

/* Of which devices the gaps are asked for: of one alone they are those of all. */
static bool has_gaps(const struct ct_model *model, uint32_t track)
{
	return track == CT_IDLE_ALL || (ct_devices_several(model) && track < CT_DEVICES_MOST);
}

/* An operation on a device, or (CT_IDLE_ALL) on any. */
static int add_to_track(const struct ct_model *model, struct ct_idle *idle, uint32_t track,
			uint32_t index, const struct ct_spans *blocked)
{
	const struct ct_device_op *op = &model->ops.at[index].raw;
	struct ct_idle_track *t = &idle->tracks[track];
	uint64_t until_ns = t->last_end_ns;
	uint64_t from_ns = op->start_ns > until_ns ? op->start_ns : until_ns;
	bool own = index >= model->core.first_op;
	int r = 0;

	if (own && !until_ns && t->first_op == CT_NONE)
		t->first_op = index;
	if (own && until_ns && op->start_ns > until_ns && has_gaps(model, track))
		r = note_gap(model, idle, track, until_ns, index, blocked);
	if (own)
		*(track == CT_IDLE_ALL ? &idle->work_ns : &idle->devices[track].work_ns) +=
			op->end_ns - op->start_ns;
	if (own && op->end_ns > from_ns)
		*(track == CT_IDLE_ALL ? &idle->busy_ns : &idle->devices[track].busy_ns) +=
			op->end_ns - from_ns;
	if (op->end_ns > until_ns)
		t->last_end_ns = op->end_ns;
	return r;
}

/* A copy between two devices is work of both, listed on one. */
static int add_op(const struct ct_model *model, struct ct_idle *idle, uint32_t index,
		  const struct ct_spans *blocked)
{
	const struct ct_device_op *op = &model->ops.at[index].raw;
	uint32_t device = op->device < CT_DEVICES_MOST ? op->device : CT_DEVICES_MOST;
	uint32_t source = ct_device_source(op), target = ct_device_target(op);
	int r = add_to_track(model, idle, CT_IDLE_ALL, index, blocked);

	idle->devices[device].ops += index >= model->core.first_op;
	if (r == 0)
		r = add_to_track(model, idle, device, index, blocked);
	if (r == 0 && source != CT_NONE && source != device)
		r = add_to_track(model, idle, source, index, blocked);
	if (r == 0 && target != CT_NONE && target != device && target != source)
		r = add_to_track(model, idle, target, index, blocked);
	return r;
}

/* Of the operations that began while all were recorded. */
static int find_gaps(const struct ct_model *model, struct ct_idle *idle,
		     const struct ct_spans *blocked)
{
	int r = 0;

	for (size_t i = 0; i < CT_IDLE_TRACKS; i++)
		idle->tracks[i].first_op = CT_NONE;
	for (uint32_t i = 0; r == 0 && i < model->core.end_op; i++)
		if (ct_sight_at(model, model->ops.at[i].raw.start_ns))
			r = add_op(model, idle, i, blocked);
	return r;
}

int ct_idle_find(const struct ct_model *model, struct ct_idle **ret)
{
	struct ct_idle *idle = calloc(1, sizeof(*idle));
	struct ct_spans blocked = { 0 };
	int r = idle ? blocked_spans(model, &blocked) : -ENOMEM;

	if (r == 0)
		r = find_gaps(model, idle, &blocked);
	ct_spans_free(&blocked);
	if (r < 0) {
		ct_idle_destroy(idle);
		return r;
	}
	*ret = idle;
	return 0;
}

uint32_t ct_idle_device(const struct ct_model *model, const struct ct_gap *gap)
{
	if (gap->device == CT_NONE && !ct_devices_several(model))
		return model->ops.at[gap->next_op].raw.device;
	return gap->device;
}

/* Is there a gap before the first operation of a track? */
static bool leads(const struct ct_model *model, const struct ct_idle *idle, uint32_t track,
		  uint64_t until_ns)
{
	uint32_t first = idle->tracks[track].first_op;

	return first != CT_NONE && until_ns && has_gaps(model, track) &&
	       model->ops.at[first].raw.start_ns > until_ns;
}

int ct_idle_lead(const struct ct_model *model, const uint64_t until_ns[CT_IDLE_TRACKS],
		 struct ct_idle *idle)
{
	struct ct_spans blocked = { 0 };
	int r = 0;

	if (leads(model, idle, CT_IDLE_ALL, until_ns[CT_IDLE_ALL]))
		r = blocked_spans(model, &blocked);
	for (uint32_t track = 0; r == 0 && track < CT_IDLE_TRACKS; track++)
		if (leads(model, idle, track, until_ns[track]))
			r = note_gap(model, idle, track, until_ns[track], idle->tracks[track].first_op,
				     &blocked);
	ct_spans_free(&blocked);
	return r;
}

void ct_idle_destroy(struct ct_idle *idle)
{
	if (!idle)
		return;
	free(idle->gaps.at);
	free(idle);
}
