/* SPDX-License-Identifier: Apache-2.0 */
/* What calls cost by the NVTX range that they were made in, for people and as CSV. */
#include <inttypes.h>

#include "analyze/csv.h"
#include "analyze/nvtx.h"
#include "analyze/report.h"

#define SHOWN 10
#define NONE_TEXT "(in no range)"

static const char *text_of(const struct ct_analysis *a, const struct ct_nvtx_sum *sum,
			   char ret[CT_NVTX_TEXT_BYTES])
{
	return sum->key.name == CT_NONE ? NONE_TEXT
					: ct_nvtx_text(a->model, sum->key.domain, sum->key.name, ret);
}

enum ct_part ct_nvtx_class(const struct ct_nvtx_sum *sum)
{
	int most = CT_PART_DRIVER_WORK;

	for (int part = 0; part < CT_PART_COUNT; part++)
		if (part != CT_PART_DRIVER_WORK && part != CT_PART_TOOL && sum->parts[part] &&
		    (most == CT_PART_DRIVER_WORK || sum->parts[part] > sum->parts[most]))
			most = part;
	if (most == CT_PART_DRIVER_WORK || sum->parts[most] <= sum->blocked_ns / 2)
		return CT_PART_COUNT;
	return (enum ct_part)most;
}

static void print_sum(const struct ct_analysis *a, const struct ct_nvtx_sum *sum, FILE *to)
{
	char text[CT_NVTX_TEXT_BYTES], blocked[16], all[16], lost[16], head[96], open[48] = "";
	enum ct_part class = ct_nvtx_class(sum);

	snprintf(head, sizeof(head), "  %9s         %9s %9s %8" PRIu64 "  ",
		 ct_report_time(sum->blocked_ns, blocked), ct_report_time(sum->all_blocked_ns, all),
		 ct_report_lost(sum->lost_ns, false, lost), sum->calls);
	if (sum->unended) /* whatever its thread called later counts, too */
		snprintf(open, sizeof(open), "; %" PRIu64 " of %" PRIu64 " never ended", sum->unended, sum->ranges);
	ct_report_wrapped(to, head, "                                               ", "%.300s%s%s%s",
			  sum->key.name == CT_NONE ? "outside all ranges" : text_of(a, sum, text),
			  class == CT_PART_COUNT ? "" : ", most of it ",
			  class == CT_PART_COUNT ? "" : ct_part_names[class], open);
}

void ct_report_nvtx(const struct ct_analysis *a, FILE *to)
{
	const struct ct_nvtx_sum *outside = NULL;
	size_t shown = 0, left = 0;

	if (!ct_nvtx_any(&a->nvtx))
		return;
	for (size_t i = 0; i < a->nvtx.all.count; i++) {
		const struct ct_nvtx_sum *sum = a->nvtx.all.at[i];

		if (!sum->all_calls)
			continue;
		if (sum->key.name == CT_NONE) {
			outside = sum; /* last, for whoever adds up */
			continue;
		}
		if (shown == SHOWN || (shown && !sum->all_blocked_ns && !sum->all_lost_ns)) {
			left++;
			continue;
		}
		if (!shown++)
			fprintf(to, "\nNVTX ranges, by the innermost one around each call\n"
				"    blocked   with inner ones      lost    calls  range\n");
		print_sum(a, sum, to);
	}
	if (left)
		fprintf(to, "  and %zu more (nvtx.csv)\n", left);
	if (outside && shown)
		print_sum(a, outside, to);
}

void ct_report_nvtx_csv(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };
	char text[CT_NVTX_TEXT_BYTES];

	for (size_t i = 0; i < a->nvtx.all.count; i++) {
		const struct ct_nvtx_sum *sum = a->nvtx.all.at[i];

		if (a->filter && !sum->all_calls)
			continue;
		ct_csv_text(&csv, text_of(a, sum, text));
		ct_csv_number(&csv, sum->ranges);
		ct_csv_number(&csv, sum->calls);
		ct_csv_number(&csv, sum->total_ns);
		ct_csv_number(&csv, sum->blocked_ns);
		for (int part = 0; part < CT_PART_COUNT; part++)
			ct_csv_number(&csv, sum->parts[part]);
		ct_csv_number(&csv, sum->lost_ns);
		ct_csv_number(&csv, sum->all_calls);
		ct_csv_number(&csv, sum->all_blocked_ns);
		ct_csv_number(&csv, sum->all_lost_ns);
		ct_csv_number(&csv, sum->unended);
		ct_csv_end_row(&csv);
	}
}
