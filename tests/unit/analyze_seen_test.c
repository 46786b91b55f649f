/* SPDX-License-Identifier: Apache-2.0 */
/* When everything was recorded, and that nothing is concluded where it was not. */
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/idle.h"
#include "analyze/report.h"
#include "analyze/seen.h"

#define S1 21
#define S2 22
#define BLOCK 0xa0000

static void mode(struct model_builder *b, double us, enum ct_mode to)
{
	mb_note(b, CT_NOTE_MODE, us, to);
}

/* Light from the beginning, and full from `start` to `end`. */
static void window(struct model_builder *b, double start, double end)
{
	mode(b, -100, CT_MODE_LIGHT);
	mode(b, start, CT_MODE_FULL);
	mode(b, end, CT_MODE_LIGHT);
}

/* Two calls say how long the run was. */
static void run_of(struct model_builder *b, double start, double end)
{
	mb_call(b, CT_API_cudaMalloc, start, start + 1);
	mb_call(b, CT_API_cudaMalloc, end - 1, end);
}

static void expect_sight(const struct model_builder *b, double us, bool wanted)
{
	assert_int_equal(ct_sight_at(b->model, mb_ns(us)) != NULL, wanted);
}

static void test_full_by_default(void **state)
{
	struct model_builder *b = *state;

	run_of(b, 0, 100);
	mb_load(b);
	assert_false(ct_seen_partly(b->model));
	expect_sight(b, 0, true);
	expect_sight(b, 100, true);
	assert_int_equal(ct_seen_ns(b->model), 100000);
	assert_true(ct_seen_gap(b->model, mb_ns(0), mb_ns(100)));
}

static void test_light_throughout(void **state)
{
	struct model_builder *b = *state;

	mode(b, -100, CT_MODE_LIGHT);
	run_of(b, 0, 100);
	mb_load(b);
	assert_true(ct_seen_partly(b->model));
	assert_int_equal(b->model->sights.count, 0);
	expect_sight(b, 50, false);
	assert_int_equal(ct_seen_ns(b->model), 0);
}

/* Half open, in any order of the notes, and one that changes nothing changes nothing. */
static void test_windows(void **state)
{
	struct model_builder *b = *state;

	mode(b, 700, CT_MODE_FULL);
	mode(b, 300, CT_MODE_LIGHT);
	mode(b, 200, CT_MODE_FULL);
	mode(b, -100, CT_MODE_LIGHT);
	mode(b, 250, CT_MODE_FULL);
	mode(b, 400, CT_MODE_LIGHT);
	run_of(b, 0, 1000);
	mb_load(b);
	assert_int_equal(b->model->sights.count, 2);
	expect_sight(b, 199, false);
	expect_sight(b, 200, true);
	expect_sight(b, 299, true);
	expect_sight(b, 300, false);
	expect_sight(b, 699, false);
	expect_sight(b, 1000, true);
	assert_int_equal(ct_seen_ns(b->model), 100000 + 300000);
	assert_true(ct_seen_gap(b->model, mb_ns(0), mb_ns(299)) == false);
	assert_false(ct_seen_gap(b->model, mb_ns(250), mb_ns(800)));
}

/* Without CUPTI nothing of the device is seen, whatever the mode. */
static void test_without_device_records(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *before, *after;

	window(b, 100, 900);
	mb_note(b, CT_NOTE_YIELDED, 500, 0);
	before = mb_call(b, CT_API_cudaFree, 300, 310);
	after = mb_call(b, CT_API_cudaFree, 600, 610);
	run_of(b, 0, 1000);
	mb_load(b);
	assert_int_equal(ct_seen_ns(b->model), 400000);
	expect_sight(b, 499, true);
	expect_sight(b, 500, false);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, before)), CT_SEEN_LIGHT);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, after)), CT_SEEN_NOTHING);
	b->no_cupti = true;
	mb_load(b);
	assert_int_equal(b->model->sights.count, 0);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, before)), CT_SEEN_NOTHING);
}

