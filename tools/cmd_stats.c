/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analyze/report.h"
#include "analyze/stats.h"
#include "export/export.h"
#include "export/json.h"
#include "tools/args.h"
#include "tools/grid.h"
#include "tools/members.h"
#include "tools/progress.h"
#include "tools/tool.h"

/* What was asked for, and how much of it has been printed. */
struct wish {
	const struct ct_args *args;
	enum ct_format format;
	bool several; /* traces */
	size_t printed;
};

/* Is this table wanted? */
static bool wanted(const struct ct_args *args, const struct ct_stat *stat)
{
	for (size_t i = 0; i < args->given_count; i++)
		if (args->given[i].id == CT_ARG_stats_report &&
		    strcasecmp(args->given[i].value, stat->name) == 0)
			return true;
	return !ct_args_has(args, CT_ARG_stats_report);
}

static size_t count_wanted(const struct ct_args *args)
{
	size_t count = 0;

	for (const struct ct_stat *stat = ct_stats; stat->name; stat++)
		count += wanted(args, stat);
	return count;
}

/* The rows that a trace has, or -errno. lead: the trace's directory, or NULL. */
static int print_stat(const struct ct_analysis *analysis, const struct ct_stat *stat,
		      enum ct_format format, const char *lead, bool headers)
{
	struct ct_grid grid;
	char *csv = NULL;
	size_t size;
	FILE *to = open_memstream(&csv, &size);
	int r = to ? 0 : -ENOMEM;

	if (r == 0)
		ct_stat_write(stat, analysis, to);
	if (to && fclose(to) != 0)
		r = -ENOMEM;
	if (r == 0)
		r = ct_grid_read(csv, &grid);
	if (r == 0) {
		r = ct_grid_print(&grid, format, "Directory", lead, headers, stdout);
		ct_grid_free(&grid);
	}
	free(csv);
	return r;
}

static int print_tables(const struct ct_analysis *analysis, const struct wish *wish)
{
	char name[PATH_MAX];
	int r = 0;

	printf("%strace %s\n", wish->printed ? "\n" : "", ct_shown(analysis->directory, name));
	ct_report_coverage(analysis, stdout);
	for (const struct ct_stat *stat = ct_stats; r == 0 && stat->name; stat++) {
		if (!wanted(wish->args, stat))
			continue;
		printf("\n%s%s%s%s\n", stat->name, stat->file ? " (" : "", stat->file ? stat->file : "",
		       stat->file ? ")" : "");
		r = print_stat(analysis, stat, CT_FORMAT_TABLE, NULL, true);
	}
	return r;
}

static int json_loss(void *arg, uint64_t count, const char *text)
{
	struct ct_json json = { .to = stdout };
	size_t *losses = arg;

	fputs((*losses)++ ? ",\n" : "\n", stdout);
	ct_json_begin(&json, NULL);
	if (count)
		ct_json_number(&json, "count", count);
	else
		ct_json_null(&json, "count");
	ct_json_text(&json, "text", text);
	ct_json_end(&json);
	return 0;
}

/* An object for each trace, in an array. */
static int print_json(const struct ct_analysis *analysis, const struct wish *wish)
{
	struct ct_json json = { .to = stdout };
	size_t losses = 0;
	int r;

	fputs(wish->printed ? ",\n" : "[\n", stdout);
	ct_json_begin(&json, NULL);
	ct_json_text(&json, "directory", analysis->directory);
	ct_json_text(&json, "program", analysis->model->header->program);
	ct_json_number(&json, "pid", analysis->model->header->pid);
	fputs(",\n\"losses\":[", stdout);
	r = ct_export_losses(analysis, json_loss, &losses);
	fputs("]", stdout);
	for (const struct ct_stat *stat = ct_stats; r == 0 && stat->name; stat++) {
		if (!wanted(wish->args, stat))
			continue;
		printf(",\n\"%s\":", stat->name);
		r = print_stat(analysis, stat, CT_FORMAT_JSON, NULL, true);
	}
	ct_json_end(&json);
	return r;
}

static int count_loss(void *arg, uint64_t count, const char *text)
{
	(void)count, (void)text;
	(*(size_t *)arg)++;
	return 0;
}

/* One table, without a line that is none of it. */
static int print_rows(const struct ct_analysis *analysis, const struct wish *wish)
{
	const struct ct_stat *stat = ct_stats;
	char name[PATH_MAX], count[48];
	size_t losses = 0;
	int r = ct_export_losses(analysis, count_loss, &losses);

	ct_shown(analysis->directory, name);
	if (losses)
		fprintf(stderr, "cutrace: %s: not all was seen (%s): `cutrace report %s` lists them\n",
			name, ct_report_count(losses, "reason", count), name);
	while (!wanted(wish->args, stat))
		stat++;
	if (r == 0)
		r = print_stat(analysis, stat, wish->format,
			       wish->several ? analysis->directory : NULL, !wish->printed);
	return r;
}

/* Returns the exit status. */
static int stats_of(const char *directory, struct wish *wish)
{
	uint64_t part_records = ct_args_number(wish->args, CT_ARG_stats_part_records, 0);
	struct ct_progress progress = { 0 };
	const struct ct_analysis_options options = { .whole_records = part_records,
						     .part_records = part_records,
						     .progress = ct_progress_part,
						     .progress_arg = &progress };
	struct ct_analysis *analysis;
	bool empty;
	int r;

	ct_progress_begin(1, false);
	r = ct_analysis_run(directory, &options, &analysis);
	ct_progress_end();
	if (r < 0)
		return ct_fail(directory, ct_trace_error(r));
	if (wish->format == CT_FORMAT_TABLE)
		r = print_tables(analysis, wish);
	else if (wish->format == CT_FORMAT_JSON)
		r = print_json(analysis, wish);
	else
		r = print_rows(analysis, wish);
	wish->printed++;
	empty = ct_cut_empty(analysis);
	ct_analysis_destroy(analysis);
	if (r < 0)
		return ct_fail(directory, strerror(-r));
	return empty ? ct_fail(directory, CT_CUT_EMPTY) : 0;
}

int ct_cmd_stats(const struct ct_args *args)
{
	struct ct_members members = { .foreign = ct_args_has(args, CT_ARG_stats_foreign) };
	struct wish wish = {
		.args = args, .format = ct_format_of(ct_args_value(args, CT_ARG_stats_format)),
	};
	int status = 0;

	if ((wish.format == CT_FORMAT_CSV || wish.format == CT_FORMAT_TSV) && count_wanted(args) != 1)
		return ct_usage("stats", "csv and tsv hold one table: choose it with --report=NAME");
	ct_keep_memory();
	for (int i = 0; i < args->count; i++)
		if (ct_members_add(&members, args->operands[i]) < 0)
			return ct_fail(args->operands[i], strerror(ENOMEM));
	wish.several = members.count > 1;
	for (size_t i = 0; i < members.count; i++)
		status |= stats_of(members.at[i].directory, &wish);
	if (wish.format == CT_FORMAT_JSON)
		puts(wish.printed ? "\n]" : "[]");
	if (members.bad)
		status = CT_EXIT_FAILED;
	ct_members_free(&members);
	return fflush(stdout) == 0 ? status : ct_fail("standard output", "cannot be written");
}
