/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/model_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analyze/blocking.h"
#include "trace/writer.h"

#define BASE_NS 1000000000u
#define WORKER 1          /* CUPTI's thread, which writes what is known of the device */
#define WRITERS_MAX 80
#define API_BASE 1000     /* files number calls as they like */

static void *put(struct model_builder *b, enum ct_record_type type, uint32_t tid)
{
	struct mb_record *record = &b->records[b->count++];

	assert_true(b->count <= MB_RECORDS);
	record->type = type;
	record->tid = tid;
	return record->u.bytes;
}

static void forget(struct model_builder *b)
{
	ct_serialization_destroy(b->serialization);
	ct_sites_destroy(b->sites);
	ct_model_destroy(b->model);
	b->serialization = NULL;
	b->sites = NULL;
	b->model = NULL;
}

void mb_restart(struct model_builder *b)
{
	struct ct_gpu *gpu;

	forget(b);
	memset(b->records, 0, MB_RECORDS * sizeof(*b->records));
	b->count = 0;
	b->correlation = 0;
	b->event_sync = 0;
	b->no_cupti = false;
	b->note_count = 0;
	memset(b->lost, 0, sizeof(b->lost));
	b->cut_off = false;
	b->device = 0;
	mb_thread(b, MB_A);
	gpu = put(b, CT_RECORD_GPU, WORKER);
	gpu->multiprocessors = MB_FULL;
	gpu->warps_per_multiprocessor = 32;
	mb_context(b, MB_CONTEXT, MB_LEGACY, -1000);
	mb_stream(b, MB_LEGACY, CT_STREAM_FLAG_LEGACY);
}

int mb_set_up(void **state)
{
	struct model_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return -1;
	b->records = calloc(MB_RECORDS, sizeof(*b->records));
	if (!b->records)
		return -1;
	mb_restart(b);
	*state = b;
	return 0;
}

int mb_tear_down(void **state)
{
	struct model_builder *b = *state;

	forget(b);
	free(b->records);
	free(b);
	return 0;
}

uint64_t mb_ns(double us)
{
	return (uint64_t)((double)BASE_NS + us * 1000 + 0.5);
}

double mb_us(uint64_t ns)
{
	return (double)ns / 1000;
}

uint64_t mb_handle(uint32_t stream)
{
	return stream == MB_LEGACY ? 0 : 0x51000 + 16 * (uint64_t)stream;
}

uint64_t mb_stream(struct model_builder *b, uint32_t id, enum ct_stream_flag flag)
{
	struct ct_stream *stream = put(b, CT_RECORD_STREAM, WORKER);

	stream->context = MB_CONTEXT + b->device;
	stream->stream = id;
	stream->handle = mb_handle_on(b, id);
	stream->seen_ns = mb_ns(-1000);
	stream->flag = flag;
	return stream->handle;
}

struct ct_call *mb_call(struct model_builder *b, enum ct_api api, double enter, double leave)
{
	struct ct_call *call = put(b, CT_RECORD_CALL, b->tid);

	call->api = (uint16_t)(API_BASE + api);
	call->enter_ns = mb_ns(enter);
	call->leave_ns = mb_ns(leave);
	call->stream = CT_STREAM_NONE;
	call->context = MB_CONTEXT + b->device;
	call->correlation = ++b->correlation;
	return call;
}

struct ct_call *mb_call_on(struct model_builder *b, enum ct_api api, uint32_t stream, double enter,
			   double leave)
{
	struct ct_call *call = mb_call(b, api, enter, leave);

	call->stream = mb_handle_on(b, stream);
	return call;
}

struct ct_call *mb_call_about(struct model_builder *b, enum ct_api api, uint64_t addr, double enter,
			      double leave)
{
	struct ct_call *call = mb_call(b, api, enter, leave);

	call->addr = addr;
	return call;
}

static struct ct_device_op *op_of(struct model_builder *b, const struct ct_call *call,
				  uint32_t stream, double start, double end)
{
	struct ct_device_op *op = put(b, CT_RECORD_DEVICE, WORKER);

	op->correlation = call->correlation;
	op->start_ns = mb_ns(start);
	op->end_ns = mb_ns(end);
	op->context = MB_CONTEXT + b->device;
	op->device = (uint16_t)b->device;
	op->stream = stream;
	return op;
}

