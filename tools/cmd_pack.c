/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/args.h"
#include "tools/in_use.h"
#include "tools/members.h"
#include "tools/output.h"
#include "tools/tool.h"
#include "trace/pack.h"

/* One trace on its way: from a file, by way of a temporary one, to its place. */
struct job {
	const char *directory;
	bool unpack;
	char path[PATH_MAX];
	char fresh[PATH_MAX]; /* the temporary file, beside it */
	struct ct_reader *reader;
	struct stat before, after;
	uint64_t records, damaged;
};

static int write_fresh(struct job *job, int fd)
{
	FILE *to = fdopen(fd, "w");
	int err;

	if (!to) {
		err = -errno;
		close(fd);
		return err;
	}
	err = job->unpack ? ct_unpack_write(job->reader, to) : ct_pack_write(job->reader, to);
	if (!err && (fchmod(fd, job->before.st_mode & 07777) < 0 || fsync(fd) < 0 ||
		     fstat(fd, &job->after) < 0))
		err = -errno;
	if (fclose(to) != 0 && !err)
		err = -errno;
	return err;
}

/* Read the new file as any command would. */
static int compare_fresh(struct job *job)
{
	struct ct_reader *fresh;
	int err = ct_reader_open(job->fresh, &fresh);

	if (err)
		return err;
	err = ct_pack_compare(job->reader, fresh, &job->records);
	job->damaged = ct_reader_damage(fresh, NULL);
	ct_reader_close(fresh);
	return err;
}

/* The name is on disk when its directory is; a file system that cannot tell has to be trusted. */
static int put_in_place(const struct job *job)
{
	int fd;

	if (rename(job->fresh, job->path) < 0)
		return -errno;
	fd = open(job->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	return 0;
}

static int replace(struct job *job)
{
	int err, fd = ct_output_temporary(job->fresh);

	if (fd < 0)
		return ct_fail(job->directory, strerror(errno));
	err = write_fresh(job, fd);
	if (err)
		ct_fail(job->directory, err == -EBADMSG ? "damaged: it stays as it is" : strerror(-err));
	if (!err) {
		err = compare_fresh(job);
		if (err)
			ct_fail(job->directory, err == -EBADMSG
				? "what was written does not read the same: the trace stays as it is"
				: ct_trace_error(err));
	}
	if (!err) {
		err = put_in_place(job);
		if (err)
			ct_fail(job->directory, strerror(-err));
	}
	if (err)
		unlink(job->fresh);
	ct_output_kept();
	return err ? CT_EXIT_FAILED : 0;
}

static void tell(const struct job *job)
{
	double before = (double)job->before.st_size, after = (double)job->after.st_size;
	char name[PATH_MAX], bytes[48];

	printf("%s: %.2f MB -> %.2f MB, 1 : %.2f", ct_shown(job->directory, name), before / 1e6, after / 1e6,
	       job->unpack ? after / before : before / after);
	if (job->records)
		printf(", %" PRIu64 " records, %.1f bytes each", job->records,
		       after / (double)job->records);
	putchar('\n');
	if (job->damaged)
		printf("%s: damaged, and so still: %s of the trace\n", name,
		       ct_report_count(job->damaged, "byte", bytes));
}

static int handle(struct job *job)
{
	char name[PATH_MAX];
	int status;

	if (ct_reader_packed(job->reader) != job->unpack) {
		printf("%s: %s already\n", ct_shown(job->directory, name), job->unpack ? "not packed" : "packed");
		return 0;
	}
	if (ct_in_use(job->path, ct_reader_header(job->reader)))
		return ct_fail(job->directory, "the trace is still being written");
	if (stat(job->path, &job->before) < 0)
		return ct_fail(job->directory, strerror(errno));
	status = replace(job);
	if (status == 0)
		tell(job);
	return status;
}

static int pack(const char *directory, bool unpack)
{
	struct job job = { .directory = directory, .unpack = unpack };
	int status, r;

	if (snprintf(job.fresh, sizeof(job.fresh), "%s/trace.cutrace.XXXXXX", directory) >=
	    (int)sizeof(job.fresh))
		return ct_fail(directory, "the name is too long");
	snprintf(job.path, sizeof(job.path), "%s/trace.cutrace", directory);
	r = ct_reader_open(job.path, &job.reader);
	if (r < 0)
		return ct_fail(directory, ct_trace_error(r));
	status = handle(&job);
	ct_reader_close(job.reader);
	return status;
}

int ct_cmd_pack(const struct ct_args *args)
{
	bool unpack = ct_args_has(args, CT_ARG_pack_unpack);
	struct ct_members members = { 0 };
	int status = 0;

	for (int i = 0; i < args->count; i++)
		if (ct_members_add(&members, args->operands[i]) < 0)
			return ct_fail(args->operands[i], strerror(ENOMEM));
	for (size_t i = 0; i < members.count; i++)
		status |= pack(members.at[i].directory, unpack);
	if (members.bad)
		status = CT_EXIT_FAILED;
	ct_members_free(&members);
	return fflush(stdout) == 0 ? status : ct_fail("standard output", "cannot be written");
}
