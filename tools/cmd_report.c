/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "analyze/analysis.h"
#include "analyze/run.h"
#include "tools/members.h"
#include "tools/tool.h"

/* What was asked for. */
struct wish {
	enum ct_report_mode mode;
	const char *output;
	bool all_rows;
	bool foreign; /* traces of other users as well */
	uint64_t part_records; /* for tests: analyze any trace in parts of so many; 0 = as usual */
};

static int write_reports(const struct ct_analysis *analysis, struct ct_rows *rows)
{
	const char *file, *directory = analysis->directory;
	int r = ct_report_write(analysis, rows, &file);

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

/* Analyze one process and write its report. Returns what ct_analysis_run() does. */
static int analyze(const char *directory, const struct wish *wish, bool process,
		   struct ct_analysis **ret, int *ret_status)
{
	struct ct_analysis_options options = { .process = process,
					       .part_records = wish->part_records,
					       .whole_records = wish->part_records };
	struct ct_rows *rows = NULL;
	int r = wish->all_rows ? ct_rows_open(directory, &rows) : 0;

	if (rows) {
		options.part = ct_rows_add;
		options.arg = rows;
	}
	if (r == 0)
		r = ct_analysis_run(directory, &options, ret);
	if (r == 0)
		*ret_status = write_reports(*ret, rows);
	ct_rows_close(rows);
	return r;
}

/* The report of one process. */
static int make(const char *directory, const struct wish *wish)
{
	struct ct_analysis *analysis;
	int status, r = analyze(directory, wish, false, &analysis, &status);

	if (r < 0)
		return ct_fail(directory, ct_trace_error(r));
	if (wish->mode == CT_REPORT_AT_EXIT)
		ct_report_text(analysis, true, stderr);
	else if (wish->mode == CT_REPORT_PRINT)
		ct_report_text(analysis, false, stdout);
	ct_analysis_destroy(analysis);
	return flush(status);
}

/* Analyze one process of a run, write its own report and add its digest. */
static int add(struct ct_run *run, const char *directory, const struct wish *wish)
{
	struct ct_analysis *analysis;
	struct ct_process process;
	int status = 0, r = analyze(directory, wish, true, &analysis, &status);

	if (r == 0) {
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

static int report_several(const struct ct_members *members, const struct wish *wish)
{
	struct ct_run *run = ct_run_create();
	int status = 0;

	if (!run)
		return ct_fail("report", strerror(ENOMEM));
	for (size_t i = 0; i < members->count; i++)
		status |= add(run, members->at[i].directory, wish);
	if (ct_run_finish(run) < 0) {
		ct_run_destroy(run);
		return ct_fail("report", strerror(ENOMEM));
	}
	if (wish->output && run->processes.count)
		status |= write_tables(run, wish->output);
	if (wish->mode == CT_REPORT_AT_EXIT)
		ct_report_run(run, true, stderr);
	else if (wish->mode == CT_REPORT_PRINT)
		ct_report_run(run, false, stdout);
	ct_run_destroy(run);
	return flush(status);
}

int ct_report_several(const struct ct_members *members, enum ct_report_mode mode,
		      const char *output)
{
	const struct wish wish = { .mode = mode, .output = output };

	return report_several(members, &wish);
}

/* One directory with a trace is a report of its own; everything else is a run. */
static int report(char **directories, int count, const struct wish *wish)
{
	struct ct_members members = { .foreign = wish->foreign };
	int status = 0;

	if (count == 1 && !wish->output) {
		char path[PATH_MAX], why[256];
		struct stat st;

		snprintf(path, sizeof(path), "%s/trace.cutrace", directories[0]);
		if (stat(path, &st) == 0)
			return !wish->foreign && ct_foreign(&st, why, sizeof(why)) ?
				ct_fail(directories[0], why) : make(directories[0], wish);
	}
	for (int i = 0; i < count; i++)
		if (ct_members_add(&members, directories[i]) < 0)
			return ct_fail(directories[i], strerror(ENOMEM));
	if (members.count == 1 && !wish->output)
		status = make(members.at[0].directory, wish);
	else if (members.count)
		status = report_several(&members, wish);
	if (members.bad)
		status = CT_EXIT_FAILED;
	ct_members_free(&members);
	return status;
}

static void print_help(void)
{
	puts("usage: cutrace report [--write-only] [--all-rows] [--foreign] [--output DIR]\n"
	     "                      DIRECTORY...\n\n"
	     "Analyzes DIRECTORY/trace.cutrace, writes report.txt and the CSV files beside it and\n"
	     "prints the report. A trace that was cut off is read as far as it goes.\n\n"
	     "Of runs of more than a million calls and device operations, calls.csv, device.csv and\n"
	     "blocked.csv, which have a row for each, are only made with --all-rows.\n\n"
	     "Several directories, or one that holds such directories, are taken as the processes\n"
	     "of one run: each gets its own report.txt and CSV files, and the report of the run is\n"
	     "printed. With --output its tables, ranks.csv, ranks_callsites.csv and, where there was\n"
	     "NCCL, ranks_nccl.csv, go to DIR.\n\n"
	     "Traces of other users but root are refused unless --foreign says to trust them.");
}

#define HEAP_BYTES ((size_t)256 << 20)

void ct_keep_memory(void)
{
	char *heap;

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	heap = malloc(HEAP_BYTES);
	if (heap)
		madvise((char *)(((uintptr_t)heap + 4095) & ~(uintptr_t)4095), HEAP_BYTES - 4096,
			MADV_HUGEPAGE);
	free(heap);
}

int ct_cmd_report(int argc, char **argv)
{
	int mode = CT_REPORT_PRINT, all_rows = false, foreign = false, option;
	struct wish wish = { 0 };
	const struct option options[] = {
		{ "at-exit", no_argument, &mode, CT_REPORT_AT_EXIT },
		{ "write-only", no_argument, &mode, CT_REPORT_WRITE_ONLY },
		{ "all-rows", no_argument, &all_rows, true },
		{ "foreign", no_argument, &foreign, true },
		{ "output", required_argument, NULL, 'o' },
		{ "part-records", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};

	opterr = 0;
	while ((option = getopt_long(argc, argv, "ho:", options, NULL)) != -1) {
		if (option == 'h') {
			print_help();
			return 0;
		}
		if (option == 'o')
			wish.output = optarg;
		if (option == 'p')
			wish.part_records = strtoull(optarg, NULL, 10);
		if (option == '?')
			return ct_usage_option("report", argv[optind - 1]);
	}
	ct_keep_memory();
	if (argc == optind)
		return ct_usage("report", "a directory is needed");
	if (wish.output && !*wish.output)
		return ct_usage("report", "--output needs the name of a directory");
	wish.mode = (enum ct_report_mode)mode;
	wish.all_rows = all_rows;
	wish.foreign = foreign;
	return report(argv + optind, argc - optind, &wish);
}