struct ct_device_op *mb_kernel(struct model_builder *b, const struct ct_call *call, uint32_t stream,
			       double start, double end)
{
	struct ct_device_op *op = op_of(b, call, stream, start, end);

	op->kind = CT_DEVICE_KERNEL;
	op->u.kernel.grid_x = 1;
	op->u.kernel.grid_y = op->u.kernel.grid_z = 1;
	op->u.kernel.block_x = 1024;
	op->u.kernel.block_y = op->u.kernel.block_z = 1;
	return op;
}

struct ct_device_op *mb_copy(struct model_builder *b, const struct ct_call *call, uint32_t stream,
			     enum ct_memory host, double start, double end)
{
	struct ct_device_op *op = op_of(b, call, stream, start, end);

	op->kind = CT_DEVICE_COPY;
	op->u.copy.bytes = 4096;
	op->u.copy.direction = CT_DIRECTION_H2D;
	op->u.copy.source = (uint8_t)host;
	op->u.copy.target = CT_MEMORY_DEVICE;
	return op;
}

struct ct_device_op *mb_launch(struct model_builder *b, uint32_t stream, double enter, double leave,
			       double start, double end)
{
	return mb_kernel(b, mb_call_on(b, CT_API_cudaLaunchKernel, stream, enter, leave), stream,
			 start, end);
}

struct ct_call *mb_launcher(struct model_builder *b, const struct ct_device_op *op)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->records[i].type == CT_RECORD_CALL &&
		    b->records[i].u.call.correlation == op->correlation)
			return &b->records[i].u.call;
	fail_msg("no call %u", op->correlation);
	return NULL;
}

static struct ct_sync *sync_of(struct model_builder *b, const struct ct_call *call,
			       enum ct_sync_kind kind, uint32_t stream)
{
	struct ct_sync *sync = put(b, CT_RECORD_SYNC, WORKER);

	sync->correlation = call->correlation;
	sync->start_ns = call->enter_ns;
	sync->end_ns = call->leave_ns;
	sync->context = MB_CONTEXT + b->device;
	sync->stream = stream;
	sync->event = CT_ID_NONE;
	sync->kind = (uint8_t)kind;
	return sync;
}

struct ct_call *mb_sync_device(struct model_builder *b, double enter, double leave)
{
	struct ct_call *call = mb_call(b, CT_API_cudaDeviceSynchronize, enter, leave);

	sync_of(b, call, CT_SYNC_CONTEXT, CT_ID_NONE);
	return call;
}

struct ct_call *mb_sync_stream(struct model_builder *b, uint32_t stream, double enter,
			       double leave)
{
	struct ct_call *call = mb_call_on(b, CT_API_cudaStreamSynchronize, stream, enter, leave);

	sync_of(b, call, CT_SYNC_STREAM, stream);
	return call;
}

uint64_t mb_event_handle(uint32_t event)
{
	return 0xe000 + 16 * (uint64_t)event;
}

struct ct_event *mb_record_event(struct model_builder *b, uint32_t event, uint32_t stream,
				 double enter, double leave)
{
	struct ct_call *call = mb_call_on(b, CT_API_cudaEventRecord, stream, enter, leave);
	struct ct_event *record = put(b, CT_RECORD_EVENT, WORKER);

	call->addr = mb_event_handle(event);
	record->correlation = call->correlation;
	record->event_sync = ++b->event_sync;
	record->context = MB_CONTEXT + b->device;
	record->stream = stream;
	record->event = event;
	return record;
}

struct ct_call *mb_sync_event(struct model_builder *b, const struct ct_event *event, double enter,
			      double leave)
{
	struct ct_call *call = mb_call_about(b, CT_API_cudaEventSynchronize,
					     mb_event_handle(event->event), enter, leave);
	struct ct_sync *sync = sync_of(b, call, CT_SYNC_EVENT, CT_ID_NONE);

	sync->event = event->event;
	sync->event_sync = event->event_sync;
	return call;
}

struct ct_call *mb_wait_event(struct model_builder *b, const struct ct_event *event,
			      uint32_t stream, double enter, double leave)
{
	struct ct_call *call = mb_call_on(b, CT_API_cudaStreamWaitEvent, stream, enter, leave);
	struct ct_sync *sync = sync_of(b, call, CT_SYNC_STREAM_WAIT, stream);

	call->addr = mb_event_handle(event->event);
	sync->event = event->event;
	sync->event_sync = event->event_sync;
	return call;
}

