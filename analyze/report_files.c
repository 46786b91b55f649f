/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "analyze/analysis.h"

struct job {
	const struct ct_analysis *analysis;
	void (*write)(const struct ct_analysis *analysis, FILE *to);
};

static void write_report(const struct ct_analysis *analysis, FILE *to)
{
	ct_report_text(analysis, false, to);
}

/*
 * Write a file under a temporary name and rename it when it is whole: a full disk or
 * a kill leaves the old file, never half a new one. The name is fresh (O_EXCL), so a
 * link laid in the directory is not followed.
 */
static int write_file(const struct job *job, const char *name)
{
	const char *directory = job->analysis->directory;
	char temporary[PATH_MAX], path[PATH_MAX];
	FILE *to;
	int fd, r = 0;

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path) ||
	    snprintf(temporary, sizeof(temporary), "%s/.%s.XXXXXX", directory, name) >=
		    (int)sizeof(temporary))
		return -ENAMETOOLONG;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	to = fdopen(fd, "w");
	if (!to) {
		r = -errno;
		close(fd);
		unlink(temporary);
		return r;
	}
	job->write(job->analysis, to);
	if (ferror(to) || fflush(to) != 0)
		r = errno ? -errno : -EIO;
	if (fclose(to) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

int ct_report_write(const struct ct_analysis *analysis, const char **ret_file)
{
	struct job job = { analysis, write_report };
	int r = write_file(&job, "report.txt");

	*ret_file = "report.txt";
	for (const struct ct_table *table = ct_tables; r == 0 && table->file; table++) {
		job.write = table->write;
		*ret_file = table->file;
		r = write_file(&job, table->file);
	}
	return r;
}
