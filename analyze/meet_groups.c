/* SPDX-License-Identifier: Apache-2.0 */
/* Which streams of which ranks do the collectives of one communicator. */
#include <errno.h>
#include <stdlib.h>

#include "analyze/meet.h"

static const struct ct_collective *nth(const struct ct_meet_lane *lane, size_t k)
{
	return &lane->of->kept.at[k];
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static uint64_t length(const struct ct_collective *c)
{
	return c->end_ns - c->start_ns;
}

/* Can this be one collective? Nobody ends before the other has begun. */
static bool overlap(const struct ct_collective *a, const struct ct_collective *b)
{
	return a->end_ns + CT_MEET_SLACK_NS >= b->start_ns && b->end_ns + CT_MEET_SLACK_NS >= a->start_ns;
}

/* Ends count from the `from`s. */
static bool end_together(const struct ct_collective *a, uint64_t from_a, const struct ct_collective *b,
			 uint64_t from_b)
{
	uint64_t longer = length(a) > length(b) ? length(a) : length(b);

	return apart(a->end_ns - from_a, b->end_ns - from_b) <= CT_MEET_ENDS_NS + longer / 4;
}

/* Of two clocks only the time since the collective before can be compared. */
static bool fit(const struct ct_meet_lane *a, const struct ct_meet_lane *b)
{
	bool one_clock = a->clock == b->clock;
	uint64_t from_a = 0, from_b = 0;
	size_t differ = 0, count = a->of->kept.count;

	for (size_t k = 0; k < count; k++) {
		const struct ct_collective *x = nth(a, k), *y = nth(b, k);

		if (ct_nccl_meets[x->op] != CT_NCCL_MEETS_ALL)
			continue;
		if (one_clock && !overlap(x, y))
			return false;
		if (one_clock || from_a)
			differ += !end_together(x, from_a, y, from_b);
		if (differ * CT_MEET_EXCEPT > count)
			return false;
		from_a = one_clock ? 0 : x->end_ns;
		from_b = one_clock ? 0 : y->end_ns;
	}
	return true;
}

static void leave_out(struct ct_meet *m, const uint32_t *lanes, size_t count, enum ct_unmatched why)
{
	for (size_t i = 0; i < count; i++)
		m->unmatched[why] += m->lanes.at[lanes[i]].of->kept.count;
}

static int add_group(struct ct_meet *m, const uint32_t *lanes, size_t count)
{
	struct ct_meet_group group = { .lanes = calloc(count, sizeof(*lanes)), .count = (uint32_t)count,
				       .one_clock = true };

	if (!group.lanes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		group.lanes[i] = lanes[i];
		group.one_clock &= m->lanes.at[lanes[i]].clock == m->lanes.at[lanes[0]].clock;
	}
	m->by_durations |= !group.one_clock;
	if (CT_PUSH(&m->groups, group) == 0)
		return 0;
	free(group.lanes);
	return -ENOMEM;
}

/* Those of one clock: had all begun the k-th before any ended it? */
static bool overlap_all(const struct ct_meet *m, const uint32_t *lanes, size_t count, uint32_t clock,
			size_t k)
{
	uint64_t last_start_ns = 0, first_end_ns = UINT64_MAX;

	for (size_t i = 0; i < count; i++) {
		const struct ct_meet_lane *lane = &m->lanes.at[lanes[i]];
		const struct ct_collective *c = nth(lane, k);

		if (lane->clock != clock)
			continue;
		last_start_ns = c->start_ns > last_start_ns ? c->start_ns : last_start_ns;
		first_end_ns = c->end_ns < first_end_ns ? c->end_ns : first_end_ns;
	}
	return last_start_ns <= first_end_ns + CT_MEET_SLACK_NS;
}

static bool clock_before(const struct ct_meet *m, const uint32_t *lanes, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (m->lanes.at[lanes[k]].clock == m->lanes.at[lanes[i]].clock)
			return true;
	return false;
}

static bool member_before(const struct ct_meet *m, const uint32_t *lanes, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (m->lanes.at[lanes[k]].member == m->lanes.at[lanes[i]].member)
			return true;
	return false;
}

/*
 * Is each another rank, does each fit the first, and do all on a clock overlap? That all should end
 * with each other, and not just with the first, would take as many comparisons as there are pairs.
 */
static bool all_fit(const struct ct_meet *m, const uint32_t *lanes, size_t count)
{
	const struct ct_meet_lane *first = &m->lanes.at[lanes[0]];

	for (size_t i = 1; i < count; i++)
		if (member_before(m, lanes, i) || !fit(first, &m->lanes.at[lanes[i]]))
			return false;
	for (size_t i = 0; i < count; i++)
		for (size_t k = clock_before(m, lanes, i) ? first->of->kept.count : 0;
		     k < first->of->kept.count; k++)
			if (ct_nccl_meets[nth(first, k)->op] == CT_NCCL_MEETS_ALL &&
			    !overlap_all(m, lanes, count, m->lanes.at[lanes[i]].clock, k))
				return false;
	return true;
}

/*
 * Move those that fit the first, or one that does, to the front. Returns how many; those that fit
 * are few or all, so each is asked once in most runs.
 */
static size_t gather(const struct ct_meet *m, uint32_t *lanes, size_t count)
{
	size_t in = 1;

	for (size_t asked = 0; asked < in; asked++)
		for (size_t i = in; i < count; i++) {
			const struct ct_meet_lane *a = &m->lanes.at[lanes[asked]], *b = &m->lanes.at[lanes[i]];
			uint32_t swap = lanes[i];

			if (a->member == b->member || !fit(a, b))
				continue;
			lanes[i] = lanes[in];
			lanes[in++] = swap;
		}
	return in;
}

/* Streams with the same collectives in the same order: one group, or several. */
static int group_alike(struct ct_meet *m, uint32_t *lanes, size_t count)
{
	size_t in;
	int r = 0;

	for (; r == 0 && count; lanes += in, count -= in) {
		in = gather(m, lanes, count);
		if (in == 1)
			leave_out(m, lanes, in, CT_UNMATCHED_APART);
		else if (all_fit(m, lanes, in))
			r = add_group(m, lanes, in);
		else
			leave_out(m, lanes, in, CT_UNMATCHED_AMBIGUOUS);
	}
	return r;
}

static bool meets_all(const struct ct_meet_lane *lane)
{
	for (size_t k = 0; k < lane->of->kept.count; k++)
		if (ct_nccl_meets[nth(lane, k)->op] == CT_NCCL_MEETS_ALL)
			return true;
	return false;
}

static int by_sequence(const void *a, const void *b, void *arg)
{
	const struct ct_meet *m = arg;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	const struct ct_nccl_lane *x = m->lanes.at[i].of, *y = m->lanes.at[k].of;

	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	return i < k ? -1 : i > k;
}

static bool alike(const struct ct_meet_lane *a, const struct ct_meet_lane *b)
{
	return a->of->count == b->of->count && a->of->sequence == b->of->sequence;
}

int ct_meet_group(struct ct_meet *m)
{
	uint32_t *lanes = calloc(m->lanes.count + 1, sizeof(*lanes));
	size_t n;
	int r = lanes ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < m->lanes.count; i++)
		lanes[i] = i;
	if (r == 0)
		qsort_r(lanes, m->lanes.count, sizeof(*lanes), by_sequence, m);
	for (size_t i = 0; r == 0 && i < m->lanes.count; i += n) {
		const struct ct_meet_lane *first = &m->lanes.at[lanes[i]];

		n = 1;
		while (i + n < m->lanes.count && alike(first, &m->lanes.at[lanes[i + n]]))
			n++;
		if (n == 1)
			leave_out(m, &lanes[i], n, CT_UNMATCHED_ALONE);
		else if (!meets_all(first))
			leave_out(m, &lanes[i], n, CT_UNMATCHED_ROOT_ONLY);
		else
			r = group_alike(m, &lanes[i], n);
	}
	free(lanes);
	return r;
}
