/* SPDX-License-Identifier: Apache-2.0 */
/* Which thread's call held the driver's lock for which other. */
#include "tests/unit/model_builder.h"

#define S1 21
#define S2 22
#define BLOCK 0xa0000

/* Thread A: a kernel until 500 on S1. */
static void busy_until_500(struct model_builder *b)
{
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	mb_thread(b, MB_A);
	mb_launch(b, S1, -20, -15, -10, 500);
}

static void expect_holder(const struct model_builder *b, const struct ct_call *call,
			  const struct ct_call *holder)
{
	assert_int_equal(mb_wait(b, call, CT_PART_LOCK_WAIT)->other, mb_host_index(b, holder));
	assert_int_equal(mb_wait(b, call, CT_PART_LOCK_WAIT)->op, CT_NONE);
}

static void test_free_stops_launch(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *frees, *launch;

	busy_until_500(b);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 510);
	mb_thread(b, MB_B);
	launch = mb_launcher(b, mb_launch(b, S2, 100, 515, 520, 600));
	mb_split(b);
	EXPECT_PARTS(b, frees, .DEVICE_WAIT = 500, .DRIVER_WORK = 10);
	EXPECT_PARTS(b, launch, .LOCK_WAIT = 410, .DRIVER_WORK = 5);
	expect_holder(b, launch, frees);
	assert_int_equal(mb_host(b, launch)->submitted_ns, mb_ns(510));
}

static void test_malloc_stops_launch(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *malloc_, *launch;

	busy_until_500(b);
	malloc_ = mb_call_about(b, CT_API_cudaMalloc, BLOCK, 0, 510);
	mb_thread(b, MB_B);
	launch = mb_launcher(b, mb_launch(b, S2, 100, 515, 520, 600));
	mb_split(b);
	EXPECT_PARTS(b, launch, .LOCK_WAIT = 410, .DRIVER_WORK = 5);
	expect_holder(b, launch, malloc_);
}

/* Next to nothing of its time is unexplained: no wait is made of that. */
static void test_too_little_to_tell(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *launch;

	busy_until_500(b);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 510);
	mb_thread(b, MB_B);
	launch = mb_launcher(b, mb_launch(b, S2, 480, 515, 520, 600));
	mb_overhead(b, CT_OVERHEAD_BUFFER_FLUSH, 490, 508);
	mb_split(b);
	EXPECT_PARTS(b, launch, .TOOL = 18, .DRIVER_WORK = 17);
}

/* It may let the lock go and work on, while the other returns. */
static void test_holder_works_on(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *frees, *launch;

	busy_until_500(b);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 1500);
	mb_thread(b, MB_B);
	launch = mb_launcher(b, mb_launch(b, S2, 100, 505, 520, 600));
	mb_split(b);
	EXPECT_PARTS(b, launch, .LOCK_WAIT = 405);
	expect_holder(b, launch, frees);
}

static void test_holder_releases_first(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *launch;

	busy_until_500(b);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 510);
	mb_thread(b, MB_B);
	launch = mb_launcher(b, mb_launch(b, S2, 100, 400, 520, 600));
	mb_split(b);
	EXPECT_PARTS(b, launch, .UNEXPLAINED = 300);
}

static void test_holder_begins_first(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *launch;

	busy_until_500(b);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 100, 510);
	mb_thread(b, MB_B);
	launch = mb_launcher(b, mb_launch(b, S2, 0, 515, 520, 600));
	mb_split(b);
	EXPECT_PARTS(b, launch, .UNEXPLAINED = 515);
}

static void test_synchronise_holds_nothing(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *launch;

	busy_until_500(b);
	mb_sync_device(b, 0, 510);
	mb_thread(b, MB_B);
	launch = mb_launcher(b, mb_launch(b, S2, 100, 515, 520, 600));
	mb_split(b);
	EXPECT_PARTS(b, launch, .UNEXPLAINED = 415);
}

/* Synchronising, asking and stream-ordered allocation need no lock. */
static void test_who_needs_none(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *sync, *query, *pool;

	busy_until_500(b);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 510);
	mb_thread(b, MB_B);
	sync = mb_sync_stream(b, S2, 50, 511);
	mb_thread(b, MB_C);
	query = mb_call_on(b, CT_API_cudaStreamQuery, S2, 50, 511);
	mb_thread(b, MB_C + 1);
	pool = mb_call_on(b, CT_API_cudaMallocAsync, S2, 50, 511);
	mb_split(b);
	EXPECT_PARTS(b, sync, .UNEXPLAINED = 461);
	EXPECT_PARTS(b, query, .UNEXPLAINED = 461);
	EXPECT_PARTS(b, pool, .DRIVER_WORK = 461);
}

