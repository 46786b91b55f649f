/* SPDX-License-Identifier: Apache-2.0 */
/* CUPTI's own structs -> our records, field by field. */
#include "cupti/convert.h"

#include <cupti.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/unit.h"

/* The newest record of each kind that these headers have. */
#if CUPTI_API_VERSION >= 130000
typedef CUpti_ActivityKernel10 kernel_activity;
typedef CUpti_ActivityMemcpy6 copy_activity;
typedef CUpti_ActivityMemcpyPtoP4 peer_activity;
typedef CUpti_ActivityMemset4 fill_activity;
typedef CUpti_ActivityGraphTrace2 graph_activity;
typedef CUpti_ActivityContext3 context_activity;
typedef CUpti_ActivityDevice5 device_activity;
#else
typedef CUpti_ActivityKernel8 kernel_activity;
typedef CUpti_ActivityMemcpy5 copy_activity;
typedef CUpti_ActivityMemcpyPtoP4 peer_activity;
typedef CUpti_ActivityMemset4 fill_activity;
typedef CUpti_ActivityGraphTrace graph_activity;
typedef CUpti_ActivityContext context_activity;
typedef CUpti_ActivityDevice4 device_activity;
#endif

#define OLD 19u      /* cuptiGetVersion() of CUDA 12.0 */
#define NEW 130000u  /* of CUDA 13.0 */

static union ct_converted converted;
static const char *name;

/* Convert and compare the kind of record; everything before is overwritten. */
static void convert(const void *activity, uint32_t version, enum ct_record_type type)
{
	memset(&converted, 0xee, sizeof(converted));
	name = "not set";
	assert_int_equal(ct_convert(activity, version, &converted, &name), type);
}

static kernel_activity sample_kernel(void)
{
	return (kernel_activity){
		.kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
		.registersPerThread = 32, .start = 100, .end = 250, .completed = 260,
		.deviceId = 3, .contextId = 4, .streamId = 5,
		.gridX = 1 << 20, .gridY = 6, .gridZ = 65535,
		.blockX = 1024, .blockY = 2, .blockZ = 64,
		.staticSharedMemory = 1000, .dynamicSharedMemory = 2000,
		.correlationId = 77, .name = "_Z6kernelv", .channelID = 0x109, .graphId = 9,
	};
}

static void test_kernel(void **state)
{
	kernel_activity k = sample_kernel();
	const struct ct_device_op *op = &converted.op;

	(void)state;
	convert(&k, NEW, CT_RECORD_DEVICE);
	assert_string_equal(name, "_Z6kernelv");
	assert_int_equal(op->kind, CT_DEVICE_KERNEL);
	assert_int_equal(op->correlation, 77);
	assert_int_equal(op->start_ns, 100);
	assert_int_equal(op->end_ns, 250);
	assert_int_equal(op->device, 3);
	assert_int_equal(op->context, 4);
	assert_int_equal(op->stream, 5);
	assert_int_equal(op->graph, 0); /* outside a graph the field means nothing */
	assert_int_equal(op->name, 0);
	assert_int_equal(op->channel, 11); /* 265 % 255 + 1 */
	assert_int_equal(op->shared_bytes, 3000);
	assert_int_equal(op->u.kernel.registers, 32);
	assert_int_equal(op->u.kernel.grid_x, 1 << 20);
	assert_int_equal(op->u.kernel.grid_y, 6);
	assert_int_equal(op->u.kernel.grid_z, 65535);
	assert_int_equal(op->u.kernel.block_x, 1024);
	assert_int_equal(op->u.kernel.block_y, 2);
	assert_int_equal(op->u.kernel.block_z, 64);
	k.graphNodeId = 1;
	k.kind = CUPTI_ACTIVITY_KIND_KERNEL;
	convert(&k, NEW, CT_RECORD_DEVICE);
	assert_int_equal(op->graph, 9);
}

