/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls were captured into a graph; and calls that queue behind many others. */
#include "tests/unit/model_builder.h"

#define S1 21
#define S2 22
#define EVENT 5

static void begin(struct model_builder *b)
{
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	mb_thread(b, MB_A);
	mb_call_on(b, CT_API_cudaStreamBeginCapture, S1, 0, 1);
}

static struct ct_call *record(struct model_builder *b, uint32_t stream, double enter)
{
	struct ct_call *call = mb_call_on(b, CT_API_cudaEventRecord, stream, enter, enter + 1);

	call->addr = mb_event_handle(EVENT);
	return call;
}

static struct ct_call *wait(struct model_builder *b, uint32_t stream, double enter)
{
	struct ct_call *call = mb_call_on(b, CT_API_cudaStreamWaitEvent, stream, enter, enter + 1);

	call->addr = mb_event_handle(EVENT);
	return call;
}

static struct ct_call *launch(struct model_builder *b, uint32_t stream, double enter)
{
	return mb_call_on(b, CT_API_cudaLaunchKernel, stream, enter, enter + 1);
}

static void expect(const struct model_builder *b, const struct ct_call *call, bool captured)
{
	assert_int_equal((mb_host(b, call)->raw.flags & CT_CALL_CAPTURING) != 0, captured);
}

static void test_streams_join_and_leave(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *before, *first, *joined, *after;

	begin(b);
	before = launch(b, S2, 10);
	first = launch(b, S1, 20);
	record(b, S1, 30);
	wait(b, S2, 40);
	joined = launch(b, S2, 50);
	mb_call_on(b, CT_API_cudaStreamEndCapture, S1, 60, 61);
	after = launch(b, S2, 70);
	mb_split(b);
	expect(b, before, false);
	expect(b, first, true);
	expect(b, joined, true);
	expect(b, after, false);
}

static void test_invalid_capture_ends(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *end, *after;

	begin(b);
	end = mb_call_on(b, CT_API_cudaStreamEndCapture, S1, 10, 11);
	end->error = 901; /* cudaErrorStreamCaptureInvalidated */
	after = launch(b, S1, 20);
	mb_split(b);
	expect(b, after, false);
}

/* What failed captures nothing, and lets nothing join. */
static void test_failed_calls(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *first, *launched, *joined;

	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	mb_thread(b, MB_A);
	mb_call_on(b, CT_API_cudaStreamBeginCapture, S1, 0, 1)->error = 1;
	first = launch(b, S1, 10);
	mb_call_on(b, CT_API_cudaStreamBeginCapture, S1, 20, 21);
	launched = launch(b, S1, 30);
	launched->error = 1;
	record(b, S1, 40)->error = 1;
	wait(b, S2, 50);
	record(b, S1, 60);
	wait(b, S2, 70)->error = 1;
	joined = launch(b, S2, 80);
	mb_split(b);
	expect(b, first, false);
	expect(b, launched, false);
	expect(b, joined, false);
}

/* Two at once: each ends by its own stream, and by no other's end. */
static void test_two_captures(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *one, *two, *after_one, *still_two;

	begin(b);
	mb_call_on(b, CT_API_cudaStreamBeginCapture, S2, 2, 3);
	one = launch(b, S1, 10);
	two = launch(b, S2, 20);
	mb_call_on(b, CT_API_cudaStreamDestroy, MB_LEGACY, 25, 26);
	mb_call_on(b, CT_API_cudaStreamEndCapture, S1, 30, 31);
	after_one = launch(b, S1, 40);
	still_two = launch(b, S2, 50);
	mb_split(b);
	expect(b, one, true);
	expect(b, two, true);
	expect(b, after_one, false);
	expect(b, still_two, true);
}

/* Each thread has a default stream of its own, by either of its names; the capture is of one. */
static void test_per_thread_stream(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *own, *by_name, *others;

	mb_thread(b, MB_A);
	mb_call(b, CT_API_cudaStreamBeginCapture, 0, 1)->stream = 2; /* cudaStreamPerThread */
	own = mb_call_on(b, CT_API_cudaLaunchKernel_ptsz, MB_LEGACY, 10, 11);
	by_name = mb_call(b, CT_API_cudaLaunchKernel, 20, 21);
	by_name->stream = 2;
	mb_thread(b, MB_B);
	others = mb_call_on(b, CT_API_cudaLaunchKernel_ptsz, MB_LEGACY, 30, 31);
	mb_split(b);
	expect(b, own, true);
	expect(b, by_name, true);
	expect(b, others, false);
}

static void test_event_recorded_anew(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *after;

	begin(b);
	record(b, S1, 10);
	record(b, S2, 20); /* outside the capture */
	wait(b, S2, 30);
	after = launch(b, S2, 40);
	mb_split(b);
	expect(b, after, false);
}

static struct ct_call *copies(struct model_builder *b, uint32_t stream, double enter)
{
	return mb_call_on(b, CT_API_cudaMemcpyAsync, stream, enter, enter + 1);
}

/* The events that make S2 join are not recorded: a copy without work must have been captured. */
static void test_joined_in_light(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *before, *joined, *worked, *after;

	mb_note(b, CT_NOTE_MODE, -100, CT_MODE_LIGHT);
	mb_thread(b, MB_B);
	before = copies(b, S2, -10);
	begin(b);
	joined = copies(b, S2, 20);
	worked = copies(b, S2, 30);
	mb_copy(b, worked, S2, CT_MEMORY_PINNED, 40, 50);
	mb_call_on(b, CT_API_cudaStreamEndCapture, S1, 60, 61);
	after = copies(b, S2, 70);
	mb_split(b);
	expect(b, before, false);
	expect(b, joined, true);
	expect(b, worked, false);
	expect(b, after, false);
}

/* Thread by thread 100 us for the lock: the last waits for three others, one by one. */
static void test_convoy(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *calls[5];

	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	for (uint32_t i = 0; i < 5; i++) {
		mb_thread(b, MB_A + i);
		calls[i] = mb_call_on(b, CT_API_cudaLaunchKernel, S1, i, 1000 * (i + 1));
		mb_kernel(b, calls[i], S1, 6000 + 10 * i, 6005 + 10 * i);
	}
	mb_split(b);
	EXPECT_PARTS(b, calls[1], .LOCK_WAIT = 1999);
	assert_int_equal(mb_wait(b, calls[1], CT_PART_LOCK_WAIT)->other, mb_host_index(b, calls[0]));
	EXPECT_PARTS(b, calls[4], .UNEXPLAINED = 4996); /* too few for most of its time */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_streams_join_and_leave),
		MB_TEST(test_invalid_capture_ends),
		MB_TEST(test_failed_calls),
		MB_TEST(test_two_captures),
		MB_TEST(test_per_thread_stream),
		MB_TEST(test_event_recorded_anew),
		MB_TEST(test_joined_in_light),
		MB_TEST(test_convoy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
