/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "analyze/report.h"
#include "analyze/whatif.h"

static void write_report(const void *analysis, FILE *to)
{
	ct_report_text(analysis, false, to);
}

/* A file that is being written under a temporary name. */
struct draft {
	FILE *to;
	char temporary[PATH_MAX], path[PATH_MAX];
};

/* The temporary name is fresh (O_EXCL), so a link laid in the directory is not followed. */
static int open_draft(struct draft *d, const char *directory, const char *name)
{
	int fd, r;

	if (snprintf(d->path, sizeof(d->path), "%s/%s", directory, name) >= (int)sizeof(d->path) ||
	    snprintf(d->temporary, sizeof(d->temporary), "%s/.%s.XXXXXX", directory, name) >=
		    (int)sizeof(d->temporary))
		return -ENAMETOOLONG;
	fd = mkostemp(d->temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	d->to = fdopen(fd, "w");
	if (d->to)
		return 0;
	r = -errno;
	close(fd);
	unlink(d->temporary);
	return r;
}

/* Close it; put it in place if all went well so far (r) and now. */
static int close_draft(struct draft *d, int r)
{
	if (r == 0 && (ferror(d->to) || fflush(d->to) != 0))
		r = errno ? -errno : -EIO;
	if (fclose(d->to) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(d->temporary, d->path) < 0)
		r = -errno;
	if (r < 0)
		unlink(d->temporary);
	return r;
}

int ct_report_write_file(const char *directory, const char *name,
			 void (*write)(const void *of, FILE *to), const void *of)
{
	struct draft draft;
	int r = open_draft(&draft, directory, name);

	if (r < 0)
		return r;
	write(of, draft.to);
	return close_draft(&draft, 0);
}

struct table_job {
	const struct ct_table *table;
	const struct ct_analysis *analysis;
	const char *directory;
};

static void write_table(const void *of, FILE *to)
{
	const struct table_job *job = of;

	fprintf(to, "%s\n", job->table->header);
	job->table->write(job->analysis, to);
}

#define ROWS_MAX 8 /* tables by event */

struct ct_rows {
	const char *directory;
	const struct ct_table *tables[ROWS_MAX];
	struct draft drafts[ROWS_MAX];
	size_t count;
};

int ct_rows_open(const char *directory, struct ct_rows **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->directory = directory;
	return 0;
}

/* The files are there from the first part on. */
static int open_tables(struct ct_rows *rows)
{
	int r = 0;

	for (const struct ct_table *table = ct_tables; r == 0 && table->file; table++) {
		if (!table->by_event || rows->count == ROWS_MAX)
			continue;
		r = open_draft(&rows->drafts[rows->count], rows->directory, table->file);
		if (r < 0)
			break;
		fprintf(rows->drafts[rows->count].to, "%s\n", table->header);
		rows->tables[rows->count++] = table;
	}
	return r;
}

int ct_rows_add(void *arg, const struct ct_analysis *part)
{
	struct ct_rows *rows = arg;
	int r = rows->count ? 0 : open_tables(rows);

	for (size_t i = 0; r == 0 && i < rows->count; i++) {
		rows->tables[i]->write(part, rows->drafts[i].to);
		if (ferror(rows->drafts[i].to))
			r = errno ? -errno : -EIO;
	}
	return r;
}

void ct_rows_close(struct ct_rows *rows)
{
	for (size_t i = 0; rows && i < rows->count; i++)
		close_draft(&rows->drafts[i], -ECANCELED);
	free(rows);
}

/* Put the tables in place. */
static int place_rows(struct ct_rows *rows, const char **ret_file)
{
	int r = 0;

	for (size_t i = 0; i < rows->count; i++) {
		if (r == 0)
			*ret_file = rows->tables[i]->file;
		r = close_draft(&rows->drafts[i], r);
	}
	rows->count = 0;
	return r;
}

/* An old one would be taken for a table of this report. */
int ct_report_remove_file(const char *directory, const char *file)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", directory, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* One that this report does not have may still be there from an earlier one. */
static int make_table(const struct table_job *job, const struct ct_rows *rows)
{
	bool refused = job->analysis->filter ? job->table->of_run :
		       job->table->predicted && ct_whatif_refusal(job->analysis);
	bool lacking = job->table->of_nvtx && !ct_nvtx_any(&job->analysis->nvtx);
	bool apart = job->analysis->parts && job->table->by_event; /* then it is in rows, if anywhere */
	const char *directory = job->directory;

	refused = refused || lacking;
	if (!refused && !apart)
		return ct_report_write_file(directory, job->table->file, write_table, job);
	return refused || !rows ? ct_report_remove_file(directory, job->table->file) : 0;
}

int ct_report_write_to(const struct ct_analysis *analysis, const char *directory,
		       struct ct_rows *rows, const char **ret_file)
{
	int r = ct_report_write_file(directory, "report.txt", write_report, analysis);

	*ret_file = "report.txt";
	if (r == 0 && rows)
		r = place_rows(rows, ret_file);
	for (const struct ct_table *table = ct_tables; r == 0 && table->file; table++) {
		const struct table_job job = { table, analysis, directory };

		if (table->of_limit && !analysis->model->header->limit_bytes)
			continue;
		*ret_file = table->file;
		r = make_table(&job, rows);
		if (r == 0 && ct_places_failed(analysis->sites->places))
			r = -ENOMEM; /* the stacks in it are not whole */
	}
	return r;
}

int ct_report_write(const struct ct_analysis *analysis, struct ct_rows *rows,
		    const char **ret_file)
{
	return ct_report_write_to(analysis, analysis->directory, rows, ret_file);
}