static void test_copy(void **state)
{
	copy_activity m = {
		.kind = CUPTI_ACTIVITY_KIND_MEMCPY, .copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_HTOD,
		.srcKind = CUPTI_ACTIVITY_MEMORY_KIND_PAGEABLE,
		.dstKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE,
		.flags = CUPTI_ACTIVITY_FLAG_MEMCPY_ASYNC, .bytes = (uint64_t)1 << 33,
		.start = 10, .end = 20, .deviceId = 1, .contextId = 2, .streamId = 3,
		.correlationId = 4, .runtimeCorrelationId = 5, .graphNodeId = 6, .graphId = 7,
	};
	const struct ct_device_op *op = &converted.op;

	(void)state;
	convert(&m, NEW, CT_RECORD_DEVICE);
	assert_null(name);
	assert_int_equal(op->kind, CT_DEVICE_COPY);
	assert_int_equal(op->start_ns, 10);
	assert_int_equal(op->end_ns, 20);
	assert_int_equal(op->device, 1);
	assert_int_equal(op->context, 2);
	assert_int_equal(op->stream, 3);
	assert_int_equal(op->correlation, 4);
	assert_int_equal(op->graph, 7);
	assert_int_equal(op->u.copy.bytes, (uint64_t)1 << 33);
	assert_int_equal(op->u.copy.direction, CT_DIRECTION_H2D);
	assert_int_equal(op->u.copy.source, CT_MEMORY_PAGEABLE);
	assert_int_equal(op->u.copy.target, CT_MEMORY_DEVICE);
	assert_int_equal(op->u.copy.async, 1);
	assert_int_equal(op->u.copy.value, 0);
	m.flags = 0;
	convert(&m, NEW, CT_RECORD_DEVICE);
	assert_int_equal(op->u.copy.async, 0);
}

static void test_peer_copy(void **state)
{
	const peer_activity m = {
		.kind = CUPTI_ACTIVITY_KIND_MEMCPY2, .copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_DTOD,
		.srcKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE,
		.dstKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE, .bytes = 64, .start = 10, .end = 20,
		.deviceId = 1, .contextId = 2, .streamId = 3, .srcDeviceId = 90,
		.srcContextId = 91, .dstDeviceId = 92, .dstContextId = 93, .correlationId = 4,
		.graphNodeId = 1, .graphId = 8,
	};
	const struct ct_device_op *op = &converted.op;

	(void)state;
	convert(&m, NEW, CT_RECORD_DEVICE);
	assert_int_equal(op->kind, CT_DEVICE_COPY);
	assert_int_equal(op->u.copy.direction, CT_DIRECTION_P2P);
	assert_int_equal(op->u.copy.bytes, 64);
	assert_int_equal(op->u.copy.source, CT_MEMORY_DEVICE);
	assert_int_equal(op->correlation, 4);
	assert_int_equal(op->device, 1);
	assert_int_equal(op->context, 2);
	assert_int_equal(op->stream, 3);
	assert_int_equal(op->graph, 8);
	assert_int_equal(op->u.copy.peer.source, 90 + 1);
	assert_int_equal(op->u.copy.peer.target, 92 + 1);
}

static void test_fill(void **state)
{
	const fill_activity m = {
		.kind = CUPTI_ACTIVITY_KIND_MEMSET, .value = 0xab, .bytes = 4096, .start = 10,
		.end = 20, .deviceId = 1, .contextId = 2, .streamId = 3, .correlationId = 4,
		.flags = CUPTI_ACTIVITY_FLAG_MEMSET_ASYNC,
		.memoryKind = CUPTI_ACTIVITY_MEMORY_KIND_MANAGED, .graphId = 5,
	};
	const struct ct_device_op *op = &converted.op;

	(void)state;
	convert(&m, NEW, CT_RECORD_DEVICE);
	assert_int_equal(op->kind, CT_DEVICE_FILL);
	assert_int_equal(op->u.copy.value, 0xab);
	assert_int_equal(op->u.copy.bytes, 4096);
	assert_int_equal(op->u.copy.target, CT_MEMORY_MANAGED);
	assert_int_equal(op->u.copy.source, 0);
	assert_int_equal(op->u.copy.async, 1);
	assert_int_equal(op->correlation, 4);
	assert_int_equal(op->stream, 3);
	assert_int_equal(op->graph, 0);
}

static void test_graph(void **state)
{
	const graph_activity g = {
		.kind = CUPTI_ACTIVITY_KIND_GRAPH_TRACE, .correlationId = 4, .start = 10,
		.end = 20, .deviceId = 1, .graphId = 5, .contextId = 2, .streamId = 3,
	};
	const struct ct_device_op *op = &converted.op;

	(void)state;
	convert(&g, NEW, CT_RECORD_DEVICE);
	assert_int_equal(op->kind, CT_DEVICE_GRAPH);
	assert_int_equal(op->graph, 5);
	assert_int_equal(op->correlation, 4);
	assert_int_equal(op->context, 2);
	assert_int_equal(op->stream, 3);
	assert_int_equal(op->start_ns, 10);
	assert_int_equal(op->end_ns, 20);
	assert_int_equal(op->device, 1);
}

