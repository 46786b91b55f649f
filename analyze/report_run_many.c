/* SPDX-License-Identifier: Apache-2.0 */
/* What tells one of hundreds of processes from the others, in a few lines. */
#include <stdlib.h>
#include <string.h>

#include "analyze/report.h"
#include "analyze/run.h"

#define LATE_PERCENT 5 /* of the run: who starts later by so much is named */

/* Columns of the table of processes. */
enum column { SPAN, OWN, DEVICE, BLOCKED, LOST, COLUMNS };

/* Returns false where it is not known. */
static bool figure(const struct ct_process *p, enum column column, uint64_t *ret)
{
	const uint64_t figures[COLUMNS] = { p->end_ns - p->begin_ns, p->own_ns, p->busy_ns,
					    p->blocked_ns, p->serialized_ns };

	*ret = figures[column];
	if (column == OWN)
		return p->compared;
	return p->has_device || (column != DEVICE && column != LOST);
}

/* Least, median and most of a column; count 0: known of none. */
struct spread {
	uint64_t least, median, most;
	size_t count, where; /* the process with most */
};

static struct spread find_spread(const struct ct_run *run, enum column column, uint64_t *values)
{
	struct spread s = { .least = UINT64_MAX };

	for (size_t i = 0; i < run->processes.count; i++) {
		uint64_t value;

		if (!figure(&run->processes.at[i], column, &value))
			continue;
		if (value > s.most || !s.count) {
			s.most = value;
			s.where = i;
		}
		s.least = value < s.least ? value : s.least;
		values[s.count++] = value;
	}
	s.median = ct_run_median(values, s.count);
	return s;
}

static void print_row(const char *name, int width, const struct spread *spreads, size_t offset,
		      FILE *to)
{
	char text[16];

	fprintf(to, "  %-*s", width, name);
	for (int c = 0; c < COLUMNS; c++) {
		uint64_t value;

		memcpy(&value, (const char *)&spreads[c] + offset, sizeof(value));
		fprintf(to, " %9s", spreads[c].count ? ct_report_time(value, text) : "?");
	}
	fputc('\n', to);
}

void ct_report_run_spread(const struct ct_run *run, int width, FILE *to)
{
	uint64_t *values = calloc(run->processes.count + 1, sizeof(*values));
	struct spread spreads[COLUMNS];

	for (int c = 0; values && c < COLUMNS; c++)
		spreads[c] = find_spread(run, (enum column)c, values);
	if (values) {
		print_row("least", width, spreads, offsetof(struct spread, least), to);
		print_row("median", width, spreads, offsetof(struct spread, median), to);
		print_row("most", width, spreads, offsetof(struct spread, most), to);
		fprintf(to, "  %-*s", width, "most in");
		for (int c = 0; c < COLUMNS; c++)
			fprintf(to, " %9.9s",
				spreads[c].most ? run->processes.at[spreads[c].where].label : "");
		fputc('\n', to);
	}
	free(values);
}

/* The median of when those that are compared made their first CUDA call. */
static uint64_t usual_begin(const struct ct_run *run)
{
	uint64_t *values = calloc(run->processes.count + 1, sizeof(*values)), begin_ns = UINT64_MAX;
	size_t count = 0;

	for (size_t i = 0; values && i < run->processes.count; i++)
		if (run->processes.at[i].compared)
			values[count++] = run->processes.at[i].begin_ns;
	if (count)
		begin_ns = ct_run_median(values, count);
	free(values);
	return begin_ns;
}

void ct_report_run_late(const struct ct_run *run, FILE *to)
{
	uint64_t least = (run->end_ns - run->begin_ns) / 100 * LATE_PERCENT, from = usual_begin(run);
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
