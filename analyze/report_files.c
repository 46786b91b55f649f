/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "analyze/report.h"

static void write_report(const void *analysis, FILE *to)
{
	ct_report_text(analysis, false, to);
}

struct table_job {
	const struct ct_table *table;
	const struct ct_analysis *analysis;
};

static void write_table(const void *of, FILE *to)
{
	const struct table_job *job = of;

	job->table->write(job->analysis, to);
}

/* The temporary name is fresh (O_EXCL), so a link laid in the directory is not followed. */
int ct_report_write_file(const char *directory, const char *name,
			 void (*write)(const void *of, FILE *to), const void *of)
{
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
	write(of, to);
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
	const char *directory = analysis->directory;
	int r = ct_report_write_file(directory, "report.txt", write_report, analysis);

	*ret_file = "report.txt";
	for (const struct ct_table *table = ct_tables; r == 0 && table->file; table++) {
		const struct table_job job = { table, analysis };

		if (table->of_limit && !analysis->model->header->limit_bytes)
			continue;
		*ret_file = table->file;
		r = ct_report_write_file(directory, table->file, write_table, &job);
	}
	return r;
}
