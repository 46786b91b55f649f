/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/args.h"
#include "tools/color.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "trace/folders.h"

/* Where the files go; NULL: nowhere, as those beside the trace are of all of it. */
static const char *target(const char *directory, const struct ct_report_wish *wish)
{
	return wish->output || ct_filter_any(&wish->filter) ? wish->output : directory;
}

int ct_report_make(const char *directory, const struct ct_report_wish *wish,
		   struct ct_analysis_options options, struct ct_analysis **ret,
		   struct ct_report_files *ret_files)
{
	const char *to = target(directory, wish), *file = NULL;
	struct ct_rows *rows = NULL;
	int r = wish->all_rows && to ? ct_rows_open(to, &rows) : 0;

	options.filter = &wish->filter;
	options.part_records = options.whole_records = wish->part_records;
	if (rows) {
		options.part = ct_rows_add;
		options.arg = rows;
	}
	if (r == 0)
		r = ct_analysis_run(directory, &options, ret);
	if (r == 0) {
		int written = to ? ct_report_write_to(*ret, to, rows, &file) : 0;

		*ret_files = (struct ct_report_files){ to, file, written, ct_cut_empty(*ret) };
	}
	ct_rows_close(rows);
	return r;
}

bool ct_cut_empty(const struct ct_analysis *analysis)
{
	return ct_report_nothing(analysis) && ct_report_damaged(analysis);
}

int ct_report_tell(const char *directory, const struct ct_report_files *files)
{
	char name[PATH_MAX];
	int status = files->nothing ? ct_fail(directory, CT_CUT_EMPTY) : 0;

	if (files->r == 0)
		return status;
	fprintf(stderr, "cutrace: %s/%s: %s", ct_shown(files->to, name), files->failed,
		strerror(-files->r));
	if (files->to == directory)
		fprintf(stderr, "; make room or give rights, then run `cutrace report %s`, or have the files "
			"elsewhere by its --output", name);
	putc('\n', stderr);
	return CT_EXIT_FAILED;
}

int ct_report_flush(int status)
{
	return fflush(stdout) == 0 ? status : ct_fail("standard output", "cannot be written");
}

/* The report of one process. */
static int make(const char *directory, const struct ct_report_wish *wish)
{
	struct ct_progress progress = { 0 };
	const struct ct_analysis_options options = { .progress = ct_progress_part,
						     .progress_arg = &progress };
	struct ct_report_files files = { 0 };
	struct ct_analysis *analysis = NULL;
	int status, r;

	if (wish->progress)
		ct_progress_begin(1, wish->eager);
	r = ct_report_make(directory, wish, options, &analysis, &files);
	ct_progress_end();
	if (r < 0)
		return ct_fail(directory, ct_trace_error(r));
	status = ct_report_tell(directory, &files);
	if (wish->mode == CT_REPORT_AT_EXIT)
		ct_report_text(analysis, true, stderr);
	else if (wish->mode == CT_REPORT_PRINT) {
		ct_report_text(analysis, false, stdout);
		if (!files.r && !files.nothing)
			ct_report_next(directory, files.to);
	}
	ct_analysis_destroy(analysis);
	return ct_report_flush(status);
}

int ct_report_one(const char *directory, enum ct_report_mode mode)
{
	const struct ct_report_wish wish = { .mode = mode };

	ct_keep_memory();
	return make(directory, &wish);
}

int ct_report_folder(const char *directory)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s", directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = ct_make_folder(path, 0777);
	return r == -EEXIST ? 0 : r;
}

/* Files beside a trace are of that one, and of all of it: no other report must be taken for them. */
static int make_target(const struct ct_report_wish *wish)
{
	char path[PATH_MAX];
	int r = ct_report_folder(wish->output);

	if (r < 0)
		return ct_fail(wish->output, strerror(-r));
	snprintf(path, sizeof(path), "%s/trace.cutrace", wish->output);
	if (access(path, F_OK) == 0)
		return ct_fail(wish->output, "holds a trace, whose own report would be overwritten; "
			       "name another directory");
	return 0;
}

static int make_filtered(const struct ct_members *members, const struct ct_report_wish *wish)
{
	int status = wish->output ? make_target(wish) : 0;

	if (status || !members->count)
		return status;
	return members->count > 1 ? ct_report_members(members, wish) : make(members->at[0].directory, wish);
}

