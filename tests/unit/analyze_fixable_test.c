/* SPDX-License-Identifier: Apache-2.0 */
/* What is predicted of the fixes of `cutrace prove`, beside the same changes made by hand. */
#include "tests/unit/whatif_builder.h"

static struct ct_range saving_of(struct model_builder *b, enum ct_fix fix, bool by_hand)
{
	struct ct_analysis a = analysis_of(b);
	struct ct_range range;

	assert_int_equal(by_hand ? ct_whatif_by_hand(&a, fix, &range) : ct_whatif_of(&a, fix, &range), 0);
	return range;
}

/* The shim takes the wait, and stages for as long; by hand the staging goes as well (120 us). */
static void test_prove_stages(void **state)
{
	struct model_builder *b = *state;
	struct ct_range range;

	pageable_copy(b)->u.copy.bytes = 1 << 20;
	range = saving_of(b, CT_FIX_PIN, false);
	assert_in_range(range.likely_ns, 290000, 300000);
	range = saving_of(b, CT_FIX_PIN, true);
	assert_in_range(range.likely_ns, 410000, 420000);
	assert_in_range(range.low_ns, 290000, 300000);
}

/* What it leaves alone the author can change: to the host, too small, too large, other forms. */
static void expect_by_hand_only(struct model_builder *b)
{
	struct ct_analysis a;
	struct ct_whatif *w;

	assert_int_equal(saving_of(b, CT_FIX_PIN, false).high_ns, 0);
	assert_in_range(saving_of(b, CT_FIX_PIN, true).likely_ns, 410000, 420000);
	a = analysis_of(b);
	assert_int_equal(ct_whatif_find(&a, 0, &w), 0);
	assert_int_equal(w->changes.at[0].kind, CT_CHANGE_PIN);
	assert_int_equal(w->changes.at[0].unfixed, 1);
	assert_null(ct_whatif_fix(&a, &w->changes.at[0]));
	ct_whatif_destroy(w);
	mb_restart(b);
}

static void test_prove_leaves(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *copy = pageable_copy(b);

	copy->u.copy.bytes = 1 << 20;
	copy->u.copy.direction = CT_DIRECTION_D2H;
	copy->u.copy.source = CT_MEMORY_DEVICE;
	copy->u.copy.target = CT_MEMORY_PAGEABLE;
	expect_by_hand_only(b);
	pageable_copy(b)->u.copy.bytes = 64 << 10;
	expect_by_hand_only(b);
	pageable_copy(b)->u.copy.bytes = (64 << 20) + 1;
	expect_by_hand_only(b);
	pageable_copy_by(b, CT_API_cudaMemcpy2DAsync)->u.copy.bytes = 1 << 20;
	expect_by_hand_only(b);
}

/* The shim stops deferring frees when a second context appears: with several devices, that is. */
static void test_prove_stops(void **state)
{
	struct model_builder *b = *state;

	pageable_copy(b);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 435, 1010);
	mb_launch(b, S1, 1015, 1020, 1025, 2025);
	assert_in_range(saving_of(b, CT_FIX_FREE, false).likely_ns, 500000, 600000);
	mb_device(b, 1);
	assert_int_equal(saving_of(b, CT_FIX_FREE, false).high_ns, 0);
	assert_in_range(saving_of(b, CT_FIX_FREE, true).likely_ns, 500000, 600000);
}

/*
 * A pool serves all allocations but the first: two of 100 us, and three frees of 50, of which a
 * call keeps 1. Without them the caches are warm: behind an allocation 4 us of 10 until the launch and
 * 4 behind the wait, and until the next round 20 us behind the first free, 20 behind the second,
 * and what of 40 an allocation before it has left over. At the low end nothing waited.
 */
static void expect_pool(struct model_builder *b, int growth, int served)
{
	struct ct_range range;
	uint64_t bytes = 4096;

	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	for (int at = 0; at < 1200; at += 400, bytes *= (uint64_t)growth) {
		mb_call_about(b, CT_API_cudaMalloc, BLOCK, at, at + 100)->bytes = bytes;
		mb_launch(b, S1, at + 110, at + 120, at + 125, at + 150);
		mb_sync_device(b, at + 130, at + 160);
		mb_call_about(b, CT_API_cudaFree, BLOCK, at + 170, at + 220);
	}
	range = saving_of(b, CT_FIX_FREE, false);
	assert_int_equal(range.low_ns, 0);
	assert_int_equal(range.likely_ns, (served * (99 + 4 + 4 + 10) + 3 * 49 + 2 * 20) * 1000);
	assert_int_equal(range.high_ns, range.likely_ns);
	mb_restart(b);
}

/* What grows finds nothing of its size in the pool. */
static void test_prove_pools(void **state)
{
	expect_pool(*state, 1, 2);
	expect_pool(*state, 2, 0);
}

/* Both: each alone saves what it saves, and what both would save is there once. */

static void test_prove_all(void **state)
{
	struct model_builder *b = *state;
	struct ct_range frees, copies, all;

	pageable_copy(b)->u.copy.bytes = 1 << 20;
	mb_call_about(b, CT_API_cudaFree, BLOCK, 435, 1010); /* behind the kernel */
	mb_launch(b, S1, 1015, 1020, 1025, 2025);
	frees = saving_of(b, CT_FIX_FREE, false);
	copies = saving_of(b, CT_FIX_PIN, false);
	all = saving_of(b, CT_FIX_ALL, false);
	assert_in_range(frees.likely_ns, 500000, 600000);
	assert_in_range(copies.likely_ns, 290000, 300000);
	assert_in_range(all.likely_ns, frees.likely_ns + 1, frees.likely_ns + copies.likely_ns - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_prove_stages),
		MB_TEST(test_prove_leaves),
		MB_TEST(test_prove_stops),
		MB_TEST(test_prove_pools),
		MB_TEST(test_prove_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
