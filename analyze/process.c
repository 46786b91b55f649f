/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/identity.h"
#include "analyze/report.h"
#include "analyze/seen.h"

/* A time of the trace as time of day. */
static uint64_t time_of_day(const struct ct_model *model, uint64_t ns)
{
	return model->header->start_realtime_ns + ns - model->header->start_ns;
}

/* Time in CUDA as times of day. */
static int take_active(const struct ct_analysis *a, struct ct_process *p)
{
	const struct ct_spans *active = &a->busy.active;
	int r = 0;

	for (size_t i = 0; r == 0 && i < active->count; i++)
		r = ct_spans_append(&p->active, time_of_day(a->model, active->at[i].start),
				    time_of_day(a->model, active->at[i].end));
	return r;
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
			.comm_wait_ns = a->busy.comm_wait_ns[i],
			.worst = site->worst,
			.remedy = ct_site_remedy(a->model, site),
		};

		if (!taken.call || !taken.where || CT_PUSH(&p->sites, taken) < 0) {
			free(taken.call);
			free(taken.where);
			return -ENOMEM;
		}
		p->comm_wait_ns += taken.comm_wait_ns;
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
	bool empty = !a->totals.calls && !a->totals.ops;
	struct ct_process p = {
		.begin_ns = time_of_day(model, empty ? model->header->start_ns : model->begin_ns),
		.end_ns = time_of_day(model, empty ? model->header->start_ns : model->end_ns),
		.calls = a->totals.calls,
		.ops = a->totals.ops,
		.blocked_ns = a->totals.blocked_ns,
		.serialized_ns = a->serialization->lost_ns,
		.busy_ns = a->idle->busy_ns,
		.work_ns = a->busy.work_ns,
		.comm_ns = a->busy.comm_ns,
		.comm_ops = a->busy.comm_ops,
		.graph_ops = a->busy.graph_ops,
		.has_device = model->has_device && !ct_seen_partly(model),
		.cut_short = model->kept_from_ns > 0,
		.clock_ns = time_of_day(model, 0),
	};
	int r = take_identity(a, &p);

	memcpy(p.parts, a->totals.parts_ns, sizeof(p.parts));
	take_losses(model->header, &p);
	if (r == 0)
		r = take_active(a, &p);
	if (r == 0)
		r = ct_nccl_append(&p.nccl, &a->nccl);
	if (r == 0)
		r = take_sites(a, &p);
	if (r == 0)
		r = ct_report_unseen(a, &p.unseen);
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
	ct_nccl_free(&p->nccl);
}

uint64_t ct_process_outside_ns(const struct ct_process *p)
{
	return p->end_ns - p->begin_ns - ct_spans_total(&p->active);
}