/* The files of a single process go where its run's go: the trace may lie where nothing can be written. */
static int make_run(const struct ct_members *members, const struct ct_report_wish *wish)
{
	int status = members->count == 1 ? make_target(wish) : 0;

	return status ? status : ct_report_members(members, wish);
}

/* One directory with a trace is a report of its own; everything else is a run. */
static int report(char **directories, int count, const struct ct_report_wish *wish)
{
	struct ct_members members = { .foreign = wish->foreign };
	bool filtered = ct_filter_any(&wish->filter);
	int status = 0;

	if (count == 1 && !wish->output) {
		char path[PATH_MAX], why[256];
		struct stat st;

		snprintf(path, sizeof(path), "%s/trace.cutrace", directories[0]);
		if (stat(path, &st) == 0)
			return !wish->foreign && ct_foreign(&st, why, sizeof(why)) ?
				ct_fail(directories[0], why) : make(directories[0], wish);
	}
	for (int i = 0; i < count; i++)
		if (ct_members_add(&members, directories[i]) < 0)
			return ct_fail(directories[i], strerror(ENOMEM));
	if (filtered)
		status = make_filtered(&members, wish);
	else if (members.count == 1 && !wish->output)
		status = make(members.at[0].directory, wish);
	else if (members.count)
		status = make_run(&members, wish);
	if (members.bad && !status)
		status = CT_EXIT_FAILED;
	ct_members_free(&members);
	return status;
}

#define HEAP_BYTES ((size_t)256 << 20)

void ct_keep_memory(void)
{
	char *heap;

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	heap = malloc(HEAP_BYTES);
	if (heap)
		madvise((char *)(((uintptr_t)heap + 4095) & ~(uintptr_t)4095), HEAP_BYTES - 4096,
			MADV_HUGEPAGE);
	free(heap);
}

/* Returns 0, or the exit status after a line that says what is wrong. */
static int read_time(const struct ct_args *args, enum ct_arg_id id, uint64_t *ret_ns)
{
	const char *value = ct_args_value(args, id);
	char name[CT_ARG_NAME_BYTES], problem[320];

	if (!value || ct_filter_duration(value, ret_ns) == 0)
		return 0;
	snprintf(problem, sizeof(problem), "--%s takes a time such as 2.5s or 100us, not \"%.200s\"",
		 ct_arg_name(&ct_args_known[id], name), value);
	return ct_usage("report", problem);
}

static int read_filter(const struct ct_args *args, struct ct_filter *filter)
{
	const char *only = ct_args_value(args, CT_ARG_report_only);
	int status = read_time(args, CT_ARG_report_min_blocked, &filter->min_blocked_ns);

	if (!status)
		status = read_time(args, CT_ARG_report_from, &filter->from_ns);
	if (!status)
		status = read_time(args, CT_ARG_report_to, &filter->to_ns);
	if (!status && ct_args_has(args, CT_ARG_report_to) && filter->to_ns <= filter->from_ns)
		status = ct_usage("report", "--to must be later than --from");
	if (!status && only && (!*only || *only == ',' || strstr(only, ",,") || only[strlen(only) - 1] == ','))
		status = ct_usage("report", "--only needs names, with commas between them");
	filter->only = only;
	filter->nvtx = ct_args_value(args, CT_ARG_report_nvtx);
	return status;
}

int ct_cmd_report(const struct ct_args *args)
{
	struct ct_report_wish wish = {
		.output = ct_args_value(args, CT_ARG_report_output),
		.all_rows = ct_args_has(args, CT_ARG_report_all_rows),
		.foreign = ct_args_has(args, CT_ARG_report_foreign),
		.eager = ct_args_has(args, CT_ARG_report_eager),
		.operands = args->operands,
		.count = args->count,
		.part_records = ct_args_number(args, CT_ARG_report_part_records, 0),
	};
	int status;

	if (ct_args_has(args, CT_ARG_report_at_exit))
		wish.mode = CT_REPORT_AT_EXIT;
	if (ct_args_has(args, CT_ARG_report_write_only))
		wish.mode = CT_REPORT_WRITE_ONLY;
	wish.progress = wish.mode == CT_REPORT_PRINT; /* else a program may be ending beside others */
	status = read_filter(args, &wish.filter);
	if (status)
		return status;
	ct_color_begin(ct_args_value(args, CT_ARG_report_color));
	ct_keep_memory();
	return report(args->operands, args->count, &wish);
}
