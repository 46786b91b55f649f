/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/diff.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/diff_match.h"

/* What the verdicts on a call site are of. */
static const enum ct_diff_what judged[] = { CT_DIFF_BLOCKED, CT_DIFF_LOST, CT_DIFF_TOTAL };
/* And on the whole run. */
static const enum ct_diff_what judged_of_run[] = { CT_DIFF_DURATION, CT_DIFF_BLOCKED, CT_DIFF_LOST };
#define JUDGED 3

const char *ct_diff_name(enum ct_diff_what what)
{
	static const char *const names[CT_DIFF_PARTS] = { "duration", "blocked", "lost", "total",
							  "calls" };

	return what < CT_DIFF_PARTS ? names[what] : ct_part_names[what - CT_DIFF_PARTS];
}

struct ct_diff *ct_diff_create(double percent)
{
	struct ct_diff *diff = calloc(1, sizeof(*diff));

	if (diff)
		diff->percent = percent;
	return diff;
}

void ct_diff_destroy(struct ct_diff *diff)
{
	if (!diff)
		return;
	for (int s = 0; s < CT_SIDES; s++) {
		struct ct_diff_side *side = &diff->sides[s];

		for (size_t i = 0; i < side->processes.count; i++)
			ct_process_free(&side->processes.at[i]);
		free(side->processes.at);
		free(side->runs.at);
	}
	free(diff->sites.at);
	free(diff);
}

int ct_diff_begin_run(struct ct_diff_side *side)
{
	struct ct_diff_run run = { .first = (uint32_t)side->processes.count, .begin_ns = UINT64_MAX };

	return CT_PUSH(&side->runs, run);
}

int ct_diff_add(struct ct_diff_side *side, const struct ct_process *process)
{
	struct ct_diff_run *run = &side->runs.at[side->runs.count - 1];

	if (CT_PUSH(&side->processes, *process) < 0)
		return -ENOMEM;
	run->count++;
	if (process->begin_ns < run->begin_ns)
		run->begin_ns = process->begin_ns;
	if (process->end_ns > run->end_ns)
		run->end_ns = process->end_ns;
	side->incomplete += ct_diff_incomplete(process);
	return 0;
}

bool ct_diff_incomplete(const struct ct_process *p)
{
	uint64_t lost = p->lost_otherwise;

	for (int i = 0; i < CT_LOSS_COUNT; i++)
		lost += p->lost[i];
	return lost || p->cut_off || p->cut_short || p->damaged || p->mode_changed;
}

/* Does each process of a run have one of another run with the same text? */
static bool texts_within(const struct ct_process *of, size_t count, const struct ct_process *among,
			 size_t among_count, const char *(*text)(const struct ct_process *))
{
	for (size_t i = 0; i < count; i++) {
		size_t at = 0;

		while (at < among_count && strcmp(text(&of[i]), text(&among[at])) != 0)
			at++;
		if (at == among_count)
			return false;
	}
	return true;
}

static const char *program_of(const struct ct_process *p)
{
	return p->program;
}

static const char *gpus_of(const struct ct_process *p)
{
	return p->gpus;
}

/* How a run differs from the first one before. */
static unsigned unlike_first(const struct ct_diff *diff, const struct ct_diff_side *side,
			     const struct ct_diff_run *run)
{
	const struct ct_diff_run *first = &diff->sides[CT_BEFORE].runs.at[0];
	const struct ct_process *of = &side->processes.at[run->first];
	const struct ct_process *among = &diff->sides[CT_BEFORE].processes.at[first->first];
	unsigned unlike = run->count == first->count ? 0 : CT_DIFF_PROCESSES;

	if (!texts_within(of, run->count, among, first->count, program_of) ||
	    !texts_within(among, first->count, of, run->count, program_of))
		unlike |= CT_DIFF_PROGRAMS;
	if (!texts_within(of, run->count, among, first->count, gpus_of) ||
	    !texts_within(among, first->count, of, run->count, gpus_of))
		unlike |= CT_DIFF_GPUS;
	return unlike;
}

