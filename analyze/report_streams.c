/* SPDX-License-Identifier: Apache-2.0 */
/* streams.csv: the streams there were, and how much ran on each. */
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

/* The durations of its operations, added up. */
static uint64_t work_of(const struct ct_model *model, const struct ct_stream_info *stream)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < stream->op_count; i++) {
		const struct ct_device_op *op = &model->ops.at[stream->ops[i]].raw;

		sum += op->end_ns - op->start_ns;
	}
	return sum;
}

void ct_report_streams_csv(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };

	ct_csv_header(&csv, "Device,Context,Stream,Kind,Priority,Operations,Work (ns)");
	for (size_t i = 0; i < a->model->streams.count; i++) {
		const struct ct_stream_info *stream = &a->model->streams.at[i];

		ct_csv_number(&csv, stream->device);
		ct_csv_number(&csv, stream->context);
		ct_csv_number(&csv, stream->id);
		ct_csv_text(&csv, stream->flag < KINDS ? kinds[stream->flag] : "?");
		if (stream->flag)
			ct_csv_format(&csv, "%d", stream->priority);
		else
			ct_csv_none(&csv);
		ct_csv_number(&csv, stream->op_count);
		ct_csv_number(&csv, work_of(a->model, stream));
		ct_csv_end_row(&csv);
	}
}
