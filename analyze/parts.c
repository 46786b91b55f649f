/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long traces, part by part. Several threads load and analyze parts; what goes from each
 * to the next (the history, the sums, rows of tables) is done in order of time, whoever
 * does it, so a report does not depend on how many there are.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyze/analysis.h"
#include "analyze/fold.h"
#include "analyze/history.h"
#include "analyze/survey.h"
#include "analyze/whatif.h"

/* When calls are missing: so many times as far back, until so many times nothing was found. */
#define WIDER 4
#define IN_VAIN 2

#define EXCERPT_PARTS 8
#define EXCERPT_SHARE 4 /* of all parts, one in so many */

struct crew {
	const struct ct_analysis_options *options;
	const struct ct_survey *survey;
	const struct ct_filter *filter;
	struct ct_model *facts;
	struct ct_places *places;
	struct ct_window *windows;
	size_t count;
	uint64_t around; /* records that a part sees on either side, at first */
	struct ct_history *history;
	struct ct_fold *fold;
	size_t middle;  /* the part of which something is predicted */
	struct ct_analysis *excerpt;
	/* of the lock: */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	size_t taken, marked, folded; /* parts that have come so far */
	int error;
};

/* Wait until a part's turn has come; fails with the error that ended the work. */
static int wait_turn(struct crew *c, const size_t *turn, size_t part)
{
	int r;

	pthread_mutex_lock(&c->lock);
	while (*turn != part && !c->error)
		pthread_cond_wait(&c->moved, &c->lock);
	r = c->error;
	pthread_mutex_unlock(&c->lock);
	return r;
}

/* The turn is over; an error ends all work. */
static int end_turn(struct crew *c, size_t *turn, int r)
{
	pthread_mutex_lock(&c->lock);
	if (r == 0)
		++*turn;
	else if (!c->error)
		c->error = r;
	pthread_cond_broadcast(&c->moved);
	pthread_mutex_unlock(&c->lock);
	return r;
}

static int mark(struct crew *c, size_t part, struct ct_model *model)
{
	int r = wait_turn(c, &c->marked, part);

	return r < 0 ? r : end_turn(c, &c->marked, ct_history_mark(c->history, model));
}

static int fold(struct crew *c, size_t part, struct ct_analysis *a)
{
	int r = wait_turn(c, &c->folded, part);

	if (r < 0)
		return r;
	r = ct_fold_add(c->fold, a);
	if (r == 0 && c->options->part)
		r = c->options->part(c->options->arg, a);
	if (r == 0 && c->options->progress)
		c->options->progress(c->options->progress_arg, part + 1, c->count);
	return end_turn(c, &c->folded, r);
}

/*
 * Load a part. Where operations lie in deep queues, their calls were long before: look for
 * what belongs together further away.
 */
static int load(struct crew *c, size_t part, struct ct_model **model)
{
	struct ct_window window = c->windows[part];
	uint64_t missing = UINT64_MAX, left, around = c->around;
	int r, vain = 0;

	for (;;) {
		r = ct_part_load(c->facts, c->survey, &window, *model, model);
		if (r < 0)
			break;
		left = ct_totals_unjoined(*model);
		vain += left == missing;
		missing = left;
		around *= WIDER;
		if (!left || vain == IN_VAIN || !ct_survey_widen(c->survey, around, &window))
			return 0;
	}
	*model = NULL;
	return r;
}

/* Predict from a part, and keep it. Only one thread comes here. */
static int keep_excerpt(struct crew *c, struct ct_analysis *part)
{
	int r = ct_whatif_find(part, c->options->whatif_events, &part->whatif);

	if (r == 0)
		c->excerpt = malloc(sizeof(*c->excerpt));
	if (!c->excerpt)
		return -ENOMEM;
	*c->excerpt = *part;
	memset(part, 0, sizeof(*part));
	return 0;
}

/* *old: the model of the part before, of the same thread; it becomes that of this one. */
static int do_part(struct crew *c, size_t part, struct ct_model **old)
{
	struct ct_analysis a = { .model = *old, .filter = c->filter };
	int r = load(c, part, &a.model);

	if (r == 0)
		r = mark(c, part, a.model);
	if (r == 0)
		r = ct_analysis_of_model(&a, c->places, c->options->process);
	if (r == 0)
		r = fold(c, part, &a);
	if (r == 0 && part == c->middle && !c->filter)
		r = keep_excerpt(c, &a);
	*old = a.model;
	a.model = NULL;
	ct_analysis_clear(&a);
	return r;
}

