/* SPDX-License-Identifier: Apache-2.0 */
/* Activity records, out of what the device did. */
#include "cupti_int.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static CUpti_TimestampCallbackFunc client_clock;
static pthread_once_t measured = PTHREAD_ONCE_INIT;
static int64_t offset_ns; /* client's clock less CLOCK_MONOTONIC */
static atomic_bool system_thread_ids;

static uint64_t client_now(void)
{
	struct timespec now;

	if (client_clock)
		return client_clock();
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * Keeps the tightest of some bracketed readings. A client whose readings all fall into
 * their brackets uses our clock; then nothing is added.
 */
static void measure(void)
{
	uint64_t tightest_ns = UINT64_MAX;
	bool same = true;

	for (int i = 0; i < 32; i++) {
		uint64_t before_ns = fake_now();
		uint64_t client_ns = client_now();
		uint64_t after_ns = fake_now();

		same = same && before_ns <= client_ns && client_ns <= after_ns;
		if (after_ns - before_ns < tightest_ns) {
			tightest_ns = after_ns - before_ns;
			offset_ns = (int64_t)(client_ns - (before_ns + tightest_ns / 2));
		}
	}
	if (same)
		offset_ns = 0;
}

uint64_t cu_time(uint64_t device_ns)
{
	enum { JUMP_NS = 1000000000 };

	pthread_once(&measured, measure);
	if (llabs((int64_t)(client_now() - fake_now()) - offset_ns) > JUMP_NS)
		measure(); /* the client, or another one since, shows another clock */
	return device_ns + (uint64_t)offset_ns;
}

FAKE_EXPORT CUptiResult cuptiActivityRegisterTimestampCallback(CUpti_TimestampCallbackFunc clock)
{
	client_clock = clock;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiGetTimestamp(uint64_t *timestamp)
{
	*timestamp = client_now();
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiSetThreadIdType(CUpti_ActivityThreadIdType type)
{
	system_thread_ids = type == CUPTI_ACTIVITY_THREAD_ID_TYPE_SYSTEM;
	return CUPTI_SUCCESS;
}

uint32_t cu_thread_id(void)
{
	return system_thread_ids ? (uint32_t)gettid() : (uint32_t)(uintptr_t)pthread_self();
}

static uint32_t correlation(void)
{
	const struct fake_call *call = fake_current_call();

	return call ? call->correlation : 0;
}

void cu_record_call(const struct fake_call *call, uint64_t end_ns, uint32_t result)
{
	CUpti_ActivityAPI record = {
		.kind = call->domain == CUPTI_CB_DOMAIN_RUNTIME_API ? CUPTI_ACTIVITY_KIND_RUNTIME :
								      CUPTI_ACTIVITY_KIND_DRIVER,
		.cbid = call->cbid,
		.correlationId = call->correlation,
		.returnValue = result,
	};

	if (!cu_wanted(record.kind))
		return;
	record.start = cu_time(call->start_ns);
	record.end = cu_time(end_ns);
	record.processId = (uint32_t)getpid();
	record.threadId = cu_thread_id();
	cu_write(&record, sizeof(record));
}

static void record_kernel(const struct fake_op *op)
{
	uint32_t device = fake_stream_device(op->stream);
	const struct fake_launch *launch = &op->launch;
	CUpti_ActivityKernel10 record = {
		.kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
		.registersPerThread = 32,
		.start = cu_time(op->start_ns),
		.end = cu_time(op->end_ns),
		.deviceId = device,
		.contextId = fake_context_id(device),
		.streamId = fake_stream_id(op->stream),
		.gridX = (int32_t)launch->grid[0],
		.gridY = (int32_t)launch->grid[1],
		.gridZ = (int32_t)launch->grid[2],
		.blockX = (int32_t)launch->block[0],
		.blockY = (int32_t)launch->block[1],
		.blockZ = (int32_t)launch->block[2],
		.dynamicSharedMemory = (int32_t)launch->shared_bytes,
		.correlationId = op->correlation,
		.name = launch->function->name,
		.graphId = op->graph_id,
		.channelID = fake_stream_id(op->stream), /* a hardware queue for every stream */
	};

	if (!cu_wanted(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL)) {
		if (!cu_wanted(CUPTI_ACTIVITY_KIND_KERNEL))
			return;
		record.kind = CUPTI_ACTIVITY_KIND_KERNEL;
	}
	record.completed = record.end;
	cu_write(&record, sizeof(record));
}

static uint8_t memory_kind(enum fake_memory_kind kind)
{
	static const uint8_t kinds[] = {
		[FAKE_PAGEABLE] = CUPTI_ACTIVITY_MEMORY_KIND_PAGEABLE,
		[FAKE_PINNED] = CUPTI_ACTIVITY_MEMORY_KIND_PINNED,
		[FAKE_REGISTERED] = CUPTI_ACTIVITY_MEMORY_KIND_PINNED,
		[FAKE_DEVICE] = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE,
		[FAKE_POOLED] = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE,
		[FAKE_MANAGED] = CUPTI_ACTIVITY_MEMORY_KIND_MANAGED,
		[FAKE_ARRAY] = CUPTI_ACTIVITY_MEMORY_KIND_ARRAY,
	};

	return kinds[kind];
}

static uint8_t copy_kind(const struct fake_copy *copy)
{
	bool from_host = copy->src_kind < FAKE_DEVICE, to_host = copy->dst_kind < FAKE_DEVICE;

	if (from_host)
		return to_host			     ? CUPTI_ACTIVITY_MEMCPY_KIND_HTOH :
		       copy->dst_kind == FAKE_ARRAY ? CUPTI_ACTIVITY_MEMCPY_KIND_HTOA :
						      CUPTI_ACTIVITY_MEMCPY_KIND_HTOD;
	if (to_host)
		return copy->src_kind == FAKE_ARRAY ? CUPTI_ACTIVITY_MEMCPY_KIND_ATOH :
						      CUPTI_ACTIVITY_MEMCPY_KIND_DTOH;
	if (copy->src_kind == FAKE_ARRAY)
		return copy->dst_kind == FAKE_ARRAY ? CUPTI_ACTIVITY_MEMCPY_KIND_ATOA :
						      CUPTI_ACTIVITY_MEMCPY_KIND_ATOD;
	return copy->dst_kind == FAKE_ARRAY ? CUPTI_ACTIVITY_MEMCPY_KIND_DTOA :
					      CUPTI_ACTIVITY_MEMCPY_KIND_DTOD;
}

/* Device memory of two devices at its ends. Managed memory is no device's own. */
static bool between_devices(const struct fake_copy *copy)
{
	return copy->src_kind >= FAKE_DEVICE && copy->dst_kind >= FAKE_DEVICE &&
	       copy->src_kind != FAKE_MANAGED && copy->dst_kind != FAKE_MANAGED &&
	       copy->src_device != copy->dst_device;
}

static void record_peer_copy(const struct fake_op *op)
{
	const struct fake_copy *copy = &op->copy;
	uint32_t device = fake_stream_device(op->stream);
	CUpti_ActivityMemcpyPtoP4 record = {
		.kind = CUPTI_ACTIVITY_KIND_MEMCPY2,
		.copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_PTOP,
		.srcKind = memory_kind(copy->src_kind),
		.dstKind = memory_kind(copy->dst_kind),
		.flags = op->async ? CUPTI_ACTIVITY_FLAG_MEMCPY_ASYNC : 0,
		.bytes = copy->width * copy->height * copy->depth,
		.start = cu_time(op->start_ns),
		.end = cu_time(op->end_ns),
		.deviceId = device,
		.contextId = fake_context_id(device),
		.streamId = fake_stream_id(op->stream),
		.srcDeviceId = copy->src_device,
		.srcContextId = fake_context_id(copy->src_device),
		.dstDeviceId = copy->dst_device,
		.dstContextId = fake_context_id(copy->dst_device),
		.correlationId = op->correlation,
		.graphId = op->graph_id,
	};

	if (cu_wanted(record.kind))
		cu_write(&record, sizeof(record));
}

static void record_copy(const struct fake_op *op)
{
	uint32_t device = fake_stream_device(op->stream);
	const struct fake_copy *copy = &op->copy;
	CUpti_ActivityMemcpy6 record = {
		.kind = CUPTI_ACTIVITY_KIND_MEMCPY,
		.copyKind = copy_kind(copy),
		.srcKind = memory_kind(copy->src_kind),
		.dstKind = memory_kind(copy->dst_kind),
		.flags = op->async ? CUPTI_ACTIVITY_FLAG_MEMCPY_ASYNC : 0,
		.bytes = copy->width * copy->height * copy->depth,
		.start = cu_time(op->start_ns),
		.end = cu_time(op->end_ns),
		.deviceId = device,
		.contextId = fake_context_id(device),
		.streamId = fake_stream_id(op->stream),
		.correlationId = op->correlation,
		.graphId = op->graph_id,
		.copyCount = 1,
	};

	if (cu_wanted(record.kind))
		cu_write(&record, sizeof(record));
}

/* CUPTI marks a record that it could not time by zero times. */
static bool untimed_fill(void)
{
	static atomic_long left = -1;
	const char *untimed = getenv("FAKE_CUPTI_UNTIMED");

	if (!untimed)
		return false;
	if (left < 0)
		left = atol(untimed);
	return left > 0 && left--;
}

static void record_fill(const struct fake_op *op)
{
	bool untimed = untimed_fill();
	uint32_t device = fake_stream_device(op->stream);
	const struct fake_fill *fill = &op->fill;
	CUpti_ActivityMemset4 record = {
		.kind = CUPTI_ACTIVITY_KIND_MEMSET,
		.value = fill->value,
		.bytes = fill->width * fill->element_bytes * fill->height * fill->depth,
		.start = untimed ? 0 : cu_time(op->start_ns),
		.end = untimed ? 0 : cu_time(op->end_ns),
		.deviceId = device,
		.contextId = fake_context_id(device),
		.streamId = fake_stream_id(op->stream),
		.correlationId = op->correlation,
		.memoryKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE,
		.graphId = op->graph_id,
	};

	if (cu_wanted(record.kind))
		cu_write(&record, sizeof(record));
}

static void record_event(const struct fake_op *op)
{
	uint32_t device = fake_stream_device(op->stream);
	CUpti_ActivityCudaEvent2 record = {
		.kind = CUPTI_ACTIVITY_KIND_CUDA_EVENT,
		.correlationId = op->correlation,
		.deviceId = device,
		.contextId = fake_context_id(device),
		.streamId = fake_stream_id(op->stream),
		.eventId = op->record.event_id,
		.deviceTimestamp = cu_time(op->start_ns),
		.cudaEventSyncId = op->record.sync_id,
	};

	if (cu_wanted(record.kind))
		cu_write(&record, sizeof(record));
}

static void record_graph(const struct fake_op *op)
{
	uint32_t device = fake_stream_device(op->stream);
	CUpti_ActivityGraphTrace2 record = {
		.kind = CUPTI_ACTIVITY_KIND_GRAPH_TRACE,
		.correlationId = op->correlation,
		.start = cu_time(op->start_ns),
		.end = cu_time(op->end_ns),
		.graphId = op->graph_id,
		.deviceId = device,
		.contextId = fake_context_id(device),
		.streamId = fake_stream_id(op->stream),
		.endDeviceId = device,
		.endContextId = fake_context_id(device),
	};

	if (cu_wanted(record.kind))
		cu_write(&record, sizeof(record));
}

void cu_record_op(const struct fake_op *op)
{
	/* Graph-level tracing replaces the records of the nodes. */
	if (op->graph_id && op->kind != FAKE_GRAPH && cu_wanted(CUPTI_ACTIVITY_KIND_GRAPH_TRACE))
		return;
	switch (op->kind) {
	case FAKE_KERNEL:
		record_kernel(op);
		break;
	case FAKE_COPY:
		(between_devices(&op->copy) ? record_peer_copy : record_copy)(op);
		break;
	case FAKE_FILL:
		record_fill(op);
		break;
	case FAKE_RECORD:
		record_event(op);
		break;
	case FAKE_GRAPH:
		record_graph(op);
		break;
	case FAKE_HOST:
	case FAKE_WAIT:
	case FAKE_RELEASE:
		break;
	}
}

/*
 * Measured table, the note below it: only explicit waits have such a record. The
 * engine therefore tells of no other.
 */
void cu_record_wait(const struct fake_wait *wait)
{
	CUpti_ActivitySynchronization2 record = {
		.kind = CUPTI_ACTIVITY_KIND_SYNCHRONIZATION,
		.type = wait->type,
		.start = cu_time(wait->start_ns),
		.end = cu_time(wait->end_ns),
		.correlationId = correlation(),
		.contextId = fake_context_id(wait->device),
		.streamId = wait->stream_id,
		.cudaEventId = wait->event_id,
		.cudaEventSyncId = wait->event_sync_id,
	};

	if (cu_wanted(record.kind))
		cu_write(&record, sizeof(record));
}

void cu_record_overhead(CUpti_ActivityOverheadKind kind, uint64_t start_ns, uint64_t end_ns)
{
	CUpti_ActivityOverhead3 record = {
		.kind = CUPTI_ACTIVITY_KIND_OVERHEAD,
		.overheadKind = kind,
		.objectKind = CUPTI_ACTIVITY_OBJECT_THREAD,
		.start = cu_time(start_ns),
		.end = cu_time(end_ns),
		.correlationId = correlation(),
	};

	if (!cu_wanted(record.kind))
		return;
	record.objectId.pt.processId = (uint32_t)getpid();
	record.objectId.pt.threadId = cu_thread_id();
	cu_write(&record, sizeof(record));
}

static void record_context(uint32_t id)
{
	CUpti_ActivityContext3 context = {
		.kind = CUPTI_ACTIVITY_KIND_CONTEXT,
		.contextId = fake_context_id(id),
		.deviceId = id,
		.computeApiKind = CUPTI_ACTIVITY_COMPUTE_API_CUDA,
		.nullStreamId = FAKE_NULL_STREAM_ID,
		.numMultiprocessors = 132,
	};
	CUpti_ActivityDevice5 device = {
		.kind = CUPTI_ACTIVITY_KIND_DEVICE,
		.globalMemorySize = 140ULL << 30,
		.numMultiprocessors = 132,
		.maxWarpsPerMultiprocessor = 64,
		.maxBlocksPerMultiprocessor = 32,
		.maxSharedMemoryPerMultiprocessor = 228 << 10,
		.maxRegistersPerMultiprocessor = 65536,
		.computeCapabilityMajor = 9,
		.id = id,
		.name = "Fake device (no GPU)",
		.isCudaVisible = 1,
	};

	if (cu_wanted(context.kind))
		cu_write(&context, sizeof(context));
	if (cu_wanted(device.kind))
		cu_write(&device, sizeof(device));
}

void cu_record_resource(CUpti_CallbackIdResource what, uint32_t device,
			const struct fake_stream *stream)
{
	CUpti_ActivityStream record = {
		.kind = CUPTI_ACTIVITY_KIND_STREAM,
		.contextId = fake_context_id(device),
		.correlationId = correlation(),
	};

	if (what == CUPTI_CBID_RESOURCE_CONTEXT_CREATED)
		record_context(device);
	if (what != CUPTI_CBID_RESOURCE_STREAM_CREATED || !cu_wanted(record.kind))
		return;
	record.streamId = fake_stream_id(stream);
	record.flag = fake_stream_non_blocking(stream) ?
			      CUPTI_ACTIVITY_STREAM_CREATE_FLAG_NON_BLOCKING :
			      CUPTI_ACTIVITY_STREAM_CREATE_FLAG_DEFAULT;
	cu_write(&record, sizeof(record));
}