static void test_sync(void **state)
{
	static const uint8_t kinds[][2] = {
		{ CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_EVENT_SYNCHRONIZE, CT_SYNC_EVENT },
		{ CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_WAIT_EVENT, CT_SYNC_STREAM_WAIT },
		{ CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_SYNCHRONIZE, CT_SYNC_STREAM },
		{ CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_CONTEXT_SYNCHRONIZE, CT_SYNC_CONTEXT },
	};
	const struct ct_sync *sync = &converted.sync;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		CUpti_ActivitySynchronization s = {
			.kind = CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, .start = 10, .end = 20,
			.correlationId = 4, .contextId = 2,
			.streamId = CUPTI_SYNCHRONIZATION_INVALID_VALUE, .cudaEventId = 6,
		};

		s.type = (CUpti_ActivitySynchronizationType)kinds[i][0];
		convert(&s, OLD, CT_RECORD_SYNC);
		assert_int_equal(sync->kind, kinds[i][1]);
		assert_int_equal(sync->start_ns, 10);
		assert_int_equal(sync->end_ns, 20);
		assert_int_equal(sync->correlation, 4);
		assert_int_equal(sync->context, 2);
		assert_int_equal(sync->stream, CT_ID_NONE);
		assert_int_equal(sync->event, 6);
		assert_int_equal(sync->event_sync, 0); /* not there: must not be read */
	}
}

static void test_event(void **state)
{
	const CUpti_ActivityCudaEvent e = {
		.kind = CUPTI_ACTIVITY_KIND_CUDA_EVENT, .correlationId = 4, .contextId = 2,
		.streamId = 3, .eventId = 6,
	};
	const struct ct_event *event = &converted.event;

	(void)state;
	convert(&e, OLD, CT_RECORD_EVENT);
	assert_int_equal(event->correlation, 4);
	assert_int_equal(event->context, 2);
	assert_int_equal(event->stream, 3);
	assert_int_equal(event->event, 6);
	assert_int_equal(event->event_sync, 0);
}

/* What CUDA 12.8 added; 26 was its version, and 13.0 began to count anew. */
static void test_event_sync(void **state)
{
	(void)state;
#if CUPTI_API_VERSION < 130000
	skip();
#else
	static const struct { uint32_t version; uint64_t expected; } cases[] = {
		{ 19, 0 }, { 24, 0 }, { 26, 99 }, { 28, 99 }, { 130000, 99 }, { 140000, 99 },
	};
	const CUpti_ActivitySynchronization2 s = {
		.kind = CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, .cudaEventSyncId = 99,
	};
	const CUpti_ActivityCudaEvent2 e = {
		.kind = CUPTI_ACTIVITY_KIND_CUDA_EVENT, .cudaEventSyncId = 99,
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		convert(&s, cases[i].version, CT_RECORD_SYNC);
		assert_int_equal(converted.sync.event_sync, cases[i].expected);
		convert(&e, cases[i].version, CT_RECORD_EVENT);
		assert_int_equal(converted.event.event_sync, cases[i].expected);
	}
	const CUpti_ActivitySynchronization2 none = {
		.kind = CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, .cudaEventSyncId = UINT32_MAX,
	};
	convert(&none, 130000, CT_RECORD_SYNC);
	assert_int_equal(converted.sync.event_sync, 0);
#endif
}

#if CUPTI_API_VERSION >= 130000
static void convert_overhead(uint32_t kind, uint32_t version)
{
	CUpti_ActivityOverhead3 o = {
		.kind = CUPTI_ACTIVITY_KIND_OVERHEAD, .objectKind = CUPTI_ACTIVITY_OBJECT_THREAD,
		.start = 10, .end = 20, .correlationId = 4,
	};

	o.overheadKind = (CUpti_ActivityOverheadKind)kind;
	o.objectId.pt.processId = 1;
	o.objectId.pt.threadId = 1234;
	convert(&o, version, CT_RECORD_OVERHEAD);
}

