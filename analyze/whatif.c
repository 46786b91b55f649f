/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/whatif.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/copies.h"
#include "analyze/replay.h"
#include "analyze/seen.h"

#define CHANGES_MAX 12      /* replayed one by one: those whose calls took longest */
#define RANKS_MAX (CHANGES_MAX + CT_CHANGE_KINDS)
#define REPLAYS_MIN 9       /* to rank changes, however long the trace */
#define WORTH_NS 50000      /* a saving below this is none, */
#define WORTH_OF_RUN 1000   /* nor is one below such a part of the run */
#define ALL_KINDS (-1)      /* in the place of an enum ct_change_kind */

struct prediction {
	const struct ct_analysis *analysis;
	const struct ct_model *model;
	struct ct_whatif *out;
	struct ct_replay *replay;
	struct ct_change_items items;
	uint64_t budget;   /* replays left */
	uint64_t base_ns;  /* end of the replay that changes nothing */
	uint64_t worth_ns;
	uint64_t gains[RANKS_MAX]; /* what each rank saves on top of those before it */
};

static uint64_t off(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static const char *unfit(const struct ct_analysis *a)
{
	if (a->parts)
		return "the trace is too long to be replayed in one piece";
	if (!a->model->has_device)
		return "there are no device times";
	if (ct_seen_partly(a->model))
		return ct_seen_unfit(a->model);
	if (a->model->cupti_end_ns < a->model->end_ns)
		return "device times end where the program's own profiler took CUPTI";
	if (!a->model->ops.count)
		return "no device operation was seen";
	if (a->serialization->replay_error_ns * 100 >
	    (a->model->end_ns - a->model->begin_ns) * CT_WHATIF_ERROR_PERCENT)
		return "the replay that changes nothing does not reproduce the run";
	return NULL;
}

/* How far off a replay is that knows nothing but causes. */
static void measure(struct prediction *p)
{
	uint64_t sum = 0;

	p->replay->known_only = true;
	p->replay->room.sharing = CT_SHARE_ENGINES;
	ct_replay_run(p->replay);
	p->replay->known_only = false;
	p->out->measured = true;
	for (size_t i = 0; i < p->model->ops.count; i++) {
		uint64_t error = off(p->model->ops.at[i].raw.start_ns, p->replay->start_ns[i]);

		sum += error;
		if (error > p->out->start_error_max_ns)
			p->out->start_error_max_ns = error;
	}
	p->out->start_error_mean_ns = sum / p->model->ops.count;
	p->out->end_error_ns = off(p->replay->total_end_ns, p->model->end_ns);
	if (p->out->end_error_ns * 100 > p->out->span_ns * CT_WHATIF_ERROR_PERCENT ||
	    p->out->start_error_mean_ns * 100 > p->out->span_ns * CT_WHATIF_ERROR_PERCENT)
		p->out->refusal = "the causes that are known do not explain the run";
}

/* Which changes a replay makes: those ranked below `ranks`, one more, or one more kind. */
struct trial {
	uint32_t ranks, change;
	int kind; /* enum ct_change_kind; CT_CHANGE_KINDS = none; ALL_KINDS */
};

static bool takes_part(const struct trial *trial, const struct ct_change *change, uint32_t index)
{
	if (trial->kind == ALL_KINDS || change->rank < trial->ranks || index == trial->change)
		return true;
	return change->rank == CT_NONE && (int)change->kind == trial->kind;
}

/* What the run saves with the changes of a trial. */
static uint64_t saving(struct prediction *p, enum ct_end end, struct trial trial)
{
	static const enum ct_sharing sharing[CT_ENDS] = {
		[CT_END_LOW] = CT_SHARE_DEVICE,
		[CT_END_LIKELY] = CT_SHARE_ENGINES,
		[CT_END_HIGH] = CT_SHARE_NOTHING,
		[CT_END_ALONE] = CT_SHARE_ENGINES,
	};

	memset(p->replay->removed, 0, p->model->calls.count);
	for (uint32_t c = 0; c < p->out->changes.count; c++) {
		const struct ct_change *change = &p->out->changes.at[c];

		for (size_t i = 0; takes_part(&trial, change, c) && i < change->count; i++) {
			const struct ct_change_item *item = &p->items.at[change->first + i];

			p->replay->removed[item->call] |= item->removed[end];
		}
	}
	p->replay->room.sharing = sharing[end];
	ct_replay_run(p->replay);
	p->budget -= p->budget > 0;
	return p->replay->total_end_ns < p->base_ns ? p->base_ns - p->replay->total_end_ns : 0;
}

/* For how long the calls took that a change alone shortens: it hardly saves more. */
static uint64_t time_of(const struct prediction *p, const struct ct_change *change)
{
	const struct ct_change_item *items = &p->items.at[change->first];
	uint64_t ns = 0;

	for (size_t i = 0; i < change->count; i++)
		if (items[i].removed[CT_END_LIKELY] != CT_REMOVE_CALL) /* else of what another has left */
			ns += p->replay->calls[items[i].call].took_ns;
	return ns;
}

static int list_changes(struct prediction *p)
{
	for (size_t i = 0, next; i < p->items.count; i = next) {
		uint64_t key = p->items.at[i].key;
		struct ct_change change = { .kind = CT_CHANGE_KEY_KIND(key),
					    .site = CT_CHANGE_KEY_SITE(key), .rank = CT_NONE,
					    .hazard_op = CT_NONE, .first = i };

		for (next = i; next < p->items.count && p->items.at[next].key == key; next++) {
			bool own = p->analysis->sites->of_call[p->items.at[next].call] == change.site;

			change.calls += own;
			change.unfixed += own && p->items.at[next].unfixed;
		}
		change.count = next - i;
		change.alone_ns = time_of(p, &change); /* to sort by, until it is known */
		if (CT_PUSH(&p->out->changes, change) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int by_rank(const void *a, const void *b)
{
	const struct ct_change *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->alone_ns != y->alone_ns)
		return x->alone_ns > y->alone_ns ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static void sort_changes(struct prediction *p)
{
	if (p->out->changes.count)
		qsort(p->out->changes.at, p->out->changes.count, sizeof(*p->out->changes.at), by_rank);
}

/* What each change saves alone; those too many are not replayed, but take part in `all`. */
static size_t weigh_alone(struct prediction *p)
{
	size_t count = p->out->changes.count, most = p->budget / 3;

	most = most < CHANGES_MAX ? most : CHANGES_MAX;
	sort_changes(p);
	for (uint32_t c = 0; c < count; c++) {
		bool replayed = c < most;

		if (!replayed && p->out->changes.at[c].alone_ns >= p->worth_ns)
			p->out->skipped++;
		p->out->changes.at[c].alone_ns =
			replayed ? saving(p, CT_END_LIKELY, (struct trial){ 0, c, CT_CHANGE_KINDS }) : 0;
	}
	return count < most ? count : most;
}

/* The change that saves most on top of those chosen so far. Returns its index or CT_NONE. */
static uint32_t best_change(struct prediction *p, uint64_t *so_far_ns, size_t count)
{
	uint32_t best = CT_NONE;
	uint64_t most = *so_far_ns + p->worth_ns;

	for (uint32_t c = 0; c < count && p->budget > REPLAYS_MIN / 3; c++) {
		uint64_t ns;

		if (p->out->changes.at[c].rank != CT_NONE)
			continue;
		ns = p->out->ranks ? saving(p, CT_END_LIKELY,
					    (struct trial){ p->out->ranks, c, CT_CHANGE_KINDS })
				   : p->out->changes.at[c].alone_ns;
		if (ns >= most) {
			most = ns + 1;
			best = c;
		}
	}
	if (best != CT_NONE)
		*so_far_ns = most - 1;
	return best;
}

/* Is one left of a kind? All kinds together are tried where nothing else saves anything. */
static bool is_left(const struct prediction *p, int kind)
{
	if (kind == ALL_KINDS)
		return !p->out->ranks;
	for (size_t c = 0; c < p->out->changes.count; c++)
		if (p->out->changes.at[c].rank == CT_NONE && (int)p->out->changes.at[c].kind == kind)
			return true;
	return false;
}

/* Changes of one kind, else of all, that save nothing but together: one takes over the other's wait. */
static bool rank_together(struct prediction *p, uint64_t *so_far_ns)
{
	int best = CT_CHANGE_KINDS;
	uint64_t most = *so_far_ns + p->worth_ns;

	for (int kind = CT_CHANGE_KINDS - 1; kind >= (best == CT_CHANGE_KINDS ? ALL_KINDS : 0) && p->budget; kind--) {
		uint64_t ns = !is_left(p, kind) ? 0 : saving(p, CT_END_LIKELY, (struct trial){
			p->out->ranks, CT_NONE, kind });

		if (ns >= most) {
			most = ns;
			best = kind;
		}
	}
	if (best == CT_CHANGE_KINDS)
		return false;
	for (size_t c = 0; c < p->out->changes.count; c++)
		if (p->out->changes.at[c].rank == CT_NONE && (best == ALL_KINDS || (int)p->out->changes.at[c].kind == best))
			p->out->changes.at[c].rank = p->out->ranks;
	p->out->ranks++;
	*so_far_ns = most;
	return true;
}

/*
 * Rank a change that saves so much on top of those before it. More than the one before it:
 * then that one took over part of its wait, and they save together.
 */
static void rank_change(struct prediction *p, uint32_t change, uint64_t gain_ns)
{
	uint32_t rank = p->out->ranks;

	if (rank && gain_ns > p->gains[rank - 1] + p->worth_ns)
		rank--;
	else
		p->out->ranks++;
	p->out->changes.at[change].rank = rank;
	p->gains[rank] += gain_ns;
}

/* Renumber the ranks, so that those come first that save most. */
static void order_ranks(struct prediction *p)
{
	uint32_t place[RANKS_MAX] = { 0 };

	for (uint32_t a = 0; a < p->out->ranks; a++)
		for (uint32_t b = 0; b < p->out->ranks; b++)
			place[a] += p->gains[b] > p->gains[a] || (p->gains[b] == p->gains[a] && b < a);
	for (size_t c = 0; c < p->out->changes.count; c++)
		if (p->out->changes.at[c].rank != CT_NONE)
			p->out->changes.at[c].rank = place[p->out->changes.at[c].rank];
	sort_changes(p);
}

/* Does a change alone do without frees as well, whose waits are put down to another? */
static bool keeps(const struct prediction *p, const struct ct_change *change)
{
	const struct ct_change_item *items = &p->items.at[change->first];

	for (size_t i = 0; i < change->count; i++)
		if (items[i].removed[CT_END_ALONE] != items[i].removed[CT_END_LIKELY])
			return true;
	return false;
}

static void rank_changes(struct prediction *p)
{
	size_t count = weigh_alone(p);
	uint64_t so_far = 0, before = 0;
	uint32_t best;

	while ((best = best_change(p, &so_far, count)) != CT_NONE) {
		rank_change(p, best, so_far - before);
		before = so_far;
	}
	while (p->out->ranks < RANKS_MAX && p->budget && rank_together(p, &so_far)) {
		p->gains[p->out->ranks - 1] = so_far - before;
		before = so_far;
	}
	for (uint32_t c = 0; c < count; c++)
		if (keeps(p, &p->out->changes.at[c]))
			p->out->changes.at[c].alone_ns =
				saving(p, CT_END_ALONE, (struct trial){ 0, c, CT_CHANGE_KINDS });
	order_ranks(p);
}

static struct ct_range range_of(struct prediction *p, struct trial trial)
{
	struct ct_range range;

	range.likely_ns = saving(p, CT_END_LIKELY, trial);
	range.low_ns = saving(p, CT_END_LOW, trial);
	range.high_ns = saving(p, CT_END_HIGH, trial);
	if (range.low_ns > range.likely_ns)
		range.low_ns = range.likely_ns;
	if (range.high_ns < range.likely_ns)
		range.high_ns = range.likely_ns;
	return range;
}

static uint64_t beyond(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* What each rank saves on top of those before it. */
static void find_ranges(struct prediction *p)
{
	struct ct_range before = { 0 };

	for (uint32_t rank = 0, c = 0; rank < p->out->ranks; rank++) {
		struct ct_range now = range_of(p, (struct trial){ rank + 1, CT_NONE, CT_CHANGE_KINDS });
		struct ct_range more = { beyond(now.low_ns, before.low_ns),
					 beyond(now.likely_ns, before.likely_ns),
					 beyond(now.high_ns, before.high_ns) };

		if (more.low_ns > more.likely_ns)
			more.low_ns = more.likely_ns;
		if (more.high_ns < more.likely_ns)
			more.high_ns = more.likely_ns;
		for (; c < p->out->changes.count && p->out->changes.at[c].rank == rank; c++)
			p->out->changes.at[c].saves = more;
		before = now;
	}
	p->out->all = p->out->changes.count
			      ? range_of(p, (struct trial){ 0, CT_NONE, ALL_KINDS })
			      : (struct ct_range){ 0 };
}

static int predict(struct prediction *p)
{
	int r = ct_changes_find(p->model, p->analysis->sites, &p->items);

	if (r == 0)
		r = list_changes(p);
	if (r < 0)
		return r;
	rank_changes(p);
	find_ranges(p);
	for (size_t c = 0; c < p->out->changes.count; c++)
		if (ct_change_saves(p->out, &p->out->changes.at[c]))
			ct_hazards_find(p->analysis, &p->out->changes.at[c],
					&p->items.at[p->out->changes.at[c].first]);
	return 0;
}

static int prepare(struct prediction *p, uint64_t events)
{
	uint64_t replays;
	int r = ct_replay_create(p->model, &p->replay);

	if (r < 0)
		return r;
	replays = (events ? events : CT_WHATIF_EVENTS) / (p->replay->event_count + 1);
	p->budget = replays < REPLAYS_MIN ? REPLAYS_MIN : replays;
	p->worth_ns = p->out->worth_ns = p->out->span_ns / WORTH_OF_RUN > WORTH_NS ? p->out->span_ns / WORTH_OF_RUN
								: WORTH_NS;
	p->replay->take_over = true;
	ct_copies_pinned_rate(p->model, p->replay->pinned_rate);
	ct_replay_run(p->replay);
	p->base_ns = p->replay->total_end_ns;
	return 0;
}

static void finish(struct prediction *p)
{
	ct_replay_destroy(p->replay);
	free(p->items.at);
}

int ct_whatif_find(const struct ct_analysis *a, uint64_t events, struct ct_whatif **ret)
{
	struct prediction p = { .analysis = a, .model = a->model };
	int r = 0;

	p.out = calloc(1, sizeof(*p.out));
	if (!p.out)
		return -ENOMEM;
	p.out->span_ns = a->model->end_ns - a->model->begin_ns;
	p.out->refusal = unfit(a);
	if (!p.out->refusal)
		r = prepare(&p, events);
	if (r == 0 && !p.out->refusal)
		measure(&p);
	if (r == 0 && !p.out->refusal)
		r = predict(&p);
	finish(&p);
	if (r < 0) {
		ct_whatif_destroy(p.out);
		return r;
	}
	*ret = p.out;
	return 0;
}

void ct_whatif_destroy(struct ct_whatif *whatif)
{
	if (whatif)
		free(whatif->changes.at);
	free(whatif);
}

/* The shim leaves alone what is not from cudaMalloc, and copies that it cannot stage (fixable.h). */
const char *ct_whatif_fix(const struct ct_analysis *a, const struct ct_change *change)
{
	const char *name = a->sites->all.at[change->site].name;

	if (change->kind == CT_CHANGE_FREE && change->unfixed < change->calls &&
	    (!strcmp(name, "cudaFree") || !strcmp(name, "cuMemFree_v2")))
		return "free";
	return change->kind == CT_CHANGE_PIN && change->unfixed < change->calls ? "pin" : NULL;
}

const char *ct_whatif_refusal(const struct ct_analysis *analysis)
{
	return analysis->whatif ? analysis->whatif->refusal : unfit(analysis);
}

/* Staging by the shim takes as long as the driver's. */
static void fit_to_fix(struct ct_change_item *item, enum ct_change_kind kind)
{
	if (kind == CT_CHANGE_PIN)
		item->removed[CT_END_LIKELY] |= CT_KEEP_TRANSFER;
	if (item->unfixed)
		memset(item->removed, 0, sizeof(item->removed));
}

/* Is a change one of those that a fix stands for? */
static bool is_of(enum ct_fix fix, enum ct_change_kind kind)
{
	return (kind == CT_CHANGE_FREE && fix != CT_FIX_PIN) ||
	       (kind == CT_CHANGE_PIN && fix != CT_FIX_FREE);
}

/* Leave one rank, of all changes that a fix makes, or that its like by hand makes. */
static void choose_fix(struct prediction *p, enum ct_fix fix, bool by_hand)
{
	for (size_t c = 0; c < p->out->changes.count; c++) {
		struct ct_change *change = &p->out->changes.at[c];
		bool made = by_hand || ct_whatif_fix(p->analysis, change);

		change->rank = made && is_of(fix, change->kind) ? 0 : CT_NONE;
		for (size_t i = 0; !by_hand && i < change->count; i++)
			fit_to_fix(&p->items.at[change->first + i], change->kind);
	}
}

static int predict_fix(const struct ct_analysis *a, enum ct_fix fix, bool by_hand,
		       struct ct_range *ret)
{
	struct ct_whatif fixed = { .span_ns = a->model->end_ns - a->model->begin_ns };
	struct prediction p = { .analysis = a, .model = a->model, .out = &fixed };
	int r;

	if (ct_whatif_refusal(a))
		return -ENODATA;
	r = prepare(&p, 0);
	if (r == 0)
		r = ct_changes_find(a->model, a->sites, &p.items);
	if (r == 0)
		r = list_changes(&p);
	if (r == 0) {
		choose_fix(&p, fix, by_hand);
		*ret = range_of(&p, (struct trial){ 1, CT_NONE, CT_CHANGE_KINDS });
	}
	finish(&p);
	free(fixed.changes.at);
	return r;
}

int ct_whatif_of(const struct ct_analysis *a, enum ct_fix fix, struct ct_range *ret)
{
	return predict_fix(a, fix, false, ret);
}

int ct_whatif_by_hand(const struct ct_analysis *a, enum ct_fix fix, struct ct_range *ret)
{
	return predict_fix(a, fix, true, ret);
}
