/* SPDX-License-Identifier: Apache-2.0 */
#include "export/export.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "analyze/identity.h"
#include "analyze/together.h"

const struct ct_export_format *const ct_export_formats[] = {
#define CT_EXPORT_FORMAT(name, summary) &ct_export_##name,
#include "export/formats.def"
#undef CT_EXPORT_FORMAT
	NULL,
};

/*
 * Several processes are analyzed at a time; what is written of them is written in their order, by
 * whoever has the turn. So an export is the same however many threads there are.
 */
struct writing {
	const struct ct_export_job *job;
	const struct ct_export *export;
	void *writer;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	/* of the lock: */
	size_t turn; /* the process that may write */
	int error;   /* what ended the export */
	const char *failed; /* the directory that could not be read; NULL: what could not be written */
};

/* A process that is being exported. */
struct progress {
	struct writing *of;
	struct ct_export_process process;
	bool begun;
	bool write_failed; /* and not reading */
};

/* Wait until it is a process's turn; fails if the export has ended before. */
static int wait_turn(struct progress *p)
{
	struct writing *w = p->of;
	int r;

	pthread_mutex_lock(&w->lock);
	while (w->turn != p->process.index && !w->error)
		pthread_cond_wait(&w->moved, &w->lock);
	r = w->error;
	pthread_mutex_unlock(&w->lock);
	return r;
}

/* The turn of a process is over, with this result; the first failure is what counts. */
static void end_turn(struct progress *p, int r)
{
	struct writing *w = p->of;

	if (wait_turn(p) < 0)
		return;
	pthread_mutex_lock(&w->lock);
	w->turn++;
	w->error = r;
	w->failed = r < 0 && !p->write_failed ? p->process.directory : NULL;
	pthread_cond_broadcast(&w->moved);
	pthread_mutex_unlock(&w->lock);
}

/* What became of writing that began with errno = 0: its result r, or why the stream failed. */
static int written(struct progress *p, int r)
{
	FILE *to = p->of->job->to;

	if (r == 0 && to && ferror(to))
		r = errno ? -errno : -EIO;
	p->write_failed |= r < 0;
	return r;
}

static int begin(struct progress *p, const struct ct_model *model)
{
	const struct ct_export_format *format = p->of->job->format;

	if (p->begun || !format->begin_process)
		return 0;
	p->begun = true;
	return format->begin_process(p->of->writer, &p->process, model);
}

static int give_part(void *arg, const struct ct_analysis *part)
{
	struct progress *p = arg;
	const struct ct_export_format *format = p->of->job->format;
	int r = wait_turn(p);

	if (r < 0)
		return r;
	errno = 0;
	r = begin(p, part->model);
	if (r == 0 && format->part)
		r = format->part(p->of->writer, &p->process, part);
	return written(p, r);
}

static int end_process(struct progress *p, const struct ct_analysis *analysis)
{
	errno = 0;
	return written(p, p->of->job->format->end_process(p->of->writer, &p->process, analysis));
}

static void tell_progress(void *arg, size_t done, size_t all)
{
	struct progress *p = arg;
	const struct ct_export_job *job = p->of->job;

	if (job->progress)
		job->progress(job->progress_arg, p->process.index, done, all);
}

static int write_process(struct progress *p)
{
	const struct ct_export_job *job = p->of->job;
	const struct ct_analysis_options options = {
		.part_records = job->part_records,
		.whole_records = job->part_records,
		.threads = job->threads,
		.part = give_part,
		.arg = p,
		.progress = tell_progress,
		.progress_arg = p,
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

static bool ended(struct writing *w)
{
	bool result;

	pthread_mutex_lock(&w->lock);
	result = w->error != 0;
	pthread_mutex_unlock(&w->lock);
	return result;
}

static void export_process(void *arg, size_t i)
{
	struct writing *w = arg;
	struct progress p = { .of = w, .process = { .export = w->export, .index = (uint32_t)i,
						    .directory = w->job->directories[i] } };

	if (ended(w))
		return;
	end_turn(&p, write_process(&p));
	tell_progress(&p, 0, 0);
}

/* When a process began to trace. */
static int began(const char *directory, uint64_t *ret_ns)
{
	struct ct_reader *reader;
	int r = ct_reader_open_in(directory, &reader);

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

static int finish(const struct writing *w)
{
	FILE *to = w->job->to;
	int r;

	errno = 0;
	r = w->job->format->finish ? w->job->format->finish(w->writer) : 0;
	if (r == 0 && to && (fflush(to) != 0 || ferror(to)))
		r = errno ? -errno : -EIO;
	return r;
}

static int write_all(struct writing *w, const char **ret_directory)
{
	const struct ct_analysis_options options = { .threads = w->job->threads };
	size_t count = w->job->count;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->moved, NULL);
	ct_together(count, ct_together_width(count, ct_analysis_threads(&options)), export_process, w);
	pthread_cond_destroy(&w->moved);
	pthread_mutex_destroy(&w->lock);
	*ret_directory = w->failed;
	return w->error ? w->error : finish(w);
}

int ct_export_write(const struct ct_export_job *job, const char **ret_directory)
{
	struct ct_export export = { .to = job->to, .path = job->path, .processes = job->count,
				    .left_out = job->left_out };
	struct writing w = { .job = job, .export = &export };
	int r = find_begin(job, &export, ret_directory);

	if (r < 0)
		return r;
	*ret_directory = NULL;
	r = job->format->open(&export, &w.writer);
	if (r == 0)
		r = write_all(&w, ret_directory);
	job->format->destroy(w.writer);
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
