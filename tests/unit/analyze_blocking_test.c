/* SPDX-License-Identifier: Apache-2.0 */
/* The split of a call's time into parts, on timelines (microseconds) with one right answer. */
#include "tests/unit/model_builder.h"

#include "analyze/blocking.h"

#define S1 21
#define S2 22
#define BLOCK 0xa0000 /* an address */

static void expect_wait(const struct model_builder *b, const struct ct_call *call,
			enum ct_part part, double start, double end,
			const struct ct_device_op *op)
{
	const struct ct_wait *wait = mb_wait(b, call, part);

	assert_int_equal(wait->start_ns, mb_ns(start));
	assert_int_equal(wait->end_ns, mb_ns(end));
	assert_int_equal(wait->op, op ? mb_op(b, op) : CT_NONE);
	assert_int_equal(wait->other, CT_NONE);
	assert_true(wait->why[0] != '\0');
}

static void two_streams(struct model_builder *b)
{
	mb_stream(b, S1, CT_STREAM_FLAG_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
}

static void test_stream_synchronize(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k;
	struct ct_call *sync;

	two_streams(b);
	k = mb_launch(b, S1, 0, 5, 10, 500);
	mb_launch(b, S2, 5, 10, 12, 900);
	sync = mb_sync_stream(b, S1, 20, 510);
	mb_split(b);
	EXPECT_PARTS(b, sync, .DEVICE_WAIT = 480, .DRIVER_WORK = 10);
	expect_wait(b, sync, CT_PART_DEVICE_WAIT, 20, 500, k);
	assert_int_equal(mb_host(b, sync)->released_ns, mb_ns(500));
	assert_int_equal(mb_host(b, sync)->submitted_ns, mb_ns(20));
	assert_true(mb_host(b, sync)->chance);
	assert_int_equal(ct_blocking_blocked(mb_host(b, sync)), 480000);
	EXPECT_PARTS(b, mb_launcher(b, k), .DRIVER_WORK = 5);
}

/* What was submitted later, or had ended before, is not waited for. */
static void test_device_synchronize(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k;
	struct ct_call *first, *second;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 500);
	k = mb_launch(b, S2, 5, 10, 12, 900);
	first = mb_sync_device(b, 20, 905);
	second = mb_sync_device(b, 910, 915);
	mb_launch(b, S1, 920, 925, 930, 1500);
	mb_split(b);
	EXPECT_PARTS(b, first, .DEVICE_WAIT = 880, .DRIVER_WORK = 5);
	expect_wait(b, first, CT_PART_DEVICE_WAIT, 20, 900, k);
	assert_int_equal(mb_host(b, first)->pending_count, 2);
	EXPECT_PARTS(b, second, .DRIVER_WORK = 5);
	assert_false(mb_host(b, second)->chance);
	assert_int_equal(mb_host(b, second)->released_ns, mb_ns(910));
}

static void event_synchronize(struct model_builder *b, bool with_id)
{
	struct ct_device_op *k;
	struct ct_event *early, *late;
	struct ct_call *sync;

	mb_restart(b);
	two_streams(b);
	mb_record_event(b, 3, S1, -10, -8);
	k = mb_launch(b, S1, 0, 5, 10, 300);
	early = mb_record_event(b, 3, S1, 5, 8);
	mb_launch(b, S1, 8, 12, 300, 700);
	mb_record_event(b, 4, S1, 12, 14);
	sync = mb_sync_event(b, early, 20, 304);
	late = mb_record_event(b, 3, S1, 310, 312);
	if (!with_id)
		for (size_t i = 0; i < b->count; i++)
			if (b->records[i].type == CT_RECORD_SYNC)
				b->records[i].u.sync.event_sync = 0;
	assert_true(late->correlation > sync->correlation);
	mb_split(b);
	EXPECT_PARTS(b, sync, .DEVICE_WAIT = 280, .DRIVER_WORK = 4);
	expect_wait(b, sync, CT_PART_DEVICE_WAIT, 20, 300, k);
}

static void test_event_synchronize(void **state)
{
	event_synchronize(*state, true);
	event_synchronize(*state, false); /* before CUDA 12.8 */
}

