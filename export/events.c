/* SPDX-License-Identifier: Apache-2.0 */
#include "export/events.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/report.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NAME_IN(table, index)                                                                      \
	((index) < COUNT(table) && (table)[index] ? (table)[index] : "unknown")

static const char *const kinds[] = { [CT_DEVICE_KERNEL] = "kernel", [CT_DEVICE_COPY] = "copy",
				     [CT_DEVICE_FILL] = "memset", [CT_DEVICE_GRAPH] = "graph" };
static const char *const copies[] = { "copy",     "copy H2D", "copy D2H", "copy H2A",
				      "copy A2H", "copy A2A", "copy A2D", "copy D2A",
				      "copy D2D", "copy H2H", "copy P2P" };
static const char *const memories[] = { "unknown", "pageable", "pinned",        "device",
					"array",   "managed",  "device static", "managed static" };
static const char *const origins[] = { NULL, "wrapper", "runtime", "driver", "driver-entry" };
static const char *const causes[] = { [CT_IDLE_CALL] = "call", [CT_IDLE_HOST] = "host code",
				      [CT_IDLE_DEVICE] = "device",
				      [CT_IDLE_OTHER] = "other device" };
static const char *const syncs[] = { [CT_SYNC_EVENT] = "event",
				     [CT_SYNC_STREAM_WAIT] = "stream wait",
				     [CT_SYNC_STREAM] = "stream", [CT_SYNC_CONTEXT] = "context" };

const char *ct_export_kind(const struct ct_device_op *op)
{
	return NAME_IN(kinds, op->kind);
}

const char *ct_export_memory(uint8_t memory)
{
	return NAME_IN(memories, memory);
}

const char *ct_export_origin(uint8_t origin)
{
	return NAME_IN(origins, origin);
}

const char *ct_export_idle(enum ct_idle_cause cause)
{
	return NAME_IN(causes, cause);
}

const char *ct_export_sync(uint8_t kind)
{
	return NAME_IN(syncs, kind);
}

const char *ct_export_direction(uint8_t direction)
{
	return direction ? NAME_IN(copies, direction) + sizeof("copy") : "unknown";
}

const char *ct_export_op_name(const struct ct_model *model, uint32_t op)
{
	const struct ct_device_op *raw = &model->ops.at[op].raw;
	const char *name = raw->name < model->strings.count ? model->strings.at[raw->name] : NULL;

	if (raw->kind == CT_DEVICE_COPY)
		return NAME_IN(copies, raw->u.copy.direction);
	if (raw->kind != CT_DEVICE_KERNEL)
		return ct_export_kind(raw);
	return name ? name : "(unnamed kernel)";
}

const char *ct_export_site(const struct ct_analysis *analysis, uint32_t call)
{
	return analysis->sites->all.at[analysis->sites->of_call[call]].where;
}

const char *ct_export_evidence(const struct ct_pair *pair)
{
	if (pair->edge != CT_EDGES)
		return ct_report_edge(pair->edge);
	if (pair->through != CT_NONE)
		return "the victim's call waited for the lock until the culprit returned";
	return "the culprit waited, and the victim was submitted after it";
}

static int by_start(const void *a, const void *b)
{
	const struct ct_wait *const *x = a, *const *y = b;

	if ((*x)->start_ns != (*y)->start_ns)
		return (*x)->start_ns < (*y)->start_ns ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

/* Waits as they are put in order of time, for as many calls as there are. */
struct order {
	const struct ct_wait **at;
	size_t room;
};

/* They are found cause by cause. */
static int visit_waits(const struct ct_analysis *part, uint32_t call,
		       const struct ct_export_events *events, struct order *order, void *arg)
{
	const struct ct_host_call *c = &part->model->calls.at[call];
	size_t count = 0;
	int r = 0;

	for (uint32_t i = 0; i < c->wait_count; i++) {
		const struct ct_wait *wait = &part->model->waits.at[c->first_wait + i];

		if (wait->part == CT_PART_DRIVER_WORK)
			continue;
		if (ct_grow(&order->at, count, &order->room, sizeof(*order->at)) < 0)
			return -ENOMEM;
		order->at[count++] = wait;
	}
	if (count > 1)
		qsort(order->at, count, sizeof(*order->at), by_start);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = events->wait(arg, part, order->at[i]);
	return r;
}

static int visit_calls(const struct ct_analysis *part, const struct ct_export_events *events,
		       void *arg)
{
	const struct ct_core *core = &part->model->core;
	struct order order = { .room = 0 };
	int r = 0;

	for (uint32_t i = core->first_call; r == 0 && i < core->end_call; i++) {
		if (events->call)
			r = events->call(arg, part, i);
		if (r == 0 && events->wait)
			r = visit_waits(part, i, events, &order, arg);
	}
	free(order.at);
	return r;
}

static int visit_polls(const struct ct_analysis *part, const struct ct_export_events *events,
		       void *arg)
{
	int r = 0;

	for (size_t i = 0; r == 0 && events->poll && i < part->model->polls.count; i++)
		if (ct_model_in_core(part->model, part->model->polls.at[i].call))
			r = events->poll(arg, part, &part->model->polls.at[i]);
	return r;
}

static int visit_syncs(const struct ct_analysis *part, const struct ct_export_events *events,
		       void *arg)
{
	const struct ct_core *core = &part->model->core;
	int r = 0;

	for (size_t i = 0; r == 0 && events->sync && i < part->model->syncs.count; i++) {
		const struct ct_sync *sync = &part->model->syncs.at[i];

		if (sync->start_ns >= core->begin_ns && sync->start_ns < core->end_ns)
			r = events->sync(arg, part, sync);
	}
	return r;
}

uint64_t ct_export_range_end(const struct ct_model *model, const struct ct_nvtx_range *range)
{
	uint64_t end_ns = model->facts ? model->facts->end_ns : model->end_ns;

	if (range->end_ns != UINT64_MAX)
		return range->end_ns;
	return end_ns > range->begin_ns ? end_ns : range->begin_ns;
}

/* Each is of the part that it begins in. */
static int visit_ranges(const struct ct_analysis *part, const struct ct_export_events *events,
			void *arg)
{
	const struct ct_core *core = &part->model->core;
	int r = 0;

	for (size_t i = 0; r == 0 && events->range && i < part->model->ranges.count; i++) {
		const struct ct_range_info *range = &part->model->ranges.at[i];

		if (range->raw.begin_ns >= core->begin_ns && range->raw.begin_ns < core->end_ns)
			r = events->range(arg, part, range);
	}
	return r;
}

int ct_export_visit(const struct ct_analysis *part, const struct ct_export_events *events,
		    void *arg)
{
	int r = visit_ranges(part, events, arg);

	if (r == 0)
		r = visit_calls(part, events, arg);
	if (r == 0)
		r = visit_polls(part, events, arg);
	for (uint32_t i = part->model->core.first_op;
	     r == 0 && events->op && i < part->model->core.end_op; i++)
		r = events->op(arg, part, i);
	return r < 0 ? r : visit_syncs(part, events, arg);
}
