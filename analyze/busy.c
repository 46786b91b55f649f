/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/busy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/device.h"
#include "analyze/seen.h"

bool ct_busy_communicates(const char *kernel)
{
	static const char *const signs[] = {
		"nccl",                  /* ncclDevKernel_*, ncclKernel_*, and users of its device API */
		"nvshmem",
		"one_shot_all_reduce",   /* PyTorch, CUDASymmetricMemoryOps.cu */
		"two_shot_all_reduce",
		"multimem_all_reduce",
		"cross_device_reduce",   /* vLLM and SGLang, custom_all_reduce.cuh */
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (strstr(kernel, signs[i]))
			return true;
	return false;
}

/* By string id: is it the name of a communication kernel? Is any? NULL = no memory. */
static bool *find_communication(const struct ct_model *model, bool *ret_any)
{
	bool *by_name = calloc(model->strings.count + 1, sizeof(*by_name));

	*ret_any = false;
	for (size_t i = 0; by_name && i < model->strings.count; i++) {
		by_name[i] = model->strings.at[i] && ct_busy_communicates(model->strings.at[i]);
		*ret_any |= by_name[i];
	}
	return by_name;
}

/* What of one set no span of the other covers. Returns 0 or -ENOMEM. */
static int subtract(const struct ct_spans *set, const struct ct_spans *other, struct ct_spans *ret)
{
	size_t first = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->count; i++) {
		uint64_t from = set->at[i].start, end = set->at[i].end;

		while (first < other->count && other->at[first].end <= from)
			first++;
		for (size_t k = first; r == 0 && k < other->count && other->at[k].start < end; k++) {
			r = ct_spans_append(ret, from, other->at[k].start);
			from = other->at[k].end;
		}
		if (r == 0)
			r = ct_spans_append(ret, from, end);
	}
	return r;
}

/* The part of a span that lies in the core; empty if none does. */
static struct ct_span clip(const struct ct_core *core, uint64_t start_ns, uint64_t end_ns)
{
	return (struct ct_span){ start_ns > core->begin_ns ? start_ns : core->begin_ns,
				 end_ns < core->end_ns ? end_ns : core->end_ns };
}

/* The operations to tell apart: of one device (ct_device_place()), or all. */
struct scan {
	const struct ct_model *model;
	const bool *by_name; /* find_communication() */
	size_t place;
};

#define ALL_PLACES SIZE_MAX

static bool communicates(const struct scan *scan, const struct ct_device_op *op)
{
	return op->kind == CT_DEVICE_KERNEL && op->name < scan->model->strings.count &&
	       scan->by_name[op->name] &&
	       !ct_seen_partly(scan->model); /* else some of what communicated was not recorded */
}

/* When the devices worked, and when they did nothing but communicate: append that to both. */
static int find_spans(const struct scan *scan, struct ct_spans *work, struct ct_spans *ret_only)
{
	const struct ct_model *model = scan->model;
	struct ct_spans comm = { 0 };
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < model->core.end_op; i++) {
		const struct ct_device_op *op = &model->ops.at[i].raw;
		struct ct_span in = clip(&model->core, op->start_ns, op->end_ns);

		if (scan->place == ALL_PLACES || ct_device_place(model, op->device) == scan->place)
			r = ct_spans_append(communicates(scan, op) ? &comm : work, in.start, in.end);
	}
	if (r == 0)
		r = subtract(&comm, work, ret_only);
	ct_spans_free(&comm);
	return r;
}

/*
 * How long the process worked on any of its devices, and only communicated: with several, one of
 * them may wait for another, which is the process's own time.
 */
static int find_work(const struct scan *scan, struct ct_busy *b)
{
	const struct ct_model *model = scan->model;
	struct ct_spans work = { 0 }, only = { 0 };
	int r = find_spans(scan, &work, &only);

	for (uint32_t i = model->core.first_op; i < model->core.end_op; i++) {
		b->comm_ops += communicates(scan, &model->ops.at[i].raw);
		b->graph_ops += model->ops.at[i].raw.kind == CT_DEVICE_GRAPH;
	}
	b->work_ns = ct_spans_total(&work);
	b->comm_ns = ct_spans_total(&only);
	ct_spans_free(&work);
	ct_spans_free(&only);
	return r;
}

