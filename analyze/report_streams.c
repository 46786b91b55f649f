/* SPDX-License-Identifier: Apache-2.0 */
/* streams.csv: the streams there were, and how much ran on each. */
#include <stdbool.h>

#include "analyze/csv.h"
#include "analyze/report.h"

static const char *const kinds[] = {
	[CT_STREAM_FLAG_UNKNOWN] = "",
	[CT_STREAM_FLAG_BLOCKING] = "blocking",
	[CT_STREAM_FLAG_NON_BLOCKING] = "non-blocking",
	[CT_STREAM_FLAG_LEGACY] = "legacy default",
	[CT_STREAM_FLAG_PER_THREAD] = "per-thread default",
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool has_handle(const struct ct_model *model, const struct ct_stream_info *stream)
{
	for (size_t i = 0; i < model->handles.count; i++)
		if (model->handles.at[i].context == stream->context &&
		    model->handles.at[i].stream == stream->id)
			return true;
	return false;
}

static const char *kind_of(const struct ct_model *model, uint32_t index)
{
	const struct ct_stream_info *stream = &model->streams.at[index];

	for (size_t t = 0; t < model->threads.count; t++)
		if (model->threads.at[t].default_stream == index)
			return kinds[CT_STREAM_FLAG_PER_THREAD];
	return stream->flag < KINDS ? kinds[stream->flag] : "?";
}

/* Streams of the driver's own, on which nothing of the program's runs, are left out. */
void ct_report_streams_csv(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };

	for (size_t i = 0; i < a->model->streams.count; i++) {
		const struct ct_stream_info *stream = &a->model->streams.at[i];

		if (!stream->core_ops && !has_handle(a->model, stream))
			continue;
		ct_csv_number(&csv, stream->device);
		ct_csv_number(&csv, stream->context);
		ct_csv_number(&csv, stream->id);
		ct_csv_text(&csv, kind_of(a->model, (uint32_t)i));
		if (stream->flag)
			ct_csv_decimal(&csv, stream->priority, 0);
		else
			ct_csv_none(&csv);
		ct_csv_number(&csv, stream->core_ops);
		ct_csv_number(&csv, stream->work_ns);
		ct_csv_end_row(&csv);
	}
}
