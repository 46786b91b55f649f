/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is allocated once and kept: what that saves, alone and on top of a pool. */
#include "tests/unit/whatif_builder.h"

/*
 * All but the first allocation of a place are made no more, and what they leave cold is quicker: 40 us behind
 * the second, behind the last 4 tenths of the 8 us until the last kernel is launched.
 */
static void test_hoist(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	for (int i = 0; i < 3; i++) {
		mb_call_about(b, CT_API_cudaMalloc, BLOCK + (uint64_t)i, 500 * i, 500 * i + 302);
		mb_launch(b, MB_LEGACY, 500 * i + 310, 500 * i + 315, 500 * i + 320, 500 * i + 330);
	}
	w = whatif(b);
	expect_change(w, 0, CT_CHANGE_HOIST, 604, 647.2, 647.2);
	assert_int_equal(w->changes.at[0].calls, 2);
	ct_whatif_destroy(w);
}

/* What was allocated once to begin with is freed as before: of 10 us, to a pool, 1 is left. */
static void test_allocated_once(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_call_about(b, CT_API_cudaMalloc, BLOCK, -1000, -698);
	mb_launch(b, S1, 0, 5, 10, 1000);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_launch(b, S2, 1015, 1020, 1025, 2025);
	mb_sync_device(b, 1020, 2030);
	w = whatif(b);
	assert_int_equal(w->ranks, 1);
	assert_int_equal(w->all.likely_ns, 1004000);
	ct_whatif_destroy(w);
}

/* What made a context is allocated as ever, so it is freed as ever: there is nothing to keep. */
static void test_first_use(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	for (int i = 0; i < 2; i++) {
		mb_call_about(b, CT_API_cudaMalloc, BLOCK + (uint64_t)i, 1000 * i, 1000 * i + 300);
		mb_context(b, 2 + (uint32_t)i, CT_ID_NONE, 1000 * i + 100);
	}
	mb_launch(b, MB_LEGACY, 2000, 2010, 2020, 2600);
	mb_call_about(b, CT_API_cudaFree, BLOCK + 1, 2010, 2700);
	w = whatif(b);
	assert_int_equal(w->changes.count, 1);
	assert_int_equal(w->changes.at[0].kind, CT_CHANGE_FREE);
	ct_whatif_destroy(w);
}

/*
 * A dozen changes are weighed: those whose calls took longest. What the frees of kept memory waited counts
 * for that of the frees, not also for that of each place that allocates: none comes before a copy for it.
 */
static void test_weighed(void **state)
{
	static const enum ct_api apis[] = {
		CT_API_cudaMalloc, CT_API_cudaMallocPitch, CT_API_cudaMalloc3D, CT_API_cudaMallocManaged,
		CT_API_cudaMallocArray, CT_API_cudaMalloc3DArray, CT_API_cuMemAlloc_v2,
		CT_API_cuMemAllocPitch_v2, CT_API_cuMemAllocManaged, CT_API_cuArrayCreate_v2,
		CT_API_cuArray3DCreate_v2,
	};
	const int count = sizeof(apis) / sizeof(apis[0]), copy_at = 2000 * count;
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	for (int i = 0, at = 0; i < 2 * count; i++, at += 1000) {
		mb_call_about(b, apis[i % count], BLOCK, at, at + 20);
		mb_launch(b, S1, at + 30, at + 35, at + 40, at + 900);
		mb_call_about(b, CT_API_cudaFree, BLOCK, at + 40, at + 910);
	}
	mb_launch(b, S1, copy_at, copy_at + 5, copy_at + 10, copy_at + 300);
	mb_copy(b, mb_call_on(b, CT_API_cudaMemcpyAsync, S1, copy_at + 5, copy_at + 720), S1,
		CT_MEMORY_PAGEABLE, copy_at + 305, copy_at + 700);
	mb_launch(b, S2, copy_at + 725, copy_at + 730, copy_at + 735, copy_at + 1500);
	w = whatif(b);
	assert_int_equal(w->changes.count, count + 2);
	assert_int_equal(w->changes.at[1].kind, CT_CHANGE_PIN);
	assert_int_equal(w->changes.at[1].alone_ns, 715000);
	assert_int_equal(w->skipped, 0); /* what is not weighed could not save anything worth it */
	ct_whatif_destroy(w);
}

/*
 * Kernels of two streams in turn, each behind an allocation and before its free, which waits. Ranked first is
 * the free; in its place all but the first block kept would do, whose free still waits.
 */
static void test_instead_of_frees(void **state)
{
	struct model_builder *b = *state;
	const struct ct_change *hoist;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	for (int i = 0; i < 4; i++) {
		double at = 1100 * i;

		mb_call_about(b, CT_API_cudaMalloc, BLOCK, at, at + 20);
		mb_launch(b, i % 2 ? S2 : S1, at + 30, at + 35, at + 40, at + 1040);
		mb_call_about(b, CT_API_cudaFree, BLOCK, at + 45, at + 1050);
	}
	w = whatif(b);
	assert_int_equal(w->changes.count, 2);
	hoist = &w->changes.at[1];
	assert_int_equal(w->changes.at[0].kind, CT_CHANGE_FREE);
	assert_int_equal(hoist->kind, CT_CHANGE_HOIST);
	assert_in_range(hoist->alone_ns, 1100000, 1300000);
	assert_true(hoist->alone_ns < w->changes.at[0].alone_ns);
	ct_whatif_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_hoist),
		MB_TEST(test_allocated_once),
		MB_TEST(test_instead_of_frees),
		MB_TEST(test_first_use),
		MB_TEST(test_weighed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
