/* SPDX-License-Identifier: Apache-2.0 */
/* streams.csv: the streams there were, and how much ran on each. */
#include <stdint.h>
#include <stdlib.h>

#include "analyze/csv.h"
#include "analyze/device.h"
#include "analyze/report.h"

static const char *const kinds[] = {
	[CT_STREAM_FLAG_UNKNOWN] = "",
	[CT_STREAM_FLAG_BLOCKING] = "blocking",
	[CT_STREAM_FLAG_NON_BLOCKING] = "non-blocking",
	[CT_STREAM_FLAG_LEGACY] = "legacy default",
	[CT_STREAM_FLAG_PER_THREAD] = "per-thread default",
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

#define NAMED 1      /* a handle names it */
#define PER_THREAD 2 /* it is a thread's own default stream */

/* Marks by stream, for free(); NULL: no memory. */
static uint8_t *marks_of(const struct ct_model *model)
{
	uint8_t *marks = calloc(model->streams.count + 1, 1);

	for (size_t i = 0; marks && i < model->handles.count; i++) {
		const struct ct_handle *handle = &model->handles.at[i];
		uint32_t stream = ct_stream_index((struct ct_model *)(uintptr_t)model,
						  handle->context, handle->stream, false);

		if (stream != CT_NONE)
			marks[stream] |= NAMED;
	}
	for (size_t i = 0; marks && i < model->streams.count; i++)
		marks[i] |= model->streams.at[i].per_thread ? PER_THREAD : 0;
	return marks;
}

static const char *kind_of(const struct ct_stream_info *stream, uint8_t marks)
{
	if (marks & PER_THREAD)
		return kinds[CT_STREAM_FLAG_PER_THREAD];
	return stream->flag < KINDS ? kinds[stream->flag] : "?";
}

static void write_no_memory(struct ct_csv *csv)
{
	for (int column = 0; column < 7; column++)
		if (column == 3)
			ct_csv_text(csv, "(no memory for this table)");
		else
			ct_csv_number(csv, 0);
	ct_csv_end_row(csv);
}

/* Streams of the driver's own, on which nothing of the program's runs, are left out. */
static void write_stream(struct ct_csv *csv, const struct ct_stream_info *stream, uint8_t marks)
{
	if (!stream->core_ops && !(marks & NAMED))
		return;
	ct_csv_number(csv, stream->device);
	ct_csv_number(csv, stream->context);
	ct_csv_number(csv, stream->id);
	ct_csv_text(csv, kind_of(stream, marks));
	if (stream->flag)
		ct_csv_decimal(csv, stream->priority, 0);
	else
		ct_csv_none(csv);
	ct_csv_number(csv, stream->core_ops);
	ct_csv_number(csv, stream->work_ns);
	ct_csv_end_row(csv);
}

/* By device, then context. */
void ct_report_streams_csv(const struct ct_analysis *a, FILE *to)
{
	const struct ct_model *model = a->model;
	struct ct_csv csv = { .to = to };
	uint8_t *marks = marks_of(model);

	if (!marks)
		write_no_memory(&csv);
	for (size_t place = 0; marks && place <= model->device_count; place++)
		for (size_t i = 0; i < model->streams.count; i++)
			if (ct_device_place(model, model->streams.at[i].device) == place)
				write_stream(&csv, &model->streams.at[i], marks[i]);
	free(marks);
}