static void test_own_thread_holds_nothing(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *frees;

	busy_until_500(b);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 900);
	mb_split(b);
	EXPECT_PARTS(b, frees, .DEVICE_WAIT = 500, .DRIVER_WORK = 400);
}

static void test_pageable_copy_stops_malloc_only(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *copy, *malloc_, *launch;

	busy_until_500(b);
	copy = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 0, 540);
	mb_copy(b, copy, S1, CT_MEMORY_PAGEABLE, 505, 530);
	mb_thread(b, MB_B);
	malloc_ = mb_call_about(b, CT_API_cudaMalloc, BLOCK, 100, 550);
	mb_thread(b, MB_C);
	launch = mb_launcher(b, mb_launch(b, S2, 100, 550, 560, 600));
	mb_split(b);
	EXPECT_PARTS(b, malloc_, .LOCK_WAIT = 440, .DRIVER_WORK = 10);
	expect_holder(b, malloc_, copy);
	EXPECT_PARTS(b, launch, .UNEXPLAINED = 450);
}

/* The next copy of that thread has the lock before who waits for it does; the last one has not. */
static void test_taken_again(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *copies[3], *malloc_;
	const struct ct_wait *waits;

	busy_until_500(b);
	for (int i = 0; i < 3; i++) {
		copies[i] = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 550 * i, 550 * i + 540);
		mb_copy(b, copies[i], S1, CT_MEMORY_PAGEABLE, 550 * i + 505, 550 * i + 530);
	}
	mb_thread(b, MB_B);
	malloc_ = mb_call_about(b, CT_API_cudaMalloc, BLOCK, 100, 1110);
	mb_split(b);
	EXPECT_PARTS(b, malloc_, .LOCK_WAIT = 990, .DRIVER_WORK = 20);
	waits = &b->model->waits.at[mb_host(b, malloc_)->first_wait];
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(waits[i].part, CT_PART_LOCK_WAIT);
		assert_int_equal(waits[i].other, mb_host_index(b, copies[i]));
	}
}

static void test_pinned_copy_stops_nobody(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *copy, *malloc_;

	busy_until_500(b);
	copy = mb_call(b, CT_API_cudaMemcpy, 0, 540);
	mb_copy(b, copy, S1, CT_MEMORY_PINNED, 505, 530);
	mb_thread(b, MB_B);
	malloc_ = mb_call_about(b, CT_API_cudaMalloc, BLOCK, 100, 550);
	mb_split(b);
	EXPECT_PARTS(b, malloc_, .DRIVER_WORK = 450);
}

/* C waits behind B, which itself waits behind A: A is what both waited for. */
static void test_chain_has_one_root(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *root, *middle, *last;

	busy_until_500(b);
	root = mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 510);
	mb_thread(b, MB_B);
	middle = mb_call_about(b, CT_API_cudaMalloc, 2 * BLOCK, 50, 520);
	mb_thread(b, MB_C);
	last = mb_launcher(b, mb_launch(b, S2, 100, 525, 530, 600));
	mb_split(b);
	EXPECT_PARTS(b, middle, .LOCK_WAIT = 460, .DRIVER_WORK = 10);
	EXPECT_PARTS(b, last, .LOCK_WAIT = 410, .DRIVER_WORK = 15);
	expect_holder(b, middle, root);
	expect_holder(b, last, root);
}

/* Of two that held it, the one that did for longer. */
static void test_longest_holder(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *launch, *longer;

	busy_until_500(b);
	longer = mb_call_about(b, CT_API_cudaFree, BLOCK, 90, 510);
	mb_thread(b, MB_C);
	mb_call_about(b, CT_API_cudaMalloc, BLOCK, 40, 150);
	mb_thread(b, MB_B);
	launch = mb_launcher(b, mb_launch(b, S2, 95, 515, 520, 600));
	mb_split(b);
	expect_holder(b, launch, longer);
	EXPECT_PARTS(b, launch, .LOCK_WAIT = 415, .DRIVER_WORK = 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_free_stops_launch),
		MB_TEST(test_malloc_stops_launch),
		MB_TEST(test_too_little_to_tell),
		MB_TEST(test_holder_works_on),
		MB_TEST(test_holder_releases_first),
		MB_TEST(test_holder_begins_first),
		MB_TEST(test_synchronise_holds_nothing),
		MB_TEST(test_who_needs_none),
		MB_TEST(test_own_thread_holds_nothing),
		MB_TEST(test_pageable_copy_stops_malloc_only),
		MB_TEST(test_taken_again),
		MB_TEST(test_pinned_copy_stops_nobody),
		MB_TEST(test_chain_has_one_root),
		MB_TEST(test_longest_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
