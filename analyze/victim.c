/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/victim.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/device.h"
#include "analyze/replay.h"
#include "analyze/seen.h"
#include "analyze/sort.h"

#define VICTIMS_MAX 10000 /* operations looked at behind one culprit */
#define ROOM 1.02         /* shares add up to 1, give or take rounding */
/* A loss under such a part of the delay is not what the delay is about. */
#define WORTH_OF_WAIT 40
#define WORTH_OF_ORDER 20

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* From a time on: how many operations are running on a device, and how much of it they fill. */
struct ct_load {
	uint64_t time_ns;
	double share;
	int64_t running;
};

/* The load of a device over time: the starts and ends of its operations, added up. */
struct ct_loads {
	struct ct_load *at;
	size_t count;
};

static int make_load(const struct ct_model *model, size_t place, size_t ops, struct ct_loads *ret)
{
	size_t n = 0;

	ret->at = calloc(2 * ops + 1, sizeof(*ret->at));
	if (!ret->at)
		return -ENOMEM;
	for (size_t i = 0; ops && i < model->ops.count; i++) {
		const struct ct_op *op = &model->ops.at[i];

		if (ct_device_place(model, op->raw.device) != place)
			continue;
		ret->at[n++] = (struct ct_load){ op->raw.start_ns, op->share, 1 };
		ret->at[n++] = (struct ct_load){ op->raw.end_ns, -(double)op->share, -1 };
	}
	if (ct_sort(&ret->at, n, n + 1, sizeof(*ret->at), offsetof(struct ct_load, time_ns), NULL) < 0)
		return -ENOMEM;
	for (size_t i = 1; i < n; i++) {
		ret->at[i].share += ret->at[i - 1].share;
		ret->at[i].running += ret->at[i - 1].running;
	}
	ret->count = n;
	return 0;
}

/* Of each device, and when any of them worked. */
static int make_loads(struct ct_finder *f)
{
	size_t places = f->model->device_count + 1;
	size_t *ops = calloc(places, sizeof(*ops));
	int r = 0;

	f->loads = calloc(places, sizeof(*f->loads));
	f->load_count = f->loads ? places : 0;
	if (!ops || !f->loads)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < f->model->ops.count; i++) {
		const struct ct_device_op *op = &f->model->ops.at[i].raw;

		ops[ct_device_place(f->model, op->device)]++;
		if (ct_devices_several(f->model))
			r = ct_spans_append(&f->busy, op->start_ns, op->end_ns);
	}
	for (size_t i = 0; r == 0 && i < places; i++)
		r = make_load(f->model, i, ops[i], &f->loads[i]);
	free(ops);
	return r;
}

