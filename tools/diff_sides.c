/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/diff_sides.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/members.h"
#include "tools/progress.h"
#include "tools/tool.h"

void ct_diff_sides_free(struct ct_diff_sides *sides)
{
	for (int s = 0; s < CT_SIDES; s++) {
		for (size_t i = 0; i < sides->directories[s].count; i++)
			free(sides->directories[s].at[i]);
		free(sides->directories[s].at);
	}
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Call visit() with the path of each entry of a directory, in order, until it does not return 0. */
static int each_entry(const char *directory, int (*visit)(void *arg, const char *path), void *arg)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, visible, alphasort), r = 0;

	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];

		if (r == 0 && snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name) <
				      (int)sizeof(path))
			r = visit(arg, path);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return r;
}

static int is_trace(void *unused, const char *path)
{
	char trace[PATH_MAX];

	(void)unused;
	return snprintf(trace, sizeof(trace), "%s/trace.cutrace", path) < (int)sizeof(trace) &&
	       access(trace, F_OK) == 0;
}

static int keep(void *arg, const char *directory)
{
	struct ct_diff_names *names = arg;
	char *copy = strdup(directory);

	if (copy && CT_PUSH(names, copy) == 0)
		return 0;
	free(copy);
	return -ENOMEM;
}

static int keep_with_traces(void *arg, const char *directory)
{
	return each_entry(directory, is_trace, NULL) ? keep(arg, directory) : 0;
}

int ct_diff_sides_add(struct ct_diff_sides *sides, int side, const char *directory)
{
	struct ct_diff_names *names = &sides->directories[side];
	size_t before = names->count;
	int r = 0;

	sides->name[side] = !sides->name[side] ? directory : side == CT_BEFORE ? "--before" : "--after";
	if (!is_trace(NULL, directory) && !each_entry(directory, is_trace, NULL))
		r = each_entry(directory, keep_with_traces, names);
	return r == 0 && names->count == before ? keep(names, directory) : r;
}

/* The processes of one directory. */
struct found {
	struct ct_process *at;
	size_t count, room;
};

static int analyze(const char *directory, struct found *to)
{
	struct ct_progress progress = { 0 };
	const struct ct_analysis_options options = { .process = true, .progress = ct_progress_part,
						     .progress_arg = &progress };
	struct ct_analysis *analysis;
	struct ct_process process;
	bool empty = false;
	int r = ct_analysis_run(directory, &options, &analysis);

	ct_progress_trace(&progress);
	if (r == 0) {
		empty = ct_cut_empty(analysis);
		r = empty ? 0 : ct_process_take(analysis, &process);
		ct_analysis_destroy(analysis);
	}
	if (r == 0 && !empty) {
		r = CT_PUSH(to, process);
		if (r < 0)
			ct_process_free(&process);
	}
	if (r < 0 || empty)
		ct_progress_end(); /* before anything else is printed */
	if (empty)
		return ct_fail(directory, CT_CUT_EMPTY);
	return r < 0 ? ct_fail(directory, ct_trace_error(r)) : 0;
}

/* Give the processes to the side, as one run or several; what it cannot take is freed. */
static int hand_over(struct ct_diff_side *side, struct found *from, enum ct_diff_how how)
{
	size_t done = 0;
	int r = 0;

	while (r == 0 && done < from->count) {
		if (done == 0 || how == CT_DIFF_REPEATED)
			r = ct_diff_begin_run(side);
		if (r == 0)
			r = ct_diff_add(side, &from->at[done]);
		done += r == 0;
	}
	for (size_t i = done; i < from->count; i++)
		ct_process_free(&from->at[i]);
	from->count = 0;
	return r;
}

static int refuse(const char *directory, const char *why, const char *what_to_say)
{
	char text[256];

	snprintf(text, sizeof(text), "%s; say %s", why, what_to_say);
	return ct_fail(directory, text);
}

static int load_members(const struct ct_members *members, struct found *found)
{
	int status = members->bad ? CT_EXIT_FAILED : 0;

	ct_progress_begin(members->count, false);
	for (size_t i = 0; status == 0 && i < members->count; i++)
		status = analyze(members->at[i].directory, found);
	ct_progress_end();
	return status;
}

/* The runs of one directory. */
static int load_directory(const struct ct_diff_sides *sides, struct ct_diff_side *side,
			  const char *directory)
{
	struct ct_members members = { .foreign = sides->foreign };
	enum ct_diff_how how = sides->how;
	struct found found = { 0 };
	const char *why = NULL;
	int status;

	if (ct_members_add(&members, directory) < 0)
		status = ct_fail(directory, strerror(ENOMEM));
	else
		status = load_members(&members, &found);
	if (status == 0 && how == CT_DIFF_UNTOLD)
		why = ct_diff_tell(found.at, found.count, &how);
	if (why)
		status = refuse(directory, why, "--processes (of one run) or --repeats (a run each)");
	if (status == 0 && hand_over(side, &found, how) < 0)
		status = ct_fail(directory, strerror(ENOMEM));
	for (size_t i = 0; i < found.count; i++)
		ct_process_free(&found.at[i]);
	free(found.at);
	ct_members_free(&members);
	return status;
}

/* The same trace under two names would count twice. */
static int refuse_twice(const struct ct_diff_names *names, bool foreign)
{
	struct ct_members members = { .foreign = foreign };
	int status = 0;

	for (size_t i = 0; i < names->count; i++)
		if (ct_members_add(&members, names->at[i]) < 0)
			status = ct_fail(names->at[i], strerror(ENOMEM));
	if (members.bad)
		status = CT_EXIT_FAILED;
	ct_members_free(&members);
	return status;
}

static int load_side(const struct ct_diff_sides *sides, int s, struct ct_diff_side *side)
{
	const struct ct_diff_names *names = &sides->directories[s];
	const struct ct_process *copy = NULL;
	const char *why = NULL;
	int status = refuse_twice(names, sides->foreign);

	side->name = sides->name[s];
	for (size_t i = 0; status == 0 && i < names->count; i++)
		status = load_directory(sides, side, names->at[i]);
	if (status == 0)
		copy = ct_diff_copy(side);
	if (copy)
		return ct_fail(copy->directory, "a copy of another trace on this side: it is no run of its own");
	if (status == 0 && !sides->repeated)
		why = ct_diff_mixed(side);
	return why ? refuse(side->name, why, "--repeats if they are the same run again and again")
		   : status;
}

int ct_diff_sides_load(const struct ct_diff_sides *sides, struct ct_diff *diff)
{
	int status = 0;

	for (int s = 0; status == 0 && s < CT_SIDES; s++)
		status = load_side(sides, s, &diff->sides[s]);
	if (status == 0 && ct_diff_make(diff) < 0)
		status = ct_fail("diff", strerror(ENOMEM));
	return status;
}
