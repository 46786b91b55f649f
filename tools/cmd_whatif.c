/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "analyze/report.h"
#include "analyze/whatif.h"
#include "tools/args.h"
#include "tools/color.h"
#include "tools/members.h"
#include "tools/progress.h"
#include "tools/tool.h"

#define EVENTS 100000000u /* replayed: some seconds, for long traces */

static int print(const char *directory, bool eager)
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
	ct_progress_begin(1, eager);
	r = ct_analysis_run(directory, &options, &analysis);
	ct_progress_end();
	if (r < 0)
		return ct_fail(directory, ct_trace_error(r));
	ct_report_coverage(analysis, stdout);
	ct_report_whatif(analysis, SIZE_MAX, stdout);
	status = ct_whatif_refusal(analysis) ? CT_EXIT_FAILED : 0;
	ct_analysis_destroy(analysis);
	return fflush(stdout) == 0 ? status : ct_fail("standard output", "cannot be written");
}

int ct_cmd_whatif(const struct ct_args *args)
{
	ct_color_begin(ct_args_value(args, CT_ARG_whatif_color));
	return print(args->operands[0], ct_args_has(args, CT_ARG_whatif_eager));
}
