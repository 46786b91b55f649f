/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/lock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analyze/scope.h"

#define LEAST_NS 20000   /* a shorter call cannot be told from one that waited for nobody */
#define AGAIN_NS 100000  /* between calls of a thread that takes the lock again and again */
#define TAIL_NS 2000000  /* a holder may work on for so long after it has let the lock go */

struct holder {
	uint64_t leave_ns;
	uint32_t call;
	uint32_t blocks; /* enum ct_effect: kinds of calls it stops elsewhere */
};

struct ct_locks {
	const struct ct_model *model;
	struct holder *holders; /* by leave_ns */
	size_t count;
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

static int by_leave(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	if (x->leave_ns != y->leave_ns)
		return x->leave_ns < y->leave_ns ? -1 : 1;
	return x->call < y->call ? -1 : x->call > y->call;
}

int ct_locks_create(const struct ct_model *model, struct ct_locks **ret)
{
	struct ct_locks *locks = calloc(1, sizeof(*locks));

	if (!locks)
		return -ENOMEM;
	locks->model = model;
	locks->holders = malloc((model->calls.count + 1) * sizeof(*locks->holders));
	if (!locks->holders) {
		free(locks);
		return -ENOMEM;
	}
	for (size_t i = 0; i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		uint64_t took = call->raw.leave_ns - call->raw.enter_ns;
		uint32_t stops = took >= LEAST_NS ? blocks(call) : 0;

		if (!stops)
			continue;
		locks->holders[locks->count++] =
			(struct holder){ call->raw.leave_ns, (uint32_t)i, stops };
	}
	qsort(locks->holders, locks->count, sizeof(*locks->holders), by_leave);
	*ret = locks;
	return 0;
}

void ct_locks_destroy(struct ct_locks *locks)
{
	if (!locks)
		return;
	free(locks->holders);
	free(locks);
}

/* Number of holders that returned at or before a time. */
static size_t returned_by(const struct ct_locks *locks, uint64_t time_ns)
{
	size_t low = 0, high = locks->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (locks->holders[middle].leave_ns <= time_ns)
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

/*
 * Could `other` have held the lock that `call` waited for? It must have begun first (else
 * someone else held the lock before it; calls are in order of their begin), not have spent its time waiting for the lock
 * itself, and have let it go before `call` returned.
 */
static bool could_hold(const struct ct_model *model, const struct ct_host_call *call,
		       const struct ct_host_call *other)
{
	uint64_t took = other->raw.leave_ns - other->raw.enter_ns;

	return other->tid != call->tid && other < call &&
	       other->parts[CT_PART_LOCK_WAIT] <= took / 2 &&
	       release_of(model, other) <= call->raw.leave_ns + CT_TOUCH_NS;
}

static uint64_t overlap(const struct ct_call *a, const struct ct_call *b)
{
	uint64_t start = a->enter_ns > b->enter_ns ? a->enter_ns : b->enter_ns;
	uint64_t end = a->leave_ns < b->leave_ns ? a->leave_ns : b->leave_ns;

	return end > start ? end - start : 0;
}

uint32_t ct_locks_holder(const struct ct_locks *locks, const struct ct_host_call *call,
			 uint64_t unexplained_ns)
{
	uint64_t most = LEAST_NS;
	uint32_t found = CT_NONE;

	/* stream-ordered allocation and polling were measured to need no such lock */
	if (unexplained_ns < LEAST_NS || call->effects & (CT_SYNC | CT_POLL) ||
	    (call->effects & (CT_ALLOC | CT_FREE) && call->effects & CT_ASYNC))
		return CT_NONE;
	for (size_t i = returned_by(locks, call->raw.leave_ns + TAIL_NS); i-- > 0;) {
		const struct holder *h = &locks->holders[i];
		const struct ct_host_call *other = &locks->model->calls.at[h->call];
		uint64_t shared = overlap(&call->raw, &other->raw);

		if (h->leave_ns <= call->raw.enter_ns)
			break;
		if (h->blocks & call->effects && shared > most &&
		    could_hold(locks->model, call, other)) {
			most = shared;
			found = h->call;
		}
	}
	return found;
}

/* A call that had the lock returned before the one that waited for it did. */
uint32_t ct_locks_next(const struct ct_locks *locks, const struct ct_host_call *call,
		       uint32_t holder)
{
	const struct ct_host_call *calls = locks->model->calls.at;
	uint64_t free_ns = calls[holder].raw.leave_ns;

	for (size_t i = returned_by(locks, free_ns); i < locks->count; i++) {
		const struct holder *h = &locks->holders[i];
		const struct ct_call *other = &calls[h->call].raw;

		if (h->leave_ns > call->raw.leave_ns)
			break;
		if (calls[h->call].tid == calls[holder].tid && h->blocks & call->effects &&
		    other->enter_ns >= free_ns && other->enter_ns - free_ns <= AGAIN_NS)
			return h->call;
	}
	return CT_NONE;
}