/* How a process keeps what is compared from being known, or known alike. */
static unsigned unlike_process(const struct ct_process *p, const struct ct_process *first)
{
	unsigned unlike = ct_diff_incomplete(p) ? CT_DIFF_INCOMPLETE : 0;

	if (p->mode != first->mode || p->mode_changed != first->mode_changed ||
	    p->has_device != first->has_device)
		unlike |= CT_DIFF_RECORDING;
	if (!p->has_device || p->sites_skipped)
		unlike |= CT_DIFF_UNTOLD_LOST;
	return unlike;
}

static void find_unlike(struct ct_diff *diff)
{
	for (int s = 0; s < CT_SIDES; s++) {
		const struct ct_diff_side *side = &diff->sides[s];

		for (size_t i = 0; i < side->runs.count; i++)
			diff->unlike |= unlike_first(diff, side, &side->runs.at[i]);
		for (size_t i = 0; i < side->processes.count; i++)
			diff->unlike |= unlike_process(&side->processes.at[i],
						       &diff->sides[CT_BEFORE].processes.at[0]);
	}
}

/* Is a figure known, and recorded alike on both sides? */
static bool comparable(const struct ct_diff *diff, enum ct_diff_what what)
{
	if (what == CT_DIFF_DURATION)
		return true;
	if (diff->unlike & CT_DIFF_RECORDING)
		return false;
	return what != CT_DIFF_LOST || !(diff->unlike & CT_DIFF_UNTOLD_LOST);
}

static double delta(const struct ct_diff_figure *figure)
{
	return figure->side[CT_AFTER].mean - figure->side[CT_BEFORE].mean;
}

double ct_diff_percent(const struct ct_diff_figure *figure)
{
	double before = figure->side[CT_BEFORE].mean;

	if (before > 0)
		return 100 * delta(figure) / before;
	return figure->side[CT_AFTER].mean > 0 ? INFINITY : NAN;
}

/* Values of both sides, in turn. */
static struct ct_diff_figure figure_of(const struct ct_diff *diff, const double *values, bool known)
{
	size_t before = diff->sides[CT_BEFORE].runs.count, after = diff->sides[CT_AFTER].runs.count;

	return (struct ct_diff_figure){
		.known = known,
		.side = { ct_moments_of(values, before), ct_moments_of(values + before, after) },
		.p = NAN,
	};
}

/* The figure of one run. */
static double of_process(const struct ct_process *p, enum ct_diff_what what)
{
	switch (what) {
	case CT_DIFF_BLOCKED:
		return (double)p->blocked_ns;
	case CT_DIFF_LOST:
		return (double)p->serialized_ns;
	case CT_DIFF_TOTAL:
		return (double)p->call_ns;
	case CT_DIFF_CALLS:
		return (double)p->calls;
	default:
		return (double)p->parts[what - CT_DIFF_PARTS];
	}
}

/* A figure of each run of both sides; class: the calls that have some of it, else CT_PART_COUNT. */
static void run_values(const struct ct_diff *diff, enum ct_diff_what what, int class, double *values)
{
	for (int s = 0; s < CT_SIDES; s++) {
		const struct ct_diff_side *side = &diff->sides[s];

		for (size_t i = 0; i < side->runs.count; i++, values++) {
			const struct ct_diff_run *run = &side->runs.at[i];

			*values = 0;
			if (what == CT_DIFF_DURATION)
				*values = (double)(run->end_ns - run->begin_ns);
			for (uint32_t p = run->first; p < run->first + run->count; p++)
				if (class != CT_PART_COUNT)
					*values += (double)side->processes.at[p].parts_calls[class];
				else if (what != CT_DIFF_DURATION)
					*values += of_process(&side->processes.at[p], what);
		}
	}
}

static void sum_run(struct ct_diff *diff, double *values)
{
	for (int what = 0; what < CT_DIFF_FIGURES; what++) {
		struct ct_diff_figure *to = what < CT_DIFF_PARTS ? &diff->run[what]
					    : &diff->classes[what - CT_DIFF_PARTS].ns;

		run_values(diff, (enum ct_diff_what)what, CT_PART_COUNT, values);
		*to = figure_of(diff, values, comparable(diff, (enum ct_diff_what)what));
	}
	for (int class = 0; class < CT_PART_COUNT; class++) {
		run_values(diff, CT_DIFF_CALLS, class, values);
		diff->classes[class].calls = figure_of(diff, values, comparable(diff, CT_DIFF_CALLS));
	}
}

