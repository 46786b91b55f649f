/* SPDX-License-Identifier: Apache-2.0 */
/* The directories that `cutrace diff` compares, and the runs in them. */
#ifndef CT_TOOLS_DIFF_SIDES_H
#define CT_TOOLS_DIFF_SIDES_H

#include "analyze/diff_runs.h"

struct ct_diff_names {
	char **at;
	size_t count, room;
};

struct ct_diff_sides {
	enum ct_diff_how how; /* as the user said of what a directory holds */
	bool repeated;        /* the user said that a side's runs are repeated ones */
	bool foreign;         /* traces of other users as well */
	const char *name[CT_SIDES]; /* of a side, for people */
	struct ct_diff_names directories[CT_SIDES];
};

/*
 * Add a directory, whose name must live as long. One without traces, also in the directories in it, stands for those of these
 * that have some. Returns 0 or -ENOMEM.
 */
int ct_diff_sides_add(struct ct_diff_sides *sides, int side, const char *directory);

/*
 * Analyze all traces, tell their runs apart and compare them. Returns 0, or CT_EXIT_FAILED if
 * any trace cannot be used, or it cannot be told what the runs are, which has been printed.
 */
int ct_diff_sides_load(const struct ct_diff_sides *sides, struct ct_diff *diff);

void ct_diff_sides_free(struct ct_diff_sides *sides);

#endif
