/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/gain.h"
#include "analyze/kept.h"

struct ct_fold {
	struct ct_analysis sum;
	struct ct_kept keep;
	struct ct_ledger_line lines[CT_API_COUNT];
	struct ct_gains *gains;
	uint64_t last_end_ns[CT_IDLE_TRACKS]; /* of the operations so far, by track */
	CT_ARRAY(uint64_t) pairs_lost; /* by site of the sum: what all its pairs lost, as their parts have it */
};

static int create_sums(struct ct_fold *fold, const struct ct_model *facts, struct ct_places *places)
{
	struct ct_analysis *sum = &fold->sum;
	int r = ct_part_create(facts, &sum->model);

	if (r == 0)
		r = ct_sites_create_at(sum->model, places, &sum->sites);
	if (r < 0)
		return r;
	fold->keep.model = sum->model;
	r = ct_gains_create(&fold->gains);
	if (r < 0)
		return r;
	sum->serialization = calloc(1, sizeof(*sum->serialization));
	sum->idle = calloc(1, sizeof(*sum->idle));
	sum->name_count = facts->strings.count + 1;
	sum->by_api = calloc(CT_API_COUNT, sizeof(*sum->by_api));
	sum->by_name = calloc(sum->name_count, sizeof(*sum->by_name));
	sum->copies = calloc(1, sizeof(*sum->copies));
	return sum->serialization && sum->idle && sum->by_api && sum->by_name && sum->copies
		? 0 : -ENOMEM;
}

int ct_fold_create(const struct ct_model *facts, struct ct_places *places, struct ct_fold **ret)
{
	struct ct_fold *fold = calloc(1, sizeof(*fold));

	if (!fold)
		return -ENOMEM;
	for (int api = 0; api < CT_API_COUNT; api++)
		fold->lines[api].longest_wait = CT_NONE;
	if (create_sums(fold, facts, places) < 0) {
		ct_fold_destroy(fold);
		return -ENOMEM;
	}
	*ret = fold;
	return 0;
}

void ct_fold_destroy(struct ct_fold *fold)
{
	if (!fold)
		return;
	ct_analysis_clear(&fold->sum);
	ct_kept_free(&fold->keep);
	ct_gains_destroy(fold->gains);
	free(fold->pairs_lost.at);
	free(fold);
}

static struct ct_thread_info *thread_of(struct ct_fold *fold, uint32_t tid)
{
	struct ct_thread_info fresh = { .tid = tid };
	size_t n = fold->sum.model->threads.count;

	for (size_t i = 0; i < n; i++)
		if (fold->sum.model->threads.at[i].tid == tid)
			return &fold->sum.model->threads.at[i];
	return CT_PUSH(&fold->sum.model->threads, fresh) < 0 ? NULL
							     : &fold->sum.model->threads.at[n];
}

static void add_outside(struct ct_fold *fold, const struct ct_model *part)
{
	for (int p = 0; p < CT_PART_COUNT; p++) {
		fold->sum.model->outside[p].ns += part->outside[p].ns;
		fold->sum.model->outside[p].count += part->outside[p].count;
	}
}

static int add_threads(struct ct_fold *fold, const struct ct_model *part)
{
	for (size_t i = 0; i < part->threads.count; i++) {
		const struct ct_thread_info *from = &part->threads.at[i];
		struct ct_thread_info *to = thread_of(fold, from->tid);

		if (!to)
			return -ENOMEM;
		to->core_calls += from->core_calls;
		to->shown_calls += from->shown_calls;
		to->blocked_ns += from->blocked_ns;
	}
	return 0;
}

static int add_streams(struct ct_fold *fold, const struct ct_model *part)
{
	for (size_t i = 0; i < part->streams.count; i++) {
		const struct ct_stream_info *from = &part->streams.at[i];
		uint32_t index = ct_stream_index(fold->sum.model, from->context, from->id, true);

		if (index == CT_NONE)
			return -ENOMEM;
		if (from->op_count)
			fold->sum.model->streams.at[index].device = from->device;
		fold->sum.model->streams.at[index].per_thread |= from->per_thread;
		fold->sum.model->streams.at[index].core_ops += from->core_ops;
		fold->sum.model->streams.at[index].work_ns += from->work_ns;
	}
	return 0;
}

/* A site with nothing added up yet. */
static uint32_t site_like(struct ct_fold *fold, const struct ct_site *site)
{
	struct ct_site fresh = { .where = site->where, .name = site->name,
				 .effects = site->effects, .stack = site->stack,
				 .line = site->line, .worst = CT_PART_DRIVER_WORK,
				 .worst_wait = CT_NONE, .edge = CT_EDGES };

	for (int part = 0; part < CT_PART_COUNT; part++)
		fresh.longest[part] = CT_NONE;
	return ct_sites_find(fold->sum.sites, &fresh);
}

