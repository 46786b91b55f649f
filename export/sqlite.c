/* SPDX-License-Identifier: Apache-2.0 */
/* An SQLite file with the tables of Nsight Systems' export, and those that only cutrace has. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "analyze/identity.h"
#include "export/sqlite_int.h"

#define SCHEMA_VERSION "1"

int64_t ct_sqlite_time(const struct ct_sqlite *s, const struct ct_model *model, uint64_t ns)
{
	return ct_export_time(s->export, model, ns);
}

/*
 * nsys has pid and thread id in 24 bits each, and host and virtual machine above them. Here
 * the process's place in the export is above them: two hosts may have the same pid.
 */
int64_t ct_sqlite_tid(const struct ct_sqlite *s, const struct ct_model *model, uint32_t tid)
{
	return (int64_t)s->process->index << 48 | (int64_t)(model->header->pid & 0xffffff) << 24 |
	       (tid & 0xffffff);
}

int64_t ct_sqlite_pid(const struct ct_sqlite *s, const struct ct_model *model)
{
	return ct_sqlite_tid(s, model, 0);
}

int64_t ct_sqlite_chain(const struct ct_sqlite *s, uint32_t stack)
{
	return (int64_t)s->process->index << 32 | stack;
}

int64_t ct_sqlite_memory(uint8_t memory)
{
	return memory == CT_MEMORY_UNKNOWN ? 7 : memory - 1;
}

struct label {
	enum ct_sql_table table;
	int id;
	const char *name, *label;
};

/* As nsys numbers and calls them (user guide, "Event Values"). */
static const struct label labels[] = {
	{ CT_SQL_COPY_KINDS, 0, "CUDA_MEMCPY_KIND_UNKNOWN", "Unknown" },
	{ CT_SQL_COPY_KINDS, 1, "CUDA_MEMCPY_KIND_HTOD", "Host-to-Device" },
	{ CT_SQL_COPY_KINDS, 2, "CUDA_MEMCPY_KIND_DTOH", "Device-to-Host" },
	{ CT_SQL_COPY_KINDS, 3, "CUDA_MEMCPY_KIND_HTOA", "Host-to-Array" },
	{ CT_SQL_COPY_KINDS, 4, "CUDA_MEMCPY_KIND_ATOH", "Array-to-Host" },
	{ CT_SQL_COPY_KINDS, 5, "CUDA_MEMCPY_KIND_ATOA", "Array-to-Array" },
	{ CT_SQL_COPY_KINDS, 6, "CUDA_MEMCPY_KIND_ATOD", "Array-to-Device" },
	{ CT_SQL_COPY_KINDS, 7, "CUDA_MEMCPY_KIND_DTOA", "Device-to-Array" },
	{ CT_SQL_COPY_KINDS, 8, "CUDA_MEMCPY_KIND_DTOD", "Device-to-Device" },
	{ CT_SQL_COPY_KINDS, 9, "CUDA_MEMCPY_KIND_HTOH", "Host-to-Host" },
	{ CT_SQL_COPY_KINDS, 10, "CUDA_MEMCPY_KIND_PTOP", "Peer-to-Peer" },
	{ CT_SQL_MEMORY_KINDS, 0, "CUDA_MEMOPR_MEMORY_KIND_PAGEABLE", "Pageable" },
	{ CT_SQL_MEMORY_KINDS, 1, "CUDA_MEMOPR_MEMORY_KIND_PINNED", "Pinned" },
	{ CT_SQL_MEMORY_KINDS, 2, "CUDA_MEMOPR_MEMORY_KIND_DEVICE", "Device" },
	{ CT_SQL_MEMORY_KINDS, 3, "CUDA_MEMOPR_MEMORY_KIND_ARRAY", "Array" },
	{ CT_SQL_MEMORY_KINDS, 4, "CUDA_MEMOPR_MEMORY_KIND_MANAGED", "Managed" },
	{ CT_SQL_MEMORY_KINDS, 5, "CUDA_MEMOPR_MEMORY_KIND_DEVICE_STATIC", "Device Static" },
	{ CT_SQL_MEMORY_KINDS, 6, "CUDA_MEMOPR_MEMORY_KIND_MANAGED_STATIC", "Managed Static" },
	{ CT_SQL_MEMORY_KINDS, 7, "CUDA_MEMOPR_MEMORY_KIND_UNKNOWN", "Unknown" },
	{ CT_SQL_MEMORY_EVENTS, 0, "CUDA_DEV_MEM_EVENT_OPR_ALLOCATION", "Allocation" },
	{ CT_SQL_MEMORY_EVENTS, 1, "CUDA_DEV_MEM_EVENT_OPR_DEALLOCATION", "Deallocation" },
	{ CT_SQL_SYNC_KINDS, 1, "CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_EVENT_SYNCHRONIZE",
	  "Event sync" },
	{ CT_SQL_SYNC_KINDS, 2, "CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_WAIT_EVENT",
	  "Stream wait sync" },
	{ CT_SQL_SYNC_KINDS, 3, "CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_SYNCHRONIZE",
	  "Stream sync" },
	{ CT_SQL_SYNC_KINDS, 4, "CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_CONTEXT_SYNCHRONIZE",
	  "Context sync" },
	{ CT_SQL_EVENT_TYPES, CT_SQLITE_PUSHED, "NvtxPushPopRange", "NvtxPushPopRange" },
	{ CT_SQL_EVENT_TYPES, CT_SQLITE_STARTED, "NvtxStartEndRange", "NvtxStartEndRange" },
	{ CT_SQL_EVENT_TYPES, CT_SQLITE_DOMAIN, "NvtxDomainCreate", "NvtxDomainCreate" },
	{ CT_SQL_CLASSES, 0, "TRACE_PROCESS_EVENT_CUDA_RUNTIME", "CUDA runtime" },
	{ CT_SQL_CLASSES, 1, "TRACE_PROCESS_EVENT_CUDA_DRIVER", "CUDA driver" },
};

