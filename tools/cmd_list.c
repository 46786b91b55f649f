/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyze/csv.h"
#include "tools/args.h"
#include "tools/grid.h"
#include "tools/in_use.h"
#include "tools/members.h"
#include "tools/tool.h"
#include "trace/reader.h"

#define HEADER "Directory,Program,PID,Started,Duration (ns),Calls,State,Size (bytes),Packed,Lost (records)"

/* What all records of a trace say together. */
struct contents {
	uint64_t calls;
	uint64_t last_ns; /* the end of the last call or operation */
	uint64_t damaged_bytes;
};

static int read_all(struct ct_reader *reader, struct contents *ret)
{
	struct ct_item item;
	int r;

	*ret = (struct contents){ 0 };
	while ((r = ct_reader_next(reader, &item)) == 1) {
		const struct ct_call *call = item.type == CT_RECORD_CALL ? item.record : NULL;
		const struct ct_device_op *op = item.type == CT_RECORD_DEVICE ? item.record : NULL;
		uint64_t end_ns = call ? call->leave_ns : op ? op->end_ns : 0;

		ret->calls += call != NULL;
		ret->last_ns = end_ns > ret->last_ns ? end_ns : ret->last_ns;
	}
	ret->damaged_bytes = ct_reader_damage(reader, NULL);
	return r;
}

/* In UTC, for it may have been another place: 2026-01-31T23:59:59Z. */
static void time_field(struct ct_csv *csv, uint64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	struct tm parts;
	char text[64] = "?";

	if (gmtime_r(&seconds, &parts))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	ct_csv_text(csv, text);
}

static const char *state_of(const char *path, struct ct_reader *reader, const struct contents *contents)
{
	const struct ct_file_header *header = ct_reader_header(reader);
	bool short_of = header->claimed_bytes > CT_CHUNK_UNIT &&
			header->claimed_bytes > ct_reader_size(reader); /* as the report has it */

	if (contents->damaged_bytes)
		return "damaged";
	if (header->finish != CT_FINISH_CUT_OFF)
		return short_of ? "damaged" : "whole";
	return ct_in_use(path, header) ? "being written" : "cut off";
}

static uint64_t lost_of(const struct ct_file_header *header)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < header->loss_count; i++)
		sum += header->lost[i];
	return sum;
}

static void write_row(struct ct_csv *csv, const struct ct_member *member, const char *path,
		      struct ct_reader *reader, const struct contents *contents)
{
	const struct ct_file_header *header = ct_reader_header(reader);
	uint64_t end_ns = header->finish_ns ? header->finish_ns : contents->last_ns;

	ct_csv_text(csv, member->directory);
	ct_csv_text(csv, header->program);
	ct_csv_number(csv, header->pid);
	time_field(csv, header->start_realtime_ns);
	ct_csv_number(csv, end_ns > header->start_ns ? end_ns - header->start_ns : 0);
	ct_csv_number(csv, contents->calls);
	ct_csv_text(csv, state_of(path, reader, contents));
	ct_csv_number(csv, (uint64_t)member->bytes);
	ct_csv_text(csv, ct_reader_packed(reader) ? "yes" : "no");
	ct_csv_number(csv, lost_of(header));
	ct_csv_end_row(csv);
}

/* Returns the exit status. */
static int add_row(struct ct_csv *csv, const struct ct_member *member)
{
	char path[PATH_MAX];
	struct contents contents;
	struct ct_reader *reader;
	int r;

	if (snprintf(path, sizeof(path), "%s/trace.cutrace", member->directory) >= (int)sizeof(path))
		return ct_fail(member->directory, strerror(ENAMETOOLONG));
	r = ct_reader_open(path, &reader);
	if (r < 0)
		return ct_fail(member->directory, ct_trace_error(r));
	r = read_all(reader, &contents);
	if (r == 0)
		write_row(csv, member, path, reader, &contents);
	ct_reader_close(reader);
	return r < 0 ? ct_fail(member->directory, ct_trace_error(r)) : 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Returns whether what is in it is of no interest: it is a trace, or hidden. */
static bool enter(FTSENT *entry, struct ct_members *members, int *ret_failed)
{
	char path[PATH_MAX];
	struct stat st;

	if (entry->fts_level > 0 && entry->fts_name[0] == '.')
		return true;
	if (snprintf(path, sizeof(path), "%s/trace.cutrace", entry->fts_path) >= (int)sizeof(path) ||
	    stat(path, &st) < 0)
		return false;
	*ret_failed |= ct_members_add(members, entry->fts_path) < 0;
	return true;
}

/* Find the traces below a directory. Returns the exit status. */
static int find_traces(char *directory, struct ct_members *members)
{
	char *const places[] = { directory, NULL };
	FTS *tree = fts_open(places, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR | FTS_NOSTAT, by_name);
	int status = 0, no_memory = 0;
	FTSENT *entry;

	if (!tree)
		return ct_fail(directory, strerror(errno));
	while ((entry = fts_read(tree))) {
		if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS)
			status = ct_fail(entry->fts_path, strerror(entry->fts_errno));
		else if (entry->fts_info == FTS_D && enter(entry, members, &no_memory))
			fts_set(tree, entry, FTS_SKIP);
	}
	fts_close(tree);
	return no_memory ? ct_fail(directory, strerror(ENOMEM)) : status;
}

/* Returns the exit status. */
static int print_list(const struct ct_members *members, enum ct_format format)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	struct ct_csv csv = { .to = to };
	struct ct_grid grid;
	int status = 0, r = to ? 0 : -ENOMEM;

	if (to)
		ct_csv_header(&csv, HEADER);
	for (size_t i = 0; to && i < members->count; i++)
		status |= add_row(&csv, &members->at[i]);
	if (to && fclose(to) != 0)
		r = -ENOMEM;
	if (r == 0)
		r = ct_grid_read(text, &grid);
	if (r == 0) {
		r = ct_grid_print(&grid, format, NULL, NULL, true, stdout);
		if (format == CT_FORMAT_JSON)
			putchar('\n');
		ct_grid_free(&grid);
	}
	free(text);
	return r < 0 ? ct_fail("list", strerror(-r)) : status;
}

int ct_cmd_list(const struct ct_args *args)
{
	static char here[] = ".";
	char *directory = args->count ? args->operands[0] : here;
	struct ct_members members = { .foreign = ct_args_has(args, CT_ARG_list_foreign) };
	int status = find_traces(directory, &members);

	if (!members.count && !members.bad && !status)
		status = ct_fail(directory, "no trace below it; `cutrace run PROGRAM` leaves one");
	else
		status |= print_list(&members, ct_format_of(ct_args_value(args, CT_ARG_list_format)));
	if (members.bad)
		status = CT_EXIT_FAILED;
	ct_members_free(&members);
	return fflush(stdout) == 0 ? status : ct_fail("standard output", "cannot be written");
}
