/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cutrace prove`: what a change saves, by making it. One traced run first, for the prediction and
 * the memory; then rounds of a bare and a changed run, each order as often as the other.
 */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>

#include "analyze/report.h"
#include "analyze/whatif.h"
#include "tools/args.h"
#include "tools/deferred.h"
#include "tools/interrupt.h"
#include "tools/sample.h"
#include "tools/staged.h"
#include "tools/tool.h"
#include "tools/trial.h"

#define RUNS_LEAST 2
#define RUNS_MOST 1000

static const struct fix {
	const char *name;
	enum ct_fix fix;
	const char *what;
} fixes[] = {
	{ "free", CT_FIX_FREE, "frees of device memory wait for nothing" },
	{ "pin", CT_FIX_PIN, "asynchronous copies of pageable memory to the device are staged" },
	{ "all", CT_FIX_ALL, "frees wait for nothing, pageable copies to the device are staged" },
};

struct proof {
	struct ct_trials trials;
	const struct fix *fix;
	size_t runs;
	struct ct_trial traced, plain, *bare, *fixed; /* runs of each of the last two */
};

#define MORE "          " /* before a further line of what a head says */

/* What stands before a line, as in a report. */
static void head(const char *name)
{
	printf("%-10s", name);
}

static const char *time_of(double ns, char ret[16])
{
	return ct_report_time(ns > 0 ? (uint64_t)ns : 0, ret);
}

/* A further line of what the head says. */
__attribute__((format(printf, 1, 2))) static void more(const char *format, ...)
{
	char text[512];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	ct_report_wrapped(stdout, MORE, MORE, "%s", text);
}

static void print_range(const struct ct_range *range)
{
	char low[16], likely[16], high[16];

	ct_report_time(range->low_ns, low);
	ct_report_time(range->likely_ns, likely);
	ct_report_time(range->high_ns, high);
	if (!range->high_ns)
		printf("nothing to save: no call that the fix changes held anything up\n");
	else if (!strcmp(low, high))
		printf("%s, by one traced run\n", likely);
	else
		printf("%s to %s, most likely %s, by one traced run\n", low, high, likely);
}

/* Of several processes the library counts in each, and the trace of one is looked at. */
static void print_whose(const char *what, uint32_t processes)
{
	if (processes > 1)
		more("%sof the process that worked longest when traced, of %u that used CUDA", what, processes);
}

/* Returns whether there is a prediction, and that. */
static bool print_predicted(const struct proof *proof, struct ct_range *ret)
{
	const struct ct_analysis_options options = { .whole_records = UINT64_MAX };
	struct ct_analysis *analysis;
	char directory[PATH_MAX];
	int r;

	head("predicted");
	snprintf(directory, sizeof(directory), "%s/%s", proof->trials.folder, proof->traced.trace);
	r = ct_analysis_run(directory, &options, &analysis);
	if (r < 0) {
		printf("nothing: the traced run cannot be analyzed: %s\n", ct_trace_error(r));
		return false;
	}
	r = ct_whatif_of(analysis, proof->fix->fix, ret);
	if (r == 0)
		print_range(ret);
	if (r == 0)
		r = ct_print_beyond(analysis, proof->fix->fix, ret);
	if (r < 0)
		printf("nothing: %s\n", r == -ENODATA ? ct_whatif_refusal(analysis) : strerror(-r));
	ct_analysis_destroy(analysis);
	return r == 0;
}

/*
 * How long a run took: from its first work to its last. To start the program, to make a context and
 * to end it takes the same in both, and varies by more than many a change saves.
 */
static double length_of(const struct ct_trial *trial, bool whole)
{
	return (double)(whole ? trial->ns : trial->work_ns);
}

static bool whole_only(const struct proof *proof)
{
	for (size_t i = 0; i < proof->runs; i++)
		if (!proof->bare[i].work_ns || !proof->fixed[i].work_ns)
			return true;
	return false;
}

static void print_arm(const char *name, const struct ct_trial *trials, double *values, size_t runs,
		      bool whole)
{
	struct ct_sample sample;
	char mean[16], margin[16];

	for (size_t i = 0; i < runs; i++)
		values[i] = length_of(&trials[i], whole);
	sample = ct_sample_of(values, runs);
	head(name);
	printf("%s, plus or minus %s\n", time_of(sample.mean, mean), time_of(sample.margin, margin));
}

/* A saving may be negative: a loss. */
static const char *gain_of(double ns, char ret[17])
{
	char text[16];

	snprintf(ret, 17, "%s%s", ns < 0 ? "-" : "", time_of(ns < 0 ? -ns : ns, text));
	return ret;
}

/* What page-locking a pool to stage in took of a fixed run, once. */
static double pool_ns(const struct proof *proof)
{
	double ns = 0;

	for (size_t i = 0; i < proof->runs; i++)
		ns += (double)proof->fixed[i].counts.pin.pool_ns / (double)proof->runs;
	return ns;
}

static struct ct_sample saving_of(const struct proof *proof, double *values, bool whole)
{
	for (size_t i = 0; i < proof->runs; i++)
		values[i] = length_of(&proof->bare[i], whole) - length_of(&proof->fixed[i], whole);
	return ct_sample_of(values, proof->runs);
}

/* Time in allocations and frees: of runs, or by how much longer than in others (NULL: none). */
static struct ct_sample calls_of(const struct ct_trial *these, const struct ct_trial *those, size_t runs,
				 double *values)
{
	for (size_t i = 0; i < runs; i++)
		values[i] = (double)these[i].calls_ns - (those ? (double)those[i].calls_ns : 0);
	return ct_sample_of(values, runs);
}

/* Where runs vary by more than is saved this alone may show it. */
static void print_calls(const struct proof *proof, double *values)
{
	struct ct_sample bare = calls_of(proof->bare, NULL, proof->runs, values);
	struct ct_sample fixed = calls_of(proof->fixed, NULL, proof->runs, values);
	struct ct_sample less = calls_of(proof->bare, proof->fixed, proof->runs, values);
	char of_bare[16], of_fixed[16], mean[17], margin[16];

	more("allocations and frees took threads %s bare and %s fixed: %s less, plus or minus %s, some of "
	     "which other calls may wait now",
	     time_of(bare.mean, of_bare), time_of(fixed.mean, of_fixed), gain_of(less.mean, mean),
	     time_of(less.margin, margin));
}

/* Where nobody could wait for what the frees no longer do. */
static void print_unwaited(const struct proof *proof)
{
	size_t unwaited = 0;

	for (size_t i = 0; i < proof->runs; i++)
		unwaited += proof->fixed[i].pending;
	if (unwaited)
		more("it may be too much: in %zu of %zu fixed runs a process ended without exit handlers "
		     "(_exit(), exec, a signal), perhaps before all was done that its last frees would have "
		     "waited for",
		     unwaited, proof->runs);
}

/* predicted: NULL if nothing is. */
static void print_times(const struct proof *proof, const struct ct_range *predicted, double *values)
{
	char mean[17], low[17], high[17];
	bool whole = whole_only(proof);
	struct ct_sample saved;
	double bare = 0;

	print_arm("bare", proof->bare, values, proof->runs, whole);
	print_arm("fixed", proof->fixed, values, proof->runs, whole);
	for (size_t i = 0; i < proof->runs; i++)
		bare += length_of(&proof->bare[i], whole) / (double)proof->runs;
	saved = saving_of(proof, values, whole);
	head("saved");
	printf("%s of each run (%.1f %%); 95 %% confidence: %s to %s\n", gain_of(saved.mean, mean),
	       100.0 * saved.mean / bare, gain_of(saved.mean - saved.margin, low),
	       gain_of(saved.mean + saved.margin, high));
	if (saved.mean - saved.margin <= 0 && saved.mean + saved.margin >= 0)
		more("which may be nothing: more runs (--runs) narrow it down");
	else if (predicted)
		more("%s%s", ct_sample_agreement(&saved, (double)predicted->low_ns,
						 (double)predicted->high_ns, pool_ns(proof)),
		     proof->traced.processes > 1 ? "; that is of one process, this of all" : "");
	print_unwaited(proof);
	if (proof->fix->fix != CT_FIX_PIN)
		print_calls(proof, values);
	if (whole)
		return;
	saved = saving_of(proof, values, true);
	more("with the start and the end of the program and its context: %s; 95 %% confidence: %s to %s",
	     gain_of(saved.mean, mean), gain_of(saved.mean - saved.margin, low),
	     gain_of(saved.mean + saved.margin, high));
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

static void print_memory(const struct proof *proof)
{
	const struct ct_fix_counts *most = &proof->fixed[0].counts;
	uint64_t own;

	for (size_t i = 1; i < proof->runs; i++)
		if (proof->fixed[i].counts.peak_bytes > most->peak_bytes)
			most = &proof->fixed[i].counts;
	own = most->own_peak_bytes;
	head("memory");
	printf("%.1f MiB bare, %.1f MiB fixed: most of cudaMalloc at a time, as asked for\n",
	       mib(proof->bare[0].counts.peak_bytes), mib(most->peak_bytes));
	more("the bound was %.1f MiB: the most that the program itself had, %.1f MiB, and %s",
	     mib(own + (own > CT_FIX_KEPT_LEAST ? own : CT_FIX_KEPT_LEAST)), mib(own),
	     own > CT_FIX_KEPT_LEAST ? "as much again" : "64 MiB");
}

/* Of bare runs, then of fixed ones: how many print otherwise than the one without the library. */
static size_t differing(const struct ct_trial *trials, const struct ct_trial *like, size_t runs,
			bool numbers)
{
	size_t differ = 0;

	for (size_t i = 0; i < runs; i++)
		differ += numbers ? trials[i].print != like->print
				  : trials[i].print_but_numbers != like->print_but_numbers;
	return differ;
}

/* Returns whether the program may be said to have printed the same. */
static bool print_output(const struct proof *proof)
{
	const struct ct_trial *like = &proof->plain;
	size_t bare = differing(proof->bare, like, proof->runs, true);
	size_t fixed = differing(proof->fixed, like, proof->runs, true);
	size_t words = differing(proof->fixed, like, proof->runs, false);

	head("stdout");
	if (!bare && !fixed)
		printf("identical in all runs\n");
	else if (!bare)
		printf("DIFFERS in %zu of %zu fixed runs; the bare runs all print the same\n", fixed,
		       proof->runs);
	else if (!words)
		printf("the same but for numbers, which differ among the bare runs as well\n");
	else if (differing(proof->bare, like, proof->runs, false))
		printf("cannot be compared: it differs among the bare runs, and not in numbers only\n");
	else
		printf("DIFFERS in %zu of %zu fixed runs; the bare runs differ in numbers only\n", words,
		       proof->runs);
	return !fixed || (bare && (!words || differing(proof->bare, like, proof->runs, false)));
}

static void print_status(int status)
{
	if (WIFSIGNALED(status))
		printf("signal %d", WTERMSIG(status));
	else
		printf("%d", WEXITSTATUS(status));
}

static bool print_ends(const struct proof *proof)
{
	const struct ct_trial *like = &proof->plain;

	head("status");
	for (size_t i = 0; i < 2 * proof->runs; i++) {
		const struct ct_trial *trial = i < proof->runs ? &proof->bare[i]
							       : &proof->fixed[i - proof->runs];

		if (trial->status == like->status)
			continue;
		printf("DIFFERS: ");
		print_status(like->status);
		printf(" without the library, ");
		print_status(trial->status);
		printf(" in a %s one\n", i < proof->runs ? "bare" : "fixed");
		return i < proof->runs;
	}
	print_status(like->status);
	printf(" in all runs\n");
	return true;
}

static void print_changed(const struct proof *proof)
{
	const struct ct_trial *trial = &proof->fixed[proof->runs - 1];

	if (proof->fix->fix != CT_FIX_PIN)
		ct_print_deferred(&trial->counts);
	if (proof->fix->fix != CT_FIX_FREE)
		ct_print_staged(&trial->counts, proof->fix->fix == CT_FIX_PIN);
	print_whose("this, and the memory, is ", trial->processes);
}

static int print_all(const struct proof *proof)
{
	double *values = calloc(proof->runs, sizeof(*values));
	struct ct_range range;
	bool same, predicted;
	char rounds[48];

	if (!values)
		return ct_fail("prove", strerror(ENOMEM));
	ct_report_wrapped(stdout, "", MORE, "cutrace: %s with fix %s (%s), %s of a bare and a fixed run",
			  proof->trials.argv[0], proof->fix->name, proof->fix->what,
			  ct_report_count(proof->runs, "round", rounds));
	predicted = print_predicted(proof, &range);
	print_whose("", proof->traced.processes);
	print_times(proof, predicted ? &range : NULL, values);
	print_changed(proof);
	print_memory(proof);
	same = print_output(proof);
	same &= print_ends(proof);
	printf("\n");
	ct_report_wrapped(stdout, "", "", "%s The library is in bare runs, too, and changes nothing; "
			  "what they print is compared with a run without it. The interval is Student's t "
			  "of the differences within rounds; of bare and fixed, of the mean. Standard "
			  "input was empty, standard error dropped.", whole_only(proof) ?
			  "Times are of whole runs." : "Times are from a run's first allocation, copy, "
			  "fill or launch, in any of its processes, to the return of the last such "
			  "call, wait, free or query that saw work done.");
	free(values);
	if (fflush(stdout) != 0)
		return ct_fail("standard output", "cannot be written");
	return same ? 0 : ct_fail(proof->trials.argv[0], "the change changed its results: do not make it "
				  "without finding out why");
}

/* Bare first in even rounds: a machine that grows slower or faster favours neither. */
static int run_rounds(struct proof *proof)
{
	int failed = 0;

	for (size_t i = 0; !failed && i < proof->runs; i++) {
		bool fixed_first = i % 2;

		for (int half = 0; !failed && half < 2; half++) {
			bool fixed = fixed_first == (half == 0);

			failed = ct_trial_run(&proof->trials, fixed ? CT_TRIAL_FIXED : CT_TRIAL_BARE,
					      fixed ? &proof->fixed[i] : &proof->bare[i]);
		}
	}
	return failed;
}

static int prove(struct proof *proof)
{
	int failed = ct_trial_run(&proof->trials, CT_TRIAL_TRACED, &proof->traced);

	if (failed)
		return failed;
	if (!proof->traced.processes)
		return ct_fail(proof->trials.argv[0], "it made no CUDA call that could be changed: it used "
			       "no CUDA, or has raised privileges");
	proof->trials.like = &proof->traced.counts;
	failed = ct_trial_run(&proof->trials, CT_TRIAL_PLAIN, &proof->plain);
	if (failed)
		return failed;
	proof->bare = calloc(proof->runs, sizeof(*proof->bare));
	proof->fixed = calloc(proof->runs, sizeof(*proof->fixed));
	if (!proof->bare || !proof->fixed)
		failed = ct_fail("prove", strerror(ENOMEM));
	if (!failed)
		failed = run_rounds(proof);
	if (!failed)
		failed = print_all(proof);
	free(proof->bare);
	free(proof->fixed);
	return failed;
}

static int take_away(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

static int prove_in_folder(struct proof *proof)
{
	char folder[] = "/tmp/cutrace-prove.XXXXXX", library[PATH_MAX];
	int status;

	if (ct_find_library(library, sizeof(library)) < 0)
		return ct_fail("libcutrace.so", "not found beside this command; reinstall cutrace");
	ct_interrupt_catch();
	if (!mkdtemp(folder))
		return ct_fail(folder, strerror(errno));
	proof->trials.folder = folder;
	status = prove(proof);
	nftw(folder, take_away, 8, FTW_DEPTH | FTW_PHYS);
	ct_interrupt_end();
	return status;
}

static const struct fix *find_fix(const char *name)
{
	for (size_t i = 0; i < sizeof(fixes) / sizeof(fixes[0]); i++)
		if (strcasecmp(fixes[i].name, name) == 0)
			return &fixes[i];
	return NULL;
}

int ct_cmd_prove(const struct ct_args *args)
{
	const char *fix = ct_args_value(args, CT_ARG_prove_fix);
	struct proof proof = { .fix = find_fix(fix ? fix : "free") };

	proof.runs = ct_args_number(args, CT_ARG_prove_runs, 5);
	if (proof.runs < RUNS_LEAST || proof.runs > RUNS_MOST)
		return ct_usage("prove", "--runs takes a number from 2 to 1000");
	if (!proof.fix)
		return ct_usage("prove", "the fixes are --fix=free, --fix=pin and --fix=all");
	proof.trials.argv = args->operands;
	proof.trials.fix = proof.fix->name;
	return prove_in_folder(&proof);
}