/* A figure of a call site in each run. */
static void site_values(const struct ct_diff *diff, const struct ct_diff_pair *pair, int what,
			double *values)
{
	for (int s = 0; s < CT_SIDES; s++)
		for (size_t run = 0; run < diff->sides[s].runs.count; run++, values++) {
			*values = 0;
			for (size_t i = 0; i < pair->count[s]; i++)
				*values += pair->at[s][i].values[run * CT_DIFF_FIGURES + (size_t)what];
		}
}

/* Of several places, the one with most blocked time. */
static const struct ct_diff_place *main_place(const struct ct_diff_pair *pair, int side)
{
	const struct ct_diff_place *best = pair->at[side];

	for (size_t i = 1; i < pair->count[side]; i++)
		if (pair->at[side][i].blocked_ns > best->blocked_ns)
			best = &pair->at[side][i];
	return best;
}

static int add_site(struct ct_diff *diff, const struct ct_diff_pair *pair, double *values)
{
	struct ct_diff_site site = { .match = pair->match };

	for (int s = 0; s < CT_SIDES; s++) {
		const struct ct_diff_place *place = main_place(pair, s);

		site.places[s] = (uint32_t)pair->count[s];
		if (!place)
			continue;
		site.call = place->call;
		site.where[s] = place->where;
		site.source[s] = place->source;
	}
	for (int what = CT_DIFF_BLOCKED; what < CT_DIFF_FIGURES; what++) {
		site_values(diff, pair, what, values);
		site.figures[what] = figure_of(diff, values, comparable(diff, (enum ct_diff_what)what));
	}
	return CT_PUSH(&diff->sites, site);
}

static int sum_sites(struct ct_diff *diff, double *values)
{
	struct ct_diff_places places[CT_SIDES] = { 0 };
	struct ct_diff_pairs pairs = { 0 };
	int r = 0;

	for (int s = 0; r == 0 && s < CT_SIDES; s++)
		r = ct_diff_list_places(&diff->sides[s], &places[s]);
	if (r == 0)
		r = ct_diff_match(&places[CT_BEFORE], &places[CT_AFTER], &pairs);
	for (size_t i = 0; r == 0 && i < pairs.count; i++)
		r = add_site(diff, &pairs.at[i], values);
	for (int s = 0; s < CT_SIDES; s++)
		ct_diff_free_places(&places[s]);
	free(pairs.at);
	return r;
}

/* What is less is no matter. */
static double least_ns(const struct ct_diff *diff, bool duration)
{
	double least = diff->run[CT_DIFF_DURATION].side[CT_BEFORE].mean * CT_DIFF_LEAST_PERCENT / 100;

	return duration || least < CT_DIFF_LEAST_NS ? CT_DIFF_LEAST_NS : least;
}

/*
 * Could the means differ by as much as matters? What all runs add up to says so, whichever side
 * they are on: what is left out of the tests for it does not depend on the difference.
 */
static bool large_enough(const struct ct_diff *diff, const struct ct_diff_figure *figure)
{
	const struct ct_moments *b = &figure->side[CT_BEFORE], *a = &figure->side[CT_AFTER];
	double sum = b->mean * (double)b->count + a->mean * (double)a->count;

	return sum / (double)(b->count < a->count ? b->count : a->count) >= least_ns(diff, false);
}

/* A family of tests: their p, which ct_holm() corrects together. */
struct family {
	double **p; /* room for all figures */
	size_t count;
};

static void test(const struct ct_diff *diff, struct ct_diff_figure *figure, struct family *family)
{
	if (!diff->tested || !figure->known)
		return;
	figure->p = ct_welch_p(&figure->side[CT_BEFORE], &figure->side[CT_AFTER]);
	family->p[family->count++] = &figure->p;
}

static void judge(const struct ct_diff *diff, struct ct_diff_figure *figure, bool duration)
{
	double by = fabs(delta(figure));

	if (!figure->known)
		return;
	figure->verdict = CT_DIFF_SAME;
	if (by < least_ns(diff, duration) ||
	    by <= figure->side[CT_BEFORE].mean * diff->percent / 100)
		return;
	if (diff->tested && !(figure->p < CT_DIFF_LEVEL)) /* NAN: too small to be tested */
		return;
	figure->verdict = delta(figure) > 0 ? CT_DIFF_WORSE : CT_DIFF_BETTER;
}

