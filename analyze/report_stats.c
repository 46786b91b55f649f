/* SPDX-License-Identifier: Apache-2.0 */
/* Sums that no table of the report has: of copies, by class of waiting, by culprit. */
#include <stdlib.h>
#include <string.h>

#include "analyze/copies.h"
#include "analyze/csv.h"
#include "analyze/stats.h"

/* Sums of a part would look like those of all. */
static void no_memory(struct ct_csv *csv)
{
	ct_csv_text(csv, "(no memory for this table)");
	ct_csv_end_row(csv);
}

/* Of a run in one piece they are made when wanted. NULL: no memory. */
static struct ct_copies *sum_copies(const struct ct_model *model)
{
	struct ct_copies *copies = calloc(1, sizeof(*copies));
	int r = 0;

	for (uint32_t i = model->core.first_op; copies && r == 0 && i < model->core.end_op; i++)
		r = ct_copies_add(copies, &model->ops.at[i].raw);
	if (r == 0)
		return copies;
	ct_copies_destroy(copies);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Exact where all operations are at hand, else what the steps of the sums say. */
static double median(const struct ct_analysis *a, const struct ct_durations *d, unsigned class)
{
	uint64_t *ns = a->copies ? NULL : calloc(d->count, sizeof(*ns));
	size_t n = 0, low;
	double middle;

	if (!ns)
		return ct_durations_median(d);
	for (uint32_t i = a->model->core.first_op; i < a->model->core.end_op; i++) {
		const struct ct_device_op *op = &a->model->ops.at[i].raw;

		if (ct_copy_class(op) == class)
			ns[n++] = op->end_ns - op->start_ns;
	}
	qsort(ns, n, sizeof(*ns), by_value);
	low = (n - 1) / 2;
	middle = ((double)ns[low] + (double)ns[n - 1 - low]) / 2;
	free(ns);
	return middle;
}

static void copy_row(struct ct_csv *csv, const struct ct_analysis *a, const struct ct_copies *copies,
		     unsigned class, uint64_t all)
{
	const struct ct_durations *d = &copies->durations[class];
	char name[64];

	ct_csv_text(csv, ct_copy_class_name(class, name));
	ct_csv_decimal(csv, all ? 100.0 * (double)d->total_ns / (double)all : 0, 1);
	ct_csv_number(csv, d->total_ns);
	ct_csv_number(csv, d->count);
	ct_csv_decimal(csv, (double)d->total_ns / (double)d->count, 1);
	ct_csv_decimal(csv, median(a, d, class), 1);
	ct_csv_number(csv, d->least_ns);
	ct_csv_number(csv, d->most_ns);
	ct_csv_decimal(csv, ct_durations_deviation(d), 1);
	ct_csv_number(csv, copies->bytes[class]);
	ct_csv_end_row(csv);
}

/* Which class took longest of those that are not done; CT_COPY_CLASSES: all are. */
static unsigned next_class(const struct ct_copies *copies, const bool *done)
{
	unsigned best = CT_COPY_CLASSES;

	for (unsigned class = 0; class < CT_COPY_CLASSES; class++)
		if (!done[class] && copies->durations[class].count &&
		    (best == CT_COPY_CLASSES ||
		     copies->durations[class].total_ns > copies->durations[best].total_ns))
			best = class;
	return best;
}

static void write_copies(const struct ct_analysis *a, FILE *to)
{
	struct ct_copies *own = a->copies ? NULL : sum_copies(a->model);
	const struct ct_copies *copies = a->copies ? a->copies : own;
	struct ct_csv csv = { .to = to };
	bool done[CT_COPY_CLASSES] = { false };
	uint64_t all = 0;

	for (unsigned class = 0; copies && class < CT_COPY_CLASSES; class++)
		all += copies->durations[class].total_ns;
	for (unsigned class; copies && (class = next_class(copies, done)) < CT_COPY_CLASSES;) {
		copy_row(&csv, a, copies, class, all);
		done[class] = true;
	}
	if (!copies)
		no_memory(&csv);
	ct_copies_destroy(own);
}

static void class_row(struct ct_csv *csv, const char *name, const char *blocked, uint64_t ns,
		      uint64_t calls)
{
	ct_csv_text(csv, name);
	ct_csv_text(csv, blocked);
	ct_csv_number(csv, ns);
	ct_csv_number(csv, calls);
	ct_csv_end_row(csv);
}

/* The parts of the time in calls, and what there is besides. */
static void write_blocked(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };

	for (int part = 0; part < CT_PART_COUNT; part++)
		class_row(&csv, ct_part_names[part],
			  part == CT_PART_TOOL || part == CT_PART_DRIVER_WORK ? "no" : "yes",
			  a->totals.parts_ns[part], a->totals.parts_calls[part]);
	class_row(&csv, "polling", "between calls", a->totals.poll_ns, a->totals.poll_queries);
	for (int part = 0; part < CT_PART_COUNT; part++)
		if (a->model->outside[part].count)
			class_row(&csv, ct_part_names[part], "outside these calls",
				  a->model->outside[part].ns, a->model->outside[part].count);
}

/* What the calls of a site did to others. */
struct harm {
	uint64_t pairs, delay_ns, lost_ns;
};

static void sum_pairs(const struct ct_analysis *a, struct harm *harms)
{
	for (size_t i = 0; i < a->serialization->pairs.count; i++) {
		const struct ct_pair *pair = &a->serialization->pairs.at[i];
		struct harm *harm = &harms[a->sites->of_call[pair->culprit]];

		harm->pairs++;
		harm->delay_ns += pair->delay_ns;
		harm->lost_ns += pair->lost_ns;
	}
}

/* Of a run in parts only the worst pairs are kept: what their sums would be is not known. */
static void harm_row(struct ct_csv *csv, const struct ct_site *site, const struct harm *harm,
		     bool whole)
{
	ct_csv_text(csv, site->where);
	ct_csv_text(csv, site->name);
	ct_csv_number(csv, whole ? harm->lost_ns : site->lost_ns);
	if (whole) {
		ct_csv_number(csv, harm->delay_ns);
		ct_csv_number(csv, harm->pairs);
	} else {
		ct_csv_none(csv);
		ct_csv_none(csv);
	}
	ct_csv_end_row(csv);
}

static void write_serialized(const struct ct_analysis *a, FILE *to)
{
	struct harm *harms = calloc(a->sites->all.count + 1, sizeof(*harms));
	bool whole = a->serialization->pair_count == a->serialization->pairs.count;
	struct ct_csv csv = { .to = to };

	if (!harms) {
		no_memory(&csv);
		return;
	}
	sum_pairs(a, harms);
	for (size_t i = 0; i < a->sites->all.count; i++) {
		const struct ct_site *site = &a->sites->all.at[a->sites->ranked[i]];
		const struct harm *harm = &harms[a->sites->ranked[i]];

		if (harm->pairs || (!whole && site->lost_ns))
			harm_row(&csv, site, harm, whole);
	}
	free(harms);
}

const struct ct_stat ct_stats[] = {
	{ "calls", "cuda_api_sum.csv", NULL, NULL },
	{ "kernels", "cuda_gpu_kern_sum.csv", NULL, NULL },
	{ "copies", NULL,
	  "Operation,Time (%),Total Time (ns),Count,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),"
	  "Total (bytes)",
	  write_copies },
	{ "callsites", "callsites.csv", NULL, NULL },
	{ "blocked", NULL, "Class,Blocked,Total Time (ns),Calls", write_blocked },
	{ "serialized", NULL, "Call Site,Call,Lost (ns),Delay (ns),Pairs", write_serialized },
	{ .name = NULL },
};

void ct_stat_write(const struct ct_stat *stat, const struct ct_analysis *analysis, FILE *to)
{
	const struct ct_table *table = ct_tables;

	while (stat->file && strcmp(table->file, stat->file) != 0)
		table++;
	fprintf(to, "%s\n", stat->file ? table->header : stat->header);
	(stat->file ? table->write : stat->write)(analysis, to);
}
