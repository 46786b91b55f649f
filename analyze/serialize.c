/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/serialize.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/replay.h"
#include "analyze/victim.h"

#define SITES_MAX 64       /* sites replayed one by one, by time blocked */
#define SITES_MIN 4
#define EVENTS_MAX 50000000 /* replayed in all, unless that is fewer sites than SITES_MIN */

/* A call that would have to do without something, and its site. */
struct culprit {
	uint32_t site, call;
};

struct evaluation {
	struct ct_finder find;
	struct ct_replay *replay;
	CT_ARRAY(struct culprit) culprits; /* by site */
	uint64_t most_ns;                  /* of the shifts noted last */
	uint64_t budget;                   /* events that may be replayed for single sites */
};

bool ct_serialize_culprit(const struct ct_host_call *call)
{
	return !(call->effects & CT_SYNC) && !(call->raw.flags & CT_CALL_CAPTURING) &&
	       call->parts[CT_PART_DEVICE_WAIT] + call->parts[CT_PART_QUEUE_FULL] >=
		       CT_VICTIM_LEAST_NS;
}

/* How much shorter the run is when the marked calls do not wait. */
static uint64_t saving(struct evaluation *e)
{
	ct_replay_run(e->replay);
	return e->replay->total_end_ns < e->find.model->end_ns
		       ? e->find.model->end_ns - e->replay->total_end_ns
		       : 0;
}

static int note_shift(struct evaluation *e, struct ct_shift shift)
{
	if (shift.ns > (int64_t)e->most_ns)
		e->most_ns = (uint64_t)shift.ns;
	return CT_PUSH(&e->find.out->shifts, shift);
}

/* By how much the replay brought each thread and stream of a part forward. */
static int note_shifts(struct evaluation *e, uint32_t site)
{
	const struct ct_model *model = e->find.model;
	int r = 0;

	e->most_ns = 0;
	for (uint32_t t = 0; r == 0 && t < model->threads.count; t++) {
		const struct ct_thread_info *thread = &model->threads.at[t];
		uint32_t last = thread->call_count ? thread->calls[thread->call_count - 1] : CT_NONE;

		if (last != CT_NONE)
			r = note_shift(e, (struct ct_shift){ site, t, CT_NONE,
				(int64_t)(model->calls.at[last].raw.leave_ns - e->replay->leave_ns[last]) });
	}
	for (uint32_t s = 0; r == 0 && s < model->streams.count; s++) {
		const struct ct_stream_info *stream = &model->streams.at[s];
		uint32_t last = stream->op_count ? stream->ops[stream->op_count - 1] : CT_NONE;

		if (last != CT_NONE)
			r = note_shift(e, (struct ct_shift){ site, CT_NONE, s,
				(int64_t)(model->ops.at[last].raw.end_ns - e->replay->end_ns[last]) });
	}
	return r;
}

/*
 * What the run gains without the marked calls. Of a part: what the thread or stream gains
 * that gains most, for the others may gain in other parts.
 */
static int evaluate(struct evaluation *e, uint32_t site, uint64_t *ret_ns)
{
	int r = 0;

	*ret_ns = saving(e);
	if (e->find.model->facts) {
		r = note_shifts(e, site);
		*ret_ns = e->most_ns;
	}
	return r;
}

static int by_site(const void *a, const void *b)
{
	const struct culprit *x = a, *y = b;

	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	return x->call < y->call ? -1 : x->call > y->call;
}

static int list_culprits(struct evaluation *e)
{
	for (uint32_t i = 0; i < e->find.model->calls.count; i++) {
		struct culprit one = { e->find.sites->of_call[i], i };

		if (e->find.culprits[i] && CT_PUSH(&e->culprits, one) < 0)
			return -ENOMEM;
	}
	if (e->culprits.count)
		qsort(e->culprits.at, e->culprits.count, sizeof(*e->culprits.at), by_site);
	return 0;
}

/* Take the culprits of a site out of the next replay, or put them back. Returns their number. */
static size_t mark_site(struct evaluation *e, uint32_t site, bool out)
{
	size_t low = 0, high = e->culprits.count, first;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (e->culprits.at[middle].site < site)
			low = middle + 1;
		else
			high = middle;
	}
	for (first = low; low < e->culprits.count && e->culprits.at[low].site == site; low++) {
		uint32_t call = e->culprits.at[low].call;

		e->replay->removed[call] = out ? e->find.culprits[call] : 0;
	}
	return low - first;
}

/* Each site costs a replay of the whole run: fewer for long runs. */
static uint32_t sites_affordable(const struct evaluation *e)
{
	uint64_t sites = e->budget / (e->replay->event_count + 1);

	return sites < SITES_MIN ? SITES_MIN : sites > SITES_MAX ? SITES_MAX : (uint32_t)sites;
}

static int evaluate_sites(struct evaluation *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < e->find.sites->all.count; i++) {
		uint32_t index = e->find.sites->ranked[i];
		struct ct_site *site = &e->find.sites->all.at[index];

		if (!mark_site(e, index, true))
			continue;
		if (e->find.out->sites_evaluated >= sites_affordable(e)) {
			e->find.out->sites_skipped++;
			site->skipped = true;
		} else {
			r = evaluate(e, index, &site->lost_ns);
			site->evaluated = true;
			e->find.out->sites_evaluated++;
		}
		mark_site(e, index, false);
	}
	memcpy(e->replay->removed, e->find.culprits, e->find.model->calls.count);
	if (r == 0 && e->culprits.count)
		r = evaluate(e, CT_NONE, &e->find.out->lost_ns);
	return r;
}