static void *work(void *arg)
{
	struct crew *c = arg;
	struct ct_model *old = NULL;
	size_t part;
	int r = 0;

	while (r == 0) {
		pthread_mutex_lock(&c->lock);
		part = c->error ? c->count : c->taken++;
		pthread_mutex_unlock(&c->lock);
		if (part >= c->count)
			break;
		r = do_part(c, part, &old);
		if (r < 0)
			end_turn(c, &c->folded, r);
	}
	ct_model_destroy(old);
	return NULL;
}

static int work_together(struct crew *c, unsigned threads)
{
	pthread_t others[CT_ANALYSIS_THREADS];
	unsigned started = 0;

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->moved, NULL);
	while (started + 1 < threads && pthread_create(&others[started], NULL, work, c) == 0)
		started++;
	work(c);
	for (unsigned i = 0; i < started; i++)
		pthread_join(others[i], NULL);
	pthread_cond_destroy(&c->moved);
	pthread_mutex_destroy(&c->lock);
	return c->error;
}

/* Texts of all stacks, made beforehand: from then on threads only look them up. */
static int name_places(const struct ct_model *facts, struct ct_places **ret)
{
	int r = ct_places_create(facts, ret);

	for (size_t id = 0; r == 0 && id < facts->stacks.count; id++)
		ct_places_of(facts, *ret, (uint32_t)id);
	return r == 0 && ct_places_failed(*ret) ? -ENOMEM : r;
}

unsigned ct_analysis_threads(const struct ct_analysis_options *options)
{
	long processors = options->threads ? options->threads : sysconf(_SC_NPROCESSORS_ONLN);

	return processors < 1 ? 1 : processors > CT_ANALYSIS_THREADS ? CT_ANALYSIS_THREADS
								      : (unsigned)processors;
}

/* Which part the middle of the run lies in, by time. */
static size_t find_middle(const struct crew *c, const struct ct_survey *survey)
{
	uint64_t middle_ns = survey->begin_ns + (survey->end_ns - survey->begin_ns) / 2;
	size_t part = 0;

	while (part + 1 < c->count && c->windows[part + 1].begin_ns <= middle_ns)
		part++;
	return part;
}

/*
 * The part that predictions are of: several in one, since what saves much may be rare, but no
 * more than a share of the run.
 */
static void make_middle(struct crew *c, const struct ct_survey *survey)
{
	size_t some = c->count / EXCERPT_SHARE < EXCERPT_PARTS ? c->count / EXCERPT_SHARE : EXCERPT_PARTS;
	size_t middle = find_middle(c, survey), first = middle > some / 2 ? middle - some / 2 : 0;
	size_t end = first + (some ? some : 1);

	if (end > c->count)
		end = c->count;
	c->middle = first;
	c->windows[first].end_ns = c->windows[end - 1].end_ns;
	c->windows[first].to_ns = c->windows[end - 1].to_ns;
	memmove(&c->windows[first + 1], &c->windows[end], (c->count - end) * sizeof(*c->windows));
	c->count -= end - first - 1;
}

static void finish(const struct crew *c, struct ct_analysis *to)
{
	to->excerpt = c->excerpt;
	to->parts = c->count;
	to->all_rows = c->options->part != NULL;
	for (size_t i = 0; i < c->count; i++)
		to->parts_cut += c->windows[i].under_way > 0;
}

static int analyze_parts(struct ct_analysis *to, const struct ct_survey *survey,
			 const struct ct_analysis_options *options)
{
	uint64_t records = options->part_records ? options->part_records : CT_PART_RECORDS;
	struct crew c = { .options = options, .survey = survey, .facts = to->facts,
			  .filter = to->filter,
			  .around = records / CT_AROUND_PARTS };
	int r = name_places(to->facts, &to->places);

	if (c.around < CT_AROUND_LEAST)
		c.around = CT_AROUND_LEAST;
	c.places = to->places;
	if (r == 0)
		r = ct_survey_divide(survey, records, c.around, &c.windows, &c.count);
	if (r == 0)
		r = ct_history_create(&c.history);
	if (r == 0)
		r = ct_fold_create(to->facts, to->places, &c.fold);
	if (r == 0)
		make_middle(&c, survey);
	if (r == 0)
		r = work_together(&c, ct_analysis_threads(options));
	if (r == 0)
		r = ct_fold_finish(c.fold, to);
	if (r == 0)
		finish(&c, to);
	else
		ct_analysis_destroy(c.excerpt);
	ct_fold_destroy(c.fold);
	ct_history_destroy(c.history);
	free(c.windows);
	return r;
}

int ct_analysis_in_parts(struct ct_analysis *to, struct ct_reader *reader,
			 const struct ct_survey *survey, const struct ct_analysis_options *options)
{
	int r = ct_facts_load(reader, survey, &to->facts);

	return r < 0 ? r : analyze_parts(to, survey, options);
}
