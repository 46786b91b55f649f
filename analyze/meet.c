/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/meet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/run.h"

const char *const ct_unmatched_texts[CT_UNMATCHED_COUNT] = {
#define X(id, text) text,
	CT_UNMATCHED(X)
#undef X
};

static uint32_t member_of(struct ct_meet *m, uint32_t process, uint32_t device, const char *label)
{
	struct ct_meet_member fresh = { .process = process, .device = device };
	size_t n = m->members.count;

	for (size_t i = n; i-- > 0 && m->members.at[i].process == process;)
		if (m->members.at[i].device == device)
			return (uint32_t)i;
	if (label)
		snprintf(fresh.label, sizeof(fresh.label), "%s", label);
	return CT_PUSH(&m->members, fresh) < 0 ? CT_NONE : (uint32_t)n;
}

/* A process with one device is the rank; of several, each is. */
static void label_devices(struct ct_meet *m, size_t first)
{
	for (size_t i = first; i < m->members.count; i++) {
		struct ct_meet_member *member = &m->members.at[i];
		size_t n = strlen(member->label);

		if (m->members.count - first > 1 || !n)
			snprintf(member->label + n, sizeof(member->label) - n, "%sdevice %u", n ? " " : "",
				 member->device);
	}
}

int ct_meet_add(struct ct_meet *m, uint32_t process, const char *label, uint32_t clock,
		const struct ct_nccl *nccl)
{
	size_t first = m->members.count;
	int r = 0;

	for (size_t i = 0; i < nccl->calls.count; i++)
		if (ct_nccl_meets[nccl->calls.at[i].op] == CT_NCCL_MEETS_NONE)
			m->unmatched[CT_UNMATCHED_NAME] += nccl->calls.at[i].count;
	for (size_t i = 0; r == 0 && i < nccl->lanes.count; i++) {
		struct ct_meet_lane lane = { .clock = clock, .of = &nccl->lanes.at[i], .nccl = nccl };

		if (!lane.of->count)
			continue;
		m->unmatched[CT_UNMATCHED_BEYOND] += lane.of->count - lane.of->kept.count;
		lane.member = member_of(m, process, lane.of->device, label);
		r = lane.member == CT_NONE ? -ENOMEM : CT_PUSH(&m->lanes, lane);
	}
	label_devices(m, first);
	return r;
}

/* One collective of a group. */
struct meeting {
	struct ct_meet *meet;
	const struct ct_meet_group *group;
	size_t k;
	uint64_t *come;  /* by lane of the group: when it came, on a scale of theirs */
	uint64_t *spare; /* as much room */
	uint32_t last;   /* who came last, and when; when the one before it had come */
	uint64_t last_ns, before_ns;
};

static const struct ct_meet_lane *lane_at(const struct meeting *g, uint32_t i)
{
	return &g->meet->lanes.at[g->group->lanes[i]];
}

static struct ct_meet_member *member_at(const struct meeting *g, uint32_t i)
{
	return &g->meet->members.at[lane_at(g, i)->member];
}

static const struct ct_collective *kernel(const struct meeting *g, uint32_t i)
{
	return &lane_at(g, i)->of->kept.at[g->k];
}

static uint64_t length(const struct ct_collective *c)
{
	return c->end_ns - c->start_ns;
}

static const char *text_at(const struct meeting *g, uint32_t i, uint32_t text)
{
	return text == CT_NONE ? NULL : lane_at(g, i)->nccl->texts.at[text];
}

/* All end together: where clocks differ, who is there for the shortest time came last. */
static void find_coming(struct meeting *g)
{
	uint64_t longest = 0;

	for (uint32_t i = 0; i < g->group->count; i++)
		if (length(kernel(g, i)) > longest)
			longest = length(kernel(g, i));
	for (uint32_t i = 0; i < g->group->count; i++)
		g->come[i] = g->group->one_clock ? kernel(g, i)->start_ns : longest - length(kernel(g, i));
	g->last = 0;
	for (uint32_t i = 1; i < g->group->count; i++)
		if (g->come[i] > g->come[g->last])
			g->last = i;
	g->last_ns = g->come[g->last];
	g->before_ns = 0;
	for (uint32_t i = 0; i < g->group->count; i++)
		if (i != g->last && g->come[i] > g->before_ns)
			g->before_ns = g->come[i];
}