static void test_run(struct ct_diff *diff, struct family *family)
{
	for (int i = 0; i < JUDGED; i++)
		test(diff, &diff->run[judged_of_run[i]], family);
	ct_holm(family->p, family->count);
	diff->tests_run = family->count;
	for (int i = 0; i < JUDGED; i++)
		judge(diff, &diff->run[judged_of_run[i]], judged_of_run[i] == CT_DIFF_DURATION);
}

static void judge_site(const struct ct_diff *diff, struct ct_diff_site *site)
{
	for (int i = 0; i < JUDGED; i++) {
		judge(diff, &site->figures[judged[i]], false);
		site->better |= site->figures[judged[i]].verdict == CT_DIFF_BETTER;
		site->worse |= site->figures[judged[i]].verdict == CT_DIFF_WORSE;
	}
}

static void test_sites(struct ct_diff *diff, struct family *family)
{
	family->count = 0;
	for (int class = 0; class < CT_PART_COUNT; class++)
		if (class != CT_PART_TOOL && large_enough(diff, &diff->classes[class].ns))
			test(diff, &diff->classes[class].ns, family);
	for (size_t s = 0; s < diff->sites.count; s++)
		for (int i = 0; i < JUDGED; i++)
			if (large_enough(diff, &diff->sites.at[s].figures[judged[i]]))
				test(diff, &diff->sites.at[s].figures[judged[i]], family);
	ct_holm(family->p, family->count);
	diff->tests_sites = family->count;
	for (int class = 0; class < CT_PART_COUNT; class++)
		if (class != CT_PART_TOOL)
			judge(diff, &diff->classes[class].ns, false);
	for (size_t s = 0; s < diff->sites.count; s++)
		judge_site(diff, &diff->sites.at[s]);
}

/* The largest change of what is judged. */
static double change(const struct ct_diff_site *site)
{
	double most = 0;

	for (int i = 0; i < JUDGED; i++)
		if (site->figures[judged[i]].known)
			most = fmax(most, fabs(delta(&site->figures[judged[i]])));
	return most;
}

static int by_change(const void *a, const void *b)
{
	const struct ct_diff_site *x = a, *y = b;
	double of_x = change(x), of_y = change(y);
	int side = x->where[CT_AFTER] && y->where[CT_AFTER] ? CT_AFTER : CT_BEFORE;

	if (of_x != of_y)
		return of_x > of_y ? -1 : 1;
	if (!x->where[side] || !y->where[side])
		return !x->where[side] - !y->where[side] ?: strcmp(x->call, y->call);
	return strcmp(x->where[side], y->where[side]) ?: strcmp(x->call, y->call);
}

int ct_diff_make(struct ct_diff *diff)
{
	size_t before = diff->sides[CT_BEFORE].runs.count, after = diff->sides[CT_AFTER].runs.count;
	double *values = calloc(before + after, sizeof(*values));
	struct family family = { 0 };
	int r = values ? 0 : -ENOMEM;

	diff->tested = before >= CT_DIFF_RUNS && after >= CT_DIFF_RUNS;
	if (r == 0) {
		find_unlike(diff);
		sum_run(diff, values);
		r = sum_sites(diff, values);
	}
	family.p = calloc(JUDGED * (diff->sites.count + 1) + CT_PART_COUNT, sizeof(*family.p));
	if (r == 0)
		r = family.p ? 0 : -ENOMEM;
	if (r == 0) {
		test_run(diff, &family);
		test_sites(diff, &family);
		if (diff->sites.count)
			qsort(diff->sites.at, diff->sites.count, sizeof(*diff->sites.at), by_change);
	}
	free(family.p);
	free(values);
	return r;
}

bool ct_diff_regressed(const struct ct_diff *diff)
{
	for (int i = 0; i < JUDGED; i++)
		if (diff->run[judged_of_run[i]].verdict == CT_DIFF_WORSE)
			return true;
	return false;
}
