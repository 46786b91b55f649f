/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Summaries in the shape of `nsys stats`, so that scripts made for it go on working:
 * its header rows, its units, rows by total time.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/csv.h"
#include "analyze/lookup.h"
#include "analyze/report.h"

struct row {
	struct ct_link link; /* by name */
	const char *name;
	uint64_t *ns; /* every duration; NULL: they are only summed up */
	size_t count, room;
	uint64_t total;
	struct ct_durations summed;
};

struct rows {
	struct ct_lookup by_name;
	CT_ARRAY(struct row *) all;
	bool no_memory; /* something was not added */
};

/*
 * By where the name is: names are long, and calls many. That two names are the same text, as when
 * two mangled ones say the same to people, unite_rows() finds.
 */
static struct row *row_of(struct rows *rows, const char *name)
{
	struct row *row = ct_lookup_find(&rows->by_name, &name, sizeof(name));

	if (row)
		return row;
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	row->name = name;
	if (CT_PUSH(&rows->all, row) < 0) {
		free(row);
		return NULL;
	}
	return ct_lookup_add(&rows->by_name, row, &row->name, sizeof(row->name)) < 0 ? NULL : row;
}

static int add_duration(struct row *row, uint64_t ns)
{
	if (ct_grow(&row->ns, row->count, &row->room, sizeof(*row->ns)) < 0)
		return -ENOMEM;
	row->ns[row->count++] = ns;
	row->total += ns;
	return 0;
}

static void add(struct rows *rows, const char *name, uint64_t ns)
{
	struct row *row = row_of(rows, name);

	if (!row || add_duration(row, ns) < 0)
		rows->no_memory = true;
}

static void add_summed(struct rows *rows, const char *name, const struct ct_durations *durations)
{
	struct row *row;

	if (!durations->count)
		return;
	row = row_of(rows, name);
	if (row && ct_durations_merge(&row->summed, durations) == 0)
		row->total += durations->total_ns;
	else
		rows->no_memory = true;
}

static void free_row(struct row *row)
{
	free(row->ns);
	ct_durations_free(&row->summed);
	free(row);
}

static int by_name(const void *a, const void *b)
{
	const struct row *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int by_total(const void *a, const void *b)
{
	const struct row *const *x = a, *const *y = b;

	if ((*x)->total != (*y)->total)
		return (*x)->total > (*y)->total ? -1 : 1;
	return by_name(a, b);
}

/* What a row has goes to another one. */
static int move_row(struct row *to, const struct row *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->count; i++)
		r = add_duration(to, from->ns[i]);
	if (from->summed.count)
		to->total += from->total;
	return r == 0 ? ct_durations_merge(&to->summed, &from->summed) : r;
}