/* A stream with nothing in it but an order to wait for another. */
static void test_synchronize_behind_stream_wait(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k;
	struct ct_event *event;
	struct ct_call *before, *sync, *unknown;

	two_streams(b);
	k = mb_launch(b, S1, 0, 5, 10, 300);
	event = mb_record_event(b, 3, S1, 5, 8);
	before = mb_sync_stream(b, S2, 8, 10);
	mb_wait_event(b, event, S2, 10, 12);
	unknown = mb_call_about(b, CT_API_cudaEventSynchronize, mb_event_handle(9), 12, 18);
	sync = mb_sync_stream(b, S2, 20, 304);
	mb_split(b);
	EXPECT_PARTS(b, before, .DRIVER_WORK = 2);
	EXPECT_PARTS(b, unknown, .DRIVER_WORK = 6); /* of an event that was never recorded */
	EXPECT_PARTS(b, sync, .DEVICE_WAIT = 280, .DRIVER_WORK = 4);
	expect_wait(b, sync, CT_PART_DEVICE_WAIT, 20, 300, k);
}

static void test_free_drains(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k, *last;
	struct ct_call *one, *several;

	two_streams(b);
	k = mb_launch(b, S1, 0, 5, 10, 500);
	one = mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 510);
	last = mb_launch(b, S2, 600, 605, 610, 900);
	mb_launch(b, S1, 605, 610, 612, 800);
	several = mb_call_about(b, CT_API_cudaFree, BLOCK, 620, 930);
	mb_split(b);
	EXPECT_PARTS(b, one, .DEVICE_WAIT = 495, .DRIVER_WORK = 10);
	expect_wait(b, one, CT_PART_DEVICE_WAIT, 5, 500, k);
	assert_int_equal(mb_host(b, one)->pending_count, 1);
	EXPECT_PARTS(b, several, .DEVICE_WAIT = 280, .DRIVER_WORK = 30);
	expect_wait(b, several, CT_PART_DEVICE_WAIT, 620, 900, last);
	assert_int_equal(mb_host(b, several)->pending_count, 2);
}

/* It returned while work still ran: it cannot have waited, unless by a hair of the clocks. */
static void test_free_returned_early(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *early, *hair;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 500);
	early = mb_call_about(b, CT_API_cudaFree, BLOCK, 10, 490);
	hair = mb_call_about(b, CT_API_cudaFreeHost, BLOCK, 491, 497);
	mb_split(b);
	EXPECT_PARTS(b, early, .DRIVER_WORK = 480);
	assert_true(mb_host(b, early)->chance);
	EXPECT_PARTS(b, hair, .DEVICE_WAIT = 6);
}

static void test_free_of_pool_memory(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *pool, *device, *null;

	two_streams(b);
	mb_call_on(b, CT_API_cudaMallocAsync, S1, 0, 2)->addr = BLOCK;
	mb_launch(b, S1, 2, 5, 10, 500);
	pool = mb_call_about(b, CT_API_cudaFree, BLOCK, 10, 520);
	mb_call_about(b, CT_API_cudaMalloc, BLOCK, 530, 540);
	mb_launch(b, S1, 540, 545, 550, 900);
	device = mb_call_about(b, CT_API_cudaFree, BLOCK, 550, 910);
	mb_launch(b, S1, 940, 945, 950, 1000);
	null = mb_call_about(b, CT_API_cudaFree, 0, 950, 1002);
	mb_split(b);
	EXPECT_PARTS(b, pool, .DRIVER_WORK = 510);
	assert_false(mb_host(b, pool)->chance);
	EXPECT_PARTS(b, device, .DEVICE_WAIT = 350, .DRIVER_WORK = 10);
	EXPECT_PARTS(b, null, .DRIVER_WORK = 52);
}

/* Another context of the same device is drained as well; of another device, not. */
static void test_free_of_two_devices(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *same, *other;
	struct ct_call *first, *second;

	two_streams(b);
	mb_context(b, 2, CT_ID_NONE, -1000);
	mb_context(b, 3, CT_ID_NONE, -1000)->device = 1;
	same = mb_launch(b, S1, 0, 5, 10, 500);
	same->context = 2;
	first = mb_call_about(b, CT_API_cudaFree, BLOCK, 10, 505);
	other = mb_launch(b, S2, 600, 605, 610, 900);
	other->context = 3;
	other->device = 1;
	second = mb_call_about(b, CT_API_cudaFree, BLOCK, 610, 905);
	mb_split(b);
	EXPECT_PARTS(b, first, .DEVICE_WAIT = 490, .DRIVER_WORK = 5);
	EXPECT_PARTS(b, second, .DRIVER_WORK = 295);
}

