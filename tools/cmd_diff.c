/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "analyze/report_diff.h"
#include "export/diff_json.h"
#include "tools/args.h"
#include "tools/diff_sides.h"
#include "tools/output.h"
#include "tools/tool.h"

enum format { TABLE, CSV, JSON };
enum annotate { NO_NOTES, GITHUB, JUNIT };

/* What was asked for. */
struct wish {
	struct ct_diff_sides sides;
	double fail_over; /* percent; NAN = nothing fails */
	enum format format;
	enum annotate annotate;
	const char *output;
	bool force;
	bool allow_incomplete;
};

/* A number with or without a percent sign. */
static bool read_percent(const char *text, double *ret)
{
	char *end;
	double value = strtod(text, &end);

	end += *end == '%';
	if (end == text || *end || !isfinite(value) || value < 0 || isspace((unsigned char)*text))
		return false;
	*ret = value;
	return true;
}

/* The directories, from both ways of giving them. Returns NULL, or what is wrong. */
static const char *read_directories(const struct ct_args *args, struct ct_diff_sides *sides)
{
	bool named = ct_args_has(args, CT_ARG_diff_before) || ct_args_has(args, CT_ARG_diff_after);
	int r = 0;

	if (named && args->count)
		return "BEFORE and AFTER, or --before and --after, not both";
	for (size_t i = 0; r == 0 && i < args->given_count; i++)
		if (args->given[i].id == CT_ARG_diff_before)
			r = ct_diff_sides_add(sides, CT_BEFORE, args->given[i].value);
		else if (args->given[i].id == CT_ARG_diff_after)
			r = ct_diff_sides_add(sides, CT_AFTER, args->given[i].value);
	for (int s = 0; r == 0 && s < args->count; s++)
		r = ct_diff_sides_add(sides, s, args->operands[s]);
	if (r == 0 && sides->directories[CT_BEFORE].count && sides->directories[CT_AFTER].count)
		return NULL;
	return r < 0 ? strerror(ENOMEM) : "a directory before and one after are needed";
}

static bool is_word(const char *given, const char *word)
{
	return given && !strcasecmp(given, word);
}

/* What goes where. Returns NULL, or what is wrong. */
static const char *read_output(const struct ct_args *args, struct wish *wish)
{
	const char *format = ct_args_value(args, CT_ARG_diff_format);
	const char *annotate = ct_args_value(args, CT_ARG_diff_annotate);

	wish->format = is_word(format, "csv") ? CSV : is_word(format, "json") ? JSON : TABLE;
	wish->annotate = is_word(annotate, "github") ? GITHUB
			 : is_word(annotate, "junit") ? JUNIT : NO_NOTES;
	wish->output = ct_args_value(args, CT_ARG_diff_output);
	wish->force = ct_args_has(args, CT_ARG_diff_force);
	if (is_word(wish->output, "-"))
		wish->output = NULL;
	if (wish->output && !wish->annotate)
		return "--output is for what --annotate makes";
	if (wish->annotate && wish->format != TABLE && !wish->output)
		return "with this --format, --annotate needs a file: -o FILE";
	return NULL;
}

/* Returns -1, or the exit status. */
static int read_wish(const struct ct_args *args, struct wish *wish)
{
	const char *percent = ct_args_value(args, CT_ARG_diff_fail_over), *problem;
	bool processes = ct_args_has(args, CT_ARG_diff_processes);
	bool repeats = ct_args_has(args, CT_ARG_diff_repeats);

	wish->sides.repeated = repeats;
	wish->sides.how = processes ? CT_DIFF_ONE_RUN : repeats ? CT_DIFF_REPEATED : CT_DIFF_UNTOLD;
	wish->sides.foreign = ct_args_has(args, CT_ARG_diff_foreign);
	wish->allow_incomplete = ct_args_has(args, CT_ARG_diff_allow_incomplete);
	if (percent && !read_percent(percent, &wish->fail_over))
		return ct_usage("diff", "--fail-over takes a percentage, as in 5%");
	problem = read_output(args, wish);
	if (!problem)
		problem = read_directories(args, &wish->sides);
	return problem ? ct_usage("diff", problem) : -1;
}

