/* SPDX-License-Identifier: Apache-2.0 */
/* The traces that a command line names: directories of traces, or directories of those. */
#ifndef CT_TOOLS_MEMBERS_H
#define CT_TOOLS_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "analyze/report.h"

/* A directory with a trace in it. */
struct ct_member {
	char *directory;
	dev_t device; /* device and inode of the trace: two names of one are found out */
	ino_t inode;
	off_t bytes;
};

struct ct_members {
	bool foreign; /* those of other users as well */
	struct ct_member *at;
	size_t count, room;
	size_t bad; /* that have been named on stderr and left out */
	struct ct_names left_out; /* their names, but of those given twice */
};

/*
 * Is this the file of another user, root aside? What it holds may be meant to harm whoever
 * reads it, and its reports would be written for somebody else: perf, too, refuses such files
 * (tools/perf/util/data.c). If so, says why into ret_why.
 */
bool ct_foreign(const struct stat *st, char *ret_why, size_t size);

/*
 * Add the trace of a directory or, if it has none, those of the directories in it. What
 * cannot be used is named on stderr, a line each, and counted: no trace there, one that
 * is there already, one of another user (unless `foreign`; see ct_foreign()).
 * Returns 0 or -ENOMEM.
 */
int ct_members_add(struct ct_members *members, const char *directory);

void ct_members_free(struct ct_members *members);

#endif