/* Who ended before the last came did not wait for it: that is so where one rank is the root. */
static uint64_t waited(const struct meeting *g, uint32_t i)
{
	const struct ct_collective *c = kernel(g, i);
	uint64_t ns = g->last_ns - g->come[i];

	if (ct_nccl_meets[c->op] == CT_NCCL_MEETS_ROOT && (!g->group->one_clock || c->end_ns <= g->last_ns))
		return 0;
	return ns < length(c) ? ns : length(c);
}

static int add_share(void *array, size_t *count, size_t *room, struct ct_meet_share share)
{
	struct ct_meet_share **at = array;

	for (size_t i = 0; i < *count; i++) {
		struct ct_meet_share *s = &(*at)[i];

		if (s->of != share.of || s->op != share.op || s->text != share.text)
			continue;
		s->ns += share.ns;
		s->count++;
		return 0;
	}
	share.count = 1;
	if (ct_grow(array, *count, room, sizeof(share)) < 0)
		return -ENOMEM;
	(*at)[(*count)++] = share;
	return 0;
}

#define ADD_SHARE(list, ...)                                                                       \
	add_share(&(list)->at, &(list)->count, &(list)->room, (struct ct_meet_share){ __VA_ARGS__ })

/* By how much the last did something longer than the median of the others. */
static uint64_t excess(const struct meeting *g, int what)
{
	uint64_t mine = kernel(g, g->last)->before_ns[what], others;
	size_t n = 0;

	for (uint32_t i = 0; i < g->group->count; i++)
		if (i != g->last)
			g->spare[n++] = kernel(g, i)->before_ns[what];
	others = ct_run_median(g->spare, n);
	return mine > others ? mine - others : 0;
}

/*
 * What kept the last: what it did most longer than the others since the collective before, of which
 * no more counts than by how much it was late: the rest was as well before the others came, who
 * began later. To the first of all they have not come from the same moment.
 */
static int add_delay(const struct meeting *g)
{
	const struct ct_collective *c = kernel(g, g->last);
	uint64_t most = 0, late_ns = g->last_ns - g->before_ns;
	uint32_t what = CT_BEFORE_OWN;

	for (int i = 0; i < CT_BEFORE_COUNT; i++) {
		uint64_t ns = excess(g, i);

		if (ns > most) {
			most = ns;
			what = (uint32_t)i;
		}
	}
	if (g->k == 0 && most < late_ns / 2) {
		most = late_ns;
		what = CT_BEFORE_COUNT;
	}
	if (most < late_ns / 10)
		return 0;
	return ADD_SHARE(&member_at(g, g->last)->delays, .of = what,
			 .text = what == CT_BEFORE_COUNT ? NULL : text_at(g, g->last, c->before[what]),
			 .ns = most < late_ns ? most : late_ns);
}

/* The host's wait for the collective, as far as the collective waited for the last. */
static int add_wait(const struct meeting *g, uint32_t i, uint64_t waited_ns)
{
	const struct ct_collective *c = kernel(g, i);
	uint64_t end_ns = c->start_ns + waited_ns;

	if (end_ns > c->host_end_ns)
		end_ns = c->host_end_ns;
	if (c->host_at == CT_NONE || end_ns <= c->host_start_ns)
		return 0;
	return ADD_SHARE(&member_at(g, i)->waits, .of = lane_at(g, g->last)->member, .op = c->op,
			 .text = text_at(g, i, c->host_at), .ns = end_ns - c->host_start_ns);
}

static int add_late(struct meeting *g)
{
	struct ct_meet_member *last = member_at(g, g->last);
	int r = CT_PUSH(&last->lates, g->last_ns - g->before_ns);

	g->meet->late++;
	last->late++;
	last->late_ns += g->last_ns - g->before_ns;
	if (g->k == 0)
		last->first_late_ns += g->last_ns - g->before_ns;
	for (uint32_t i = 0; r == 0 && i < g->group->count; i++)
		if (i != g->last)
			r = add_wait(g, i, waited(g, i));
	return r < 0 ? r : add_delay(g);
}

