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
	struct ct_spans few = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < active->count; i++)
		r = ct_spans_append(&few, time_of_day(a->model, active->at[i].start),
				    time_of_day(a->model, active->at[i].end));
	while (r == 0 && few.count > CT_PROCESS_SPANS)
		ct_spans_thin(&few);
	for (size_t i = 0; r == 0 && i < few.count; i++)
		r = CT_PUSH(&p->active, few.at[i]); /* no more room than they need */
	ct_spans_free(&few);
	return r;
}

static void free_site(struct ct_process_site *site)
{
	free(site->call);
	free(site->where);
	free(site->source);
}

static int add_site(struct ct_process *p, struct ct_process_site site)
{
	p->comm_wait_ns += site.comm_wait_ns;
	if (site.call && site.where && CT_PUSH(&p->sites, site) == 0)
		return 0;
	free_site(&site);
	return -ENOMEM;
}

static int take_site(const struct ct_analysis *a, uint32_t of, struct ct_process *p)
{
	const struct ct_site *site = &a->sites->all.at[of];
	const char *source = ct_places_source(a->model, a->sites->places, site->stack);
	struct ct_process_site taken = {
		.call = strdup(site->name),
		.where = strdup(site->where),
		.source = source ? strdup(source) : NULL,
		.calls = site->calls,
		.total_ns = site->total_ns,
		.blocked_ns = site->blocked_ns,
		.lost_ns = site->lost_ns,
		.judged = ct_site_judged(site),
		.comm_wait_ns = a->busy.comm_wait_ns[of],
		.worst = site->worst,
		.remedy = ct_site_remedy(a->model, site),
	};

	if (a->filter && !site->calls) { /* all of them are left out */
		p->comm_wait_ns += taken.comm_wait_ns;
		free_site(&taken);
		return 0;
	}
	memcpy(taken.parts, site->parts, sizeof(taken.parts));
	if (!source || taken.source)
		return add_site(p, taken);
	free_site(&taken);
	return -ENOMEM;
}

/* One site of all those that are not kept for themselves, of which there is at least one. */
static int take_others(const struct ct_analysis *a, size_t first, struct ct_process *p)
{
	struct ct_process_site sum = { .call = strdup("(other calls)"),
				       .where = strdup(CT_PROCESS_OTHERS), .remedy = "",
				       .worst = a->sites->all.at[a->sites->ranked[first]].worst };

	for (size_t i = first; i < a->sites->all.count; i++) {
		const struct ct_site *site = &a->sites->all.at[a->sites->ranked[i]];

		sum.calls += site->calls;
		sum.total_ns += site->total_ns;
		sum.blocked_ns += site->blocked_ns;
		sum.lost_ns += site->lost_ns;
		sum.judged |= ct_site_judged(site);
		sum.comm_wait_ns += a->busy.comm_wait_ns[a->sites->ranked[i]];
		for (int part = 0; part < CT_PART_COUNT; part++)
			sum.parts[part] += site->parts[part];
	}
	return add_site(p, sum);
}

static int take_sites(const struct ct_analysis *a, struct ct_process *p)
{
	size_t count = a->sites->all.count, kept = count;
	int r = 0;

	if (count > CT_PROCESS_SITES)
		kept = CT_PROCESS_SITES - 1;
	for (size_t i = 0; r == 0 && i < kept; i++)
		r = take_site(a, a->sites->ranked[i], p);
	return r < 0 || kept == count ? r : take_others(a, kept, p);
}

/* "2 NVIDIA H200": neighbours of one name are told as one. For free(), NULL without memory. */
static char *name_gpus(const struct ct_model *model)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	const char *last = NULL;
	size_t alike = 0;

	if (!to)
		return NULL;
	for (size_t i = 0; i <= model->gpus.count; i++) {
		uint32_t id = i < model->gpus.count ? model->gpus.at[i].name : 0;
		const char *name = i < model->gpus.count && id < model->strings.count ? model->strings.at[id]
										      : NULL;

		if (!name && i < model->gpus.count)
			continue;
		if (alike && (!name || strcmp(name, last) != 0)) {
			if (alike > 1)
				fprintf(to, "%zu ", alike);
			fprintf(to, "%s%s", last, name ? ", " : "");
			alike = 0;
		}
		last = name;
		alike++;
	}
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

/* How much of the run the trace tells. */
static void take_extent(const struct ct_model *model, struct ct_process *p)
{
	const struct ct_file_header *header = model->header;

	p->cut_short = model->kept_from_ns > 0;
	p->cut_off = header->finish == CT_FINISH_CUT_OFF;
	p->damaged = model->damaged_bytes || model->unknown_records || ct_reader_gaps(model->reader) ||
		     (header->claimed_bytes > CT_CHUNK_UNIT &&
		      header->claimed_bytes > ct_reader_size(model->reader));
	p->mode = header->mode;
	p->mode_changed = ct_seen_partly(model) && ct_seen_ns(model) > 0;
}

static int take_identity(const struct ct_analysis *a, struct ct_process *p)
{
	const struct ct_file_header *header = a->model->header;
	struct ct_identity id = ct_identity_of(a->model);

	p->directory = strdup(a->directory);
	p->program = strndup(header->program, sizeof(header->program));
	p->host = strdup(id.host);
	p->variable = strdup(id.variable);
	p->gpus = name_gpus(a->model);
	p->pid = header->pid;
	p->parent = id.parent;
	p->rank = id.rank;
	p->local_rank = id.local_rank;
	p->size = id.size;
	return p->directory && p->program && p->host && p->variable && p->gpus ? 0 : -ENOMEM;
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
		.call_ns = a->totals.call_ns,
		.sites_skipped = a->serialization->sites_skipped,
		.clock_ns = time_of_day(model, 0),
		.shown = { .calls = a->shown.calls, .call_ns = a->shown.call_ns,
			   .blocked_ns = a->shown.blocked_ns, .lost_ns = a->shown.pairs_lost_ns },
	};
	int r = take_identity(a, &p);

	memcpy(p.parts, a->totals.parts_ns, sizeof(p.parts));
	memcpy(p.shown.parts, a->shown.parts_ns, sizeof(p.shown.parts));
	memcpy(p.parts_calls, a->totals.parts_calls, sizeof(p.parts_calls));
	take_extent(model, &p);
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
	for (size_t i = 0; i < p->sites.count; i++)
		free_site(&p->sites.at[i]);
	free(p->sites.at);
	free(p->directory);
	free(p->program);
	free(p->host);
	free(p->variable);
	free(p->gpus);
	free(p->unseen);
	ct_spans_free(&p->active);
	ct_nccl_free(&p->nccl);
}

bool ct_process_same(const struct ct_process *a, const struct ct_process *b)
{
	return a->calls && a->pid == b->pid && a->rank == b->rank && a->begin_ns == b->begin_ns &&
	       a->end_ns == b->end_ns && a->clock_ns == b->clock_ns && a->calls == b->calls &&
	       strcmp(a->host, b->host) == 0;
}

uint64_t ct_process_outside_ns(const struct ct_process *p)
{
	return p->end_ns - p->begin_ns - ct_spans_total(&p->active);
}
