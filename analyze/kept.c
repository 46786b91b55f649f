/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/kept.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/fold.h"

/*
 * A call, what CUPTI says it waited for (if it has a sync) and its site in the sum; an
 * operation. `there` is false for none.
 */
struct kept_call {
	struct ct_host_call call;
	struct ct_sync sync;
	uint32_t site;
	bool there;
};

struct kept_op {
	struct ct_op op;
	bool there;
};

struct ct_kept_pair {
	struct ct_pair pair;
	struct kept_call culprit, through;
	struct kept_op victim, waited;
};

struct ct_kept_gap {
	struct ct_gap gap;
	struct kept_call call;
	struct kept_op next;
};

/* The sync of a call has the call's number. */
static int push_call(struct ct_kept *k, const struct kept_call *kept)
{
	struct ct_host_call call = kept->call;

	if (call.sync != CT_NONE)
		call.sync = (uint32_t)k->model->syncs.count;
	return CT_PUSH(&k->model->calls, call) < 0 || CT_PUSH(&k->model->syncs, kept->sync) < 0 ||
	       CT_PUSH(&k->of_call, kept->site) < 0 ? -ENOMEM : 0;
}

/* Slot n is of two waits, calls and operations each: its own, and those of the lock's holder. */
static int make_slot(struct ct_kept *k, uint32_t *slot)
{
	const struct ct_wait wait = { .op = CT_NONE, .other = CT_NONE };
	const struct kept_call call = { .call.sync = CT_NONE };
	const struct ct_op op = { 0 };

	*slot = (uint32_t)k->model->waits.count;
	for (int i = 0; i < 2; i++)
		if (CT_PUSH(&k->model->waits, wait) < 0 || CT_PUSH(&k->model->ops, op) < 0 ||
		    push_call(k, &call) < 0)
			return -ENOMEM;
	return 0;
}

/* Copy a wait and its operation. Their numbers are the same: all are made two by two. */
static void copy_wait(struct ct_kept *k, const struct ct_model *part, uint32_t wait, uint32_t to)
{
	struct ct_wait *copy = &k->model->waits.at[to];

	*copy = part->waits.at[wait];
	copy->call = to;
	copy->other = CT_NONE;
	if (copy->op == CT_NONE)
		return;
	k->model->ops.at[to] = part->ops.at[copy->op];
	copy->op = to;
}

/* Copy a call and, for a lock's holder, what it waited for itself. */
static void copy_call(struct ct_kept *k, const struct ct_model *part, uint32_t call, uint32_t to)
{
	struct ct_host_call *copy = &k->model->calls.at[to];

	*copy = part->calls.at[call];
	if (copy->sync != CT_NONE) {
		k->model->syncs.at[to] = part->syncs.at[copy->sync];
		copy->sync = to;
	}
	for (uint32_t i = 0; i < copy->wait_count; i++)
		if (part->waits.at[copy->first_wait + i].part == CT_PART_DEVICE_WAIT) {
			copy_wait(k, part, copy->first_wait + i, to);
			copy->first_wait = to;
			copy->wait_count = 1;
			return;
		}
	copy->wait_count = 0;
}

int ct_kept_add_wait(struct ct_kept *k, const struct ct_model *part, uint32_t wait, uint32_t site,
		 uint32_t *slot)
{
	const struct ct_wait *from = &part->waits.at[wait];

	if (*slot == CT_NONE && make_slot(k, slot) < 0)
		return -ENOMEM;
	copy_call(k, part, from->call, *slot);
	copy_wait(k, part, wait, *slot);
	k->of_call.at[*slot] = site;
	if (from->other != CT_NONE) {
		copy_call(k, part, from->other, *slot + 1);
		k->model->waits.at[*slot].other = *slot + 1;
	}
	return 0;
}

static struct kept_call call_of(const struct ct_analysis *part, uint32_t call, const uint32_t *map)
{
	struct kept_call kept = { .there = call != CT_NONE };

	if (kept.there) {
		kept.call = part->model->calls.at[call];
		if (kept.call.sync != CT_NONE)
			kept.sync = part->model->syncs.at[kept.call.sync];
		kept.site = map[part->sites->of_call[call]];
	}
	return kept;
}

static struct kept_op op_of(const struct ct_analysis *part, uint32_t op)
{
	struct kept_op kept = { .there = op != CT_NONE };

	if (kept.there)
		kept.op = part->model->ops.at[op];
	return kept;
}

