/* SPDX-License-Identifier: Apache-2.0 */
/* How far the figures of a report can be trusted, and what being watched cost. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analyze/report.h"

/* Errors of host and device times add up. Returns false if nobody measured any. */
static bool clock_error(const struct ct_model *model, uint64_t *ret_ns)
{
	bool known = false;

	*ret_ns = 0;
	for (size_t i = 0; i < model->notes.count; i++)
		if (model->notes.at[i].code == CT_NOTE_CLOCK_ERROR) {
			*ret_ns += model->notes.at[i].value;
			known = true;
		}
	return known;
}

static void print_trust(const struct ct_analysis *a, FILE *to)
{
	const struct ct_totals *t = &a->totals;
	uint64_t clock_ns;
	char text[16], count[48];

	fprintf(to, "trust     ");
	if (clock_error(a->model, &clock_ns))
		fprintf(to, "clocks agree within %s; ", ct_report_time(clock_ns, text));
	fprintf(to, "tool took %s of the calls' time", ct_report_time(t->parts_ns[CT_PART_TOOL], text));
	fprintf(to, " (%s)", ct_report_time(t->call_ns, text));
	fprintf(to, "; unexplained %s", ct_report_time(t->parts_ns[CT_PART_UNEXPLAINED], text));
	if (t->mismatches)
		fprintf(to, "; WRONG: the parts of %s do not sum up, report a bug",
			ct_report_count(t->mismatches, "call", count));
	fputc('\n', to);
}

/* What recording took, if enough calls were made that some were timed. */
static void print_cost(const struct ct_analysis *a, FILE *to)
{
	uint64_t calls = 0, ns = 0;
	char each[16], all[16];

	for (size_t i = 0; i < a->model->notes.count; i++)
		if (a->model->notes.at[i].code == CT_NOTE_OWN_COST) {
			calls += strtoull(a->model->notes.at[i].text, NULL, 10);
			ns += a->model->notes.at[i].value;
		}
	if (calls)
		ct_report_wrapped(to, "          ", "          ", "recording took %s a call (%" PRIu64 " %s "
				  "timed), so about %s in all, before and behind the calls; what CUPTI does "
				  "comes on top", ct_report_time(ns / calls, each), calls, calls == 1 ? "was" : "were",
				  ct_report_time((uint64_t)((double)ns / (double)calls *
							    (double)a->totals.calls), all));
}

/* What being watched costs the program in GPU memory. */
static void print_memory(const struct ct_model *model, FILE *to)
{
	for (size_t i = 0; i < model->notes.count; i++)
		if (model->notes.at[i].code == CT_NOTE_GPU_MEMORY)
			ct_report_wrapped(to, "          ", "          ", "CUPTI sets aside %.1f MiB or more of "
					  "GPU memory in each context (%s)",
					  (double)model->notes.at[i].value / (1 << 20),
					  model->notes.at[i].text);
}

void ct_report_trust(const struct ct_analysis *a, FILE *to)
{
	print_trust(a, to);
	print_cost(a, to);
	print_memory(a->model, to);
}
