/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of several processes. Each is analyzed, its own report is written, and only its
 * digest is kept: memory does not grow with the length of the traces, nor much with their number.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analyze/run.h"
#include "analyze/together.h"
#include "tools/progress.h"
#include "tools/report.h"

/* What became of one process. */
struct outcome {
	int r;
	struct ct_report_files files;
};

struct job {
	const struct ct_members *members;
	const struct ct_report_wish *wish;
	struct ct_analysis_options options;
	struct outcome *outcomes; /* by member */
	struct ct_run *run;
	pthread_mutex_t lock; /* of the run */
};

static int add(struct job *job, struct ct_process *process)
{
	int r;

	pthread_mutex_lock(&job->lock);
	r = ct_run_add(job->run, process);
	pthread_mutex_unlock(&job->lock);
	if (r < 0)
		ct_process_free(process);
	return r;
}

/* Is this the report of one process, which itself tells more than a comparison with nobody? */
static bool single(const struct ct_members *members, const struct ct_report_wish *wish)
{
	return members->count == 1 && wish->output && wish->mode == CT_REPORT_PRINT;
}

/* Analyze one process, write its own report and add its digest. */
static void make(void *arg, size_t i)
{
	struct job *job = arg;
	struct outcome *outcome = &job->outcomes[i];
	struct ct_analysis_options options = job->options;
	struct ct_report_wish own = *job->wish;
	struct ct_progress progress = { 0 };
	struct ct_analysis *analysis;
	struct ct_process process;

	options.progress_arg = &progress;
	if (job->members->count > 1)
		own.output = NULL; /* it is the run's; filtered, none of a process's files are written */
	outcome->r = ct_report_make(job->members->at[i].directory, &own, options, &analysis, &outcome->files);
	ct_progress_trace(&progress);
	if (outcome->r < 0)
		return;
	if (single(job->members, job->wish))
		ct_report_text(analysis, false, stdout);
	outcome->r = ct_process_take(analysis, &process);
	ct_analysis_destroy(analysis);
	if (outcome->r == 0)
		outcome->r = add(job, &process);
}

/* Say what failed, in the order in which the traces were given. */
static int tell(const struct job *job, bool *ret_written)
{
	int status = 0;

	*ret_written = true;

	for (size_t i = 0; i < job->members->count; i++) {
		const char *directory = job->members->at[i].directory;

		if (job->outcomes[i].r < 0) {
			status = ct_fail(directory, ct_trace_error(job->outcomes[i].r));
			ct_names_add(&job->run->left_out, directory);
		}
		status |= ct_report_tell(directory, &job->outcomes[i].files);
		*ret_written &= job->outcomes[i].files.r == 0;
	}
	return status;
}

static int make_all(const struct ct_members *members, const struct ct_report_wish *wish,
		    struct ct_run *run, int *ret_status, bool *ret_written)
{
	struct job job = { .members = members, .wish = wish, .run = run,
			   .options = { .process = true, .progress = ct_progress_part } };
	unsigned threads = ct_analysis_threads(&job.options);
	unsigned width = ct_together_width(members->count, threads);

	job.options.threads = (threads + width - 1) / width;
	job.outcomes = calloc(members->count + 1, sizeof(*job.outcomes));
	if (!job.outcomes)
		return -ENOMEM;
	pthread_mutex_init(&job.lock, NULL);
	if (wish->progress)
		ct_progress_begin(members->count, wish->eager);
	ct_together(members->count, width, make, &job);
	ct_progress_end();
	pthread_mutex_destroy(&job.lock);
	run->left_out = members->left_out;
	*ret_status = tell(&job, ret_written);
	free(job.outcomes);
	return ct_run_finish(run);
}

static int write_tables(const struct ct_run *run, const char *directory)
{
	char path[PATH_MAX];
	const char *file;
	int r = ct_report_folder(directory);

	if (r < 0)
		return ct_fail(directory, strerror(-r));
	r = ct_report_run_write(run, directory, &file);
	if (r == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", directory, file);
	return ct_fail(path, strerror(-r));
}

static void print(const struct ct_run *run, const struct ct_members *members,
		  const struct ct_report_wish *wish, struct ct_report_written written)
{
	if (!run->processes.count)
		return;
	if (!single(members, wish)) {
		ct_report_run(run, false, stdout);
		ct_report_next_several(run, wish, written);
	} else if (written.own) {
		ct_report_next(members->at[0].directory, wish->output);
	}
}

/*
 * Times of a filter count from where the report's first line does: the first CUDA call of all. What
 * cannot be read is told when its turn comes.
 */
static uint64_t beginning(const struct ct_members *members)
{
	const struct ct_analysis_options options = { .threads = 0 };
	unsigned threads = ct_analysis_threads(&options);
	uint64_t first_ns = UINT64_MAX, ns;

	for (size_t i = 0; i < members->count; i++)
		if (ct_run_began(members->at[i].directory, threads, &ns) == 0 && ns < first_ns)
			first_ns = ns;
	return first_ns;
}

int ct_report_members(const struct ct_members *members, const struct ct_report_wish *whole)
{
	struct ct_report_wish with_origin = *whole, *wish = &with_origin;
	struct ct_run *run = ct_run_create();
	struct ct_report_written written = { 0 };
	int status = 0;

	if (wish->filter.from_ns || wish->filter.to_ns)
		wish->filter.origin_ns = beginning(members);
	if (run && ct_filter_any(&wish->filter))
		run->filter = &wish->filter;
	if (!run || make_all(members, wish, run, &status, &written.own) < 0) {
		ct_run_destroy(run);
		return ct_fail("report", strerror(ENOMEM));
	}
	if (wish->output && run->processes.count) {
		int failed = write_tables(run, wish->output);

		written.tables = !failed;
		status |= failed;
	}
	if (wish->mode == CT_REPORT_AT_EXIT)
		ct_report_run(run, true, stderr);
	else if (wish->mode == CT_REPORT_PRINT)
		print(run, members, wish, written);
	ct_run_destroy(run);
	return ct_report_flush(status);
}

int ct_report_several(const struct ct_members *members, enum ct_report_mode mode,
		      const char *output)
{
	const struct ct_report_wish wish = { .mode = mode, .output = output, .progress = true };

	return ct_report_members(members, &wish);
}