static void test_overhead(void **state)
{
	static const uint32_t kinds[][2] = {
		{ CUPTI_ACTIVITY_OVERHEAD_UNKNOWN, CT_OVERHEAD_UNKNOWN },
		{ CUPTI_ACTIVITY_OVERHEAD_DRIVER_COMPILER, CT_OVERHEAD_COMPILER },
		{ CUPTI_ACTIVITY_OVERHEAD_CUPTI_BUFFER_FLUSH, CT_OVERHEAD_BUFFER_FLUSH },
		{ CUPTI_ACTIVITY_OVERHEAD_CUPTI_INSTRUMENTATION, CT_OVERHEAD_INSTRUMENTATION },
		{ CUPTI_ACTIVITY_OVERHEAD_CUPTI_RESOURCE, CT_OVERHEAD_RESOURCE },
		{ CUPTI_ACTIVITY_OVERHEAD_RUNTIME_TRIGGERED_MODULE_LOADING,
		  CT_OVERHEAD_MODULE_LOADING },
		{ CUPTI_ACTIVITY_OVERHEAD_LAZY_FUNCTION_LOADING, CT_OVERHEAD_LAZY_LOADING },
		{ CUPTI_ACTIVITY_OVERHEAD_COMMAND_BUFFER_FULL, CT_OVERHEAD_QUEUE_FULL },
		{ CUPTI_ACTIVITY_OVERHEAD_ACTIVITY_BUFFER_REQUEST, CT_OVERHEAD_BUFFER_REQUEST },
		{ CUPTI_ACTIVITY_OVERHEAD_UVM_ACTIVITY_INIT, CT_OVERHEAD_UVM_INIT },
		{ 0x7fff0000, CT_OVERHEAD_UNKNOWN },
	};
	const struct ct_overhead *overhead = &converted.overhead;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		convert_overhead(kinds[i][0], NEW);
		assert_int_equal(overhead->kind, kinds[i][1]);
		assert_int_equal(overhead->tid, 1234);
		assert_int_equal(overhead->correlation, 4);
		assert_int_equal(overhead->start_ns, 10);
		assert_int_equal(overhead->end_ns, 20);
	}
	convert_overhead(0, OLD);
	assert_int_equal(overhead->correlation, 0); /* not there: must not be read */
}

static void test_overhead_of_stream(void **state)
{
	CUpti_ActivityOverhead3 o = {
		.kind = CUPTI_ACTIVITY_KIND_OVERHEAD, .objectKind = CUPTI_ACTIVITY_OBJECT_STREAM,
	};

	(void)state;
	o.objectId.dcs.contextId = 2;
	o.objectId.dcs.streamId = 3;
	convert(&o, NEW, CT_RECORD_OVERHEAD);
	assert_int_equal(converted.overhead.context, 2);
	assert_int_equal(converted.overhead.stream, 3);
	assert_int_equal(converted.overhead.tid, 0);
}
#endif

static void test_stream(void **state)
{
	const CUpti_ActivityStream s = {
		.kind = CUPTI_ACTIVITY_KIND_STREAM, .contextId = 2, .streamId = 3,
		.priority = (uint32_t)-5, .flag = CUPTI_ACTIVITY_STREAM_CREATE_FLAG_NON_BLOCKING,
	};

	(void)state;
	convert(&s, NEW, CT_RECORD_STREAM);
	assert_int_equal(converted.stream.context, 2);
	assert_int_equal(converted.stream.stream, 3);
	assert_int_equal(converted.stream.priority, -5);
	assert_int_equal(converted.stream.flag, CT_STREAM_FLAG_NON_BLOCKING);
	assert_int_equal(converted.stream.handle, 0);
	assert_int_equal(CUPTI_ACTIVITY_STREAM_CREATE_FLAG_DEFAULT, CT_STREAM_FLAG_BLOCKING);
	assert_int_equal(CUPTI_ACTIVITY_STREAM_CREATE_FLAG_NULL, CT_STREAM_FLAG_LEGACY);
}

static void test_context(void **state)
{
	const context_activity c = {
		.kind = CUPTI_ACTIVITY_KIND_CONTEXT, .contextId = 2, .deviceId = 1,
		.computeApiKind = CUPTI_ACTIVITY_COMPUTE_API_CUDA, .nullStreamId = 7,
	};

	(void)state;
	convert(&c, NEW, CT_RECORD_CONTEXT);
	assert_int_equal(converted.context.context, 2);
	assert_int_equal(converted.context.device, 1);
	assert_int_equal(converted.context.null_stream, 7);
}