/* A free waits for the device too, unless its memory may be of the stream-ordered sort. */
static void test_settled_by_free(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *last, *host;

	window(b, 100, 900);
	run_of(b, 0, 1000);
	mb_thread(b, MB_B);
	host = mb_call_about(b, CT_API_cudaFreeHost, BLOCK, 150, 160);
	mb_call_about(b, CT_API_cudaFree, 0, 200, 210);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 300, 310);
	last = mb_call_about(b, CT_API_cudaFree, BLOCK, 500, 510);
	mb_load(b);
	assert_int_equal(b->model->sights.at[0].settled_ns, mb_ns(310));
	assert_int_equal(ct_seen_call(b->model, mb_host(b, host)), CT_SEEN_LIGHT);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, last)), CT_SEEN_ALL);
	mb_call_about(b, CT_API_cudaMallocAsync, BLOCK, 20, 30);
	mb_load(b);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, last)), CT_SEEN_LIGHT);
}

/* A call is seen if all of it lies in a window, behind one that waited for what was there. */
static void test_calls(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *into, *early, *sync, *late, *out_of;

	window(b, 100, 900);
	run_of(b, 0, 1000);
	mb_thread(b, MB_B);
	into = mb_call_about(b, CT_API_cudaFree, BLOCK, 50, 150);
	early = mb_call_on(b, CT_API_cudaMemcpy, MB_LEGACY, 200, 210);
	sync = mb_sync_device(b, 300, 400);
	late = mb_call_about(b, CT_API_cudaFree, BLOCK, 500, 510);
	out_of = mb_call_about(b, CT_API_cudaFree, BLOCK, 850, 950);
	mb_load(b);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, into)), CT_SEEN_LIGHT);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, early)), CT_SEEN_LIGHT);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, sync)), CT_SEEN_LIGHT);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, late)), CT_SEEN_ALL);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, out_of)), CT_SEEN_LIGHT);
	assert_false(ct_seen_gap(b->model, mb_ns(210), mb_ns(290)));
	assert_true(ct_seen_gap(b->model, mb_ns(400), mb_ns(500)));
	assert_false(ct_seen_gap(b->model, mb_ns(850), mb_ns(950)));
}

/* A synchronise that failed, or waits for part of the work, leaves the rest open. */
static void test_not_settled(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *last;

	window(b, 100, 900);
	run_of(b, 0, 1000);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_thread(b, MB_B);
	mb_launch(b, S1, 10, 20, 30, 60);
	mb_sync_device(b, 200, 210)->error = 700;
	mb_sync_stream(b, MB_LEGACY, 300, 310);
	mb_sync_event(b, mb_record_event(b, 1, MB_LEGACY, 320, 321), 330, 340);
	last = mb_call_about(b, CT_API_cudaFree, BLOCK, 500, 510);
	mb_load(b);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, last)), CT_SEEN_LIGHT);
}

/* A stream is in order: once something of the window runs, all before it is over. */
static void test_settled_by_streams(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *one, *other, *both;

	window(b, 100, 900);
	run_of(b, 0, 1000);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	mb_thread(b, MB_B);
	mb_launch(b, S1, 200, 205, 210, 220);
	one = mb_sync_stream(b, S1, 300, 310);
	other = mb_sync_stream(b, S2, 320, 330);
	mb_launch(b, S2, 400, 405, 410, 420);
	both = mb_call_about(b, CT_API_cudaFree, BLOCK, 500, 510);
	mb_load(b);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, one)), CT_SEEN_ALL);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, other)), CT_SEEN_LIGHT);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, both)), CT_SEEN_ALL);
}

/* What an event of the window stands for is known. */
static void test_event(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *known, *unknown;
	struct ct_event *before;

	window(b, 100, 900);
	run_of(b, 0, 1000);
	mb_thread(b, MB_B);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S2, 10, 20, 30, 40); /* and never again: the device is not settled */
	before = mb_record_event(b, 1, S1, 50, 51);
	unknown = mb_sync_event(b, before, 150, 160);
	mb_launch(b, S1, 200, 205, 210, 400);
	known = mb_sync_event(b, mb_record_event(b, 2, S1, 210, 211), 220, 405);
	mb_split(b);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, unknown)), CT_SEEN_LIGHT);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, known)), CT_SEEN_ALL);
	EXPECT_PARTS(b, known, .DEVICE_WAIT = 180, .DRIVER_WORK = 5);
}