/* A row for each text. */
static void unite_rows(struct rows *rows)
{
	size_t kept = 0;

	ct_lookup_clear(&rows->by_name);
	if (!rows->all.count)
		return;
	qsort(rows->all.at, rows->all.count, sizeof(*rows->all.at), by_name);
	for (size_t i = 0; i < rows->all.count; i++) {
		struct row *row = rows->all.at[i];

		if (!kept || strcmp(rows->all.at[kept - 1]->name, row->name)) {
			rows->all.at[kept++] = row;
			continue;
		}
		if (move_row(rows->all.at[kept - 1], row) < 0)
			rows->no_memory = true;
		free_row(row);
	}
	rows->all.count = kept;
	qsort(rows->all.at, kept, sizeof(*rows->all.at), by_total);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double median(const struct row *row)
{
	size_t half = row->count / 2;

	return row->count % 2 ? (double)row->ns[half]
			      : ((double)row->ns[half - 1] + (double)row->ns[half]) / 2;
}

/* Of the sample, as nsys has it: 0 for a single value. */
static double deviation(const struct row *row, double mean)
{
	double sum = 0;

	for (size_t i = 0; i < row->count; i++)
		sum += ((double)row->ns[i] - mean) * ((double)row->ns[i] - mean);
	return row->count > 1 ? sqrt(sum / (double)(row->count - 1)) : 0;
}

static void write_row(struct ct_csv *csv, struct row *row, uint64_t all)
{
	double mean = (double)row->total / (double)row->count;

	qsort(row->ns, row->count, sizeof(*row->ns), by_value);
	ct_csv_decimal(csv, all ? 100.0 * (double)row->total / (double)all : 0, 1);
	ct_csv_number(csv, row->total);
	ct_csv_number(csv, row->count);
	ct_csv_decimal(csv, mean, 1);
	ct_csv_decimal(csv, median(row), 1);
	ct_csv_number(csv, row->ns[0]);
	ct_csv_number(csv, row->ns[row->count - 1]);
	ct_csv_decimal(csv, deviation(row, mean), 1);
	ct_csv_text(csv, row->name);
	ct_csv_end_row(csv);
}

/* The same of numbers that are gone. */
static void write_summed_row(struct ct_csv *csv, const struct row *row, uint64_t all)
{
	const struct ct_durations *d = &row->summed;

	ct_csv_decimal(csv, all ? 100.0 * (double)d->total_ns / (double)all : 0, 1);
	ct_csv_number(csv, d->total_ns);
	ct_csv_number(csv, d->count);
	ct_csv_decimal(csv, (double)d->total_ns / (double)d->count, 1);
	ct_csv_decimal(csv, ct_durations_median(d), 1);
	ct_csv_number(csv, d->least_ns);
	ct_csv_number(csv, d->most_ns);
	ct_csv_decimal(csv, ct_durations_deviation(d), 1);
	ct_csv_text(csv, row->name);
	ct_csv_end_row(csv);
}

/* Sums of a part would look like those of all. */
static void write_no_memory(struct ct_csv *csv)
{
	for (int column = 0; column < 8; column++)
		ct_csv_number(csv, 0);
	ct_csv_text(csv, "(no memory for this table)");
	ct_csv_end_row(csv);
}

static void write_rows(struct rows *rows, FILE *to)
{
	struct ct_csv csv = { .to = to };
	uint64_t all = 0;

	unite_rows(rows);
	if (rows->no_memory)
		write_no_memory(&csv);
	for (size_t i = 0; i < rows->all.count; i++)
		all += rows->all.at[i]->total;
	for (size_t i = 0; i < rows->all.count; i++) {
		struct row *row = rows->all.at[i];

		if (rows->no_memory)
			; /* only freed */
		else if (row->ns)
			write_row(&csv, row, all);
		else
			write_summed_row(&csv, row, all);
		free_row(row);
	}
	free(rows->all.at);
}

void ct_report_api_sum(const struct ct_analysis *a, FILE *to)
{
	struct rows rows = { 0 };

	for (int api = 0; a->by_api && api < CT_API_COUNT; api++)
		add_summed(&rows, api ? ct_apis[api].name : CT_UNKNOWN_CALL, &a->by_api[api]);
	for (size_t i = 0; !a->by_api && i < a->model->calls.count; i++) {
		const struct ct_host_call *call = &a->model->calls.at[i];

		if (!call->left_out)
			add(&rows, call->name, call->raw.leave_ns - call->raw.enter_ns);
	}
	write_rows(&rows, to);
}

static const char *kernel_name(const struct ct_model *model, size_t id)
{
	const char *name = id < model->strings.count ? model->strings.at[id] : NULL;

	return name ? name : "(unnamed kernel)";
}

void ct_report_kernel_sum(const struct ct_analysis *a, FILE *to)
{
	struct rows rows = { 0 };

	for (size_t id = 0; a->by_name && id < a->name_count; id++)
		add_summed(&rows, kernel_name(a->model, id), &a->by_name[id]);
	for (uint32_t i = 0; !a->by_name && i < a->model->ops.count; i++) {
		const struct ct_device_op *op = &a->model->ops.at[i].raw;

		if (op->kind == CT_DEVICE_KERNEL && !ct_model_op_left_out(a->model, i))
			add(&rows, kernel_name(a->model, op->name), op->end_ns - op->start_ns);
	}
	write_rows(&rows, to);
}