static void test_device(void **state)
{
	const device_activity d = {
		.kind = CUPTI_ACTIVITY_KIND_DEVICE, .globalMemorySize = (uint64_t)80 << 30,
		.numMultiprocessors = 132, .maxWarpsPerMultiprocessor = 64,
		.maxSharedMemoryPerMultiprocessor = 233472, .maxRegistersPerMultiprocessor = 65536,
		.computeCapabilityMajor = 9, .computeCapabilityMinor = 1, .id = 3, .name = "GPU",
	};

	(void)state;
	convert(&d, NEW, CT_RECORD_GPU);
	assert_string_equal(name, "GPU");
	assert_int_equal(converted.gpu.device, 3);
	assert_int_equal(converted.gpu.memory_bytes, (uint64_t)80 << 30);
	assert_int_equal(converted.gpu.multiprocessors, 132);
	assert_int_equal(converted.gpu.warps_per_multiprocessor, 64);
	assert_int_equal(converted.gpu.registers_per_multiprocessor, 65536);
	assert_int_equal(converted.gpu.shared_per_multiprocessor, 233472);
	assert_int_equal(converted.gpu.capability_major, 9);
	assert_int_equal(converted.gpu.capability_minor, 1);
}

static void test_other_kinds(void **state)
{
	const CUpti_Activity name_record = { .kind = CUPTI_ACTIVITY_KIND_NAME };
	const CUpti_Activity nothing = { .kind = CUPTI_ACTIVITY_KIND_INVALID };

	(void)state;
	convert(&name_record, NEW, CT_RECORD_NONE);
	convert(&nothing, NEW, CT_RECORD_NONE);
	assert_null(name);
}

/* Records as CUDA 12.0's CUPTI has them, each at the end of its page: what follows is not there. */
static void test_ends_of_old_records(void **state)
{
	static const struct { uint32_t kind; size_t bytes; enum ct_record_type type; } kinds[] = {
		{ CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, sizeof(CUpti_ActivityKernel8), CT_RECORD_DEVICE },
		{ CUPTI_ACTIVITY_KIND_MEMCPY, sizeof(CUpti_ActivityMemcpy5), CT_RECORD_DEVICE },
		{ CUPTI_ACTIVITY_KIND_MEMCPY2, sizeof(CUpti_ActivityMemcpyPtoP4), CT_RECORD_DEVICE },
		{ CUPTI_ACTIVITY_KIND_MEMSET, sizeof(CUpti_ActivityMemset4), CT_RECORD_DEVICE },
		{ CUPTI_ACTIVITY_KIND_GRAPH_TRACE, sizeof(CUpti_ActivityGraphTrace), CT_RECORD_DEVICE },
		{ CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, sizeof(CUpti_ActivitySynchronization), CT_RECORD_SYNC },
		{ CUPTI_ACTIVITY_KIND_CUDA_EVENT, sizeof(CUpti_ActivityCudaEvent), CT_RECORD_EVENT },
		{ CUPTI_ACTIVITY_KIND_OVERHEAD, sizeof(CUpti_ActivityOverhead), CT_RECORD_OVERHEAD },
		{ CUPTI_ACTIVITY_KIND_STREAM, sizeof(CUpti_ActivityStream), CT_RECORD_STREAM },
		{ CUPTI_ACTIVITY_KIND_CONTEXT, sizeof(CUpti_ActivityContext), CT_RECORD_CONTEXT },
		{ CUPTI_ACTIVITY_KIND_DEVICE, sizeof(CUpti_ActivityDevice4), CT_RECORD_GPU },
	};
	char *page = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(mprotect(page + 4096, 4096, PROT_NONE), 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char *record = page + 4096 - kinds[i].bytes;

		memset(page, 0, 4096);
		memcpy(record, &kinds[i].kind, sizeof(kinds[i].kind));
		convert(record, OLD, kinds[i].type);
	}
	munmap(page, 2 * 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends_of_old_records),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_peer_copy),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_graph),
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_event_sync),
#if CUPTI_API_VERSION >= 130000
		cmocka_unit_test(test_overhead),
		cmocka_unit_test(test_overhead_of_stream),
#endif
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_other_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