static void test_pageable_copy(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k, *copy;
	struct ct_call *behind, *staged;

	two_streams(b);
	k = mb_launch(b, S1, 0, 5, 10, 300);
	behind = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 5, 420);
	copy = mb_copy(b, behind, S1, CT_MEMORY_PAGEABLE, 305, 400);
	mb_launch(b, S1, 430, 435, 440, 700);
	staged = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 440, 465);
	mb_copy(b, staged, S1, CT_MEMORY_PAGEABLE, 705, 710);
	mb_split(b);
	EXPECT_PARTS(b, behind, .DEVICE_WAIT = 295, .TRANSFER = 120);
	expect_wait(b, behind, CT_PART_DEVICE_WAIT, 5, 300, k);
	expect_wait(b, behind, CT_PART_TRANSFER, 305, 400, copy);
	EXPECT_PARTS(b, staged, .TRANSFER = 25); /* small ones return once they are staged */
	assert_false(mb_host(b, staged)->chance);
}

static void test_pinned_copy(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *call, *slow;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 300);
	call = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 5, 13);
	mb_copy(b, call, S1, CT_MEMORY_PINNED, 305, 400);
	slow = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 13, 500);
	mb_copy(b, slow, S1, CT_MEMORY_PINNED, 405, 490);
	mb_split(b);
	EXPECT_PARTS(b, call, .DRIVER_WORK = 8);
	assert_false(mb_host(b, call)->chance);
	EXPECT_PARTS(b, slow, .UNEXPLAINED = 487); /* no rule says that it waits */
}

/* A synchronous copy lies in the legacy stream, which follows blocking streams only. */
static void test_synchronous_copy(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k;
	struct ct_call *blocking, *free_running;

	two_streams(b);
	k = mb_launch(b, S1, 0, 5, 10, 300);
	blocking = mb_call(b, CT_API_cudaMemcpy, 5, 420);
	mb_copy(b, blocking, MB_LEGACY, CT_MEMORY_PINNED, 305, 400);
	mb_launch(b, S2, 500, 505, 510, 1000);
	free_running = mb_call(b, CT_API_cudaMemcpy, 510, 620);
	mb_copy(b, free_running, MB_LEGACY, CT_MEMORY_PINNED, 520, 600);
	mb_split(b);
	EXPECT_PARTS(b, blocking, .DEVICE_WAIT = 295, .TRANSFER = 95, .DRIVER_WORK = 25);
	expect_wait(b, blocking, CT_PART_DEVICE_WAIT, 5, 300, k);
	EXPECT_PARTS(b, free_running, .TRANSFER = 80, .DRIVER_WORK = 30);
	assert_false(mb_host(b, free_running)->chance);
}

static void test_queue_full(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k;

	two_streams(b);
	k = mb_launch(b, S1, 0, 1000, 1005, 1200);
	mb_overhead(b, CT_OVERHEAD_QUEUE_FULL, 10, 990);
	mb_split(b);
	EXPECT_PARTS(b, mb_launcher(b, k), .QUEUE_FULL = 980, .DRIVER_WORK = 20);
	assert_int_equal(mb_host(b, mb_launcher(b, k))->submitted_ns, mb_ns(990));
	assert_int_equal(mb_host(b, mb_launcher(b, k))->released_ns, mb_ns(990));
}

/* Without CUPTI's word: so many operations were in the stream. */
static void test_deep_queue(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *shallow, *deep;

	two_streams(b);
	for (int i = 0; i < 899; i++)
		mb_launch(b, S1, i, i + 0.5, 5000 + 10 * i, 5009 + 10 * i);
	shallow = mb_call_on(b, CT_API_cudaLaunchKernel, S1, 900, 1200);
	mb_kernel(b, shallow, S1, 15000, 15010);
	deep = mb_call_on(b, CT_API_cudaLaunchKernel, S1, 1300, 1600);
	mb_kernel(b, deep, S1, 15020, 15030);
	mb_split(b);
	EXPECT_PARTS(b, shallow, .UNEXPLAINED = 300);
	EXPECT_PARTS(b, deep, .QUEUE_FULL = 300);
}