static void add_site_sums(struct ct_site *to, const struct ct_site *from)
{
	to->calls += from->calls;
	to->left_out += from->left_out;
	to->shown_lost_ns += from->shown_lost_ns;
	to->total_ns += from->total_ns;
	to->blocked_ns += from->blocked_ns;
	to->chances += from->chances;
	to->waited += from->waited;
	to->pageable |= from->pageable;
	if (from->edge != CT_EDGES)
		to->edge = from->edge;
	if (!from->evaluated) /* what is, comes from the gains of all parts together */
		to->lost_ns += from->lost_ns;
	to->evaluated |= from->evaluated;
	to->together |= from->together;
	to->skipped |= from->skipped;
	for (int part = 0; part < CT_PART_COUNT; part++)
		to->parts[part] += from->parts[part];
	for (int cause = 0; cause < CT_IDLE_CAUSES; cause++) {
		to->idle[cause].ns += from->idle[cause].ns;
		to->idle[cause].gaps += from->idle[cause].gaps;
	}
}

static uint64_t length(const struct ct_model *model, uint32_t wait)
{
	return model->waits.at[wait].end_ns - model->waits.at[wait].start_ns;
}

/* Of two waits, keep the longer one; of equals, the earlier. */
static int keep_longest(struct ct_fold *fold, const struct ct_analysis *part, uint32_t wait,
			uint32_t site, uint32_t *kept)
{
	if (wait == CT_NONE ||
	    (*kept != CT_NONE && length(part->model, wait) <= length(fold->sum.model, *kept)))
		return 0;
	return ct_kept_add_wait(&fold->keep, part->model, wait, site, kept);
}

/* Sites that only records around the part's core have are some other part's. */
static int add_sites(struct ct_fold *fold, const struct ct_analysis *part, uint32_t *ret_map)
{
	const struct ct_sites *sites = part->sites;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sites->all.count; i++) {
		const struct ct_site *from = &sites->all.at[i];
		uint32_t index = site_like(fold, from);

		if (index == CT_NONE)
			return -ENOMEM;
		ret_map[i] = index;
		add_site_sums(&fold->sum.sites->all.at[index], from);
		for (int p = 0; r == 0 && p < CT_PART_COUNT; p++)
			r = keep_longest(fold, part, from->longest[p], index,
					 &fold->sum.sites->all.at[index].longest[p]);
	}
	return r;
}

static int add_ledger(struct ct_fold *fold, const struct ct_analysis *part, const uint32_t *map)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < part->ledger->lines.count; i++) {
		const struct ct_ledger_line *from = &part->ledger->lines.at[i];
		struct ct_ledger_line *to = &fold->lines[from->api];
		uint32_t site = 0;

		to->api = from->api;
		to->calls += from->calls;
		to->chances += from->chances;
		to->waited += from->waited;
		to->elsewhere += from->elsewhere;
		to->waited_elsewhere += from->waited_elsewhere;
		to->locked += from->locked;
		to->blocked += from->blocked;
		if (from->longest_ns > to->longest_ns)
			to->longest_ns = from->longest_ns;
		if (from->longest_wait != CT_NONE)
			site = map[part->sites->of_call[part->model->waits.at[from->longest_wait].call]];
		r = keep_longest(fold, part, from->longest_wait, site, &to->longest_wait);
		if (r == 0 && to->longest_wait != CT_NONE)
			to->longest_wait_ns = length(fold->sum.model, to->longest_wait);
	}
	return r;
}

static int add_lost(struct ct_fold *fold, uint32_t site, uint64_t ns)
{
	while (fold->pairs_lost.count <= site)
		if (CT_PUSH(&fold->pairs_lost, 0) < 0)
			return -ENOMEM;
	fold->pairs_lost.at[site] += ns;
	return 0;
}

static int add_serialization(struct ct_fold *fold, const struct ct_analysis *part,
			     const uint32_t *map)
{
	const struct ct_serialization *from = part->serialization;
	struct ct_serialization *to = fold->sum.serialization;
	int r;

	to->pair_count += from->pair_count;
	to->replay_error_ns += from->replay_error_ns;
	to->start_error_sum_ns += from->start_error_sum_ns;
	if (from->start_error_max_ns > to->start_error_max_ns)
		to->start_error_max_ns = from->start_error_max_ns;
	r = ct_gains_add(fold->gains, part, map);
	for (size_t i = 0; r == 0 && i < from->pairs.count; i++) {
		const struct ct_pair *pair = &from->pairs.at[i];

		r = ct_kept_add_pair(&fold->keep, part, pair, map);
		if (r == 0)
			r = add_lost(fold, map[part->sites->of_call[pair->culprit]], pair->lost_ns);
	}
	return r;
}

