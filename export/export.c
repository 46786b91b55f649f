/* SPDX-License-Identifier: Apache-2.0 */
#include "export/export.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "analyze/identity.h"

const struct ct_export_format *const ct_export_formats[] = {
#define CT_EXPORT_FORMAT(name, summary) &ct_export_##name,
#include "export/formats.def"
#undef CT_EXPORT_FORMAT
	NULL,
};

/* A process that is being exported. */
struct progress {
	const struct ct_export_job *job;
	struct ct_export_process process;
	void *writer;
	bool begun;
	bool write_failed; /* and not reading */
};

/* What became of writing that began with errno = 0: its result r, or why the stream failed. */
static int written(struct progress *p, int r)
{
	if (r == 0 && p->job->to && ferror(p->job->to))
		r = errno ? -errno : -EIO;
	p->write_failed |= r < 0;
	return r;
}

static int begin(struct progress *p, const struct ct_model *model)
{
	const struct ct_export_format *format = p->job->format;

	if (p->begun || !format->begin_process)
		return 0;
	p->begun = true;
	return format->begin_process(p->writer, &p->process, model);
}

static int give_part(void *arg, const struct ct_analysis *part)
{
	struct progress *p = arg;
	int r;

	errno = 0;
	r = begin(p, part->model);
	if (r == 0 && p->job->format->part)
		r = p->job->format->part(p->writer, &p->process, part);
	return written(p, r);
}

static int end_process(struct progress *p, const struct ct_analysis *analysis)
{
	errno = 0;
	return written(p, p->job->format->end_process(p->writer, &p->process, analysis));
}

static int finish(struct progress *p)
{
	int r;

	errno = 0;
	r = p->job->format->finish ? p->job->format->finish(p->writer) : 0;
	if (r == 0 && p->job->to && fflush(p->job->to) != 0)
		r = -errno;
	return written(p, r);
}

static int write_process(struct progress *p)
{
	const struct ct_analysis_options options = {
		.part_records = p->job->part_records,
		.whole_records = p->job->part_records,
		.threads = p->job->threads,
		.part = give_part,
		.arg = p,
	};
	struct ct_analysis *analysis;
	int r = ct_analysis_run(p->process.directory, &options, &analysis);

	if (r < 0)
		return r;
	if (!analysis->parts)
		r = give_part(p, analysis);
	if (r == 0)
		r = end_process(p, analysis);
	if (r == 0 && ct_places_failed(analysis->sites->places))
		r = -ENOMEM; /* the places in it are not whole */
	ct_analysis_destroy(analysis);
	return r;
}

/* When a process began to trace. */
static int began(const char *directory, uint64_t *ret_ns)
{
	char path[PATH_MAX];
	struct ct_reader *reader;
	int r;

	if (snprintf(path, sizeof(path), "%s/trace.cutrace", directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = ct_reader_open(path, &reader);
	if (r < 0)
		return r;
	*ret_ns = ct_reader_header(reader)->start_realtime_ns;
	ct_reader_close(reader);
	return 0;
}

static int find_begin(const struct ct_export_job *job, struct ct_export *export,
		      const char **ret_directory)
{
	export->begin_ns = UINT64_MAX;
	for (size_t i = 0; i < job->count; i++) {
		uint64_t ns;
		int r = began(job->directories[i], &ns);

		*ret_directory = job->directories[i];
		if (r < 0)
			return r;
		export->begin_ns = ns < export->begin_ns ? ns : export->begin_ns;
	}
	return 0;
}

static int write_all(const struct ct_export *export, struct progress *p,
		     const char **ret_directory)
{
	int r;

	for (size_t i = 0; i < p->job->count; i++) {
		p->process = (struct ct_export_process){ .export = export,
							 .directory = p->job->directories[i],
							 .index = (uint32_t)i };
		p->begun = false;
		*ret_directory = p->process.directory;
		r = write_process(p);
		if (r < 0)
			return r;
	}
	*ret_directory = NULL;
	return finish(p);
}

int ct_export_write(const struct ct_export_job *job, const char **ret_directory)
{
	struct ct_export export = { .to = job->to, .path = job->path, .processes = job->count,
				    .left_out = job->left_out };
	struct progress p = { .job = job };
	int r = find_begin(job, &export, ret_directory);

	if (r < 0)
		return r;
	*ret_directory = NULL;
	r = job->format->open(&export, &p.writer);
	if (r == 0)
		r = write_all(&export, &p, ret_directory);
	job->format->destroy(p.writer);
	if (p.write_failed)
		*ret_directory = NULL;
	return r;
}

int64_t ct_export_time(const struct ct_export *export, const struct ct_model *model, uint64_t ns)
{
	const struct ct_file_header *header = model->header;

	return (int64_t)(header->start_realtime_ns + ns - header->start_ns - export->begin_ns);
}

const char *ct_export_label(const struct ct_model *model, char *ret, size_t size)
{
	struct ct_identity id = ct_identity_of(model);

	if (id.rank != CT_NONE)
		snprintf(ret, size, "rank %u", id.rank);
	else
		snprintf(ret, size, "%.*s (pid %u)", (int)sizeof(model->header->program),
			 model->header->program, model->header->pid);
	return ret;
}