static void test_first_use(void **state)
{
	static const enum ct_overhead_kind kinds[] = {
		CT_OVERHEAD_LAZY_LOADING, CT_OVERHEAD_MODULE_LOADING, CT_OVERHEAD_COMPILER,
		CT_OVERHEAD_UVM_INIT };
	struct model_builder *b = *state;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct ct_device_op *k;

		mb_restart(b);
		two_streams(b);
		k = mb_launch(b, S1, 0, 200, 210, 300);
		mb_overhead(b, kinds[i], 5, 180);
		mb_split(b);
		EXPECT_PARTS(b, mb_launcher(b, k), .FIRST_USE = 175, .DRIVER_WORK = 25);
	}
}

/* Whose overhead it is: by correlation, or by thread and time. */
static void test_overhead_is_placed(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *mine, *other, *named;

	mine = mb_call(b, CT_API_cudaEventRecord, 0, 100);
	named = mb_call(b, CT_API_cudaEventRecord, 200, 300);
	mb_overhead(b, CT_OVERHEAD_BUFFER_REQUEST, 20, 60);
	mb_overhead(b, CT_OVERHEAD_BUFFER_REQUEST, 120, 160); /* between calls: nobody's */
	mb_overhead(b, CT_OVERHEAD_BUFFER_REQUEST, 250, 400)->correlation = named->correlation;
	b->records[b->count - 1].u.overhead.tid = MB_B;
	mb_thread(b, MB_B);
	other = mb_call(b, CT_API_cudaEventRecord, 0, 90);
	mb_split(b);
	EXPECT_PARTS(b, mine, .TOOL = 40, .DRIVER_WORK = 60);
	EXPECT_PARTS(b, named, .TOOL = 50, .DRIVER_WORK = 50);
	EXPECT_PARTS(b, other, .DRIVER_WORK = 90);
}

/* The tool's own time is nobody's wait: it comes out of everything else. */
static void test_tool(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k;
	struct ct_call *sync;

	two_streams(b);
	k = mb_launch(b, S1, 0, 150, 160, 500);
	mb_overhead(b, CT_OVERHEAD_LAZY_LOADING, 10, 90);
	mb_overhead(b, CT_OVERHEAD_BUFFER_FLUSH, 50, 110);
	sync = mb_sync_stream(b, S1, 200, 510);
	mb_overhead(b, CT_OVERHEAD_CUTRACE, 300, 350);
	mb_split(b);
	EXPECT_PARTS(b, mb_launcher(b, k), .FIRST_USE = 40, .TOOL = 60, .DRIVER_WORK = 50);
	EXPECT_PARTS(b, sync, .DEVICE_WAIT = 250, .TOOL = 50, .DRIVER_WORK = 10);
	assert_int_equal(mb_host(b, sync)->released_ns, mb_ns(500));
	assert_int_equal(ct_blocking_blocked(mb_host(b, sync)), 250000);
}

static void test_context_creation(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *before, *creates, *after, *chooses, *resets;

	before = mb_call_about(b, CT_API_cudaFree, 0, -500, -400);
	creates = mb_call_about(b, CT_API_cudaFree, 0, 0, 200000);
	after = mb_call_about(b, CT_API_cudaFree, 0, 200010, 200500);
	chooses = mb_call(b, CT_API_cudaSetDevice, 201000, 202000);
	resets = mb_call(b, CT_API_cudaDeviceReset, 203000, 204000);
	mb_context(b, 2, CT_ID_NONE, 100000);
	mb_split(b);
	EXPECT_PARTS(b, before, .DRIVER_WORK = 100);
	EXPECT_PARTS(b, creates, .FIRST_USE = 200000);
	EXPECT_PARTS(b, after, .DRIVER_WORK = 490);
	EXPECT_PARTS(b, chooses, .FIRST_USE = 1000);
	EXPECT_PARTS(b, resets, .DRIVER_WORK = 1000);
}

static void test_launch_blocking(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k, *brief, *late;

	two_streams(b);
	k = mb_launch(b, S1, 0, 520, 10, 500);
	brief = mb_launch(b, S1, 600, 640, 610, 625); /* too short to tell */
	late = mb_launch(b, S1, 700, 790, 710, 793);
	mb_split(b);
	EXPECT_PARTS(b, mb_launcher(b, k), .DEVICE_WAIT = 500, .DRIVER_WORK = 20);
	expect_wait(b, mb_launcher(b, k), CT_PART_DEVICE_WAIT, 0, 500, k);
	EXPECT_PARTS(b, mb_launcher(b, brief), .DRIVER_WORK = 40);
	EXPECT_PARTS(b, mb_launcher(b, late), .DRIVER_WORK = 90);
}

