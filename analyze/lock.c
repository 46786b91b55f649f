/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/lock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analyze/device.h"
#include "analyze/scope.h"
#include "analyze/sort.h"

#define LEAST_NS 20000   /* a shorter call cannot be told from one that waited for nobody */
#define AGAIN_NS 100000  /* between calls of a thread that takes the lock again and again */
#define TAIL_NS 2000000  /* a holder may work on for so long after it has let the lock go */
#define HELD_NS 100000   /* a holder of another device waited for so long, at the least, */
#define CLOSE_NS 200000  /* and so soon after it let the lock go the other returned */

/* When the earliest of some calls let the lock go, and the earliest one of another thread. */
struct release {
	uint64_t first_ns, other_ns; /* NEVER: there is none */
	uint32_t tid;                /* of the first */
};

#define NEVER UINT64_MAX

/*
 * Calls that stop the same kinds of calls elsewhere, in order of their return. A tree over them
 * has the releases of those that may have held the lock: [n] is the sum of [2n] and [2n + 1], and the
 * leaves are the last half. They come in once they have been split, in order of time.
 */
struct holders {
	uint32_t blocks;         /* enum ct_effect; 0: not in use */
	uint32_t device;         /* of all of them; CT_NONE: not known */
	struct ct_ranked *at;    /* by leave_ns; which of them it is in order of calls */
	uint32_t *calls, *place; /* in order of calls: which call, where in `at` */
	struct release *tree;
	size_t count, leaves, split;
};

struct ct_locks {
	const struct ct_model *model;
	CT_ARRAY(struct holders) kinds;
};

/*
 * Which calls of other threads a call stops while it waits, as measured (kernels/
 * two_threads, pageable_copy_blocks): a draining free stops nearly everything, a
 * pageable copy only allocations and frees, an explicit synchronisation nothing.
 */
static uint32_t blocks(const struct ct_host_call *call)
{
	if (call->effects & (CT_SYNC | CT_POLL))
		return 0;
	if (call->effects & CT_COPY && call->pageable)
		return CT_ALLOC | CT_FREE;
	if (call->effects & (CT_DRAINS | CT_INIT))
		return CT_ALLOC | CT_FREE | CT_COPY | CT_FILL | CT_LAUNCH | CT_OBJECT | CT_CONFIG |
		       CT_INIT;
	if (call->effects & (CT_ALLOC | CT_FREE) && !(call->effects & CT_ASYNC))
		return CT_ALLOC | CT_FREE | CT_LAUNCH | CT_COPY | CT_FILL;
	return 0;
}

/* Where a call that stops others belongs; the number of kinds if its own is not there yet. */
static size_t kind_of(const struct ct_locks *locks, const struct ct_host_call *call)
{
	size_t kind = 0;

	while (kind < locks->kinds.count && (locks->kinds.at[kind].blocks != blocks(call) ||
					     locks->kinds.at[kind].device != call->device))
		kind++;
	return kind;
}

static bool stops_any(const struct ct_host_call *call)
{
	return call->raw.leave_ns - call->raw.enter_ns >= LEAST_NS && blocks(call);
}

static int count_kinds(struct ct_locks *locks)
{
	const struct ct_model *model = locks->model;

	for (size_t i = 0; i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		const struct holders fresh = { .blocks = blocks(call), .device = call->device };
		size_t kind = stops_any(call) ? kind_of(locks, call) : SIZE_MAX;

		if (kind == locks->kinds.count && CT_PUSH(&locks->kinds, fresh) < 0)
			return -ENOMEM;
		if (kind != SIZE_MAX)
			locks->kinds.at[kind].count++;
	}
	return 0;
}

static int make_room(struct holders *h)
{
	for (h->leaves = 1; h->leaves <= h->count;)
		h->leaves *= 2;
	h->at = malloc((h->count + 1) * sizeof(*h->at));
	h->calls = malloc((h->count + 1) * sizeof(*h->calls));
	h->place = malloc((h->count + 1) * sizeof(*h->place));
	h->tree = malloc(2 * h->leaves * sizeof(*h->tree));
	if (!h->at || !h->calls || !h->place || !h->tree)
		return -ENOMEM;
	for (size_t i = 0; i < 2 * h->leaves; i++)
		h->tree[i] = (struct release){ NEVER, NEVER, 0 };
	h->count = 0;
	return 0;
}

static int sort_holders(struct holders *h)
{
	int r = ct_sort_ranked(h->at, h->count);

	for (uint32_t i = 0; i < h->count; i++)
		h->place[h->at[i].index] = i;
	return r;
}

