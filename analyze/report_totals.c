/* SPDX-License-Identifier: Apache-2.0 */
/* A flight recorder: how much of the run is there, and what the whole of it cost by site. */
#include <inttypes.h>

#include "analyze/csv.h"
#include "analyze/report.h"
#include "analyze/seen.h"

#define STACK_BYTES 32768

uint64_t ct_report_overwritten(const struct ct_model *model)
{
	uint64_t sum = 0;

	for (size_t type = 0; type < sizeof(model->header->overwritten) / sizeof(uint64_t); type++)
		sum += model->header->overwritten[type];
	return sum;
}

static const char *size_text(uint64_t bytes, char ret[32])
{
	if (bytes % (1u << 20) == 0)
		snprintf(ret, 32, "%" PRIu64 " MiB", bytes >> 20);
	else
		snprintf(ret, 32, "%" PRIu64 " KiB", bytes >> 10);
	return ret;
}

static uint64_t after(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? to_ns - from_ns : 0;
}

void ct_report_flight(const struct ct_model *model, const char *lead, const char *next,
		      const char *indent, FILE *to)
{
	uint64_t start_ns = model->header->start_ns;
	uint64_t from_ns = model->kept_from_ns > start_ns ? model->kept_from_ns : start_ns;
	const char *whole = ct_seen_windows(model) ? "all windows" : "the whole run";
	char kept[16], run[16], limit[32], ops[48], calls[48];

	if (model->end_ns <= from_ns)
		ct_report_wrapped(to, lead, indent, "flight recorder: nothing is kept from when all was "
				  "recorded: the limit, %s, is too small for so many threads; %" PRIu64
				  " records were overwritten; totals cover %s",
				  size_text(model->header->limit_bytes, limit),
				  ct_report_overwritten(model), whole);
	else
		ct_report_wrapped(to, lead, indent, "flight recorder: the last %s of %s are kept (limit %s); %"
				  PRIu64 " records before that were overwritten; totals cover %s",
				  ct_report_time(model->end_ns - from_ns, kept),
				  ct_report_time(after(start_ns, model->end_ns), run),
				  size_text(model->header->limit_bytes, limit),
				  ct_report_overwritten(model), whole);
	if (model->early_calls || model->early_ops)
		ct_report_wrapped(to, next, indent, "%s and %s of that time that were not overwritten: left "
				  "out, as what else happened then is not known",
				  ct_report_count(model->early_calls, "call", calls),
				  ct_report_count(model->early_ops, "device operation", ops));
	if (model->early_submits)
		ct_report_wrapped(to, next, indent, "the calls of that time that submitted %s",
				  ct_report_count(model->early_submits, "device operation", ops));
}

void ct_report_totals(const struct ct_analysis *a, size_t limit, FILE *to)
{
	char total[16], longest[16], head[64];

	if (!a->site_totals->all.count || !limit)
		return;
	fprintf(to, "\n%s: call sites by time in calls, waits and work alike\n"
		"  #      total   longest      calls  call and place\n",
		ct_seen_windows(a->model) ? "All windows" : "The whole run");
	for (size_t i = 0; i < a->site_totals->all.count && i < limit; i++) {
		const struct ct_total_site *site = &a->site_totals->all.at[i];

		snprintf(head, sizeof(head), "%3zu  %9s %9s %10" PRIu64 "  ", i + 1,
			 ct_report_time(site->total_ns, total),
			 ct_report_time(site->longest_ns, longest), site->calls);
		ct_report_wrapped(to, head, "       ", "%s at %s", site->name, site->where);
	}
	if (a->site_totals->all.count > limit)
		fprintf(to, "       and %zu more (totals.csv)\n", a->site_totals->all.count - limit);
}

void ct_report_totals_csv(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };
	char text[STACK_BYTES];

	for (size_t i = 0; i < a->site_totals->all.count; i++) {
		const struct ct_total_site *site = &a->site_totals->all.at[i];

		ct_csv_text(&csv, site->where);
		ct_csv_text(&csv, site->name);
		ct_csv_number(&csv, site->calls);
		ct_csv_number(&csv, site->total_ns);
		ct_csv_number(&csv, site->longest_ns);
		ct_csv_number(&csv, site->long_calls);
		ct_csv_number(&csv, site->bytes);
		ct_csv_number(&csv, site->failed);
		ct_places_stack_text(a->model, a->sites->places, site->stack, text,
				     sizeof(text));
		ct_csv_text(&csv, text);
		ct_csv_end_row(&csv);
	}
}