/* One that returned late, among others that do not wait, was late by chance. */
static void test_launch_starved(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *starved;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 500);
	starved = mb_launch(b, S2, 10, 90, 15, 80);
	mb_split(b);
	EXPECT_PARTS(b, mb_launcher(b, starved), .DRIVER_WORK = 80);
}

static void test_unexplained(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *riddle, *plain, *works, *woken, *dazed;

	two_streams(b);
	riddle = mb_sync_stream(b, S1, 0, 101);
	plain = mb_sync_stream(b, S1, 200, 300);
	works = mb_call(b, CT_API_cudaMalloc, 300, 9000);
	mb_launch(b, S1, 10000, 10005, 10010, 11000);
	woken = mb_sync_stream(b, S1, 10010, 11500);
	mb_launch(b, S1, 12000, 12005, 12010, 13000);
	dazed = mb_sync_stream(b, S1, 12010, 13501);
	mb_split(b);
	EXPECT_PARTS(b, riddle, .UNEXPLAINED = 101);
	EXPECT_PARTS(b, plain, .DRIVER_WORK = 100);
	EXPECT_PARTS(b, works, .DRIVER_WORK = 8700);
	EXPECT_PARTS(b, woken, .DEVICE_WAIT = 990, .DRIVER_WORK = 500);
	EXPECT_PARTS(b, dazed, .DEVICE_WAIT = 990, .UNEXPLAINED = 501);
}

/* The synchronise that gives freed pool memory back has work to do, once. */
static void test_pool_is_trimmed(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *trims, *again;

	two_streams(b);
	mb_call_on(b, CT_API_cudaFreeAsync, S1, 0, 5)->addr = BLOCK;
	trims = mb_sync_device(b, 10, 900);
	again = mb_sync_device(b, 910, 1800);
	mb_split(b);
	EXPECT_PARTS(b, trims, .DRIVER_WORK = 890);
	EXPECT_PARTS(b, again, .UNEXPLAINED = 890);
}

static void test_without_device_records(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *sync, *frees;

	b->no_cupti = true;
	sync = mb_call(b, CT_API_cudaDeviceSynchronize, 0, 900);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 910, 2000);
	mb_split(b);
	EXPECT_PARTS(b, sync, .DEVICE_WAIT = 900);
	expect_wait(b, sync, CT_PART_DEVICE_WAIT, 0, 900, NULL);
	EXPECT_PARTS(b, frees, .UNEXPLAINED = 1090); /* a wait or work: nobody can know */
}

/* The program's own profiler took CUPTI at 1000: a free before is judged, one after is not. */
static void test_device_records_end(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *before, *after, *quick;

	mb_note(b, CT_NOTE_YIELDED, 1000, 0);
	before = mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 300);
	after = mb_call_about(b, CT_API_cudaFree, BLOCK, 1100, 1400);
	quick = mb_call_about(b, CT_API_cudaFree, BLOCK, 1500, 1510);
	mb_split(b);
	EXPECT_PARTS(b, before, .DRIVER_WORK = 300);
	EXPECT_PARTS(b, after, .UNEXPLAINED = 300);
	EXPECT_PARTS(b, quick, .DRIVER_WORK = 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_stream_synchronize),
		MB_TEST(test_device_synchronize),
		MB_TEST(test_event_synchronize),
		MB_TEST(test_synchronize_behind_stream_wait),
		MB_TEST(test_free_drains),
		MB_TEST(test_free_returned_early),
		MB_TEST(test_free_of_pool_memory),
		MB_TEST(test_free_of_two_devices),
		MB_TEST(test_pageable_copy),
		MB_TEST(test_pinned_copy),
		MB_TEST(test_synchronous_copy),
		MB_TEST(test_queue_full),
		MB_TEST(test_deep_queue),
		MB_TEST(test_first_use),
		MB_TEST(test_overhead_is_placed),
		MB_TEST(test_tool),
		MB_TEST(test_context_creation),
		MB_TEST(test_launch_blocking),
		MB_TEST(test_launch_starved),
		MB_TEST(test_unexplained),
		MB_TEST(test_pool_is_trimmed),
		MB_TEST(test_without_device_records),
		MB_TEST(test_device_records_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
