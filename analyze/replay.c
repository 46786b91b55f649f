/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/replay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "analyze/cold.h"
#include "analyze/device.h"
#include "analyze/handoff.h"
#include "analyze/poll.h"
#include "analyze/scope.h"
#include "analyze/sort.h"

/* In this order at equal times, so that causes come before effects. */
enum event_kind { LEAVE, ENTER, START };

/* An event's time is as it was measured: a valid order for every replay, too. */
#define KIND_SHIFT 30
#define EVENT(kind, index) ((uint32_t)(kind) << KIND_SHIFT | (uint32_t)(index))
#define EVENT_INDEX(event) ((event) & (((uint32_t)1 << KIND_SHIFT) - 1))

/*
 * Most calls wait for nothing: they last as long as they did, and their work is submitted
 * as they begin. Entering them is all there is to replay.
 */
static bool plain(const struct ct_host_call *call)
{
	return !call->parts[CT_PART_DEVICE_WAIT] && !call->parts[CT_PART_LOCK_WAIT] &&
	       !call->parts[CT_PART_QUEUE_FULL] && !call->parts[CT_PART_TRANSFER] &&
	       !call->pending_count;
}

/* For how long it waited for device work of which there is no record: that cannot be replayed. */
static uint64_t unknown_wait(const struct ct_model *model, const struct ct_host_call *call)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; call->parts[CT_PART_DEVICE_WAIT] && i < call->wait_count; i++) {
		const struct ct_wait *wait = &model->waits.at[call->first_wait + i];

		if (wait->part == CT_PART_DEVICE_WAIT && wait->op == CT_NONE)
			ns += wait->end_ns - wait->start_ns;
	}
	return ns;
}

static uint32_t place_of(const struct ct_model *model, const struct ct_host_call *call)
{
	if (call->device == CT_NONE && !ct_devices_several(model))
		return model->device_count - 1;
	return (uint32_t)ct_device_place(model, call->device);
}

/* What entering a call takes, close together: the replays are as fast as memory is. */
static void note_calls(struct ct_replay *r, const uint32_t *after)
{
	for (size_t i = 0; i < r->model->calls.count; i++) {
		const struct ct_host_call *call = &r->model->calls.at[i];
		struct ct_replay_call *c = &r->calls[i];

		c->previous = call->previous;
		c->after = after[i];
		c->enter_ns = c->gap_ns = call->raw.enter_ns;
		if (c->after != CT_NONE)
			c->gap_ns -= r->model->calls.at[c->after].raw.leave_ns;
		else if (c->previous != CT_NONE)
			c->gap_ns -= r->model->calls.at[c->previous].raw.leave_ns;
		c->took_ns = call->raw.leave_ns - call->raw.enter_ns;
		c->plain = plain(call);
		c->asks = ct_poll_waits(call);
		ct_replay_note_found(r, (uint32_t)i);
		c->place = place_of(r->model, call);
		c->unrecorded = !c->plain && unknown_wait(r->model, call);
	}
	for (uint32_t i = 0; i < r->model->calls.count; i++)
		if ((r->model->calls.at[i].effects & (CT_FREE | CT_DRAINS)) == (CT_FREE | CT_DRAINS))
			r->frees[r->free_count++] = i;
	for (size_t i = 0; i < r->model->ops.count; i++)
		r->was_end_ns[i] = r->model->ops.at[i].raw.end_ns;
	ct_replay_note_polls(r);
}

static int note_all(struct ct_replay *r)
{
	uint32_t *after = malloc((r->model->calls.count + 1) * sizeof(*after));
	int error = after ? ct_handoffs_find(r->model, after) : -ENOMEM;

	if (error == 0)
		note_calls(r, after);
	free(after);
	return error;
}

/* When the calls that are not plain return, in order. Returns their number or -ENOMEM. */
static ssize_t list_leaves(struct ct_replay *r, struct ct_ranked *leaves)
{
	size_t n = 0;

	for (size_t i = 0; i < r->model->calls.count; i++) {
		const struct ct_replay_call *call = &r->calls[i];

		if (!call->plain) /* a call that took no time returns after it was entered */
			leaves[n++] = (struct ct_ranked){
				call->enter_ns + call->took_ns + !call->took_ns, (uint32_t)i };
	}
	return ct_sort_ranked(leaves, n) < 0 ? -ENOMEM : (ssize_t)n;
}

