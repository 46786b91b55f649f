/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/export.h"
#include "tools/members.h"
#include "tools/output.h"
#include "tools/tool.h"
#include "trace/reader.h"

#define FORMATS_MAX 16
#define FORMAT_OPTION 1000 /* and its place in the table behind it */

/* What was asked for. */
struct wish {
	const struct ct_export_format *format;
	const char *output;
	bool force;
	bool foreign;
	uint64_t part_records;
};

static void print_help(void)
{
	puts("usage: cutrace export --FORMAT [-o FILE] [--force] [--foreign] DIRECTORY...\n\n"
	     "Writes the traces of the directories, or of those in them, in the format of another\n"
	     "tool, as one file:\n");
	for (size_t i = 0; ct_export_formats[i]; i++)
		printf("  --%-9s %s\n", ct_export_formats[i]->name, ct_export_formats[i]->summary);
	puts("\n"
	     "  -o FILE     to a file instead of standard output; it is there when it is whole\n"
	     "  --force     also if there is such a file already\n"
	     "  --foreign   also traces of other users than you and root\n\n"
	     "Each says what was lost or not seen of a trace; docs/exports.md has the details.");
}

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
	r = ct_export_write(&to, &directory);
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

/* Options of all formats, and of the command; returns the status for usage, or -1. */
static int read_options(int argc, char **argv, struct wish *wish)
{
	struct option options[FORMATS_MAX + 6] = {
		{ "output", required_argument, NULL, 'o' },
		{ "force", no_argument, NULL, 'f' },
		{ "foreign", no_argument, NULL, 'u' },
		{ "part-records", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
	};
	int option;

	for (int i = 0; i < FORMATS_MAX && ct_export_formats[i]; i++)
		options[5 + i] = (struct option){ ct_export_formats[i]->name, no_argument, NULL,
						  FORMAT_OPTION + i };
	opterr = 0;
	while ((option = getopt_long(argc, argv, "hfo:", options, NULL)) != -1) {
		if (option == 'h') {
			print_help();
			return 0;
		}
		if (option == '?')
			return ct_usage_option("export", argv[optind - 1]);
		if (option >= FORMAT_OPTION && wish->format)
			return ct_usage("export", "one format at a time");
		if (option >= FORMAT_OPTION)
			wish->format = ct_export_formats[option - FORMAT_OPTION];
		else if (option == 'o')
			wish->output = optarg;
		else if (option == 'p')
			wish->part_records = strtoull(optarg, NULL, 10);
		wish->force |= option == 'f';
		wish->foreign |= option == 'u';
	}
	return -1;
}

int ct_cmd_export(int argc, char **argv)
{
	struct wish wish = { 0 };
	int status = read_options(argc, argv, &wish);
	bool to_stdout;

	if (status >= 0)
		return status;
	to_stdout = !wish.output || !strcmp(wish.output, "-");
	if (!wish.format)
		return ct_usage("export", "a format is needed; `cutrace export --help` lists them");
	if (argc == optind)
		return ct_usage("export", "a directory is needed");
	if (to_stdout && wish.format->by_name)
		return ct_usage("export", "this format needs the name of a file: -o FILE");
	if (to_stdout && wish.format->binary && isatty(STDOUT_FILENO))
		return ct_usage("export", "this format is not for a terminal: -o FILE");
	ct_keep_memory();
	return export(argv + optind, argc - optind, &wish);
}