struct ct_overhead *mb_overhead(struct model_builder *b, enum ct_overhead_kind kind, double start,
				double end)
{
	struct ct_overhead *overhead = put(b, CT_RECORD_OVERHEAD, WORKER);

	overhead->start_ns = mb_ns(start);
	overhead->end_ns = mb_ns(end);
	overhead->tid = b->tid;
	overhead->kind = (uint8_t)kind;
	return overhead;
}

struct ct_context *mb_context(struct model_builder *b, uint32_t context, uint32_t null_stream,
			      double seen)
{
	struct ct_context *record = put(b, CT_RECORD_CONTEXT, seen < 0 ? WORKER : b->tid);

	record->context = context;
	record->device = b->device;
	record->null_stream = null_stream;
	record->seen_ns = mb_ns(seen);
	return record;
}

struct ct_total *mb_total(struct model_builder *b, enum ct_api api, uint32_t stack)
{
	struct ct_total *total = put(b, CT_RECORD_TOTAL, WORKER);

	total->api = (uint16_t)(API_BASE + api);
	total->stack = stack;
	return total;
}

void mb_shuffle(struct model_builder *b, unsigned seed)
{
	uint64_t random = seed + 1;

	/* calls stay with their threads, and pointers to records stay good until here */
	for (size_t i = b->count; i-- > 1;) {
		size_t j = mb_random(&random, (uint32_t)i + 1);
		struct mb_record swap = b->records[i];

		b->records[i] = b->records[j];
		b->records[j] = swap;
	}
	for (size_t i = 0; i < b->count; i++)
		if (b->records[i].type != CT_RECORD_CALL)
			b->records[i].tid = MB_A + mb_random(&random, 3);
}

static struct ct_writer *writer_of(struct ct_writer *writers, struct ct_file *file, uint32_t tid)
{
	for (size_t i = 0; i < WRITERS_MAX; i++) {
		if (!writers[i].tid)
			ct_writer_init(&writers[i], file, tid);
		if (writers[i].tid == tid)
			return &writers[i];
	}
	fail_msg("too many threads");
	return NULL;
}

static void write_apis(struct ct_writer *writer)
{
	for (int i = 1; i < CT_API_COUNT; i++) {
		uint32_t length = (uint32_t)strlen(ct_apis[i].name);
		uint32_t bytes = (uint32_t)offsetof(struct ct_api_record, name) + length;
		struct ct_api_record *record = ct_writer_reserve(writer, bytes);

		assert_non_null(record);
		record->id = (uint16_t)(API_BASE + i);
		record->name_length = (uint16_t)length;
		record->effects = ct_apis[i].effects;
		memcpy(record->name, ct_apis[i].name, length);
		ct_writer_commit(record, CT_RECORD_API, bytes);
	}
}

static void write_note(struct ct_writer *writer, const struct mb_note *said)
{
	uint32_t length = said->text ? (uint32_t)strlen(said->text) : 0;
	uint32_t bytes = (uint32_t)offsetof(struct ct_note, text) + length;
	struct ct_note *note = ct_writer_reserve(writer, bytes);

	assert_non_null(note);
	note->code = (uint16_t)said->code;
	note->seen_ns = mb_ns(said->us);
	note->value = said->value;
	note->length = (uint16_t)length;
	if (length)
		memcpy(note->text, said->text, length);
	ct_writer_commit(note, CT_RECORD_NOTE, bytes);
}

static void write_file(struct model_builder *b, struct ct_file *file, const char *path)
{
	struct ct_writer writers[WRITERS_MAX] = { 0 };

	assert_int_equal(ct_file_create(file, path, "built"), 0);
	write_apis(writer_of(writers, file, WORKER));
	if (!b->no_cupti)
		write_note(writer_of(writers, file, WORKER),
			   &(struct mb_note){ .code = CT_NOTE_CUPTI_VERSION });
	for (size_t i = 0; i < b->note_count; i++)
		write_note(writer_of(writers, file, WORKER), &b->notes[i]);
	for (size_t i = 0; i < b->count; i++) {
		const struct mb_record *record = &b->records[i];

		assert_true(ct_writer_put(writer_of(writers, file, record->tid), record->type,
					  record->u.bytes));
	}
	if (b->kept_from_us) {
		file->header->start_ns = mb_ns(0);
		file->header->limit_bytes = 64 << 20;
		file->header->kept_from_ns = mb_ns(b->kept_from_us);
		file->header->overwritten[CT_RECORD_CALL] = 1000;
		file->header->overwritten[CT_RECORD_DEVICE] = 234;
	}
	for (int kind = 0; kind < CT_LOSS_COUNT; kind++)
		file->header->lost[kind] = b->lost[kind];
	if (!b->cut_off)
		ct_file_finish(file, CT_FINISH_EXIT);
	for (size_t i = 0; i < WRITERS_MAX; i++)
		if (writers[i].chunk)
			munmap(writers[i].chunk, writers[i].chunk_bytes);
	munmap(file->header, CT_HEADER_BYTES);
}

