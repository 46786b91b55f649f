/* SPDX-License-Identifier: Apache-2.0 */
/* What tells one of hundreds of processes from the others, in a few lines. */
#include <stdio.h>
#include <string.h>

#include "analyze/report.h"
#include "analyze/run.h"

#define COLUMN_WIDTH 9
#define LATE_PERCENT 5 /* of the run: who starts later by so much is named */

/* One of "least", "median", "most". */
static uint64_t pick(const struct ct_spread *spread, int row)
{
	return row == 0 ? spread->least : row == 1 ? spread->median : spread->most;
}

/* Of a label what a column has room for: "rank 3", "pid 123", and of longer numbers only these. */
static const char *short_label(const char *label, char ret[16])
{
	size_t word = strcspn(label, " "), both = word + (label[word] == ' ');
	size_t number = strcspn(label + both, " ");

	if (both + number > COLUMN_WIDTH)
		snprintf(ret, 16, "%.*s", (int)number, label + both);
	else
		snprintf(ret, 16, "%.*s", (int)(both + number), label);
	return ret;
}

void ct_report_run_spread(const struct ct_run *run, int width, FILE *to)
{
	static const char *const rows[] = { "least", "median", "most" };
	char text[16];

	for (int row = 0; row < 3; row++) {
		fprintf(to, "  %-*s", width, rows[row]);
		for (int c = 0; c < CT_COLUMNS; c++)
			fprintf(to, " %9s", run->spread[c].where == CT_NONE
				? "?" : c == CT_COLUMN_LOST ? ct_report_lost(pick(&run->spread[c], row), false, text)
				: ct_report_time(pick(&run->spread[c], row), text));
		fputc('\n', to);
	}
	fprintf(to, "  %-*s", width, "most in");
	for (int c = 0; c < CT_COLUMNS; c++)
		fprintf(to, " %*s", COLUMN_WIDTH, run->spread[c].most
			? short_label(run->processes.at[run->spread[c].where].label, text) : "");
	fputc('\n', to);
}

void ct_report_run_late(const struct ct_run *run, FILE *to)
{
	uint64_t least = (run->end_ns - run->begin_ns) / 100 * LATE_PERCENT, from = run->usual_begin_ns;
	struct ct_names names = { 0 };

	if (least < CT_SLOWEST_LEAST_NS)
		least = CT_SLOWEST_LEAST_NS;
	for (size_t i = 0; i < run->processes.count; i++) {
		const struct ct_process *p = &run->processes.at[i];
		char text[sizeof(p->label) + 32], time[16];

		if (!p->compared || p->begin_ns < from || p->begin_ns - from < least)
			continue;
		snprintf(text, sizeof(text), "%s by %s", p->label, ct_report_time(p->begin_ns - from, time));
		ct_names_add(&names, text);
	}
	if (names.count)
		ct_report_wrapped(to, "", "    ", "Late: %s, by the first CUDA call, against the median of "
				  "those compared.", ct_names_text(&names));
}
