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

/* What the thread that submitted the gap's next operation did during the gap. */
static void find_cause(const struct ct_model *model, struct ct_gap *gap)
{
	const struct ct_op *op = &model->ops.at[gap->next_op];
	const struct ct_thread_info *thread;
	uint64_t submitted, in_calls = 0, longest = 0;

	gap->cause = CT_IDLE_DEVICE;
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

static int note_gap(const struct ct_model *model, struct ct_idle *idle, uint64_t start_ns,
		    uint32_t next_op, const struct ct_spans *blocked)
{
	struct ct_gap gap = { .start_ns = start_ns, .end_ns = model->ops.at[next_op].raw.start_ns,
			      .next_op = next_op };
	uint64_t ns = gap.end_ns - gap.start_ns;

	if (!ct_seen_gap(model, gap.start_ns, gap.end_ns))
		return 0;
	idle->idle_ns += ns;
	idle->idle_blocked_ns += ct_spans_overlap(blocked, gap.start_ns, gap.end_ns);
	find_cause(model, &gap);
	idle->by_cause_ns[gap.cause] += ns;
	return ns >= CT_IDLE_LEAST_NS ? CT_PUSH(&idle->gaps, gap) : 0;
}

/* Add an operation to its device's. until_ns: by device, when what started before had ended. */
static void add_work(struct ct_idle *idle, uint64_t *until_ns, const struct ct_device_op *op, bool own)
{
	size_t place = op->device < CT_DEVICES_MOST ? op->device : CT_DEVICES_MOST;
	struct ct_device_work *work = &idle->devices[place];
	uint64_t from_ns = op->start_ns > until_ns[place] ? op->start_ns : until_ns[place];

	if (own) {
		work->ops++;
		work->work_ns += op->end_ns - op->start_ns;
		work->busy_ns += op->end_ns > from_ns ? op->end_ns - from_ns : 0;
	}
	if (op->end_ns > until_ns[place])
		until_ns[place] = op->end_ns;
}

/* Of the operations that began while all were recorded; between them the device was idle. */
static int find_gaps(const struct ct_model *model, struct ct_idle *idle,
		     const struct ct_spans *blocked)
{
	uint64_t until_ns = 0, device_until_ns[CT_DEVICES_MOST + 1] = { 0 };
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < model->core.end_op; i++) {
		const struct ct_device_op *op = &model->ops.at[i].raw;
		bool own = i >= model->core.first_op;

		if (!ct_sight_at(model, op->start_ns))
			continue;
		add_work(idle, device_until_ns, op, own);
		if (own && until_ns && op->start_ns > until_ns)
			r = note_gap(model, idle, until_ns, i, blocked);
		if (own)
			idle->work_ns += op->end_ns - op->start_ns;
		if (op->end_ns <= until_ns)
			continue;
		if (own)
			idle->busy_ns += op->end_ns - (op->start_ns > until_ns ? op->start_ns : until_ns);
		until_ns = op->end_ns;
	}
	idle->last_end_ns = until_ns;
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

int ct_idle_lead(const struct ct_model *model, uint64_t until_ns, struct ct_idle *idle)
{
	uint32_t first = model->core.first_op;
	struct ct_spans blocked = { 0 };
	int r;

	if (first > 0 || first == model->core.end_op || !until_ns ||
	    model->ops.at[first].raw.start_ns <= until_ns)
		return 0;
	r = blocked_spans(model, &blocked);
	if (r == 0)
		r = note_gap(model, idle, until_ns, first, &blocked);
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