struct ct_model *mb_load(struct model_builder *b)
{
	static struct ct_file file;
	char dir[] = "/tmp/cutrace-model-XXXXXX", path[64];

	forget(b);
	memset(&file, 0, sizeof(file));
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/trace", dir);
	write_file(b, &file, path);
	assert_int_equal(ct_model_load(path, &b->model), 0);
	unlink(path);
	rmdir(dir);
	assert_int_equal(b->model->damaged_bytes, 0);
	return b->model;
}

struct ct_model *mb_split(struct model_builder *b)
{
	mb_load(b);
	assert_int_equal(ct_blocking_find(b->model), 0);
	assert_int_equal(ct_blocking_mismatches(b->model), 0);
	return b->model;
}

struct ct_serialization *mb_serialize(struct model_builder *b)
{
	mb_split(b);
	assert_int_equal(ct_sites_create(b->model, &b->sites), 0);
	assert_int_equal(ct_serialize_find(b->model, b->sites, &b->serialization), 0);
	return b->serialization;
}

uint32_t mb_host_index(const struct model_builder *b, const struct ct_call *call)
{
	for (size_t i = 0; i < b->model->calls.count; i++)
		if (b->model->calls.at[i].raw.correlation == call->correlation)
			return (uint32_t)i;
	fail_msg("call %u is not in the model", call->correlation);
	return CT_NONE;
}

const struct ct_host_call *mb_host(const struct model_builder *b, const struct ct_call *call)
{
	return &b->model->calls.at[mb_host_index(b, call)];
}

uint32_t mb_op(const struct model_builder *b, const struct ct_device_op *op)
{
	for (size_t i = 0; i < b->model->ops.count; i++) {
		const struct ct_device_op *raw = &b->model->ops.at[i].raw;

		if (raw->correlation == op->correlation && raw->start_ns == op->start_ns &&
		    raw->stream == op->stream)
			return (uint32_t)i;
	}
	fail_msg("operation of call %u is not in the model", op->correlation);
	return CT_NONE;
}

void mb_expect_parts(const struct model_builder *b, const struct ct_call *call,
		     const struct mb_parts *expected, const char *file, int line)
{
	const struct ct_host_call *host = mb_host(b, call);
	const double wanted[CT_PART_COUNT] = {
#define X(id, name, text) [CT_PART_##id] = expected->id,
		CT_PARTS(X)
#undef X
	};
	double sum = 0;

	for (int part = 0; part < CT_PART_COUNT; part++) {
		sum += wanted[part];
		if (mb_us(host->parts[part]) != wanted[part])
			fail_msg("%s:%d: %s: %s is %g us, not %g", file, line, host->name,
				 ct_part_names[part], mb_us(host->parts[part]), wanted[part]);
	}
	if (sum != mb_us(host->raw.leave_ns - host->raw.enter_ns))
		fail_msg("%s:%d: the test expects parts that do not sum", file, line);
}

const struct ct_wait *mb_wait(const struct model_builder *b, const struct ct_call *call,
			      enum ct_part part)
{
	const struct ct_host_call *host = mb_host(b, call);
	const struct ct_wait *longest = NULL;

	for (uint32_t i = 0; i < host->wait_count; i++) {
		const struct ct_wait *wait = &b->model->waits.at[host->first_wait + i];

		if (wait->part == part && (!longest || wait->end_ns - wait->start_ns >
							       longest->end_ns - longest->start_ns))
			longest = wait;
	}
	if (!longest)
		fail_msg("%s has no %s", host->name, ct_part_names[part]);
	return longest;
}
