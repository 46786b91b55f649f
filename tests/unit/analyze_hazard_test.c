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
	mb_device(b, 1);
	mb_sync_device(b, 2030, 2031); /* of another device */
	w = whatif(b);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_READ);
	ct_whatif_destroy(w);
	mb_device(b, 0);
	mb_sync_device(b, 2031, 2032);
	w = whatif(b);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_NONE);
	ct_whatif_destroy(w);
}

/* The same where the memory is kept instead: there is no free, so nothing waits. */
static void test_kept_instead(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *copy;
	struct ct_call *call;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	for (uint64_t i = 1; i <= 2; i++)
		mb_call_about(b, CT_API_cudaMalloc, i * BLOCK, -10. / (double)i, -10. / (double)i + 0.1);
	call = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 0, 5);
	copy = mb_copy(b, call, S1, CT_MEMORY_DEVICE, 10, 1000);
	copy->u.copy.direction = CT_DIRECTION_D2H;
	copy->u.copy.target = CT_MEMORY_PINNED;
	mb_call_about(b, CT_API_cudaFree, 2 * BLOCK, 5, 1010);
	mb_launch(b, S2, 1015, 1020, 1025, 2025);
	mb_sync_stream(b, S2, 1020, 2030);
	w = whatif(b);
	assert_int_equal(w->changes.at[0].kind, CT_CHANGE_FREE);
	assert_int_equal(w->changes.at[1].kind, CT_CHANGE_HOIST);
	assert_int_equal(w->changes.at[1].rank, CT_NONE);
	assert_true(ct_change_saves(w, &w->changes.at[1]));
	assert_int_equal(w->changes.at[1].hazard, CT_HAZARD_READ);
	assert_int_equal(w->changes.at[1].hazard_op, mb_op(b, copy));
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

/* As test_host_reads(), up to the end of the work behind the free; who waits for the copy comes next. */
static void read_behind_free(struct model_builder *b, enum ct_stream_flag flag, struct ct_event **ret_before,
			     struct ct_event **ret_behind, struct ct_event **ret_other)
{
	struct ct_device_op *copy;
	struct ct_call *call;

	mb_restart(b);
	two_streams(b, flag);
	mb_launch(b, S1, -20, -18, -17, -10);
	*ret_before = mb_record_event(b, 1, S1, -9, -8);
	call = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 0, 2);
	copy = mb_copy(b, call, S1, CT_MEMORY_DEVICE, 10, 1000);
	copy->u.copy.direction = CT_DIRECTION_D2H;
	copy->u.copy.target = CT_MEMORY_PINNED;
	mb_launch(b, S2, 2.1, 2.5, 2.6, 2.9);
	*ret_behind = mb_record_event(b, 2, S1, 3, 4);
	*ret_other = mb_record_event(b, 3, S2, 4, 5);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_launch(b, S2, 1015, 1020, 1025, 2025);
}

static enum ct_hazard hazard_of_free(struct model_builder *b)
{
	struct ct_whatif *w = whatif(b);
	enum ct_hazard hazard = CT_HAZARD_NONE;
	size_t found = 0;

	for (size_t i = 0; i < w->changes.count; i++)
		if (w->changes.at[i].kind == CT_CHANGE_FREE) {
			hazard = w->changes.at[i].hazard;
			found++;
		}
	assert_int_equal(found, 1);
	ct_whatif_destroy(w);
	return hazard;
}

/* Whether the program asks to wait for the copy otherwise: by which event, stream or question. */
static void test_other_waits(void **state)
{
	struct model_builder *b = *state;
	struct ct_event *before, *behind, *other;
	const enum ct_stream_flag apart = CT_STREAM_FLAG_NON_BLOCKING;

	read_behind_free(b, apart, &before, &behind, &other);
	mb_sync_event(b, behind, 1025, 2030);
	assert_int_equal(hazard_of_free(b), CT_HAZARD_NONE);
	read_behind_free(b, apart, &before, &behind, &other);
	mb_sync_event(b, before, 1025, 2030);
	assert_int_equal(hazard_of_free(b), CT_HAZARD_READ);
	read_behind_free(b, apart, &before, &behind, &other);
	mb_sync_event(b, other, 1025, 2030);
	assert_int_equal(hazard_of_free(b), CT_HAZARD_READ);
	read_behind_free(b, apart, &before, &behind, &other);
	mb_call_on(b, CT_API_cudaStreamQuery, S1, 1025, 1026);
	assert_int_equal(hazard_of_free(b), CT_HAZARD_NONE);
	read_behind_free(b, apart, &before, &behind, &other);
	mb_call_on(b, CT_API_cudaStreamQuery, S2, 1025, 1026);
	assert_int_equal(hazard_of_free(b), CT_HAZARD_READ);
	/* an event's stream is not known to a query: in doubt it is the right one */
	read_behind_free(b, apart, &before, &behind, &other);
	mb_call_about(b, CT_API_cudaEventQuery, mb_event_handle(3), 1025, 1026);
	assert_int_equal(hazard_of_free(b), CT_HAZARD_NONE);
}

/* The default stream waits for streams that are not apart from it, and a plain cudaMemcpy() waits. */
static void test_default_stream_waits(void **state)
{
	struct model_builder *b = *state;
	struct ct_event *unused;
	struct ct_call *call;
	double start;

	for (int apart = 0; apart < 2; apart++) {
		enum ct_stream_flag flag = apart ? CT_STREAM_FLAG_NON_BLOCKING : CT_STREAM_FLAG_BLOCKING;

		read_behind_free(b, flag, &unused, &unused, &unused);
		mb_sync_stream(b, MB_LEGACY, 1025, 2030);
		assert_int_equal(hazard_of_free(b), apart ? CT_HAZARD_READ : CT_HAZARD_NONE);
		read_behind_free(b, flag, &unused, &unused, &unused);
		start = apart ? 1030 : 2026; /* it runs beside the other streams, or behind them */
		call = mb_call_on(b, CT_API_cudaMemcpy, MB_LEGACY, 1025, start + 70);
		mb_copy(b, call, MB_LEGACY, CT_MEMORY_PINNED, start, start + 60);
		assert_int_equal(hazard_of_free(b), apart ? CT_HAZARD_READ : CT_HAZARD_NONE);
	}
}

/* The like is copied again before anybody waits: what the first brought is gone by then. */
static void test_copied_again(void **state)
{
	struct model_builder *b = *state;
	struct ct_event *unused;
	struct ct_device_op *copy;

	for (int like = 0; like < 2; like++) {
		read_behind_free(b, CT_STREAM_FLAG_NON_BLOCKING, &unused, &unused, &unused);
		copy = mb_copy(b, mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 1030, 1032), S1, CT_MEMORY_DEVICE,
			       1040, 1100);
		copy->u.copy.direction = like ? CT_DIRECTION_D2H : CT_DIRECTION_H2D;
		copy->u.copy.target = CT_MEMORY_PINNED;
		mb_sync_stream(b, S1, 1110, 1120);
		assert_int_equal(hazard_of_free(b), like ? CT_HAZARD_READ : CT_HAZARD_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_buffer_reused),
		MB_TEST(test_pinned_to_host),
		MB_TEST(test_host_reads),
		MB_TEST(test_kept_instead),
		MB_TEST(test_managed),
		MB_TEST(test_shared_block),
		MB_TEST(test_other_waits),
		MB_TEST(test_default_stream_waits),
		MB_TEST(test_copied_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
