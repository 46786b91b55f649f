/* SPDX-License-Identifier: Apache-2.0 */
/* Which windows were recorded of a run that was not recorded all the time. */
#include "analyze/report.h"
#include "analyze/seen.h"

#define WINDOWS_SHOWN 6
#define LIST_BYTES 512

struct window {
	uint64_t from_ns, to_ns;
};

/* When the process was last known to be there. */
static uint64_t last_ns(const struct ct_model *model)
{
	const struct ct_file_header *header = model->header;
	uint64_t last = header->finish_ns > model->end_ns ? header->finish_ns : model->end_ns;

	return header->control.beat_ns > last ? header->control.beat_ns : last;
}

/* The next stretch in which something was recorded, from change *at on. */
static bool next_window(const struct ct_model *model, size_t *at, struct window *ret)
{
	const struct ct_mode_change *changes = model->mode_changes.at;
	size_t count = model->mode_changes.count, i = *at;

	if (i == 0 && changes[0].time_ns > model->header->start_ns && changes[0].mode == CT_MODE_OFF) {
		*ret = (struct window){ model->header->start_ns, changes[0].time_ns };
		*at = 1; /* it began in full, which no change says */
		return true;
	}
	while (i < count && changes[i].mode == CT_MODE_OFF)
		i++;
	if (i == count)
		return false;
	ret->from_ns = changes[i].time_ns > model->header->start_ns ? changes[i].time_ns
								      : model->header->start_ns;
	while (i < count && changes[i].mode != CT_MODE_OFF)
		i++;
	ret->to_ns = i < count ? changes[i].time_ns : last_ns(model);
	*at = i;
	return true;
}

/* "from 30.0 s for 2.00 s, from 36.1 s for 1.20 s and 3 more" */
static void list(const struct ct_model *model, char *ret, uint64_t *ret_count, uint64_t *ret_ns)
{
	uint64_t count = 0, sum_ns = 0;
	struct window w;
	size_t used = 0;
	char from[16], took[16];

	*ret = '\0';
	for (size_t at = 0; next_window(model, &at, &w); count++) {
		uint64_t span_ns = w.to_ns > w.from_ns ? w.to_ns - w.from_ns : 0;

		sum_ns += span_ns;
		if (count < WINDOWS_SHOWN)
			used += (size_t)snprintf(ret + used, LIST_BYTES - used, "%sfrom %s for %s",
						 count ? ", " : "",
						 ct_report_time(w.from_ns - model->header->start_ns, from),
						 ct_report_time(span_ns, took));
	}
	if (count > WINDOWS_SHOWN)
		snprintf(ret + used, LIST_BYTES - used, " and %llu more",
			 (unsigned long long)(count - WINDOWS_SHOWN));
	*ret_count = count;
	*ret_ns = sum_ns;
}

void ct_report_windows(const struct ct_model *model, const char *lead, const char *next, FILE *to)
{
	uint64_t start_ns = model->header->start_ns, end_ns = last_ns(model), count, ns;
	uint64_t span_ns = end_ns > start_ns ? end_ns - start_ns : 0;
	char windows[LIST_BYTES], all[16], part[16], number[48];

	list(model, windows, &count, &ns);
	if (!count)
		ct_report_wrapped(to, lead, next, "anything: no window was begun in the %s since the first "
				  "use of CUDA (CUTRACE_START; `cutrace ctl DIR start` begins one)",
				  ct_report_time(span_ns, all));
	else
		ct_report_wrapped(to, lead, next, "calls and device work outside %s of %s in all, %.1f %% of "
				  "the %s since the first use of CUDA (%s): they were not even counted, and "
				  "nothing is extrapolated", ct_report_count(count, "window", number),
				  ct_report_time(ns, part),
				  span_ns ? 100.0 * (double)ns / (double)span_ns : 0,
				  ct_report_time(span_ns, all), windows);
}
