/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sets of runs of a program compared, before and after a change: what got better or worse,
 * of the whole run, by class of wait, and by call site.
 *
 * A run is one process or several (ranks), whose figures add up; its duration is from the
 * first CUDA call of any of them to the last work. With three runs or more on each side,
 * differences are tested (welch.h), corrected within two families: the run's duration, blocked
 * and lost time; and all classes and call sites that are large enough to matter. A figure got
 * better or worse if the means of both sides differ
 *
 * - by more than `percent` of what it was before, and
 * - by CT_DIFF_LEAST_NS and, except for the duration, by CT_DIFF_LEAST_PERCENT of the run's
 *   duration before: what is less is no matter, however many times as much it is, and
 * - if tested, with p < CT_DIFF_LEVEL.
 *
 * Numbers of calls are compared, but more of them are neither better nor worse. What was not
 * recorded alike on both sides is not compared at all (enum ct_diff_unlike).
 */
#ifndef CT_ANALYZE_DIFF_H
#define CT_ANALYZE_DIFF_H

#include "analyze/process.h"
#include "analyze/run.h"
#include "analyze/welch.h"

#define CT_DIFF_LEVEL 0.05
#define CT_DIFF_RUNS 3 /* on each side, for a test */
#define CT_DIFF_PERCENT 5.0
#define CT_DIFF_LEAST_NS 50000
#define CT_DIFF_LEAST_PERCENT 1.0

enum { CT_BEFORE, CT_AFTER, CT_SIDES };

/* What is compared: ns, but for the number of calls. Which of them there are: see their owner. */
enum ct_diff_what {
	CT_DIFF_DURATION,
	CT_DIFF_BLOCKED,
	CT_DIFF_LOST,
	CT_DIFF_TOTAL, /* in calls */
	CT_DIFF_CALLS,
	CT_DIFF_PARTS, /* of the class that is added; of a call site neither tested nor judged */
	CT_DIFF_FIGURES = CT_DIFF_PARTS + CT_PART_COUNT
};

/* "duration", "blocked", ..., "device_wait", ... */
const char *ct_diff_name(enum ct_diff_what what);

/* Not judged are numbers of calls, time in all calls of the run, classes of a site, cutrace's own. */
enum ct_diff_verdict { CT_DIFF_NOT_JUDGED, CT_DIFF_SAME, CT_DIFF_BETTER, CT_DIFF_WORSE };

struct ct_diff_figure {
	bool known;                        /* on both sides, and comparable */
	struct ct_moments side[CT_SIDES];  /* over the runs; a run without the place counts as 0 */
	double p;                          /* corrected; NAN = not tested */
	enum ct_diff_verdict verdict;
};

/* How a call site of one side was found on the other. */
enum ct_diff_match {
	CT_DIFF_EXACT,    /* same call, same text of the place */
	CT_DIFF_MOVED,    /* same call, file and function, and as many such places: in their order */
	CT_DIFF_TOGETHER, /* the same, but which is which cannot be told: all of them added up */
	CT_DIFF_GONE,     /* only before */
	CT_DIFF_NEW       /* only after */
};

/* A call site; figures: all but the duration. Texts belong to the processes. */
struct ct_diff_site {
	const char *call;
	const char *where[CT_SIDES];  /* of several the one with most blocked time; NULL = none */
	const char *source[CT_SIDES]; /* path of its file; NULL = not known */
	uint32_t places[CT_SIDES];    /* 1, but for CT_DIFF_TOGETHER */
	enum ct_diff_match match;
	struct ct_diff_figure figures[CT_DIFF_FIGURES];
	bool better, worse;           /* one of blocked, lost, total did; maybe both */
};

/* A class of wait, over all calls of the run. Lost time is of call sites, not of classes. */
struct ct_diff_class {
	struct ct_diff_figure ns, calls; /* calls that have some of it */
};

/* One thing that keeps two sides from being compared, or makes it doubtful. */
enum ct_diff_unlike {
	CT_DIFF_PROGRAMS = 1 << 0,   /* said, compared */
	CT_DIFF_GPUS = 1 << 1,       /* said, compared */
	CT_DIFF_PROCESSES = 1 << 2,  /* as many in each run: said, compared */
	CT_DIFF_RECORDING = 1 << 3,  /* mode, device times: only durations are compared */
	CT_DIFF_INCOMPLETE = 1 << 4, /* traces that do not tell all of their run: said, compared */
	CT_DIFF_UNTOLD_LOST = 1 << 5, /* lost time is not known: not compared */
	CT_DIFF_UNLIKE_LAST = CT_DIFF_UNTOLD_LOST
};

struct ct_diff_run {
	uint32_t first, count; /* into processes */
	uint64_t begin_ns, end_ns; /* time of day */
};

struct ct_diff_side {
	const char *name; /* what the user called it */
	CT_ARRAY(struct ct_process) processes; /* run by run */
	CT_ARRAY(struct ct_diff_run) runs;
	size_t incomplete; /* processes */
};

struct ct_diff {
	double percent;
	struct ct_diff_side sides[CT_SIDES];
	bool tested;
	size_t tests_run, tests_sites;         /* in each of the two families */
	unsigned unlike;                       /* of enum ct_diff_unlike */
	struct ct_diff_figure run[CT_DIFF_FIGURES]; /* no classes: those are */
	struct ct_diff_class classes[CT_PART_COUNT];
	CT_ARRAY(struct ct_diff_site) sites;   /* largest change first */
};

/* Returns an empty comparison for ct_diff_destroy(), or NULL without memory. */
struct ct_diff *ct_diff_create(double percent);
void ct_diff_destroy(struct ct_diff *diff); /* accepts NULL */

/* A run of no processes yet. Returns 0 or -ENOMEM. */
int ct_diff_begin_run(struct ct_diff_side *side);

/* A process of the side's last run, which then belongs to it. 0, or -ENOMEM and it does not. */
int ct_diff_add(struct ct_diff_side *side, const struct ct_process *process);

/* All have been added, at least one run a side: compare. Returns 0 or -ENOMEM. */
int ct_diff_make(struct ct_diff *diff);

/* Does the trace not tell all of its run: cut off, kept in part, damaged, records lost? */
bool ct_diff_incomplete(const struct ct_process *process);

/* Did the run's duration, blocked or lost time get worse? */
bool ct_diff_regressed(const struct ct_diff *diff);

/* What the change is in percent of before; INFINITY from 0, NAN if both are. */
double ct_diff_percent(const struct ct_diff_figure *figure);

#endif