/* Of a wait for work that was not recorded, the stream and event are known all the same. */
static void test_what_is_still_known(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *stream, *event;
	char text[CT_NAME_BYTES];

	mode(b, -100, CT_MODE_LIGHT);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	stream = mb_sync_stream(b, S1, 0, 100);
	event = mb_sync_event(b, mb_record_event(b, 5, S1, 110, 111), 120, 200);
	mb_split(b);
	assert_int_equal(ct_report_wait_stream(b->model, mb_wait(b, stream, CT_PART_DEVICE_WAIT)), S1);
	ct_report_waited_for(b->model, mb_wait(b, stream, CT_PART_DEVICE_WAIT), text, sizeof(text));
	assert_string_equal(text, "device work not recorded (light)");
	ct_report_waited_for(b->model, mb_wait(b, event, CT_PART_DEVICE_WAIT), text, sizeof(text));
	assert_string_equal(text, "device work not recorded (light), up to event 5");
}

static void expect_unrecorded(const struct model_builder *b, const struct ct_call *call)
{
	const struct ct_wait *wait = mb_wait(b, call, CT_PART_DEVICE_WAIT);

	assert_int_equal(wait->op, CT_NONE);
	assert_true(ct_seen_unrecorded(b->model, wait));
}

/* Waits have no name, and what does not wait is no wait. */
static void test_parts_in_light(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *sync, *frees, *quick, *pool, *nothing, *allocates;

	mode(b, -100, CT_MODE_LIGHT);
	sync = mb_sync_device(b, 0, 900);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 1000, 1800);
	quick = mb_call_about(b, CT_API_cudaFree, BLOCK, 2000, 2080);
	mb_call_about(b, CT_API_cudaMallocAsync, BLOCK, 2100, 2110);
	pool = mb_call_about(b, CT_API_cudaFree, BLOCK, 2200, 2900);
	nothing = mb_call_about(b, CT_API_cudaFree, 0, 3000, 3700);
	allocates = mb_call_about(b, CT_API_cudaMalloc, BLOCK, 4000, 4700);
	mb_split(b);
	EXPECT_PARTS(b, sync, .DEVICE_WAIT = 900);
	EXPECT_PARTS(b, frees, .DEVICE_WAIT = 800);
	EXPECT_PARTS(b, quick, .DRIVER_WORK = 80);
	EXPECT_PARTS(b, pool, .DRIVER_WORK = 700);
	EXPECT_PARTS(b, nothing, .DRIVER_WORK = 700);
	EXPECT_PARTS(b, allocates, .DRIVER_WORK = 700);
	expect_unrecorded(b, sync);
	expect_unrecorded(b, frees);
}

/* Overheads of launches that were not recorded lie in no call; those of others do. */
static void test_overheads_outside(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *call;

	mode(b, -100, CT_MODE_LIGHT);
	mb_overhead(b, CT_OVERHEAD_QUEUE_FULL, 0, 300);
	mb_overhead(b, CT_OVERHEAD_QUEUE_FULL, 400, 500);
	call = mb_call(b, CT_API_cudaMalloc, 600, 900);
	mb_overhead(b, CT_OVERHEAD_LAZY_LOADING, 600, 700);
	mb_split(b);
	assert_int_equal(b->model->outside[CT_PART_QUEUE_FULL].ns, 400000);
	assert_int_equal(b->model->outside[CT_PART_QUEUE_FULL].count, 2);
	assert_int_equal(b->model->outside[CT_PART_FIRST_USE].count, 0);
	EXPECT_PARTS(b, call, .FIRST_USE = 100, .DRIVER_WORK = 200);
}