/* Of a broadcast or reduce nobody may have waited for the last: then it was not late. */
static bool was_late(const struct meeting *g)
{
	if (g->last_ns - g->before_ns < CT_MEET_LATE_NS)
		return false;
	for (uint32_t i = 0; i < g->group->count; i++)
		if (i != g->last && waited(g, i))
			return true;
	return false;
}

static int hold(struct meeting *g)
{
	struct ct_meet_sum *sum = &g->meet->sums[kernel(g, 0)->op];

	find_coming(g);
	sum->met++;
	g->meet->met++;
	for (uint32_t i = 0; i < g->group->count; i++) {
		uint64_t time_ns = length(kernel(g, i)), waited_ns = waited(g, i);

		sum->kernels++;
		sum->time_ns += time_ns;
		sum->waited_ns += waited_ns;
		member_at(g, i)->met++;
		member_at(g, i)->time_ns += time_ns;
		member_at(g, i)->waited_ns += waited_ns;
	}
	return was_late(g) ? add_late(g) : 0;
}

static int hold_all(struct ct_meet *m, const struct ct_meet_group *group)
{
	struct meeting g = { .meet = m, .group = group,
			     .come = calloc(2 * (size_t)group->count, sizeof(*g.come)) };
	size_t count = m->lanes.at[group->lanes[0]].of->kept.count;
	int r = g.come ? 0 : -ENOMEM;

	g.spare = g.come + group->count;
	for (; r == 0 && g.k < count; g.k++)
		r = hold(&g);
	free(g.come);
	return r;
}

static int by_time(const void *a, const void *b)
{
	const struct ct_meet_share *x = a, *y = b;

	return x->ns > y->ns ? -1 : x->ns < y->ns;
}

/* From the first collective's start to the end of the last one. */
static uint64_t longest_lane(const struct ct_meet *m)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < m->lanes.count; i++) {
		const struct ct_nccl_lane *lane = m->lanes.at[i].of;
		uint64_t ns = lane->kept.at[lane->kept.count - 1].end_ns - lane->kept.at[0].start_ns;

		longest = ns > longest ? ns : longest;
	}
	return longest;
}

/*
 * One that is late as often as another is no culprit: it stands out if it is late twice as long. To
 * the first collective somebody is always late, by as much as the processes began apart.
 */
static void find_named(struct ct_meet *m)
{
	uint64_t most = 0, next = 0, span_ns = longest_lane(m);

	m->named = CT_NONE;
	for (uint32_t i = 0; i < m->members.count; i++) {
		uint64_t ns = m->members.at[i].late_ns - m->members.at[i].first_late_ns;

		if (ns > most) {
			next = most;
			most = ns;
			m->named = i;
		} else if (ns > next) {
			next = ns;
		}
	}
	if (most < CT_MEET_NAMED_NS || most < 2 * next || most < span_ns / 100 * CT_MEET_NAMED_PERCENT)
		m->named = CT_NONE;
}

int ct_meet_find(struct ct_meet *m)
{
	int r = ct_meet_group(m);

	for (size_t i = 0; r == 0 && i < m->groups.count; i++)
		r = hold_all(m, &m->groups.at[i]);
	for (size_t i = 0; i < m->members.count; i++) {
		struct ct_meet_member *member = &m->members.at[i];

		member->late_median_ns = ct_run_median(member->lates.at, member->lates.count);
		if (member->delays.count)
			qsort(member->delays.at, member->delays.count, sizeof(*member->delays.at), by_time);
		if (member->waits.count)
			qsort(member->waits.at, member->waits.count, sizeof(*member->waits.at), by_time);
	}
	find_named(m);
	return r;
}

void ct_meet_free(struct ct_meet *m)
{
	for (size_t i = 0; i < m->members.count; i++) {
		free(m->members.at[i].lates.at);
		free(m->members.at[i].delays.at);
		free(m->members.at[i].waits.at);
	}
	for (size_t i = 0; i < m->groups.count; i++)
		free(m->groups.at[i].lanes);
	free(m->members.at);
	free(m->lanes.at);
	free(m->groups.at);
	memset(m, 0, sizeof(*m));
}