static int write_labels(struct ct_sql *sql)
{
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		struct ct_row row = ct_row_begin(sql, labels[i].table);

		ct_row_number(&row, labels[i].id);
		ct_row_text(&row, labels[i].name);
		ct_row_text(&row, labels[i].label);
		ct_row_end(&row);
	}
	return sql->error;
}

static int write_meta(struct ct_sql *sql, const char *name, const char *value)
{
	struct ct_row row = ct_row_begin(sql, CT_SQL_META);

	ct_row_text(&row, name);
	ct_row_text(&row, value);
	return ct_row_end(&row);
}

static int write_session(struct ct_sqlite *s)
{
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_SESSION);
	time_t when = (time_t)(s->export->begin_ns / 1000000000u);
	char text[64] = "";
	struct tm tm;

	if (gmtime_r(&when, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	ct_row_number(&row, (int64_t)s->export->begin_ns);
	ct_row_text(&row, text);
	return ct_row_end(&row);
}

static int write_loss(void *arg, uint64_t count, const char *text)
{
	struct ct_sqlite *s = arg;
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_LOSSES);

	ct_row_null(&row);
	ct_row_number(&row, (int64_t)count);
	ct_row_text(&row, text);
	return ct_row_end(&row);
}

static void destroy(void *writer)
{
	struct ct_sqlite *s = writer;

	if (!s)
		return;
	ct_sql_close(&s->sql);
	ct_memory_destroy(s->memory);
	free(s->domains.at);
	free(s);
}

static int open_sqlite(const struct ct_export *export, void **ret)
{
	struct ct_sqlite *s;

	if (export->processes > INT16_MAX) /* there is no room for more in a globalPid */
		return -E2BIG;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->export = export;
	*ret = s;
	ct_sql_open(&s->sql, export->path);
	write_labels(&s->sql);
	write_meta(&s->sql, "EXPORT_TOOL", "cutrace " CT_VERSION);
	write_meta(&s->sql, "CUTRACE_SCHEMA_VERSION", SCHEMA_VERSION);
	write_session(s);
	if (export->left_out)
		write_loss(s, export->left_out, "traces that could not be used");
	return s->sql.error;
}

