/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/convoy.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/sort.h"

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
	struct ct_ranked *by_end; /* such calls, by when they end */
	size_t change_count, end_count;
};

static bool takes_lock(const struct ct_host_call *call)
{
	return call->effects & TAKES_LOCK && !(call->effects & (CT_SYNC | CT_POLL));
}

/* How many are under way from each change on, given what each changes. */
static int add_up(struct ct_convoys *c)
{
	int64_t sum = 0;

	if (ct_sort(&c->changes, c->change_count, c->change_count, sizeof(*c->changes),
		    offsetof(struct change, time_ns), NULL) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < c->change_count; i++)
		sum = c->changes[i].under_way += sum;
	return 0;
}

static int fill(struct ct_convoys *c)
{
	for (size_t i = 0; i < c->model->calls.count; i++) {
		const struct ct_host_call *call = &c->model->calls.at[i];

		if (!takes_lock(call))
			continue;
		c->changes[c->change_count++] = (struct change){ call->raw.enter_ns, 1 };
		c->changes[c->change_count++] = (struct change){ call->raw.leave_ns, -1 };
		c->by_end[c->end_count++] = (struct ct_ranked){ call->raw.leave_ns, (uint32_t)i };
	}
	return add_up(c) < 0 ? -ENOMEM : ct_sort_ranked(c->by_end, c->end_count);
}

int ct_convoys_create(const struct ct_model *model, struct ct_convoys **ret)
{
	struct ct_convoys *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->model = model;
	c->changes = calloc(2 * model->calls.count + 1, sizeof(*c->changes));
	c->by_end = calloc(model->calls.count + 1, sizeof(*c->by_end));
	if (!c->changes || !c->by_end || fill(c) < 0) {
		ct_convoys_destroy(c);
		return -ENOMEM;
	}
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

		if (c->by_end[middle].key < call->raw.leave_ns)
			low = middle + 1;
		else
			high = middle;
	}
	while (low--) {
		const struct ct_host_call *other = &c->model->calls.at[c->by_end[low].index];

		if (other->raw.leave_ns <= call->raw.enter_ns)
			break;
		if (other->thread != call->thread)
			return c->by_end[low].index;
	}
	return CT_NONE;
}
