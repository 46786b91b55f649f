/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/blocking.h"
#include "analyze/identity.h"
#include "analyze/report.h"
#include "analyze/seen.h"

bool ct_process_communicates(const char *kernel)
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

/* By string id: is it the name of a communication kernel? NULL = no memory. */
static bool *find_communication(const struct ct_model *model)
{
	bool *by_name = calloc(model->strings.count + 1, sizeof(*by_name));

	for (size_t i = 0; by_name && i < model->strings.count; i++)
		by_name[i] = model->strings.at[i] && ct_process_communicates(model->strings.at[i]);
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

/*
 * How long the device worked, and when it did nothing but communicate: for those spans
 * the caller must ct_spans_free(), also on failure.
 */
static int take_device(const struct ct_model *model, struct ct_process *p, struct ct_spans *ret)
{
	bool *by_name = find_communication(model);
	bool partly = ct_seen_partly(model); /* some of what communicated was not recorded */
	struct ct_spans work = { 0 }, comm = { 0 };
	int r = by_name ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < model->ops.count; i++) {
		const struct ct_device_op *op = &model->ops.at[i].raw;
		bool communicates = !partly && op->kind == CT_DEVICE_KERNEL &&
				    op->name < model->strings.count && by_name[op->name];

		p->comm_ops += communicates;
		p->graph_ops += op->kind == CT_DEVICE_GRAPH;
		r = ct_spans_append(communicates ? &comm : &work, op->start_ns, op->end_ns);
	}
	if (r == 0)
		r = subtract(&comm, &work, ret);
	p->work_ns = ct_spans_total(&work);
	p->comm_ns = ct_spans_total(ret);
	ct_spans_free(&work);
	ct_spans_free(&comm);
	free(by_name);
	return r;
}

/* How long the host waited for the device while it only communicated, in all and by site. */
static void take_comm_waits(const struct ct_analysis *a, const struct ct_spans *only,
			    struct ct_process *p)
{
	for (size_t i = 0; i < a->model->waits.count; i++) {
		const struct ct_wait *wait = &a->model->waits.at[i];
		uint64_t ns;

		if (wait->part != CT_PART_DEVICE_WAIT)
			continue;
		ns = ct_spans_overlap(only, wait->start_ns, wait->end_ns);
		p->comm_wait_ns += ns;
		p->sites.at[a->sites->of_call[wait->call]].comm_wait_ns += ns;
	}
}

/* A time of the trace as time of day. */
static uint64_t time_of_day(const struct ct_model *model, uint64_t ns)
{
	return model->header->start_realtime_ns + ns - model->header->start_ns;
}

static int append_active(const struct ct_model *model, struct ct_spans *active, uint64_t start,
			 uint64_t end)
{
	uint64_t from = time_of_day(model, start), to = time_of_day(model, end);
	uint64_t last = active->count ? active->at[active->count - 1].end : 0;

	if (last < from && from - last < CT_ACTIVE_GAP_NS)
		from = last;
	return ct_spans_append(active, from, to);
}

/* Calls and operations are both in order of their start: merge them. */
static int take_active(const struct ct_model *model, struct ct_process *p)
{
	size_t call = 0, op = 0;
	int r = 0;

	while (r == 0 && (call < model->calls.count || op < model->ops.count)) {
		const struct ct_call *c = call < model->calls.count ? &model->calls.at[call].raw : NULL;
		const struct ct_device_op *o = op < model->ops.count ? &model->ops.at[op].raw : NULL;

		if (c && (!o || c->enter_ns <= o->start_ns)) {
			r = append_active(model, &p->active, c->enter_ns, c->leave_ns);
			call++;
		} else {
			r = append_active(model, &p->active, o->start_ns, o->end_ns);
			op++;
		}
	}
	return r;
}

static void take_calls(const struct ct_model *model, struct ct_process *p)
{
	for (size_t i = 0; i < model->calls.count; i++) {
		p->blocked_ns += ct_blocking_blocked(&model->calls.at[i]);
		for (int part = 0; part < CT_PART_COUNT; part++)
			p->parts[part] += model->calls.at[i].parts[part];
	}
	p->calls = model->calls.count;
	p->ops = model->ops.count;
}

static int take_sites(const struct ct_analysis *a, struct ct_process *p)
{
	const struct ct_sites *sites = a->sites;

	for (size_t i = 0; i < sites->all.count; i++) {
		const struct ct_site *site = &sites->all.at[i];
		struct ct_process_site taken = {
			.call = strdup(site->name),
			.where = strdup(site->where),
			.calls = site->calls,
			.total_ns = site->total_ns,
			.blocked_ns = site->blocked_ns,
			.lost_ns = site->lost_ns,
			.worst = site->worst,
			.remedy = ct_site_remedy(a->model, site),
		};

		if (!taken.call || !taken.where || CT_PUSH(&p->sites, taken) < 0) {
			free(taken.call);
			free(taken.where);
			return -ENOMEM;
		}
	}
	return 0;
}

static int take_identity(const struct ct_analysis *a, struct ct_process *p)
{
	const struct ct_file_header *header = a->model->header;
	struct ct_identity id = ct_identity_of(a->model);

	p->directory = strdup(a->directory);
	p->program = strndup(header->program, sizeof(header->program));
	p->host = strdup(id.host);
	p->variable = strdup(id.variable);
	p->pid = header->pid;
	p->parent = id.parent;
	p->rank = id.rank;
	p->local_rank = id.local_rank;
	p->size = id.size;
	return p->directory && p->program && p->host && p->variable ? 0 : -ENOMEM;
}

static void take_losses(const struct ct_file_header *header, struct ct_process *p)
{
	for (uint32_t i = 0; i < header->loss_count; i++) {
		if (i < CT_LOSS_COUNT)
			p->lost[i] = header->lost[i];
		else
			p->lost_otherwise += header->lost[i];
	}
}

int ct_process_take(const struct ct_analysis *a, struct ct_process *ret)
{
	const struct ct_model *model = a->model;
	bool empty = !model->calls.count && !model->ops.count;
	struct ct_process p = {
		.begin_ns = time_of_day(model, empty ? model->header->start_ns : model->begin_ns),
		.end_ns = time_of_day(model, empty ? model->header->start_ns : model->end_ns),
		.serialized_ns = a->serialization->lost_ns,
		.busy_ns = a->idle->busy_ns,
		.has_device = model->has_device && !ct_seen_partly(model),
		.cut_short = model->kept_from_ns > 0,
	};
	struct ct_spans only = { 0 };
	int r = take_identity(a, &p);

	take_losses(model->header, &p);
	take_calls(model, &p);
	if (r == 0)
		r = take_device(model, &p, &only);
	if (r == 0)
		r = take_active(model, &p);
	if (r == 0)
		r = take_sites(a, &p);
	if (r == 0)
		take_comm_waits(a, &only, &p);
	if (r == 0)
		r = ct_report_unseen(a, &p.unseen);
	ct_spans_free(&only);
	if (r < 0) {
		ct_process_free(&p);
		return r;
	}
	*ret = p;
	return 0;
}

void ct_process_free(struct ct_process *p)
{
	for (size_t i = 0; i < p->sites.count; i++) {
		free(p->sites.at[i].call);
		free(p->sites.at[i].where);
	}
	free(p->sites.at);
	free(p->directory);
	free(p->program);
	free(p->host);
	free(p->variable);
	free(p->unseen);
	ct_spans_free(&p->active);
}

uint64_t ct_process_outside_ns(const struct ct_process *p)
{
	return p->end_ns - p->begin_ns - ct_spans_total(&p->active);
}
