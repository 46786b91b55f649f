/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "analyze/analysis.h"
#include "analyze/run.h"
#include "tools/members.h"
#include "tools/tool.h"

static int write_reports(const struct ct_analysis *analysis)
{
	const char *file, *directory = analysis->directory;
	int r = ct_report_write(analysis, &file);

	if (r == 0)
		return 0;
	fprintf(stderr, "cutrace: %s/%s: %s; make room or give rights, then run `cutrace report %s`\n",
		directory, file, strerror(-r), directory);
	return CT_EXIT_FAILED;
}

static int flush(int status)
{
	return fflush(stdout) == 0 ? status : ct_fail("standard output", "cannot be written");
}

/* The report of one process. */
static int make(const char *directory, enum ct_report_mode mode)
{
	struct ct_analysis *analysis;
	int r = ct_analysis_run(directory, &analysis);
	int status;

	if (r < 0)
		return ct_fail(directory, ct_trace_error(r));
	status = write_reports(analysis);
	if (mode == CT_REPORT_AT_EXIT)
		ct_report_text(analysis, true, stderr);
	else if (mode == CT_REPORT_PRINT)
		ct_report_text(analysis, false, stdout);
	ct_analysis_destroy(analysis);
	return flush(status);
}

/* Analyze one process of a run, write its own report and add its digest. */
static int add(struct ct_run *run, const char *directory)
{
	struct ct_analysis *analysis;
	struct ct_process process;
	int r = ct_analysis_run(directory, &analysis);
	int status = 0;

	if (r == 0) {
		status = write_reports(analysis);
		r = ct_process_take(analysis, &process);
		ct_analysis_destroy(analysis);
	}
	if (r == 0) {
		r = ct_run_add(run, &process);
		if (r < 0)
			ct_process_free(&process);
	}
	return r < 0 ? ct_fail(directory, ct_trace_error(r)) : status;
}

static int write_tables(const struct ct_run *run, const char *directory)
{
	char path[PATH_MAX];
	const char *file;
	int r;

	if (mkdir(directory, 0777) < 0 && errno != EEXIST)
		return ct_fail(directory, strerror(errno));
	r = ct_report_run_write(run, directory, &file);
	if (r == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", directory, file);
	return ct_fail(path, strerror(-r));
}

int ct_report_several(const struct ct_members *members, enum ct_report_mode mode,
		      const char *output)
{
	struct ct_run *run = ct_run_create();
	int status = 0;

	if (!run)
		return ct_fail("report", strerror(ENOMEM));
	for (size_t i = 0; i < members->count; i++)
		status |= add(run, members->at[i].directory);
	if (ct_run_finish(run) < 0) {
		ct_run_destroy(run);
		return ct_fail("report", strerror(ENOMEM));
	}
	if (output && run->processes.count)
		status |= write_tables(run, output);
	if (mode == CT_REPORT_AT_EXIT)
		ct_report_run(run, true, stderr);
	else if (mode == CT_REPORT_PRINT)
		ct_report_run(run, false, stdout);
	ct_run_destroy(run);
	return flush(status);
}

/* One directory with a trace is a report of its own; everything else is a run. */
static int report(char **directories, int count, enum ct_report_mode mode, const char *output)
{
	struct ct_members members = { 0 };
	int status = 0;

	if (count == 1 && !output) {
		char path[PATH_MAX];
		struct stat st;

		snprintf(path, sizeof(path), "%s/trace.cutrace", directories[0]);
		if (stat(path, &st) == 0)
			return make(directories[0], mode);
	}
	for (int i = 0; i < count; i++)
		if (ct_members_add(&members, directories[i]) < 0)
			return ct_fail(directories[i], strerror(ENOMEM));
	if (members.count == 1 && !output)
		status = make(members.at[0].directory, mode);
	else if (members.count)
		status = ct_report_several(&members, mode, output);
	if (members.bad)
		status = CT_EXIT_FAILED;
	ct_members_free(&members);
	return status;
}

static void print_help(void)
{
	puts("usage: cutrace report [--write-only] [--output DIR] DIRECTORY...\n\n"
	     "Analyzes DIRECTORY/trace.cutrace, writes report.txt and the CSV files beside it and\n"
	     "prints the report. A trace that was cut off is read as far as it goes.\n\n"
	     "Several directories, or one that holds such directories, are taken as the processes\n"
	     "of one run: each gets its own report.txt and CSV files, and the report of the run is\n"
	     "printed. With --output its tables, ranks.csv and ranks_callsites.csv, go to DIR.");
}

int ct_cmd_report(int argc, char **argv)
{
	int mode = CT_REPORT_PRINT, option;
	const char *output = NULL;
	const struct option options[] = {
		{ "at-exit", no_argument, &mode, CT_REPORT_AT_EXIT },
		{ "write-only", no_argument, &mode, CT_REPORT_WRITE_ONLY },
		{ "output", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};

	while ((option = getopt_long(argc, argv, "ho:", options, NULL)) != -1) {
		if (option == 'h') {
			print_help();
			return 0;
		}
		if (option == 'o')
			output = optarg;
		if (option == '?')
			return ct_usage("report", NULL);
	}
	if (argc == optind)
		return ct_usage("report", "a directory is needed");
	if (output && !*output)
		return ct_usage("report", "--output needs the name of a directory");
	return report(argv + optind, argc - optind, (enum ct_report_mode)mode, output);
}
