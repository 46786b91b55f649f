/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/members.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/tool.h"

static int leave_out(struct ct_members *members, const char *directory, const char *why)
{
	ct_fail(directory, why);
	members->bad++;
	ct_names_add(&members->left_out, directory);
	return 0;
}

/* Returns 0 and the trace's file, or -errno. */
static int find_trace(const char *directory, struct stat *ret)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/trace.cutrace", directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return stat(path, ret) < 0 ? -errno : 0;
}

static int keep(struct ct_members *members, const char *directory, const struct stat *st)
{
	struct ct_member fresh = {
		.directory = strdup(directory),
		.device = st->st_dev,
		.inode = st->st_ino,
		.bytes = st->st_size,
	};

	if (!fresh.directory)
		return -ENOMEM;
	if (members->count == members->room) {
		size_t room = members->room ? 2 * members->room : 16;
		void *grown = reallocarray(members->at, room, sizeof(*members->at));

		if (!grown) {
			free(fresh.directory);
			return -ENOMEM;
		}
		members->at = grown;
		members->room = room;
	}
	members->at[members->count++] = fresh;
	return 0;
}

bool ct_foreign(const struct stat *st, char *ret_why, size_t size)
{
	snprintf(ret_why, size, "belongs to another user (uid %u), who can report on it; if you trust "
		 "that user: cutrace report --foreign", (unsigned)st->st_uid);
	return st->st_uid != geteuid() && st->st_uid != 0;
}

static int add_one(struct ct_members *members, const char *directory, const struct stat *st)
{
	char why[PATH_MAX + 64];

	for (size_t i = 0; i < members->count; i++) {
		const struct ct_member *known = &members->at[i];

		if (known->device != st->st_dev || known->inode != st->st_ino)
			continue;
		snprintf(why, sizeof(why), "given twice, the first time as %s", known->directory);
		ct_fail(directory, why);
		members->bad++;
		return 0;
	}
	if (!members->foreign && ct_foreign(st, why, sizeof(why)))
		return leave_out(members, directory, why);
	return keep(members, directory, st);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The traces one level further down. Returns how many there were, or -ENOMEM. */
static int add_inner(struct ct_members *members, const char *directory)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, visible, versionsort), found = 0, r = 0;

	for (int i = 0; i < n; i++) {
		char inner[PATH_MAX];
		struct stat st;
		int length = snprintf(inner, sizeof(inner), "%s%s%s", directory,
				      directory[strlen(directory) - 1] == '/' ? "" : "/",
				      entries[i]->d_name);

		if (r == 0 && length < (int)sizeof(inner)) {
			int missing = find_trace(inner, &st);

			found += missing == 0;
			if (missing == 0)
				r = add_one(members, inner, &st);
			else if (missing != -ENOENT && missing != -ENOTDIR)
				r = leave_out(members, inner, strerror(-missing));
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return r < 0 ? r : found;
}

int ct_members_add(struct ct_members *members, const char *directory)
{
	struct stat st;
	int r = *directory ? find_trace(directory, &st) : -ENOENT;

	if (r == 0)
		return add_one(members, directory, &st);
	if (r == -ENOENT && *directory && stat(directory, &st) < 0)
		return leave_out(members, directory, strerror(errno));
	if (r == -ENOENT && *directory) {
		int found = add_inner(members, directory);

		if (found != 0)
			return found < 0 ? found : 0;
	}
	return leave_out(members, directory, ct_trace_error(r));
}

void ct_members_free(struct ct_members *members)
{
	for (size_t i = 0; i < members->count; i++)
		free(members->at[i].directory);
	free(members->at);
}