static int by_holder(const void *a, const void *b, void *arg)
{
	const struct ct_wait *waits = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (waits[x].other != waits[y].other)
		return waits[x].other < waits[y].other ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int list_lock_waits(struct ct_finder *f)
{
	f->lock_waits = malloc((f->model->waits.count + 1) * sizeof(*f->lock_waits));
	if (!f->lock_waits)
		return -ENOMEM;
	for (size_t i = 0; i < f->model->waits.count; i++)
		if (f->model->waits.at[i].part == CT_PART_LOCK_WAIT)
			f->lock_waits[f->lock_wait_count++] = (uint32_t)i;
	qsort_r(f->lock_waits, f->lock_wait_count, sizeof(*f->lock_waits), by_holder,
		f->model->waits.at);
	return 0;
}

int ct_victims_init(struct ct_finder *f)
{
	size_t ops = f->model->ops.count + 1;

	f->could_end_ns = calloc(ops, sizeof(*f->could_end_ns));
	f->stamp = calloc(ops, sizeof(*f->stamp));
	f->culprits = calloc(f->model->calls.count + 1, sizeof(*f->culprits));
	if (!f->could_end_ns || !f->stamp || !f->culprits || list_lock_waits(f) < 0)
		return -ENOMEM;
	return make_loads(f);
}

void ct_victims_finish(struct ct_finder *f)
{
	free(f->could_end_ns);
	free(f->stamp);
	for (size_t i = 0; i < f->load_count; i++)
		free(f->loads[i].at);
	free(f->loads);
	ct_spans_free(&f->busy);
	free(f->lock_waits);
	free(f->culprits);
}

/* Other devices' work leaves room for it; of its own device's, there may be too much. */
static uint64_t beside_others(const struct ct_finder *f, const struct ct_load *own, uint64_t start,
			      uint64_t end)
{
	if (own && own->running > 0)
		return end - start;
	return ct_spans_overlap(&f->busy, start, end);
}

uint64_t ct_victims_beside(const struct ct_finder *f, uint32_t op, uint64_t start, uint64_t end)
{
	const struct ct_op *victim = &f->model->ops.at[op];
	const struct ct_loads *loads = &f->loads[ct_device_place(f->model, victim->raw.device)];
	double room = ROOM - (double)victim->share;
	size_t low = 0, high = loads->count;
	uint64_t beside = 0;

	while (low < high) { /* first change after start */
		size_t middle = low + (high - low) / 2;

		if (loads->at[middle].time_ns <= start)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; start < end; i++) {
		const struct ct_load *load = i ? &loads->at[i - 1] : NULL; /* NULL: before anything ran */
		uint64_t until = i < loads->count && loads->at[i].time_ns < end ? loads->at[i].time_ns : end;

		if (!load || load->share <= room)
			beside += beside_others(f, load, start, until);
		start = until;
	}
	return beside;
}

/* When an operation ended, or could have if it is a victim of the culprit at hand. */
static uint64_t end_of(const struct ct_finder *f, uint32_t op)
{
	if (f->stamp[op] == f->culprit + 1)
		return f->could_end_ns[op];
	return f->model->ops.at[op].raw.end_ns;
}

/* When the host had submitted an operation: after its call had waited for lock and queue. */
static uint64_t submitted(const struct ct_finder *f, const struct ct_op *op)
{
	return op->call == CT_NONE ? op->submit_ns : f->model->calls.at[op->call].submitted_ns;
}

static uint64_t could_start(const struct ct_finder *f, const struct ct_op *op, uint64_t saved_ns)
{
	uint64_t could = submitted(f, op) - saved_ns;

	if (op->previous != CT_NONE)
		could = later(could, end_of(f, op->previous));
	for (int kind = 0; kind < CT_EDGES; kind++)
		if (op->edges[kind].op != CT_NONE && op->edges[kind].cause != f->culprit)
			could = later(could, kind == CT_EDGE_ALIAS
						     ? f->model->ops.at[op->edges[kind].op].raw.start_ns
						     : end_of(f, op->edges[kind].op));
	return could;
}

/*
 * Could this operation have started earlier, had its submission come `saved_ns`
 * sooner? Then it is a victim; what depends on it is judged by its earlier end.
 */
static void judge(struct ct_finder *f, uint32_t index, uint64_t saved_ns, uint32_t waited_op,
		  uint32_t through)
{
	const struct ct_op *op = &f->model->ops.at[index];
	uint64_t could = could_start(f, op, saved_ns);
	uint64_t would_end = could + op->raw.end_ns - op->raw.start_ns;
	struct ct_pair pair = {
		.culprit = f->culprit,
		.victim = index,
		.waited_op = waited_op,
		.through = through,
		.edge = CT_EDGES,
	};

	if (could + CT_VICTIM_LEAST_NS > op->raw.start_ns || !ct_seen_op(f->model, op))
		return;
	f->stamp[index] = f->culprit + 1;
	f->could_end_ns[index] = would_end;
	pair.delay_ns = op->raw.start_ns - could;
	pair.lost_ns = ct_victims_beside(f, index, could, would_end < op->raw.start_ns
								  ? would_end
								  : op->raw.start_ns);
	if (pair.lost_ns < CT_VICTIM_LEAST_NS ||
	    pair.lost_ns < later(pair.delay_ns, saved_ns) / (saved_ns ? WORTH_OF_WAIT : WORTH_OF_ORDER))
		return;
	if (CT_PUSH(&f->out->pairs, pair) < 0)
		f->error = -ENOMEM;
}

/* Index in a thread's calls of the first one after a call. */
static uint32_t after(const struct ct_thread_info *thread, uint32_t call)
{
	uint32_t low = 0, high = thread->call_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (thread->calls[middle] <= call)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Operations that a thread submitted from a call on, until it waited for the device again. */
static void judge_thread(struct ct_finder *f, uint32_t call, uint64_t saved_ns, uint32_t waited_op,
			 uint32_t through)
{
	const struct ct_thread_info *thread = &f->model->threads.at[f->model->calls.at[call].thread];
	uint32_t seen = 0;

	for (uint32_t at = after(thread, call); at < thread->call_count && seen < VICTIMS_MAX; at++) {
		const struct ct_host_call *next = &f->model->calls.at[thread->calls[at]];

		for (uint32_t n = 0; n < next->op_count; n++, seen++)
			judge(f, ct_model_op_of(f->model, next, n), saved_ns, waited_op, through);
		if (next->parts[CT_PART_DEVICE_WAIT] >= CT_VICTIM_LEAST_NS)
			break;
	}
}

/* Calls of other threads that queued behind the culprit's lock: what they and theirs submitted. */
static void judge_lock_waiters(struct ct_finder *f, uint32_t waited_op)
{
	size_t low = 0, high = f->lock_wait_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->model->waits.at[f->lock_waits[middle]].other < f->culprit)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < f->lock_wait_count; low++) {
		const struct ct_wait *wait = &f->model->waits.at[f->lock_waits[low]];
		const struct ct_host_call *call = &f->model->calls.at[wait->call];
		uint64_t saved = wait->end_ns - wait->start_ns;

		if (wait->other != f->culprit)
			break;
		for (uint32_t n = 0; n < call->op_count; n++)
			judge(f, ct_model_op_of(f->model, call, n), saved, waited_op, wait->call);
		judge_thread(f, wait->call, saved, waited_op, wait->call);
	}
}