static int fill(struct ct_locks *locks)
{
	const struct ct_model *model = locks->model;
	int r = count_kinds(locks);

	for (size_t kind = 0; r == 0 && kind < locks->kinds.count; kind++)
		r = make_room(&locks->kinds.at[kind]);
	for (size_t i = 0; r == 0 && i < model->calls.count; i++) {
		struct holders *h;

		if (!stops_any(&model->calls.at[i]))
			continue;
		h = &locks->kinds.at[kind_of(locks, &model->calls.at[i])];
		h->at[h->count] = (struct ct_ranked){ model->calls.at[i].raw.leave_ns,
						      (uint32_t)h->count };
		h->calls[h->count++] = (uint32_t)i;
	}
	for (size_t kind = 0; r == 0 && kind < locks->kinds.count; kind++)
		r = sort_holders(&locks->kinds.at[kind]);
	return r;
}

int ct_locks_create(const struct ct_model *model, struct ct_locks **ret)
{
	struct ct_locks *locks = calloc(1, sizeof(*locks));

	if (!locks)
		return -ENOMEM;
	locks->model = model;
	if (fill(locks) < 0) {
		ct_locks_destroy(locks);
		return -ENOMEM;
	}
	*ret = locks;
	return 0;
}

void ct_locks_destroy(struct ct_locks *locks)
{
	if (!locks)
		return;
	for (size_t kind = 0; kind < locks->kinds.count; kind++) {
		free(locks->kinds.at[kind].at);
		free(locks->kinds.at[kind].calls);
		free(locks->kinds.at[kind].place);
		free(locks->kinds.at[kind].tree);
	}
	free(locks->kinds.at);
	free(locks);
}