static int add_idle(struct ct_fold *fold, const struct ct_analysis *part, const uint32_t *map)
{
	const struct ct_idle *from = part->idle;
	struct ct_idle *to = fold->sum.idle;
	int r = 0;

	to->busy_ns += from->busy_ns;
	to->idle_ns += from->idle_ns;
	to->work_ns += from->work_ns;
	to->idle_blocked_ns += from->idle_blocked_ns;
	for (size_t i = 0; i <= CT_DEVICES_MOST; i++) {
		to->devices[i].ops += from->devices[i].ops;
		to->devices[i].busy_ns += from->devices[i].busy_ns;
		to->devices[i].work_ns += from->devices[i].work_ns;
		to->devices[i].idle_ns += from->devices[i].idle_ns;
		for (int cause = 0; cause < CT_IDLE_CAUSES; cause++)
			to->devices[i].by_cause_ns[cause] += from->devices[i].by_cause_ns[cause];
	}
	for (int cause = 0; cause < CT_IDLE_CAUSES; cause++)
		to->by_cause_ns[cause] += from->by_cause_ns[cause];
	for (size_t i = 0; i < CT_IDLE_TRACKS; i++)
		if (from->tracks[i].last_end_ns > fold->last_end_ns[i])
			fold->last_end_ns[i] = from->tracks[i].last_end_ns;
	for (size_t i = 0; r == 0 && i < from->gaps.count; i++)
		r = ct_kept_add_gap(&fold->keep, part, &from->gaps.at[i], map);
	return r;
}