static void find_victims(struct ct_finder *f, uint32_t index)
{
	const struct ct_host_call *culprit = &f->model->calls.at[index];
	uint32_t waited_op = CT_NONE;
	uint64_t saved = culprit->parts[CT_PART_DEVICE_WAIT] + culprit->parts[CT_PART_QUEUE_FULL];

	f->culprit = index;
	for (uint32_t i = 0; i < culprit->wait_count; i++) {
		const struct ct_wait *wait = &f->model->waits.at[culprit->first_wait + i];

		if (wait->part == CT_PART_DEVICE_WAIT)
			waited_op = wait->op;
	}
	judge_thread(f, index, saved, waited_op, CT_NONE);
	judge_lock_waiters(f, waited_op);
}

/*
 * Serialization without any host wait: an operation that followed one of another
 * stream because of the legacy default stream or the allocator, not because the
 * program asked. The culprit is the call that brought the order about.
 */
static void find_ordered(struct ct_finder *f, uint32_t index, enum ct_edge_kind kind)
{
	const struct ct_edge *edge = &f->model->ops.at[index].edges[kind];
	size_t before = f->out->pairs.count;

	if (edge->op == CT_NONE || edge->cause == CT_NONE ||
	    !ct_model_in_core(f->model, edge->cause) || f->culprits[edge->cause] & CT_REMOVE_WAIT)
		return;
	f->culprit = edge->cause;
	judge(f, index, 0, edge->op, CT_NONE);
	if (f->out->pairs.count == before)
		return;
	f->out->pairs.at[before].edge = kind;
	f->culprits[edge->cause] |= CT_REMOVE_ORDER;
	f->sites->all.at[f->sites->of_call[edge->cause]].edge = kind;
}

int ct_victims_find(struct ct_finder *f)
{
	for (uint32_t i = f->model->core.first_call; i < f->model->core.end_call; i++)
		if (ct_serialize_culprit(&f->model->calls.at[i]) &&
		    ct_seen_call(f->model, &f->model->calls.at[i]) == CT_SEEN_ALL) {
			f->culprits[i] = CT_REMOVE_WAIT | CT_REMOVE_ORDER;
			find_victims(f, i);
		}
	for (uint32_t i = 0; i < f->model->ops.count; i++)
		for (int kind = CT_EDGE_DEFAULT; kind < CT_EDGES; kind++)
			find_ordered(f, i, (enum ct_edge_kind)kind);
	return f->error < 0 ? f->error : ct_victims_of_host_functions(f);
}