/* Events of one time come in the order of their kinds, then of their calls and operations. */
static void merge_events(struct ct_replay *r, const struct ct_ranked *leaves, size_t leave_count)
{
	const struct ct_model *model = r->model;
	size_t leave = 0, enter = 0, start = 0, calls = model->calls.count, ops = model->ops.count;

	while (leave < leave_count || enter < calls || start < ops) {
		uint64_t leave_ns = leave < leave_count ? leaves[leave].key : UINT64_MAX;
		uint64_t enter_ns = enter < calls ? r->calls[enter].enter_ns : UINT64_MAX;
		uint64_t start_ns = start < ops ? model->ops.at[start].raw.start_ns : UINT64_MAX;

		if (leave < leave_count && leave_ns <= enter_ns && leave_ns <= start_ns)
			r->events[r->event_count++] = EVENT(LEAVE, leaves[leave++].index);
		else if (enter < calls && enter_ns <= start_ns)
			r->events[r->event_count++] = EVENT(ENTER, enter++);
		else
			r->events[r->event_count++] = EVENT(START, start++);
	}
}

static int list_events(struct ct_replay *r)
{
	struct ct_ranked *leaves = malloc((r->model->calls.count + 1) * sizeof(*leaves));
	ssize_t n = leaves ? list_leaves(r, leaves) : -ENOMEM;

	if (n >= 0)
		merge_events(r, leaves, (size_t)n);
	free(leaves);
	return n < 0 ? (int)n : 0;
}

