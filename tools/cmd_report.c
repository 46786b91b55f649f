/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "analyze/analysis.h"
#include "tools/tool.h"

/* How the report is wanted: printed, as a summary at a program's end, or only written. */
enum { PRINT = 0, AT_EXIT = 1, WRITE_ONLY = 2 };

static int make(const char *directory, int mode)
{
	struct ct_analysis *analysis;
	const char *file;
	int r = ct_analysis_run(directory, &analysis);
	int status = 0;

	if (r < 0)
		return ct_fail(directory, ct_trace_error(r));
	r = ct_report_write(analysis, &file);
	if (r < 0) {
		fprintf(stderr, "cutrace: %s/%s: %s; make room or give rights, then run `cutrace "
			"report %s`\n", directory, file, strerror(-r), directory);
		status = CT_EXIT_FAILED;
	}
	if (mode == AT_EXIT)
		ct_report_text(analysis, true, stderr);
	else if (mode == PRINT)
		ct_report_text(analysis, false, stdout);
	ct_analysis_destroy(analysis);
	return fflush(stdout) == 0 ? status : ct_fail("standard output", "cannot be written");
}

int ct_cmd_report(int argc, char **argv)
{
	int mode = PRINT, option;
	const struct option options[] = {
		{ "at-exit", no_argument, &mode, AT_EXIT },
		{ "write-only", no_argument, &mode, WRITE_ONLY },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h') {
			puts("usage: cutrace report [--write-only] DIRECTORY\n\n"
			     "Analyzes DIRECTORY/trace.cutrace, writes report.txt and the CSV files "
			     "beside it and\nprints the report. A trace that was cut off is read as far "
			     "as it goes.");
			return 0;
		}
		if (option == '?')
			return ct_usage("report", NULL);
	}
	if (argc - optind != 1)
		return ct_usage("report", "one directory is needed");
	return make(argv[optind], mode);
}