/* Number of holders that returned at or before a time. */
static size_t returned_by(const struct holders *h, uint64_t time_ns)
{
	size_t low = 0, high = h->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->at[middle].key <= time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * When the holder let the lock go, at the earliest: its device wait was over. Calls are
 * split in order of time, so that is known of all that began before the waiting one.
 */
static uint64_t release_of(const struct ct_model *model, const struct ct_host_call *holder)
{
	uint64_t release = holder->raw.leave_ns;

	for (uint32_t i = 0; i < holder->wait_count; i++) {
		const struct ct_wait *wait = &model->waits.at[holder->first_wait + i];

		if (wait->part == CT_PART_DEVICE_WAIT)
			release = wait->end_ns;
	}
	return release;
}

static uint64_t overlap(const struct ct_call *a, const struct ct_call *b)
{
	uint64_t start = a->enter_ns > b->enter_ns ? a->enter_ns : b->enter_ns;
	uint64_t end = a->leave_ns < b->leave_ns ? a->leave_ns : b->leave_ns;

	return end > start ? end - start : 0;
}

static struct release sum(struct release a, struct release b)
{
	struct release first = a.first_ns <= b.first_ns ? a : b;
	struct release last = a.first_ns <= b.first_ns ? b : a;
	uint64_t other_ns = last.tid == first.tid ? last.other_ns : last.first_ns;

	if (other_ns < first.other_ns)
		first.other_ns = other_ns;
	return first;
}

/*
 * Let in those that began before a call (else someone else held the lock before it; calls are in
 * order of their begin), unless they have spent their time waiting for the lock themselves.
 */
static void let_in(const struct ct_model *model, struct holders *h, uint32_t before)
{
	for (; h->split < h->count && h->calls[h->split] < before; h->split++) {
		const struct ct_host_call *call = &model->calls.at[h->calls[h->split]];
		uint64_t took = call->raw.leave_ns - call->raw.enter_ns;
		size_t node = h->leaves + h->place[h->split];

		if (call->parts[CT_PART_LOCK_WAIT] > took / 2)
			continue;
		h->tree[node] = (struct release){ release_of(model, call), NEVER, call->tid };
		while (node /= 2)
			h->tree[node] = sum(h->tree[2 * node], h->tree[2 * node + 1]);
	}
}

/* Did one below the node, of another thread than this, let the lock go by then? */
static bool released(const struct holders *h, size_t node, uint32_t tid, uint64_t time_ns)
{
	const struct release *r = &h->tree[node];
	uint64_t release_ns = r->tid == tid ? r->other_ns : r->first_ns;

	return release_ns <= time_ns && release_ns != NEVER;
}

/*
 * The last to return that may have held the lock that a call waited for: of another thread, and
 * it let the lock go before the call returned. CT_NONE if there is none.
 */
static uint32_t last_holder(const struct holders *h, const struct ct_host_call *call)
{
	uint64_t time_ns = call->raw.leave_ns + CT_TOUCH_NS;
	size_t node = h->leaves + returned_by(h, call->raw.leave_ns + TAIL_NS);

	/* what lies before a node is on its left, and on the left of those above it */
	while (node > 1 && !(node % 2 && released(h, node - 1, call->tid, time_ns)))
		node /= 2;
	if (node <= 1)
		return CT_NONE;
	for (node--; node < h->leaves;)
		node = 2 * node + released(h, 2 * node + 1, call->tid, time_ns);
	return h->calls[h->at[node - h->leaves].index];
}

static bool returned_later(const struct ct_model *model, uint32_t a, uint32_t b)
{
	uint64_t x = model->calls.at[a].raw.leave_ns, y = model->calls.at[b].raw.leave_ns;

	return x != y ? x > y : a > b;
}

/*
 * Two H200 shared no lock (kernels/thread_per_device). One is believed in where a call of another device
 * waited for that for long, and the call that it may have stopped returned right after.
 */
static bool ties_devices(const struct ct_model *model, const struct ct_host_call *call,
			 uint32_t holder)
{
	const struct ct_host_call *other = &model->calls.at[holder];

	return other->effects & CT_DRAINS && other->parts[CT_PART_DEVICE_WAIT] >= HELD_NS &&
	       release_of(model, other) + CLOSE_NS >= call->raw.leave_ns;
}

/* Of the calls about the same device, or (elsewhere) about others. */
static uint32_t holder_among(struct ct_locks *locks, const struct ct_host_call *call, bool elsewhere)
{
	const struct ct_model *model = locks->model;
	uint32_t found = CT_NONE;

	for (size_t kind = 0; kind < locks->kinds.count; kind++) {
		struct holders *h = &locks->kinds.at[kind];
		uint32_t last;

		if (!(h->blocks & call->effects) ||
		    ct_device_same(h->device, call->device) == elsewhere)
			continue;
		let_in(model, h, (uint32_t)(call - model->calls.at));
		last = last_holder(h, call);
		if (last == CT_NONE || (elsewhere && !ties_devices(model, call, last)))
			continue;
		if (found == CT_NONE || returned_later(model, last, found))
			found = last;
	}
	return found;
}

/* All that may have held the lock began before the call: the last to return overlaps it most. */
uint32_t ct_locks_holder(struct ct_locks *locks, const struct ct_host_call *call,
			 uint64_t unexplained_ns)
{
	uint32_t found;

	/* stream-ordered allocation and polling were measured to need no such lock */
	if (unexplained_ns < LEAST_NS || call->effects & (CT_SYNC | CT_POLL) ||
	    (call->effects & (CT_ALLOC | CT_FREE) && call->effects & CT_ASYNC))
		return CT_NONE;
	found = holder_among(locks, call, false);
	if (found == CT_NONE && ct_devices_several(locks->model))
		found = holder_among(locks, call, true);
	if (found == CT_NONE ||
	    overlap(&call->raw, &locks->model->calls.at[found].raw) <= LEAST_NS)
		return CT_NONE;
	return found;
}

/* The first of them that began at a time or later. */
static size_t begun_by(const struct ct_model *model, const struct holders *h, uint64_t time_ns)
{
	size_t low = 0, high = h->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (model->calls.at[h->calls[middle]].raw.enter_ns < time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A call that had the lock returned before the one that waited for it did. */
uint32_t ct_locks_next(const struct ct_locks *locks, const struct ct_host_call *call,
		       uint32_t holder)
{
	const struct ct_host_call *calls = locks->model->calls.at;
	uint64_t free_ns = calls[holder].raw.leave_ns;
	uint32_t next = CT_NONE;

	for (size_t kind = 0; kind < locks->kinds.count; kind++) {
		const struct holders *h = &locks->kinds.at[kind];

		if (!(h->blocks & call->effects) || !ct_device_same(h->device, call->device))
			continue;
		for (size_t i = begun_by(locks->model, h, free_ns); i < h->count; i++) {
			const struct ct_host_call *other = &calls[h->calls[i]];

			if (other->raw.enter_ns - free_ns > AGAIN_NS)
				break;
			if (other->tid != calls[holder].tid)
				continue;
			if (h->calls[i] < next && other->raw.leave_ns <= call->raw.leave_ns)
				next = h->calls[i];
			break;
		}
	}
	return next;
}