/* What a launch that was not recorded did in the driver has one id, and the kernel has it too. */
static void test_shared_correlation(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *retain, *launch;
	struct ct_device_op *k;

	mode(b, -100, CT_MODE_LIGHT);
	retain = mb_call(b, CT_API_cuDevicePrimaryCtxRetain, 0, 300);
	launch = mb_call_on(b, CT_API_cuLaunchKernel, MB_LEGACY, 310, 320);
	launch->correlation = retain->correlation;
	k = mb_kernel(b, launch, MB_LEGACY, 330, 340);
	mb_overhead(b, CT_OVERHEAD_LAZY_LOADING, 312, 318)->correlation = retain->correlation;
	mb_overhead(b, CT_OVERHEAD_LAZY_LOADING, 100, 200)->correlation = retain->correlation;
	mb_split(b);
	assert_int_equal(b->model->calls.at[1].api, CT_API_cuLaunchKernel);
	assert_int_equal(b->model->ops.at[mb_op(b, k)].call, 1);
	assert_int_equal(b->model->calls.at[1].parts[CT_PART_FIRST_USE], 6000);
	assert_int_equal(b->model->calls.at[0].op_count, 0);
	assert_int_equal(b->model->calls.at[0].parts[CT_PART_FIRST_USE], 300000);
	assert_int_equal(b->model->outside[CT_PART_FIRST_USE].count, 0);
}

/* A copy's own record is used; what came before it in the call was a wait for something. */
static void test_copies_in_light(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *copy, *pinned;

	mode(b, -100, CT_MODE_LIGHT);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	copy = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 0, 1000);
	mb_copy(b, copy, S1, CT_MEMORY_PINNED, 1500, 1600);
	copy->copy = 1;
	pinned = copy;
	copy = mb_call_on(b, CT_API_cudaMemcpy, MB_LEGACY, 2000, 3000);
	mb_copy(b, copy, MB_LEGACY, CT_MEMORY_PINNED, 2700, 2990);
	mb_split(b);
	EXPECT_PARTS(b, copy, .DEVICE_WAIT = 710, .TRANSFER = 290);
	expect_unrecorded(b, copy);
	EXPECT_PARTS(b, pinned, .UNEXPLAINED = 1000);
	assert_non_null(strstr(mb_wait(b, pinned, CT_PART_UNEXPLAINED)->why, "light"));
}

/* At the start of a window: the operation that is known, and then one that is not. */
static void test_rest_of_the_past(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *frees, *after;
	struct ct_device_op *k;

	window(b, 100, 5000);
	run_of(b, 0, 6000);
	mb_thread(b, MB_B);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 10, 20, 30, 40);
	k = mb_launch(b, MB_LEGACY, 200, 205, 210, 500);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 210, 2000); /* it settles the window */
	after = mb_call_about(b, CT_API_cudaFree, BLOCK, 2200, 2900);
	mb_split(b);
	EXPECT_PARTS(b, frees, .DEVICE_WAIT = 1790);
	assert_int_equal(b->model->waits.at[mb_host(b, frees)->first_wait].op, mb_op(b, k));
	expect_unrecorded(b, frees); /* the longer one */
	EXPECT_PARTS(b, after, .DRIVER_WORK = 700);
}

/* k1, a free that waits for it, k2 elsewhere: serialized if all of it was seen. */
static void expect_pairs(struct model_builder *b, double start, double end, size_t pairs,
			 double lost)
{
	mb_restart(b);
	if (end > start)
		window(b, start, end);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	mb_sync_device(b, -60, -50);
	mb_launch(b, S1, 0, 5, 10, 1000);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_launch(b, S2, 1015, 1020, 1025, 2025);
	mb_sync_device(b, 2020, 2030);
	mb_serialize(b);
	assert_int_equal(b->serialization->replay_error_ns, 0);
	assert_int_equal(b->serialization->pairs.count, pairs);
	assert_float_equal(mb_us(b->serialization->lost_ns), lost, 0);
}

static void test_serialization(void **state)
{
	struct model_builder *b = *state;

	expect_pairs(b, 0, 0, 1, 995); /* no window: all was seen */
	expect_pairs(b, -70, 3000, 1, 995);
	expect_pairs(b, -55, 3000, 0, 0); /* the free may have waited for older work */
	expect_pairs(b, -70, 1005, 0, 0);
	expect_pairs(b, -70, 1022, 0, 995); /* the victim began outside; the host lost its time */
	expect_pairs(b, 1012, 3000, 0, 0);
}

