/* SPDX-License-Identifier: Apache-2.0 */
/* Where the wait that a change takes away may be all that keeps a result right. */
#include "tests/unit/whatif_builder.h"

/* The buffer may be filled anew for the next copy, before it was taken; not if there is none. */
static void test_buffer_reused(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *copy = pageable_copy(b);
	struct ct_whatif *w = whatif(b);
	struct ct_call *call;

	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_NONE);
	ct_whatif_destroy(w);
	call = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 1100, 1200);
	mb_copy(b, call, S1, CT_MEMORY_PAGEABLE, 1105, 1190);
	w = whatif(b);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_REUSE);
	assert_int_equal(w->changes.at[0].hazard_op, mb_op(b, copy));
	assert_int_equal(w->changes.at[0].hazard_calls, 1);
	ct_whatif_destroy(w);
	mb_sync_stream(b, S1, 1010, 1012);
	w = whatif(b);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_NONE);
	ct_whatif_destroy(w);
}

/* To the host: the data may be wanted at once. That it is not waited for otherwise is said. */
static void test_pinned_to_host(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *copy = pageable_copy(b);
	struct ct_whatif *w;

	copy->u.copy.direction = CT_DIRECTION_D2H;
	copy->u.copy.source = CT_MEMORY_DEVICE;
	copy->u.copy.target = CT_MEMORY_PAGEABLE;
	w = whatif(b);
	assert_int_equal(w->changes.at[0].kind, CT_CHANGE_PIN);
	assert_int_equal(w->changes.at[0].saves.low_ns, 0);
	assert_int_equal(w->changes.at[0].saves.likely_ns, 415000);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_READ);
	assert_int_equal(w->changes.at[0].hazard_op, mb_op(b, copy));
	ct_whatif_destroy(w);
	mb_sync_stream(b, S1, 430, 440); /* asked for: the host reads behind it */
	w = whatif(b);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_NONE);
	ct_whatif_destroy(w);
}

/* A free is the only wait that a copy to pinned memory gets: the host may read behind it. */
static void test_host_reads(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *copy;
	struct ct_call *call;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	call = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 0, 5);
	copy = mb_copy(b, call, S1, CT_MEMORY_DEVICE, 10, 1000);
	copy->u.copy.direction = CT_DIRECTION_D2H;
	copy->u.copy.target = CT_MEMORY_PINNED;
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_launch(b, S2, 1015, 1020, 1025, 2025);
	mb_sync_stream(b, S2, 1020, 2030); /* of the other stream */
	w = whatif(b);
	assert_int_equal(w->changes.at[0].kind, CT_CHANGE_FREE);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_READ);
	assert_int_equal(w->changes.at[0].hazard_op, mb_op(b, copy));
	assert_int_equal(w->changes.at[0].hazard_calls, 1);
	ct_whatif_destroy(w);
	mb_sync_device(b, 2030, 2032);
	w = whatif(b);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_NONE);
	ct_whatif_destroy(w);
}

/* The same of kernels while there is managed memory. */
static void test_managed(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_call_about(b, CT_API_cudaMallocManaged, BUFFER, -10, -5);
	mb_launch(b, S1, 0, 5, 10, 1000);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_launch(b, S2, 1015, 1020, 1025, 2025);
	mb_sync_stream(b, S2, 1020, 2030);
	w = whatif(b);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_MANAGED);
	ct_whatif_destroy(w);
}

/* Two streams fill the block that is freed. */
static void test_shared_block(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *fill;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S3, CT_STREAM_FLAG_NON_BLOCKING);
	mb_call_about(b, CT_API_cudaMalloc, BLOCK, -10, -5)->bytes = 4096;
	for (uint32_t s = S1; s <= S2; s++) {
		fill = mb_call_on(b, CT_API_cudaMemsetAsync, s, s - S1, s - S1 + 0.5);
		fill->addr = BLOCK + 64;
		mb_kernel(b, fill, s, 10, 1000)->kind = CT_DEVICE_FILL;
	}
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_launch(b, S3, 1015, 1020, 1025, 2025);
	mb_sync_device(b, 1025, 2030);
	w = whatif(b);
	assert_int_equal(w->changes.at[0].kind, CT_CHANGE_FREE);
	assert_int_equal(w->changes.at[0].rank, 0);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_SHARED);
	ct_whatif_destroy(w);
	fill->addr = BLOCK + 4096; /* another block */
	w = whatif(b);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_NONE);
	ct_whatif_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_buffer_reused),
		MB_TEST(test_pinned_to_host),
		MB_TEST(test_host_reads),
		MB_TEST(test_managed),
		MB_TEST(test_shared_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
