/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "analyze/report.h"
#include "analyze/whatif.h"
#include "tools/members.h"
#include "tools/tool.h"

#define EVENTS 100000000u /* replayed: some seconds, for long traces */

static int print(const char *directory)
{
	const struct ct_analysis_options options = { .whole_records = UINT64_MAX,
						     .whatif_events = EVENTS };
	struct ct_analysis *analysis;
	char path[PATH_MAX], why[128];
	struct stat st;
	int status, r;

	if (snprintf(path, sizeof(path), "%s/trace.cutrace", directory) >= (int)sizeof(path))
		return ct_fail(directory, "the name is too long");
	if (stat(path, &st) == 0 && ct_foreign(&st, why, sizeof(why)))
		return ct_fail(directory, why);
	r = ct_analysis_run(directory, &options, &analysis);
	if (r < 0)
		return ct_fail(directory, ct_trace_error(r));
	ct_report_coverage(analysis, stdout);
	ct_report_whatif(analysis, SIZE_MAX, stdout);
	status = ct_whatif_refusal(analysis) ? CT_EXIT_FAILED : 0;
	ct_analysis_destroy(analysis);
	return fflush(stdout) == 0 ? status : ct_fail("standard output", "cannot be written");
}

int ct_cmd_whatif(int argc, char **argv)
{
	const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option != 'h')
			return ct_usage_option("whatif", argv[optind - 1]);
		puts("usage: cutrace whatif DIRECTORY\n\n"
		     "Replays the run of DIRECTORY/trace.cutrace without the waits that a change of the\n"
		     "program would take away, and prints what each change would save, most first, each\n"
		     "on top of those before it. The low end of a range has what comes to overlap share\n"
		     "the device, the high end has it overlap freely. Long traces take some 400 bytes of\n"
		     "memory a record here. Ends with 1 if nothing can be predicted.");
		return 0;
	}
	if (argc - optind != 1)
		return ct_usage("whatif", "one directory is needed");
	return print(argv[optind]);
}