static int write_process(struct ct_sqlite *s, const struct ct_model *model)
{
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_PROCESSES);
	struct ct_identity id = ct_identity_of(model);

	ct_row_number(&row, ct_sqlite_pid(s, model));
	ct_row_number(&row, model->header->pid);
	ct_row_text(&row, model->header->program);
	ct_row_id(&row, id.rank);
	ct_row_id(&row, id.local_rank);
	ct_row_id(&row, id.size);
	ct_row_text(&row, *id.host ? id.host : NULL);
	ct_row_text(&row, s->process->directory);
	ct_row_number(&row, ct_sqlite_time(s, model, 0));
	return ct_row_end(&row);
}

static void write_thread(struct ct_sqlite *s, const struct ct_model *model,
			 const struct ct_thread_info *thread)
{
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_THREADS);

	ct_row_string(&row, thread->name);
	ct_row_null(&row); /* nobody asked for its priority */
	ct_row_number(&row, ct_sqlite_tid(s, model, thread->tid));
	ct_row_end(&row);
}

static void write_gpu(struct ct_sqlite *s, const struct ct_model *model, const struct ct_gpu *gpu)
{
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_GPUS);

	ct_row_number(&row, gpu->device);
	ct_row_text(&row, gpu->name < model->strings.count ? model->strings.at[gpu->name] : NULL);
	ct_row_number(&row, (int64_t)gpu->memory_bytes);
	ct_row_number(&row, gpu->multiprocessors);
	ct_row_number(&row, gpu->capability_major);
	ct_row_number(&row, gpu->capability_minor);
	ct_row_number(&row, ct_sqlite_pid(s, model));
	ct_row_end(&row);
}

static void write_context(struct ct_sqlite *s, const struct ct_model *model,
			  const struct ct_context *context)
{
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_CONTEXTS);

	ct_row_id(&row, context->null_stream);
	ct_row_number(&row, model->header->pid);
	ct_row_number(&row, context->device);
	ct_row_number(&row, context->context);
	ct_row_number(&row, ct_sqlite_pid(s, model));
	ct_row_end(&row);
}

static int begin_process(void *writer, const struct ct_export_process *process,
			 const struct ct_model *model)
{
	struct ct_sqlite *s = writer;

	s->process = process;
	s->domains.count = 0;
	write_process(s, model);
	for (size_t i = 0; i < model->threads.count; i++)
		write_thread(s, model, &model->threads.at[i]);
	for (size_t i = 0; i < model->gpus.count; i++)
		write_gpu(s, model, &model->gpus.at[i]);
	for (size_t i = 0; i < model->contexts.count; i++)
		write_context(s, model, &model->contexts.at[i]);
	return s->sql.error < 0 ? s->sql.error : ct_memory_create(&s->memory);
}

static int write_part(void *writer, const struct ct_export_process *process,
		      const struct ct_analysis *part)
{
	(void)process;
	return ct_sqlite_part(writer, part);
}

static int end_process(void *writer, const struct ct_export_process *process,
		       const struct ct_analysis *analysis)
{
	struct ct_sqlite *s = writer;
	int r = ct_sqlite_end_memory(s, analysis->model);

	(void)process;
	if (r == 0)
		r = ct_sqlite_sums(s, analysis);
	ct_memory_destroy(s->memory);
	s->memory = NULL;
	return r;
}

static int finish(void *writer)
{
	return ct_sql_commit(&((struct ct_sqlite *)writer)->sql);
}

const struct ct_export_format ct_export_sqlite = {
	.by_name = true,
	.open = open_sqlite,
	.begin_process = begin_process,
	.part = write_part,
	.end_process = end_process,
	.finish = finish,
	.destroy = destroy,
};
