/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/convoy.h"

#include <errno.h>
#include <stdlib.h>

#define TAKES_LOCK (CT_ALLOC | CT_FREE | CT_COPY | CT_FILL | CT_LAUNCH | CT_OBJECT | CT_INIT | CT_CONFIG)
#define OTHERS 3
#define MOST_PERCENT 90

/* From a time on: how many calls that take the locks are under way. */
struct change {
	uint64_t time_ns;
	int64_t under_way;
};

struct ct_convoys {
	const struct ct_model *model;
	struct change *changes;
	uint32_t *by_end; /* such calls */
	size_t change_count, end_count;
};

static bool takes_lock(const struct ct_host_call *call)
{
	return call->effects & TAKES_LOCK && !(call->effects & (CT_SYNC | CT_POLL));
}

static int by_time(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

static int by_leave(const void *a, const void *b, void *arg)
{
	const struct ct_host_call *calls = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (calls[x].raw.leave_ns != calls[y].raw.leave_ns)
		return calls[x].raw.leave_ns < calls[y].raw.leave_ns ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void fill(struct ct_convoys *c)
{
	for (size_t i = 0; i < c->model->calls.count; i++) {
		const struct ct_host_call *call = &c->model->calls.at[i];

		if (!takes_lock(call))
			continue;
		c->changes[c->change_count++] = (struct change){ call->raw.enter_ns, 1 };
		c->changes[c->change_count++] = (struct change){ call->raw.leave_ns, -1 };
		c->by_end[c->end_count++] = (uint32_t)i;
	}
	qsort(c->changes, c->change_count, sizeof(*c->changes), by_time);
	for (size_t i = 1; i < c->change_count; i++)
		c->changes[i].under_way += c->changes[i - 1].under_way;
	qsort_r(c->by_end, c->end_count, sizeof(*c->by_end), by_leave, c->model->calls.at);
}

int ct_convoys_create(const struct ct_model *model, struct ct_convoys **ret)
{
	struct ct_convoys *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->model = model;
	c->changes = calloc(2 * model->calls.count + 1, sizeof(*c->changes));
	c->by_end = calloc(model->calls.count + 1, sizeof(*c->by_end));
	if (!c->changes || !c->by_end) {
		ct_convoys_destroy(c);
		return -ENOMEM;
	}
	fill(c);
	*ret = c;
	return 0;
}

void ct_convoys_destroy(struct ct_convoys *c)
{
	if (!c)
		return;
	free(c->changes);
	free(c->by_end);
	free(c);
}

/* Index of the first change after a time. */
static size_t after(const struct ct_convoys *c, uint64_t time_ns)
{
	size_t low = 0, high = c->change_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->changes[middle].time_ns <= time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* How long, within a call, so many others were under way. */
static uint64_t crowded_ns(const struct ct_convoys *c, const struct ct_host_call *call)
{
	int64_t enough = OTHERS + takes_lock(call);
	uint64_t from = call->raw.enter_ns, sum = 0;

	for (size_t i = after(c, from); i && i < c->change_count && from < call->raw.leave_ns; i++) {
		uint64_t until = c->changes[i].time_ns < call->raw.leave_ns ? c->changes[i].time_ns
									    : call->raw.leave_ns;

		if (c->changes[i - 1].under_way >= enough)
			sum += until - from;
		from = until;
	}
	return sum;
}

uint32_t ct_convoy_before(const struct ct_convoys *c, const struct ct_host_call *call)
{
	uint64_t duration = call->raw.leave_ns - call->raw.enter_ns;
	size_t low = 0, high = c->end_count;

	if (crowded_ns(c, call) < duration / 100 * MOST_PERCENT)
		return CT_NONE;
	while (low < high) { /* first that ended after the call did */
		size_t middle = low + (high - low) / 2;

		if (c->model->calls.at[c->by_end[middle]].raw.leave_ns < call->raw.leave_ns)
			low = middle + 1;
		else
			high = middle;
	}
	while (low--) {
		const struct ct_host_call *other = &c->model->calls.at[c->by_end[low]];

		if (other->raw.leave_ns <= call->raw.enter_ns)
			break;
		if (other->thread != call->thread)
			return c->by_end[low];
	}
	return CT_NONE;
}