/*
 * A victim's delay may be caused by several culprits in a row, and removing one lets
 * the next bite: the pairs of a site together cannot have lost more than the run
 * gains without the site. Scale them to that.
 */
static int fit_pairs(struct evaluation *e)
{
	size_t sites = e->find.sites->all.count;
	uint64_t *raw = calloc(sites + 1, sizeof(*raw));

	if (!raw)
		return -ENOMEM;
	for (size_t i = 0; i < e->find.out->pairs.count; i++)
		raw[e->find.sites->of_call[e->find.out->pairs.at[i].culprit]] += e->find.out->pairs.at[i].lost_ns;
	for (size_t i = 0; i < e->find.out->pairs.count; i++) {
		struct ct_pair *pair = &e->find.out->pairs.at[i];
		uint32_t index = e->find.sites->of_call[pair->culprit];
		struct ct_site *site = &e->find.sites->all.at[index];
		uint64_t was_ns = pair->lost_ns;

		if (site->evaluated && site->lost_ns < raw[index])
			pair->lost_ns = (uint64_t)((double)was_ns * (double)site->lost_ns / (double)raw[index]);
		if (!site->evaluated) /* no replay without it is possible */
			site->lost_ns += was_ns;
		site->together |= was_ns >= CT_VICTIM_LEAST_NS && pair->lost_ns < CT_VICTIM_LEAST_NS;
	}
	for (size_t i = 0; i < sites; i++)
		e->find.out->alone_ns += e->find.sites->all.at[i].lost_ns;
	free(raw);
	return 0;
}

static int by_loss(const void *a, const void *b, void *arg)
{
	const struct evaluation *e = arg;
	const struct ct_pair *x = a, *y = b;
	uint32_t sx = e->find.sites->of_call[x->culprit], sy = e->find.sites->of_call[y->culprit];
	uint64_t lx = e->find.sites->all.at[sx].lost_ns, ly = e->find.sites->all.at[sy].lost_ns;

	if (lx != ly)
		return lx > ly ? -1 : 1;
	if (x->culprit != y->culprit)
		return x->culprit < y->culprit ? -1 : 1;
	return x->victim < y->victim ? -1 : x->victim > y->victim;
}

/* Pairs whose loss came to nothing are no pairs. */
static void sort_pairs(struct evaluation *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->find.out->pairs.count; i++)
		if (e->find.out->pairs.at[i].lost_ns >= CT_VICTIM_LEAST_NS)
			e->find.out->pairs.at[kept++] = e->find.out->pairs.at[i];
	e->find.out->pairs.count = kept;
	if (kept)
		qsort_r(e->find.out->pairs.at, kept, sizeof(*e->find.out->pairs.at), by_loss, e);
}

static void measure_replay(struct evaluation *e)
{
	const struct ct_core *core = &e->find.model->core;
	uint64_t end = e->find.model->end_ns, sum = 0;

	ct_replay_run(e->replay);
	for (uint32_t i = core->first_op; i < core->end_op; i++) {
		uint64_t was = e->find.model->ops.at[i].raw.start_ns, is = e->replay->start_ns[i];
		uint64_t error = was > is ? was - is : is - was;

		sum += error;
		if (error > e->find.out->start_error_max_ns)
			e->find.out->start_error_max_ns = error;
	}
	e->find.out->start_error_sum_ns = sum;
	e->find.out->replay_error_ns = e->replay->total_end_ns > end ? e->replay->total_end_ns - end
								: end - e->replay->total_end_ns;
}

int ct_serialize_find(const struct ct_model *model, struct ct_sites *sites,
		      struct ct_serialization **ret)
{
	struct evaluation e = { .find = { .model = model, .sites = sites }, .budget = EVENTS_MAX };
	int r;

	e.find.out = calloc(1, sizeof(*e.find.out));
	r = e.find.out ? ct_victims_init(&e.find) : -ENOMEM;
	if (r == 0)
		r = ct_replay_create(model, &e.replay);
	if (r == 0)
		r = ct_victims_find(&e.find);
	if (r == 0) {
		measure_replay(&e);
		r = list_culprits(&e);
	}
	if (r == 0)
		r = evaluate_sites(&e);
	if (r == 0)
		r = fit_pairs(&e);
	if (r == 0) {
		sort_pairs(&e);
		e.find.out->pair_count = e.find.out->pairs.count;
		r = ct_sites_rank(sites);
	}
	free(e.culprits.at);
	ct_replay_destroy(e.replay);
	ct_victims_finish(&e.find);
	if (r < 0) {
		ct_serialization_destroy(e.find.out);
		return r;
	}
	*ret = e.find.out;
	return 0;
}

void ct_serialization_destroy(struct ct_serialization *serialization)
{
	if (!serialization)
		return;
	free(serialization->pairs.at);
	free(serialization->shifts.at);
	free(serialization);
}