/* Waits of which nothing is known keep their length in a replay, also under a lock. */
static void test_replay_of_unknown_waits(void **state)
{
	struct model_builder *b = *state;

	mode(b, -100, CT_MODE_LIGHT);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 1000);
	mb_sync_device(b, 1010, 2000);
	mb_call(b, CT_API_cudaMalloc, 2010, 2020);
	mb_thread(b, MB_B);
	mb_call(b, CT_API_cudaMalloc, 100, 1005);
	mb_call(b, CT_API_cudaMalloc, 1010, 2030);
	mb_serialize(b);
	assert_int_equal(b->serialization->replay_error_ns, 0);
	assert_int_equal(b->serialization->lost_ns, 0);
}

static void expect_idle(struct model_builder *b, double busy, double idle)
{
	struct ct_idle *found;

	mb_split(b);
	assert_int_equal(ct_idle_find(b->model, &found), 0);
	assert_float_equal(mb_us(found->busy_ns), busy, 0);
	assert_float_equal(mb_us(found->idle_ns), idle, 0);
	ct_idle_destroy(found);
}

/* Gaps count only between two operations of a window, and behind what may have been there. */
static void test_idle(void **state)
{
	struct model_builder *b = *state;

	window(b, 100, 900);
	mb_launch(b, MB_LEGACY, 10, 20, 30, 40); /* by chance */
	mb_launch(b, MB_LEGACY, 200, 205, 210, 220);
	mb_launch(b, MB_LEGACY, 300, 305, 310, 320);
	mb_launch(b, MB_LEGACY, 1000, 1005, 1010, 1020);
	expect_idle(b, 20, 90);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 50, 55, 60, 70); /* what else was launched there may still run */
	expect_idle(b, 20, 0);
}

/* Work without a record: cut off by the end of a window, or lost. */
static void test_cut(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *early, *last, *outside, *copy, *copy_outside;

	window(b, 100, 900);
	run_of(b, 0, 1000);
	mb_thread(b, MB_B);
	early = mb_call_on(b, CT_API_cudaLaunchKernel, MB_LEGACY, 200, 205);
	mb_launch(b, MB_LEGACY, 300, 305, 310, 320);
	last = mb_call_on(b, CT_API_cudaLaunchKernel, MB_LEGACY, 400, 405);
	copy = mb_call_on(b, CT_API_cudaMemcpyAsync, MB_LEGACY, 410, 415);
	copy_outside = mb_call_on(b, CT_API_cudaMemcpyAsync, MB_LEGACY, 940, 945);
	outside = mb_call_on(b, CT_API_cudaMemset, MB_LEGACY, 950, 955);
	mb_launch(b, MB_LEGACY, 960, 965, 970, 980);
	mb_load(b);
	assert_false(ct_seen_cut(b->model, mb_host(b, early)));
	assert_true(ct_seen_cut(b->model, mb_host(b, last)));
	assert_false(ct_seen_cut(b->model, mb_host(b, copy)));
	assert_true(ct_seen_work(b->model, mb_host(b, early)));
	assert_true(ct_seen_work(b->model, mb_host(b, copy_outside)));
	assert_false(ct_seen_work(b->model, mb_host(b, outside)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_full_by_default),
		MB_TEST(test_light_throughout),
		MB_TEST(test_windows),
		MB_TEST(test_without_device_records),
		MB_TEST(test_settled_by_free),
		MB_TEST(test_calls),
		MB_TEST(test_not_settled),
		MB_TEST(test_settled_by_streams),
		MB_TEST(test_event),
		MB_TEST(test_what_is_still_known),
		MB_TEST(test_parts_in_light),
		MB_TEST(test_overheads_outside),
		MB_TEST(test_shared_correlation),
		MB_TEST(test_copies_in_light),
		MB_TEST(test_rest_of_the_past),
		MB_TEST(test_serialization),
		MB_TEST(test_replay_of_unknown_waits),
		MB_TEST(test_idle),
		MB_TEST(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