static int add_busy(struct ct_fold *fold, const struct ct_analysis *part, const uint32_t *map)
{
	const struct ct_busy *from = &part->busy;
	struct ct_busy *to = &fold->sum.busy;
	size_t sites = fold->sum.sites->all.count;
	int r = 0;

	if (to->site_count < sites) {
		uint64_t *grown = reallocarray(to->comm_wait_ns, sites, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		memset(grown + to->site_count, 0, (sites - to->site_count) * sizeof(*grown));
		to->comm_wait_ns = grown;
		to->site_count = sites;
	}
	for (size_t i = 0; i < from->site_count; i++)
		to->comm_wait_ns[map[i]] += from->comm_wait_ns[i];
	to->work_ns += from->work_ns;
	to->comm_ns += from->comm_ns;
	to->comm_ops += from->comm_ops;
	to->graph_ops += from->graph_ops;
	for (size_t i = 0; r == 0 && i < from->active.count; i++)
		r = ct_busy_append(to, from->active.at[i].start, from->active.at[i].end);
	ct_busy_thin(to);
	return r;
}

static int add_durations(struct ct_fold *fold, const struct ct_model *part)
{
	int r = 0;

	for (uint32_t i = part->core.first_call; r == 0 && i < part->core.end_call; i++) {
		const struct ct_host_call *call = &part->calls.at[i];

		if (!call->left_out)
			r = ct_durations_add(&fold->sum.by_api[call->api],
					     call->raw.leave_ns - call->raw.enter_ns);
	}
	for (uint32_t i = part->core.first_op; r == 0 && i < part->core.end_op; i++) {
		const struct ct_device_op *op = &part->ops.at[i].raw;

		if (ct_model_op_left_out(part, i))
			continue;
		r = ct_copies_add(fold->sum.copies, op);
		if (r == 0 && op->kind == CT_DEVICE_KERNEL)
			r = ct_durations_add(&fold->sum.by_name[op->name < part->strings.count ? op->name : 0],
					     op->end_ns - op->start_ns);
	}
	return r;
}

int ct_fold_add(struct ct_fold *fold, struct ct_analysis *part)
{
	uint32_t *map = malloc((part->sites->all.count + 1) * sizeof(*map));
	int r = map ? ct_idle_lead(part->model, fold->last_end_ns, part->idle) : -ENOMEM;

	if (r == 0) {
		ct_sites_share_idle(part->sites, part->model, part->idle);
		ct_totals_add(&fold->sum.totals, &part->totals);
		ct_totals_add(&fold->sum.shown, &part->shown);
		add_outside(fold, part->model);
		r = add_threads(fold, part->model);
	}
	if (r == 0)
		r = add_streams(fold, part->model);
	if (r == 0)
		r = ct_nvtx_merge(&fold->sum.nvtx, &part->nvtx);
	if (r == 0)
		r = add_sites(fold, part, map);
	if (r == 0)
		r = add_ledger(fold, part, map);
	if (r == 0)
		r = add_serialization(fold, part, map);
	if (r == 0)
		r = add_idle(fold, part, map);
	if (r == 0)
		r = add_busy(fold, part, map);
	if (r == 0)
		r = ct_nccl_append(&fold->sum.nccl, &part->nccl);
	if (r == 0)
		r = add_durations(fold, part->model);
	free(map);
	return r;
}

static int by_tid(const void *a, const void *b)
{
	const struct ct_thread_info *x = a, *y = b;

	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static void finish_threads(struct ct_fold *fold)
{
	struct ct_model *model = fold->sum.model;

	if (model->threads.count)
		qsort(model->threads.at, model->threads.count, sizeof(*model->threads.at), by_tid);
}

static void find_losses(const struct ct_fold *fold)
{
	const struct ct_sites *sites = fold->sum.sites;
	struct ct_serialization *s = fold->sum.serialization;
	uint64_t end_ns = fold->sum.model->end_ns;

	for (size_t i = 0; i < sites->all.count; i++) {
		struct ct_site *site = &sites->all.at[i];

		s->sites_evaluated += site->evaluated;
		s->sites_skipped += site->skipped;
		if (site->evaluated)
			site->lost_ns += ct_gains_of(fold->gains, (uint32_t)i, end_ns);
		s->alone_ns += site->lost_ns;
	}
	s->lost_ns = ct_gains_of(fold->gains, CT_NONE, end_ns);
}

static uint64_t scaled(uint64_t ns, double factor)
{
	return (uint64_t)((double)ns * factor);
}

/* What of a pair of a site counts: as in serialize.c, its pairs together lost no more than the run gains. */
static double share_of(const struct ct_fold *fold, uint32_t index)
{
	const struct ct_site *site = &fold->sum.sites->all.at[index];
	uint64_t lost = index < fold->pairs_lost.count ? fold->pairs_lost.at[index] : 0;

	return site->evaluated && site->lost_ns < lost ? (double)site->lost_ns / (double)lost : 1;
}

/* Pairs whose loss came to nothing are no pairs; of those that are not kept nobody knows. */
static void drop_pairs(struct ct_serialization *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->pairs.count; i++)
		if (s->pairs.at[i].lost_ns)
			s->pairs.at[kept++] = s->pairs.at[i];
	s->pair_count -= s->pairs.count - kept;
	s->pairs.count = kept;
}

/*
 * Each part's pairs were fitted to what the part gains: fit them to the run. Ranges of NVTX have no
 * sums by site, and get the share of all pairs together.
 */
static void fit_pairs(struct ct_fold *fold)
{
	struct ct_analysis *sum = &fold->sum;
	uint64_t before = sum->shown.pairs_lost_ns, after = 0;
	double all;

	for (uint32_t i = 0; i < sum->sites->all.count; i++) {
		struct ct_site *site = &sum->sites->all.at[i];
		uint64_t lost = i < fold->pairs_lost.count ? fold->pairs_lost.at[i] : 0;

		site->shown_lost_ns = scaled(site->shown_lost_ns, share_of(fold, i));
		site->together |= lost && !scaled(lost, share_of(fold, i));
		after += sum->filter ? site->shown_lost_ns : scaled(lost, share_of(fold, i));
	}
	for (size_t i = 0; i < sum->serialization->pairs.count; i++) {
		struct ct_pair *pair = &sum->serialization->pairs.at[i];

		pair->lost_ns = scaled(pair->lost_ns, share_of(fold, sum->sites->of_call[pair->culprit]));
	}
	drop_pairs(sum->serialization);
	sum->shown.pairs_lost_ns = after;
	all = before ? (double)after / (double)before : 1;
	for (size_t i = 0; i < sum->nvtx.all.count; i++) {
		sum->nvtx.all.at[i]->lost_ns = scaled(sum->nvtx.all.at[i]->lost_ns, all);
		sum->nvtx.all.at[i]->all_lost_ns = scaled(sum->nvtx.all.at[i]->all_lost_ns, all);
	}
}

int ct_fold_finish(struct ct_fold *fold, struct ct_analysis *to)
{
	struct ct_analysis *sum = &fold->sum;
	int r;

	finish_threads(fold);
	r = ct_kept_finish(&fold->keep, sum);
	if (r == 0)
		r = ct_ledger_of(fold->lines, &sum->ledger);
	if (r == 0) {
		ct_sites_find_worst(sum->sites);
		find_losses(fold);
		sum->filter = to->filter;
		fit_pairs(fold);
		r = to->filter ? ct_sites_settle(sum->sites) : ct_sites_rank(sum->sites);
	}
	if (r < 0)
		return r;
	sum->model->filtered = to->filter != NULL;
	ct_nvtx_rank(&sum->nvtx, sum->model);
	sum->directory = to->directory;
	sum->facts = to->facts;
	sum->places = to->places;
	*to = *sum;
	memset(sum, 0, sizeof(*sum));
	return 0;
}
