/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/serialize.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/interval.h"
#include "analyze/replay.h"

#define LEAST_NS 10000    /* shorter waits and delays are within the clock's error */
#define SITES_MAX 64      /* sites replayed one by one, by time blocked */
#define VICTIMS_MAX 10000 /* operations looked at behind one culprit */

struct finder {
	const struct ct_model *model;
	struct ct_sites *sites;
	struct ct_serialization *out;
	struct ct_replay *replay;
	struct ct_spans busy;       /* the device is doing something */
	uint64_t *could_end_ns;     /* by operation: when it could have ended, for culprit `stamp` */
	uint32_t *stamp;
	uint32_t culprit;
	int error;
};

bool ct_serialize_culprit(const struct ct_host_call *call)
{
	return !(call->effects & CT_SYNC) && !(call->raw.flags & CT_CALL_CAPTURING) &&
	       call->parts[CT_PART_DEVICE_WAIT] + call->parts[CT_PART_QUEUE_FULL] >= LEAST_NS;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* When an operation ended, or could have if it is a victim of the culprit at hand. */
static uint64_t end_of(const struct finder *f, uint32_t op)
{
	if (f->stamp[op] == f->culprit + 1)
		return f->could_end_ns[op];
	return f->model->ops.at[op].raw.end_ns;
}

/*
 * Could this operation have started earlier, had its submission come `saved_ns`
 * sooner? Then it is a victim; what depends on it is judged by its earlier end.
 */
static void judge(struct finder *f, uint32_t index, uint64_t submitted_ns, uint64_t saved_ns,
		  uint32_t waited_op, uint32_t through)
{
	const struct ct_op *op = &f->model->ops.at[index];
	uint64_t could = submitted_ns - saved_ns;
	uint64_t would_end;
	struct ct_pair pair = {
		.culprit = f->culprit,
		.victim = index,
		.waited_op = waited_op,
		.through = through,
	};

	if (op->previous != CT_NONE)
		could = later(could, end_of(f, op->previous));
	if (op->awaited != CT_NONE)
		could = later(could, end_of(f, op->awaited));
	if (could + LEAST_NS > op->raw.start_ns)
		return;
	would_end = could + op->raw.end_ns - op->raw.start_ns;
	f->stamp[index] = f->culprit + 1;
	f->could_end_ns[index] = would_end;
	pair.delay_ns = op->raw.start_ns - could;
	pair.lost_ns = ct_spans_overlap(&f->busy, could,
					would_end < op->raw.start_ns ? would_end : op->raw.start_ns);
	if (pair.lost_ns && CT_PUSH(&f->out->pairs, pair) < 0)
		f->error = -ENOMEM;
}

/* Operations that a thread submitted after the culprit, until it waited on purpose again. */
static void judge_thread(struct finder *f, const struct ct_host_call *culprit, uint64_t saved_ns,
			 uint32_t waited_op)
{
	const struct ct_thread_info *thread = &f->model->threads.at[culprit->thread];
	uint32_t self = (uint32_t)(culprit - f->model->calls.at);
	uint32_t at = 0, seen = 0;

	for (uint32_t high = thread->call_count; at < high;) {
		uint32_t middle = at + (high - at) / 2;

		if (thread->calls[middle] <= self)
			at = middle + 1;
		else
			high = middle;
	}
	for (; at < thread->call_count && seen < VICTIMS_MAX; at++) {
		const struct ct_host_call *call = &f->model->calls.at[thread->calls[at]];

		if (call->parts[CT_PART_DEVICE_WAIT] >= LEAST_NS)
			break;
		for (uint32_t n = 0; n < call->op_count; n++, seen++)
			judge(f, ct_model_op_of(f->model, call, n), call->released_ns, saved_ns,
			      waited_op, CT_NONE);
	}
}

/* Calls of other threads that queued behind the culprit's lock, and what they submitted. */
static void judge_lock_waiters(struct finder *f, uint32_t waited_op)
{
	for (size_t i = 0; i < f->model->waits.count; i++) {
		const struct ct_wait *wait = &f->model->waits.at[i];
		const struct ct_host_call *call = &f->model->calls.at[wait->call];

		if (wait->part != CT_PART_LOCK_WAIT || wait->other != f->culprit)
			continue;
		for (uint32_t n = 0; n < call->op_count; n++)
			judge(f, ct_model_op_of(f->model, call, n), call->released_ns,
			      wait->end_ns - wait->start_ns, waited_op, wait->call);
	}
}

static void find_victims(struct finder *f, uint32_t index)
{
	const struct ct_host_call *culprit = &f->model->calls.at[index];
	uint32_t waited_op = CT_NONE;
	uint64_t saved = culprit->parts[CT_PART_DEVICE_WAIT] + culprit->parts[CT_PART_QUEUE_FULL];

	f->culprit = index;
	for (uint32_t i = 0; i < culprit->wait_count; i++) {
		const struct ct_wait *wait = &f->model->waits.at[culprit->first_wait + i];

		if (wait->part == CT_PART_DEVICE_WAIT)
			waited_op = wait->op;
	}
	judge_thread(f, culprit, saved, waited_op);
	judge_lock_waiters(f, waited_op);
}

/* How much shorter the run is when the marked calls do not wait. */
static uint64_t saving(struct finder *f)
{
	ct_replay_run(f->replay);
	return f->replay->total_end_ns < f->model->end_ns
		       ? f->model->end_ns - f->replay->total_end_ns
		       : 0;
}

static void mark_site(struct finder *f, uint32_t site, uint8_t value)
{
	for (size_t i = 0; i < f->model->calls.count; i++)
		if (f->sites->of_call[i] == site && ct_serialize_culprit(&f->model->calls.at[i]))
			f->replay->removed[i] = value;
}

static bool has_culprit(const struct ct_site *site)
{
	return !(site->effects & CT_SYNC) &&
	       site->parts[CT_PART_DEVICE_WAIT] + site->parts[CT_PART_QUEUE_FULL] >= LEAST_NS;
}

static void evaluate_sites(struct finder *f)
{
	for (size_t i = 0; i < f->sites->all.count; i++) {
		uint32_t index = f->sites->ranked[i];
		struct ct_site *site = &f->sites->all.at[index];

		if (!has_culprit(site))
			continue;
		if (f->out->sites_evaluated == SITES_MAX) {
			f->out->sites_skipped++;
			continue;
		}
		mark_site(f, index, 1);
		site->lost_ns = saving(f);
		site->evaluated = true;
		f->out->sites_evaluated++;
		mark_site(f, index, 0);
	}
	for (size_t i = 0; i < f->model->calls.count; i++)
		f->replay->removed[i] = ct_serialize_culprit(&f->model->calls.at[i]);
	f->out->lost_ns = saving(f);
}

/*
 * A victim's delay may be caused by several culprits in a row, and removing one lets
 * the next bite: the pairs of a site together cannot have lost more than the run
 * gains without the site. Scale them to that.
 */
static void fit_pairs(struct finder *f)
{
	size_t sites = f->sites->all.count;
	uint64_t *raw = calloc(sites + 1, sizeof(*raw));

	if (!raw) {
		f->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < f->out->pairs.count; i++)
		raw[f->sites->of_call[f->out->pairs.at[i].culprit]] += f->out->pairs.at[i].lost_ns;
	for (size_t i = 0; i < f->out->pairs.count; i++) {
		struct ct_pair *pair = &f->out->pairs.at[i];
		uint32_t site = f->sites->of_call[pair->culprit];
		uint64_t gain = f->sites->all.at[site].lost_ns;

		if (f->sites->all.at[site].evaluated && gain < raw[site])
			pair->lost_ns = (uint64_t)((double)pair->lost_ns * (double)gain /
						   (double)raw[site]);
	}
	free(raw);
}

static int by_loss(const void *a, const void *b, void *arg)
{
	const struct finder *f = arg;
	const struct ct_pair *x = a, *y = b;
	uint32_t sx = f->sites->of_call[x->culprit], sy = f->sites->of_call[y->culprit];
	uint64_t lx = f->sites->all.at[sx].lost_ns, ly = f->sites->all.at[sy].lost_ns;

	if (lx != ly)
		return lx > ly ? -1 : 1;
	if (x->culprit != y->culprit)
		return x->culprit < y->culprit ? -1 : 1;
	return x->victim < y->victim ? -1 : x->victim > y->victim;
}

/* Pairs whose loss came to nothing are no pairs. */
static void sort_pairs(struct finder *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->out->pairs.count; i++)
		if (f->out->pairs.at[i].lost_ns >= LEAST_NS)
			f->out->pairs.at[kept++] = f->out->pairs.at[i];
	f->out->pairs.count = kept;
	if (kept)
		qsort_r(f->out->pairs.at, kept, sizeof(*f->out->pairs.at), by_loss, f);
}