/* The device that a wait was for, as a place; where that is not known, or there is one: all. */
static size_t place_of(const struct ct_model *model, const struct ct_wait *wait)
{
	if (wait->op == CT_NONE || !ct_devices_several(model))
		return ALL_PLACES;
	return ct_device_place(model, model->ops.at[wait->op].raw.device);
}

/* Add the host's waits for a device while that only communicated, by site. */
static int add_comm_waits(const struct scan *scan, const struct ct_sites *sites, struct ct_busy *b)
{
	const struct ct_model *model = scan->model;
	struct ct_spans work = { 0 }, only = { 0 };
	int r = find_spans(scan, &work, &only);

	for (size_t i = 0; r == 0 && only.count && i < model->waits.count; i++) {
		const struct ct_wait *wait = &model->waits.at[i];

		if (wait->part == CT_PART_DEVICE_WAIT && place_of(model, wait) == scan->place)
			b->comm_wait_ns[sites->of_call[wait->call]] +=
				ct_spans_overlap(&only, wait->start_ns, wait->end_ns);
	}
	ct_spans_free(&work);
	ct_spans_free(&only);
	return r;
}

static int find_comm_waits(struct scan scan, const struct ct_sites *sites, bool any, struct ct_busy *b)
{
	int r;

	b->comm_wait_ns = calloc(sites->all.count + 1, sizeof(*b->comm_wait_ns));
	if (!b->comm_wait_ns)
		return -ENOMEM;
	b->site_count = sites->all.count;
	if (!any)
		return 0;
	r = add_comm_waits(&scan, sites, b);
	for (scan.place = 0; r == 0 && ct_devices_several(scan.model) &&
	     scan.place <= scan.model->device_count; scan.place++)
		r = add_comm_waits(&scan, sites, b);
	return r;
}

int ct_busy_append(struct ct_busy *busy, uint64_t start_ns, uint64_t end_ns)
{
	struct ct_spans *active = &busy->active;
	uint64_t last = active->count ? active->at[active->count - 1].end : 0;

	if (last < start_ns && start_ns - last < CT_ACTIVE_GAP_NS)
		start_ns = last;
	return ct_spans_append(active, start_ns, end_ns);
}

void ct_busy_thin(struct ct_busy *busy)
{
	if (busy->active.count >= CT_BUSY_SPANS)
		ct_spans_thin(&busy->active);
}

/* Calls and operations are both in order of their start: merge them. */
static int find_active(const struct ct_model *model, struct ct_busy *b)
{
	uint32_t call = 0, op = 0;
	int r = 0;

	while (r == 0 && (call < model->core.end_call || op < model->core.end_op)) {
		const struct ct_call *c = call < model->core.end_call ? &model->calls.at[call].raw : NULL;
		const struct ct_device_op *o = op < model->core.end_op ? &model->ops.at[op].raw : NULL;
		struct ct_span in;

		if (c && (!o || c->enter_ns <= o->start_ns)) {
			in = clip(&model->core, c->enter_ns, c->leave_ns);
			call++;
		} else {
			in = clip(&model->core, o->start_ns, o->end_ns);
			op++;
		}
		if (in.start < in.end)
			r = ct_busy_append(b, in.start, in.end);
	}
	return r;
}

int ct_busy_find(const struct ct_model *model, const struct ct_sites *sites, struct ct_busy *ret)
{
	struct ct_busy b = { 0 };
	bool any, *by_name = find_communication(model, &any);
	const struct scan scan = { model, by_name, ALL_PLACES };
	int r = by_name ? find_work(&scan, &b) : -ENOMEM;

	if (r == 0)
		r = find_active(model, &b);
	if (r == 0)
		r = find_comm_waits(scan, sites, any, &b);
	free(by_name);
	if (r < 0) {
		ct_busy_free(&b);
		return r;
	}
	*ret = b;
	return 0;
}

void ct_busy_free(struct ct_busy *busy)
{
	ct_spans_free(&busy->active);
	free(busy->comm_wait_ns);
	memset(busy, 0, sizeof(*busy));
}