/* Where a source file is in the checkout that this runs in: the longest end of its path there. */
static const char *in_checkout(const char *path)
{
	for (const char *at = path; at; at = strchr(at, '/')) {
		at += strspn(at, "/");
		if (*at && strncmp(at, "../", 3) && access(at, F_OK) == 0)
			return at;
	}
	return path;
}

/* Why no judgement can be passed; NULL: it can. */
static const char *cannot_judge(const struct ct_diff *diff, const struct wish *wish)
{
	if (isnan(wish->fail_over) || wish->allow_incomplete)
		return NULL;
	if (diff->unlike & CT_DIFF_RECORDING)
		return "cannot be judged: not all runs were recorded alike; --allow-incomplete judges by "
		       "their duration";
	if (diff->unlike & CT_DIFF_INCOMPLETE)
		return "cannot be judged: some traces do not tell all of their run; --allow-incomplete "
		       "judges by what they have";
	return NULL;
}

static void write_notes(const struct ct_diff *diff, const struct wish *wish,
			const struct ct_diff_notes *notes, FILE *to)
{
	if (wish->annotate == GITHUB)
		ct_report_diff_github(diff, notes, to);
	else
		ct_report_diff_junit(diff, notes, to);
}

static void write_main(const struct ct_diff *diff, const struct wish *wish)
{
	if (wish->format == CSV)
		ct_report_diff_csv(diff, stdout);
	else if (wish->format == JSON)
		ct_diff_json(diff, stdout);
	else
		ct_report_diff(diff, stdout);
}

/*
 * The table on a GitHub runner, which takes commands from lines of the output: not from names
 * that a trace has in it, so they are off while it is printed, until a word that nobody knows.
 */
static void write_sheltered(const struct ct_diff *diff, const struct wish *wish)
{
	unsigned long long word[2] = { 0 };

	if (getrandom(word, sizeof(word), 0) != sizeof(word))
		return;
	printf("::stop-commands::cutrace-%016llx%016llx\n", word[0], word[1]);
	write_main(diff, wish);
	printf("::cutrace-%016llx%016llx::\n", word[0], word[1]);
}

/* Everything on standard output, and in the file of annotations. Returns the exit status. */
static int write_all(const struct ct_diff *diff, const struct wish *wish,
		     const struct ct_diff_notes *notes)
{
	struct ct_output output;
	int status = 0;

	if (wish->output) {
		status = ct_output_open(&output, wish->output, false, wish->force);
		if (status)
			return status;
		write_notes(diff, wish, notes, output.to);
		status = ct_output_close(&output, 0);
	}
	if (wish->annotate == GITHUB && wish->format == TABLE) /* the file may be printed behind it */
		write_sheltered(diff, wish);
	else if (wish->annotate != JUNIT || wish->output)
		write_main(diff, wish);
	if (wish->annotate && !wish->output)
		write_notes(diff, wish, notes, stdout);
	if (fflush(stdout) != 0)
		return ct_fail("standard output", "cannot be written");
	return status;
}

static int judge(const struct ct_diff *diff, const struct wish *wish)
{
	struct ct_diff_notes notes = { .source = in_checkout, .why = cannot_judge(diff, wish) };
	char result[512], why[1024];
	int status;

	notes.failed = !isnan(wish->fail_over) && !notes.why && ct_diff_regressed(diff);
	status = write_all(diff, wish, &notes);
	if (notes.why)
		return ct_fail("diff", notes.why);
	if (!notes.failed)
		return status;
	ct_report_diff_result(diff, result, sizeof(result));
	snprintf(why, sizeof(why), "more than %g %% (--fail-over). %s", wish->fail_over, result);
	return ct_fail("diff", why);
}

int ct_cmd_diff(const struct ct_args *args)
{
	struct wish wish = { .fail_over = NAN };
	struct ct_diff *diff;
	int status = read_wish(args, &wish);

	if (status < 0) {
		ct_keep_memory();
		diff = ct_diff_create(isnan(wish.fail_over) ? CT_DIFF_PERCENT : wish.fail_over);
		status = diff ? ct_diff_sides_load(&wish.sides, diff)
			      : ct_fail("diff", strerror(ENOMEM));
		if (status == 0)
			status = judge(diff, &wish);
		ct_diff_destroy(diff);
	}
	ct_diff_sides_free(&wish.sides);
	return status;
}