static int by_loss(const void *a, const void *b)
{
	const struct ct_kept_pair *x = a, *y = b;

	if (x->pair.lost_ns != y->pair.lost_ns)
		return x->pair.lost_ns > y->pair.lost_ns ? -1 : 1;
	if (x->culprit.call.raw.enter_ns != y->culprit.call.raw.enter_ns)
		return x->culprit.call.raw.enter_ns < y->culprit.call.raw.enter_ns ? -1 : 1;
	return x->victim.op.raw.start_ns < y->victim.op.raw.start_ns
		       ? -1
		       : x->victim.op.raw.start_ns > y->victim.op.raw.start_ns;
}

static int by_length(const void *a, const void *b)
{
	const struct ct_gap *x = &((const struct ct_kept_gap *)a)->gap;
	const struct ct_gap *y = &((const struct ct_kept_gap *)b)->gap;
	uint64_t lx = x->end_ns - x->start_ns, ly = y->end_ns - y->start_ns;

	if (lx != ly)
		return lx > ly ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->device < y->device ? -1 : x->device > y->device;
}

/* Sort a list that has got twice as long as it is to be, and cut it. */
#define CUT(array, compare, limit)                                                                 \
	do {                                                                                       \
		if ((array)->count >= (limit))                                                     \
			qsort((array)->at, (array)->count, sizeof(*(array)->at), compare);         \
		if ((array)->count >= (limit) && (array)->count > CT_FOLD_ROWS)                    \
			(array)->count = CT_FOLD_ROWS;                                             \
	} while (0)

int ct_kept_add_pair(struct ct_kept *k, const struct ct_analysis *part, const struct ct_pair *pair,
		 const uint32_t *map)
{
	struct ct_kept_pair kept = {
		.pair = *pair,
		.culprit = call_of(part, pair->culprit, map),
		.through = call_of(part, pair->through, map),
		.victim = op_of(part, pair->victim),
		.waited = op_of(part, pair->waited_op),
	};

	if (kept.culprit.call.left_out)
		return 0;
	CUT(&k->pairs, by_loss, 2 * CT_FOLD_ROWS);
	return CT_PUSH(&k->pairs, kept);
}

int ct_kept_add_gap(struct ct_kept *k, const struct ct_analysis *part, const struct ct_gap *gap,
		const uint32_t *map)
{
	struct ct_kept_gap kept = { .gap = *gap, .call = call_of(part, gap->call, map),
				    .next = op_of(part, gap->next_op) };

	if (part->filter && (!kept.call.there || kept.call.call.left_out))
		return 0;
	CUT(&k->gaps, by_length, 2 * CT_FOLD_ROWS);
	return CT_PUSH(&k->gaps, kept);
}

/* Move into the model, and say where to. */
static int put_call(struct ct_kept *k, const struct kept_call *kept, uint32_t *ret)
{
	*ret = kept->there ? (uint32_t)k->model->calls.count : CT_NONE;
	return kept->there ? push_call(k, kept) : 0;
}

static int put_op(struct ct_kept *k, const struct kept_op *kept, uint32_t *ret)
{
	*ret = kept->there ? (uint32_t)k->model->ops.count : CT_NONE;
	return kept->there ? CT_PUSH(&k->model->ops, kept->op) : 0;
}

static int finish_pairs(struct ct_kept *k, struct ct_serialization *to)
{
	for (size_t i = 0; i < k->pairs.count; i++) {
		struct ct_kept_pair *kept = &k->pairs.at[i];
		struct ct_pair *pair = &kept->pair;

		if (put_call(k, &kept->culprit, &pair->culprit) < 0 ||
		    put_call(k, &kept->through, &pair->through) < 0 ||
		    put_op(k, &kept->victim, &pair->victim) < 0 ||
		    put_op(k, &kept->waited, &pair->waited_op) < 0 || CT_PUSH(&to->pairs, *pair) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int finish_gaps(struct ct_kept *k, struct ct_idle *to)
{
	for (size_t i = 0; i < k->gaps.count; i++) {
		struct ct_kept_gap *kept = &k->gaps.at[i];

		if (put_call(k, &kept->call, &kept->gap.call) < 0 ||
		    put_op(k, &kept->next, &kept->gap.next_op) < 0 ||
		    CT_PUSH(&to->gaps, kept->gap) < 0)
			return -ENOMEM;
	}
	return 0;
}

int ct_kept_finish(struct ct_kept *k, struct ct_analysis *sum)
{
	int r;

	CUT(&k->pairs, by_loss, 1);
	CUT(&k->gaps, by_length, 1);
	r = finish_pairs(k, sum->serialization);
	if (r == 0)
		r = finish_gaps(k, sum->idle);
	if (r < 0)
		return r;
	free(sum->sites->of_call);
	sum->sites->of_call = k->of_call.at;
	k->of_call.at = NULL;
	return 0;
}

void ct_kept_free(struct ct_kept *k)
{
	free(k->of_call.at);
	free(k->pairs.at);
	free(k->gaps.at);
}