static int prepare(struct finder *f)
{
	const struct ct_model *model = f->model;
	int r = ct_replay_create(model, &f->replay);

	f->could_end_ns = calloc(model->ops.count + 1, sizeof(*f->could_end_ns));
	f->stamp = calloc(model->ops.count + 1, sizeof(*f->stamp));
	if (r == 0 && (!f->could_end_ns || !f->stamp))
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < model->ops.count; i++)
		r = ct_spans_append(&f->busy, model->ops.at[i].raw.start_ns,
				    model->ops.at[i].raw.end_ns);
	return r;
}

static void measure_replay(struct finder *f)
{
	uint64_t end = f->model->end_ns;

	ct_replay_run(f->replay);
	f->out->replay_error_ns = f->replay->total_end_ns > end ? f->replay->total_end_ns - end
								: end - f->replay->total_end_ns;
}

int ct_serialize_find(const struct ct_model *model, struct ct_sites *sites,
		      struct ct_serialization **ret)
{
	struct finder f = { .model = model, .sites = sites };

	f.out = calloc(1, sizeof(*f.out));
	f.error = f.out ? prepare(&f) : -ENOMEM;
	if (f.error == 0) {
		measure_replay(&f);
		for (size_t i = 0; i < model->calls.count; i++)
			if (ct_serialize_culprit(&model->calls.at[i]))
				find_victims(&f, (uint32_t)i);
		evaluate_sites(&f);
		fit_pairs(&f);
		sort_pairs(&f);
		ct_sites_rank(sites);
	}
	ct_replay_destroy(f.replay);
	ct_spans_free(&f.busy);
	free(f.could_end_ns);
	free(f.stamp);
	if (f.error < 0) {
		ct_serialization_destroy(f.out);
		return f.error;
	}
	*ret = f.out;
	return 0;
}

void ct_serialization_destroy(struct ct_serialization *serialization)
{
	if (!serialization)
		return;
	free(serialization->pairs.at);
	free(serialization);
}
