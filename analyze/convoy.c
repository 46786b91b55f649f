/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/convoy.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/device.h"
#include "analyze/sort.h"

#define TAKES_LOCK (CT_ALLOC | CT_FREE | CT_COPY | CT_FILL | CT_LAUNCH | CT_OBJECT | CT_INIT | CT_CONFIG)
#define OTHERS 3
#define MOST_PERCENT 90

/* From a time on: how many calls that take the locks are under way. */
struct change {
	uint64_t time_ns;
	int64_t under_way;
};

/* Of the calls about one device, and those of which it is not known about which. */
struct convoy {
	struct change *changes;
	struct ct_ranked *by_end; /* such calls, by when they end */
	size_t change_count, end_count;
};

/* Locks are taken to be a device's own: two H200 shared none (kernels/thread_per_device). */
struct ct_convoys {
	const struct ct_model *model;
	struct convoy *devices;
	size_t count; /* of devices; behind them that of all */
};

static bool takes_lock(const struct ct_host_call *call)
{
	return call->effects & TAKES_LOCK && !(call->effects & (CT_SYNC | CT_POLL));
}

/* How many are under way from each change on, given what each changes. */
static int add_up(struct convoy *c)
{
	int64_t sum = 0;

	if (ct_sort(&c->changes, c->change_count, c->change_count, sizeof(*c->changes),
		    offsetof(struct change, time_ns), NULL) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < c->change_count; i++)
		sum = c->changes[i].under_way += sum;
	return 0;
}

static size_t calls_about(const struct ct_model *model, uint32_t device)
{
	size_t n = 0;

	for (size_t i = 0; i < model->calls.count; i++)
		n += takes_lock(&model->calls.at[i]) &&
		     ct_device_same(model->calls.at[i].device, device);
	return n;
}

static int fill(const struct ct_model *model, uint32_t device, struct convoy *c)
{
	size_t count = calls_about(model, device);

	c->changes = calloc(2 * count + 1, sizeof(*c->changes));
	c->by_end = calloc(count + 1, sizeof(*c->by_end));
	if (!c->changes || !c->by_end)
		return -ENOMEM;
	for (size_t i = 0; i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];

		if (!takes_lock(call) || !ct_device_same(call->device, device))
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
	c->count = model->device_count;
	c->devices = calloc(c->count + 1, sizeof(*c->devices));
	if (!c->devices) {
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
	for (size_t i = 0; c->devices && i <= c->count; i++) {
		free(c->devices[i].changes);
		free(c->devices[i].by_end);
	}
	free(c->devices);
	free(c);
}

/* That of a call's device, made when it is first asked for; of all, if the device is not known. */
static int find_convoy(struct ct_convoys *c, const struct ct_host_call *call,
		       const struct convoy **ret)
{
	size_t slot = call->device < c->count ? call->device : c->count;
	struct convoy *convoy = &c->devices[slot];
	uint32_t device = slot < c->count ? (uint32_t)slot : CT_NONE;

	if (!convoy->changes && fill(c->model, device, convoy) < 0)
		return -ENOMEM;
	*ret = convoy;
	return 0;
}

/* Index of the first change after a time. */
static size_t after(const struct convoy *c, uint64_t time_ns)
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
static uint64_t crowded_ns(const struct convoy *c, const struct ct_host_call *call)
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

int ct_convoy_before(struct ct_convoys *convoys, const struct ct_host_call *call, uint32_t *ret)
{
	uint64_t duration = call->raw.leave_ns - call->raw.enter_ns;
	const struct convoy *c;
	size_t low = 0, high;

	if (find_convoy(convoys, call, &c) < 0)
		return -ENOMEM;
	*ret = CT_NONE;
	if (crowded_ns(c, call) < duration / 100 * MOST_PERCENT)
		return 0;
	high = c->end_count;
	while (low < high) { /* first that ended after the call did */
		size_t middle = low + (high - low) / 2;

		if (c->by_end[middle].key < call->raw.leave_ns)
			low = middle + 1;
		else
			high = middle;
	}
	while (*ret == CT_NONE && low--) {
		const struct ct_host_call *other = &convoys->model->calls.at[c->by_end[low].index];

		if (other->raw.leave_ns <= call->raw.enter_ns)
			break;
		if (other->thread != call->thread)
			*ret = c->by_end[low].index;
	}
	return 0;
}
