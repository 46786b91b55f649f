/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/export.h"
#include "tools/args.h"
#include "tools/members.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/tool.h"
#include "trace/reader.h"

/* What was asked for. */
struct wish {
	const struct ct_export_format *format;
	const char *output;
	bool force;
	bool foreign;
	bool eager; /* see ct_progress_begin() */
	uint64_t part_records;
};

/* Can a trace be opened? What cannot is named and left out. */
static bool opens(const char *directory)
{
	char path[PATH_MAX];
	struct ct_reader *reader;
	int r = snprintf(path, sizeof(path), "%s/trace.cutrace", directory) < (int)sizeof(path)
			? ct_reader_open(path, &reader)
			: -ENAMETOOLONG;

	if (r < 0) {
		ct_fail(directory, ct_trace_error(r));
		return false;
	}
	ct_reader_close(reader);
	return true;
}

static void show_progress(void *arg, size_t trace, size_t done, size_t all)
{
	struct ct_progress *traces = arg;

	if (all)
		ct_progress_part(&traces[trace], done, all);
	else
		ct_progress_trace(&traces[trace]);
}

/* Returns what ct_export_write() does. */
static int write_traces(struct ct_export_job *job, const struct wish *wish,
			const char **ret_directory)
{
	struct ct_progress *traces = calloc(job->count, sizeof(*traces));
	int r;

	job->progress = traces ? show_progress : NULL;
	job->progress_arg = traces;
	if (traces && !(job->to == stdout && isatty(STDOUT_FILENO)))
		ct_progress_begin(job->count, wish->eager);
	r = ct_export_write(job, ret_directory);
	ct_progress_end();
	free(traces);
	return r;
}

static int write_job(const struct ct_export_job *job, const struct wish *wish)
{
	struct ct_export_job to = *job;
	struct ct_output output;
	const char *directory;
	int r, status = ct_output_open(&output, wish->output, job->format->by_name, wish->force);

	if (status)
		return status;
	to.to = output.to;
	to.path = output.to ? NULL : output.temporary;
	r = write_traces(&to, wish, &directory);
	if (r < 0 && directory)
		status = ct_fail(directory, ct_trace_error(r));
	else if (r < 0)
		status = ct_fail(output.path ? output.path : "standard output", strerror(-r));
	return ct_output_close(&output, r) | status;
}

static int export_members(const struct ct_members *members, const struct wish *wish)
{
	struct ct_export_job job = { .format = wish->format, .left_out = members->bad,
				     .part_records = wish->part_records };
	int status;

	job.directories = calloc(members->count + 1, sizeof(*job.directories));
	if (!job.directories)
		return ct_fail("export", strerror(ENOMEM));
	for (size_t i = 0; i < members->count; i++) {
		if (opens(members->at[i].directory))
			job.directories[job.count++] = members->at[i].directory;
		else
			job.left_out++;
	}
	status = job.count ? write_job(&job, wish) : CT_EXIT_FAILED;
	free(job.directories);
	return job.left_out ? CT_EXIT_FAILED : status;
}

static int export(char **directories, int count, const struct wish *wish)
{
	struct ct_members members = { .foreign = wish->foreign };
	int status = 0;

	for (int i = 0; i < count; i++)
		if (ct_members_add(&members, directories[i]) < 0)
			return ct_fail(directories[i], strerror(ENOMEM));
	status = export_members(&members, wish);
	ct_members_free(&members);
	return status;
}

/* Returns -1, or the exit status. */
static int read_wish(const struct ct_args *args, struct wish *wish)
{
	static const enum ct_arg_id formats[] = {
#define CT_EXPORT_FORMAT(name, summary) CT_ARG_export_##name,
#include "export/formats.def"
#undef CT_EXPORT_FORMAT
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (!ct_args_has(args, formats[i]))
			continue;
		if (wish->format)
			return ct_usage("export", "one format at a time");
		wish->format = ct_export_formats[i];
	}
	wish->output = ct_args_value(args, CT_ARG_export_output);
	wish->force = ct_args_has(args, CT_ARG_export_force);
	wish->foreign = ct_args_has(args, CT_ARG_export_foreign);
	wish->eager = ct_args_has(args, CT_ARG_export_eager);
	wish->part_records = ct_args_number(args, CT_ARG_export_part_records, 0);
	return wish->format ? -1 : ct_usage("export", "a format is needed");
}

int ct_cmd_export(const struct ct_args *args)
{
	struct wish wish = { 0 };
	int status = read_wish(args, &wish);
	bool to_stdout;

	if (status >= 0)
		return status;
	to_stdout = !wish.output || !strcmp(wish.output, "-");
	if (to_stdout && wish.format->by_name)
		return ct_usage("export", "this format needs the name of a file: -o FILE");
	if (to_stdout && wish.format->binary && isatty(STDOUT_FILENO))
		return ct_usage("export", "this format is not for a terminal: -o FILE");
	ct_keep_memory();
	return export(args->operands, args->count, &wish);
}