int ct_replay_create(const struct ct_model *model, struct ct_replay **ret)
{
	struct ct_replay *r = calloc(1, sizeof(*r));
	size_t calls = model->calls.count + 1, ops = model->ops.count + 1;

	if (!r)
		return -ENOMEM;
	r->model = model;
	r->enter_ns = calloc(calls, sizeof(*r->enter_ns));
	r->leave_ns = calloc(calls, sizeof(*r->leave_ns));
	r->start_ns = calloc(ops, sizeof(*r->start_ns));
	r->end_ns = calloc(ops, sizeof(*r->end_ns));
	r->removed = calloc(calls, sizeof(*r->removed));
	r->cold_ns = calloc(calls, sizeof(*r->cold_ns));
	r->calls = calloc(calls, sizeof(*r->calls));
	r->was_end_ns = calloc(ops, sizeof(*r->was_end_ns));
	r->frees = calloc(calls, sizeof(*r->frees));
	r->events = calloc(2 * calls + ops, sizeof(*r->events));
	r->room = (struct ct_room){ .sharing = CT_SHARE_KERNELS };
	r->latest = calloc(model->device_count + 1, sizeof(*r->latest));
	if (ct_room_init(&r->room, model) < 0 || !r->enter_ns || !r->leave_ns || !r->start_ns || !r->end_ns || !r->removed || !r->cold_ns ||
	    !r->calls || !r->was_end_ns || !r->frees || !r->events || !r->latest) {
		ct_replay_destroy(r);
		return -ENOMEM;
	}
	if (note_all(r) < 0 || list_events(r) < 0) {
		ct_replay_destroy(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

void ct_replay_destroy(struct ct_replay *r)
{
	if (!r)
		return;
	free(r->enter_ns);
	free(r->leave_ns);
	free(r->start_ns);
	free(r->end_ns);
	free(r->removed);
	free(r->cold_ns);
	free(r->calls);
	free(r->was_end_ns);
	free(r->frees);
	free(r->events);
	free(r->latest);
	ct_room_finish(&r->room);
	free(r);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The lock holders and operations a call waited for: when they let it go, measured and now. */
struct release {
	uint64_t was_ns, is_ns;
};

static void wait_for_op(const struct ct_replay *r, uint32_t op, struct release *release)
{
	release->was_ns = later(release->was_ns, r->model->ops.at[op].raw.end_ns);
	release->is_ns = later(release->is_ns, r->end_ns[op]);
}

/* When a call let the driver's lock go: after its device wait, or when it returned. */
static struct release lock_of(const struct ct_replay *r, uint32_t index, uint64_t wait_end_ns)
{
	const struct ct_host_call *call = &r->model->calls.at[index];
	struct release release = { call->raw.enter_ns, r->enter_ns[index] };

	if (!call->parts[CT_PART_DEVICE_WAIT] || wait_end_ns >= call->raw.leave_ns ||
	    r->calls[index].unrecorded)
		return (struct release){ call->raw.leave_ns, r->leave_ns[index] };
	for (uint32_t i = 0; i < call->pending_count; i++)
		wait_for_op(r, r->model->pending.at[call->first_pending + i], &release);
	if (r->removed[index] & CT_REMOVE_WAIT)
		release.is_ns = r->enter_ns[index];
	return release;
}

/*
 * Does a call that waited for another's lock come first now? Threads that are no longer held up
 * leave the order in which they were: they need not wait for each other in turn.
 */
static bool comes_first(const struct ct_replay *r, uint32_t index, uint32_t holder)
{
	int64_t was = (int64_t)(r->calls[holder].enter_ns - r->calls[index].enter_ns);
	int64_t is = (int64_t)(r->enter_ns[holder] - r->enter_ns[index]);

	return !r->known_only && is > (was > 0 ? was : 0);
}

/* When the call's work went to the device: once it had the lock and room in the queue. */
static struct release submission_of(const struct ct_replay *r, const struct ct_host_call *call)
{
	uint32_t index = (uint32_t)(call - r->model->calls.at);
	struct release release = { call->raw.enter_ns, r->enter_ns[index] };
	bool removed = r->removed[index] & CT_REMOVE_WAIT;
	struct release lock;

	if (call->parts[CT_PART_QUEUE_FULL] && !removed)
		release = (struct release){ call->submitted_ns,
					    release.is_ns + call->submitted_ns - call->raw.enter_ns };
	for (uint32_t i = 0; i < call->wait_count; i++) {
		const struct ct_wait *wait = &r->model->waits.at[call->first_wait + i];

		if (wait->part != CT_PART_LOCK_WAIT)
			continue;
		lock = lock_of(r, wait->other, wait->end_ns);
		release.was_ns = later(release.was_ns, lock.was_ns);
		if (!comes_first(r, index, wait->other))
			release.is_ns = later(release.is_ns, lock.is_ns);
	}
	if (removed) /* without its own waits, that is */
		release.was_ns = call->submitted_ns;
	return release;
}

/* When the call had got all it waited for. */
static struct release release_of(const struct ct_replay *r, const struct ct_host_call *call)
{
	struct release release = submission_of(r, call);

	for (uint32_t i = 0; i < call->pending_count; i++)
		wait_for_op(r, r->model->pending.at[call->first_pending + i], &release);
	return release;
}

/* A call of which hardly more than the call itself is left, or not even that. */
static uint64_t shortened(const struct ct_replay *r, uint32_t index, uint64_t work_ns)
{
	uint64_t left_ns = r->removed[index] & CT_REMOVE_CALL ? 0 : CT_REPLAY_CALL_NS;

	return r->removed[index] & CT_REMOVE_WORK && work_ns > left_ns ? left_ns : work_ns;
}

/* Time inside the call that no wait accounts for: the driver's and the copy's own. */
static uint64_t work_of(const struct ct_replay *r, uint32_t index, bool removed)
{
	const struct ct_host_call *call = &r->model->calls.at[index];
	uint64_t work = call->raw.leave_ns - call->raw.enter_ns - call->parts[CT_PART_DEVICE_WAIT] -
			call->parts[CT_PART_LOCK_WAIT];

	if (r->calls[index].unrecorded)
		work += unknown_wait(r->model, call);
	if (removed)
		work -= call->parts[CT_PART_QUEUE_FULL];
	if (removed && !(r->removed[index] & CT_KEEP_TRANSFER))
		work -= call->parts[CT_PART_TRANSFER];
	return shortened(r, index, work);
}

/* How slow its thread was when it came to a call, because of those before it that are no more. */
static uint32_t cold_before(const struct ct_replay *r, uint32_t previous)
{
	if (previous == CT_NONE)
		return 0;
	if (!(r->removed[previous] & CT_REMOVE_COLD))
		return r->cold_ns[previous];
	return ct_cold_add(r->cold_ns[previous],
			   r->model->calls.at[previous].parts[CT_PART_DRIVER_WORK]);
}

/* The thread's own time before a call: calls in each other have none in between, nor has one that polls. */
static uint64_t own_time(const struct ct_replay *r, const struct ct_replay_call *call)
{
	bool polls = call->previous != CT_NONE && r->calls[call->previous].asks;

	return call->gap_ns > INT64_MAX || polls ? 0 : call->gap_ns;
}

/* It stays as it was, but for what it took with cold caches; in a handoff it had none left. */
static uint64_t entry_of(const struct ct_replay *r, const struct ct_replay_call *call, uint32_t *cold_ns)
{
	uint64_t own = call->previous == CT_NONE ? 0 : r->leave_ns[call->previous];

	if (call->after != CT_NONE)
		return later(own, r->leave_ns[call->after] + call->gap_ns);
	return own + call->gap_ns - ct_cold_take(cold_ns, own_time(r, call));
}

/* What a call that is made as before takes. */
static uint64_t time_of(const struct ct_replay *r, uint32_t index, uint32_t *cold_ns)
{
	const struct ct_replay_call *call = &r->calls[index];

	if (!call->plain || r->removed[index] & CT_REMOVE_WORK)
		return shortened(r, index, call->took_ns);
	return call->took_ns - ct_cold_take(cold_ns, call->asks ? 0 : call->took_ns);
}

static void enter(struct ct_replay *r, uint32_t index)
{
	const struct ct_replay_call *call = &r->calls[index];

	r->cold_ns[index] = cold_before(r, call->previous);
	r->enter_ns[index] = entry_of(r, call, &r->cold_ns[index]);
	r->leave_ns[index] = r->enter_ns[index] + time_of(r, index, &r->cold_ns[index]);
	r->leave_ns[index] += ct_replay_taken_over(r, index);
	if (call->plain)
		r->total_end_ns = later(r->total_end_ns, r->leave_ns[index]);
}

/* A call that made its own copy returns as long after the copy as it did. */
static void follow_own_copy(const struct ct_replay *r, const struct ct_host_call *call,
			    struct release *release)
{
	for (uint32_t n = 0; call->parts[CT_PART_TRANSFER] && n < call->op_count; n++) {
		uint32_t op = ct_model_op_of(r->model, call, n);

		if (r->model->ops.at[op].raw.end_ns <= call->raw.leave_ns)
			wait_for_op(r, op, release);
	}
}

static void leave(struct ct_replay *r, uint32_t index)
{
	const struct ct_host_call *call = &r->model->calls.at[index];
	uint64_t done = r->enter_ns[index] + work_of(r, index, r->removed[index] & CT_REMOVE_WAIT);

	if (!(r->removed[index] & CT_REMOVE_WAIT)) {
		struct release release = release_of(r, call);

		follow_own_copy(r, call, &release);
		/* of what it found done, too, as far as enter() knows of it */
		done = later(done, r->leave_ns[index] - shortened(r, index, r->calls[index].took_ns));
		if (release.was_ns > call->raw.enter_ns) /* may be a hair after the return */
			done = later(done, release.is_ns + call->raw.leave_ns - release.was_ns);
	}
	r->leave_ns[index] = done;
	r->total_end_ns = later(r->total_end_ns, done);
}

/* Behind another in a hardware queue: held until that one starts. */
static void follow_start(const struct ct_replay *r, const struct ct_edge *edge,
			 struct release *ready)
{
	ready->was_ns = later(ready->was_ns, r->model->ops.at[edge->op].raw.start_ns);
	if (edge->cause == CT_NONE || !(r->removed[edge->cause] & CT_REMOVE_ORDER))
		ready->is_ns = later(ready->is_ns, r->start_ns[edge->op]);
}

/* When the operation could have begun, going by its submission and what it had to follow. */
static struct release ready_of(const struct ct_replay *r, const struct ct_op *op)
{
	struct release ready = { op->submit_ns, op->submit_ns };

	if (op->call != CT_NONE && r->calls[op->call].plain)
		ready = (struct release){ r->calls[op->call].enter_ns, r->enter_ns[op->call] };
	else if (op->call != CT_NONE)
		ready = submission_of(r, &r->model->calls.at[op->call]);
	if (op->previous != CT_NONE)
		wait_for_op(r, op->previous, &ready);
	for (int kind = 0; kind < CT_EDGES; kind++) {
		const struct ct_edge *edge = &op->edges[kind];

		if (edge->op == CT_NONE)
			continue;
		if (kind == CT_EDGE_ALIAS)
			follow_start(r, edge, &ready);
		else if (edge->cause != CT_NONE && r->removed[edge->cause] & CT_REMOVE_ORDER)
			ready.was_ns = later(ready.was_ns, r->model->ops.at[edge->op].raw.end_ns);
		else
			wait_for_op(r, edge->op, &ready);
	}
	return ready;
}

/* How long it runs: as measured, or at the speed of pinned memory. */
static uint64_t duration_of(const struct ct_replay *r, const struct ct_op *op)
{
	uint64_t took = op->raw.end_ns - op->raw.start_ns, pinned;
	float rate;

	if (op->call == CT_NONE || !(r->removed[op->call] & CT_REMOVE_PAGEABLE) ||
	    op->raw.kind != CT_DEVICE_COPY)
		return took;
	rate = r->pinned_rate[op->raw.u.copy.direction == CT_DIRECTION_D2H];
	pinned = rate > 0 ? (uint64_t)((float)op->raw.u.copy.bytes / rate) : took;
	return pinned < took ? pinned : took;
}

/* Of the time between being ready and starting, what is carried over. */
static uint64_t delay_of(const struct ct_replay *r, const struct ct_op *op, uint64_t was_ns)
{
	uint64_t delay = op->raw.start_ns - was_ns, most = CT_REPLAY_LATENCY_NS;

	if (op->raw.start_ns < was_ns) /* what overlaps within a stream */
		return delay;
	if (!r->known_only)
		return delay > most ? delay - ct_replay_held_by_frees(r, op->raw.device, was_ns,
								      op->raw.start_ns) : delay;
	if (op->call != CT_NONE && r->calls[op->call].plain)
		most += r->calls[op->call].took_ns;
	return delay < most ? delay : most;
}

static void start(struct ct_replay *r, uint32_t index)
{
	const struct ct_op *op = &r->model->ops.at[index];
	struct ct_replay_latest *latest = &r->latest[ct_device_place(r->model, op->raw.device)];
	struct release ready = ready_of(r, op);
	uint64_t took = duration_of(r, op);

	r->start_ns[index] = ct_room_place(&r->room, op,
					   ready.is_ns + delay_of(r, op, ready.was_ns), took);
	r->end_ns[index] = r->start_ns[index] + took;
	latest->end_ns = later(latest->end_ns, r->end_ns[index]);
	latest->was_ns = later(latest->was_ns, op->raw.end_ns);
	r->total_end_ns = later(r->total_end_ns, r->end_ns[index]);
}

void ct_replay_run(struct ct_replay *r)
{
	r->total_end_ns = 0;
	memset(r->latest, 0, (r->model->device_count + 1) * sizeof(*r->latest));
	/* what is asked for before its turn */
	memcpy(r->end_ns, r->was_end_ns, r->model->ops.count * sizeof(*r->end_ns));
	ct_room_clear(&r->room);
	for (size_t i = 0; i < r->event_count; i++) {
		uint32_t event = r->events[i];

		if (event >> KIND_SHIFT == ENTER)
			enter(r, EVENT_INDEX(event));
		else if (event >> KIND_SHIFT == LEAVE)
			leave(r, EVENT_INDEX(event));
		else
			start(r, EVENT_INDEX(event));
	}
}
