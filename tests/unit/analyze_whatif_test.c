/* SPDX-License-Identifier: Apache-2.0 */
/* What changes would save: kinds of change, ranges, their order, and when there are none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/whatif_builder.h"

#include "analyze/handoff.h"

/* A free between the kernels of two streams. */
static void free_between(struct model_builder *b, struct ct_device_op **ret_k1,
			 struct ct_device_op **ret_k2)
{
	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	*ret_k1 = mb_launch(b, S1, 0, 5, 10, 1000);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	*ret_k2 = mb_launch(b, S2, 1015, 1020, 1025, 2025);
	mb_sync_device(b, 1020, 2030);
}

/* The low end keeps the driver's work of the free: 10 us, of which a call keeps 1. */
static void test_one_free(void **state)
{
	struct ct_device_op *k1, *k2;
	struct ct_whatif *w;

	free_between(*state, &k1, &k2);
	w = whatif(*state);
	assert_null(w->refusal);
	assert_int_equal(w->ranks, 1);
	expect_change(w, 0, CT_CHANGE_FREE, 995, 1004, 1004);
	assert_int_equal(w->all.likely_ns, 1004000);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_NONE);
	ct_whatif_destroy(w);
}

/* Blocks that fit beside each other may still share each multiprocessor. */
static void test_shared_device(void **state)
{
	struct ct_device_op *k1, *k2;
	struct ct_whatif *w;

	free_between(*state, &k1, &k2);
	k1->u.kernel.block_x = k2->u.kernel.block_x = 32; /* 32 of them fit on one */
	k1->u.kernel.grid_x = k2->u.kernel.grid_x = MB_FULL;
	w = whatif(*state);
	assert_int_equal(w->changes.at[0].saves.low_ns, 25000); /* k2 right behind k1 */
	assert_int_equal(w->changes.at[0].saves.likely_ns, 1004000);
	ct_whatif_destroy(w);
}

static void copies_between(struct model_builder *b, bool both_ways)
{
	struct ct_call *one, *two;
	struct ct_device_op *copy;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	one = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 0, 5);
	mb_copy(b, one, S1, CT_MEMORY_PINNED, 10, 1000);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	two = mb_call_on(b, CT_API_cudaMemcpyAsync, S2, 1015, 1020);
	copy = mb_copy(b, two, S2, CT_MEMORY_PINNED, 1025, 2025);
	if (both_ways) {
		copy->u.copy.direction = CT_DIRECTION_D2H;
		copy->u.copy.source = CT_MEMORY_DEVICE;
		copy->u.copy.target = CT_MEMORY_PINNED;
	}
	mb_sync_device(b, 1020, 2030);
}

/* There is one engine each way: copies of one way take turns. */
static void test_copy_engines(void **state)
{
	struct ct_whatif *w;

	copies_between(*state, false);
	w = whatif(*state);
	/* the likely saving is below what is worth a rank; all of it together is known */
	assert_int_equal(w->ranks, 0);
	assert_int_equal(w->all.likely_ns, 25000);
	assert_int_equal(w->all.high_ns, 1004000);
	ct_whatif_destroy(w);
	mb_restart(*state);
	copies_between(*state, true);
	w = whatif(*state);
	expect_change(w, 0, CT_CHANGE_FREE, 995, 1004, 1004);
	ct_whatif_destroy(w);
}

/* Low: somebody still stages it (120 us). */
static void test_pinned(void **state)
{
	struct ct_whatif *w;

	pageable_copy(*state);
	w = whatif(*state);
	expect_change(w, 0, CT_CHANGE_PIN, 295, 415, 415);
	ct_whatif_destroy(w);
}

/* Copies become as fast as the run's own pinned ones: 4096 bytes need 4 us, not 95. */
static void test_pinned_speed(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *call;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	call = mb_call_on(b, CT_API_cudaMemcpyAsync, S2, -2000, -1995);
	mb_copy(b, call, S2, CT_MEMORY_PINNED, -1990, -966)->u.copy.bytes = 1 << 20;
	call = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 5, 420);
	mb_copy(b, call, S1, CT_MEMORY_PAGEABLE, 10, 400);
	mb_sync_stream(b, S1, 425, 430);
	w = whatif(b);
	assert_int_equal(w->changes.at[0].kind, CT_CHANGE_PIN);
	assert_int_equal(w->changes.at[0].saves.low_ns, 0);
	assert_int_equal(w->changes.at[0].saves.likely_ns, 411001); /* all but the copy, which is waited for */
	ct_whatif_destroy(w);
}

/* The default stream's order: nothing but its own launches are needed. */
static void test_default_stream(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *fill;
	struct ct_call *call;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 500);
	call = mb_call_on(b, CT_API_cudaMemsetAsync, MB_LEGACY, 5, 10);
	fill = mb_kernel(b, call, MB_LEGACY, 502, 600);
	fill->kind = CT_DEVICE_FILL;
	mb_launch(b, S2, 10, 15, 603, 700);
	w = whatif(b);
	expect_change(w, 0, CT_CHANGE_STREAM, 200, 200, 200);
	assert_int_equal(w->changes.at[0].hazard, CT_HAZARD_ORDER);
	assert_int_equal(w->changes.at[0].hazard_op, mb_op(b, fill));
	ct_whatif_destroy(w);
}

static void test_queue(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 1000, 1005, 1200);
	mb_overhead(b, CT_OVERHEAD_QUEUE_FULL, 10, 990);
	w = whatif(b);
	expect_change(w, 0, CT_CHANGE_QUEUE, 990, 990, 990);
	ct_whatif_destroy(w);
}

/* Two frees, either of which lets a kernel of S2 overlap one of S1: both save less than twice. */
static void test_overlapping_savings(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 1010);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1020);
	mb_launch(b, S2, 1020, 1025, 1030, 2530);
	mb_call_about(b, CT_API_cudaFreeArray, 2 * BLOCK, 1025, 2540);
	mb_launch(b, S1, 2540, 2545, 2550, 3550);
	mb_sync_device(b, 2545, 3560);
	w = whatif(b);
	assert_int_equal(w->ranks, 2);
	assert_in_range(w->changes.at[0].alone_ns, 990000, 1030000);
	assert_in_range(w->changes.at[1].alone_ns, 990000, 1030000);
	assert_in_range(w->changes.at[0].saves.likely_ns, 990000, 1030000);
	assert_in_range(w->changes.at[1].saves.likely_ns, 490000, 530000);
	assert_int_equal(w->changes.at[0].saves.likely_ns + w->changes.at[1].saves.likely_ns,
			 w->all.likely_ns);
	ct_whatif_destroy(w);
}

/* A free that found the device idle waits where the one before it no longer does. */
static void test_saves_only_together(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 1000);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_call_about(b, CT_API_cudaFreeArray, 2 * BLOCK, 1010, 1012);
	mb_launch(b, S2, 1015, 1020, 1025, 2025);
	mb_sync_device(b, 1020, 2030);
	w = whatif(b);
	assert_int_equal(w->ranks, 1);
	assert_int_equal(w->changes.count, 2);
	assert_int_equal(w->changes.at[0].rank, 0);
	assert_int_equal(w->changes.at[1].rank, 0);
	assert_in_range(w->changes.at[0].alone_ns, 0, 20000);
	assert_int_equal(w->changes.at[0].saves.likely_ns, 1005000);
	ct_whatif_destroy(w);
}

/* What saves most comes first, also where it takes two changes of a kind to save anything. */
static void test_order(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	for (int i = 0; i < 2; i++)
		mb_call_about(b, CT_API_cudaMalloc, BLOCK, 310 * i - 1000, 310 * i - 698);
	mb_launch(b, S1, 0, 5, 10, 1000);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_call_about(b, CT_API_cudaFreeArray, 2 * BLOCK, 1010, 1012);
	mb_launch(b, S2, 1015, 1020, 1025, 2025);
	mb_sync_device(b, 1020, 2030);
	w = whatif(b);
	assert_int_equal(w->ranks, 2);
	expect_change(w, 0, CT_CHANGE_FREE, 995, 1005, 1005);
	assert_int_equal(w->changes.at[2].kind, CT_CHANGE_HOIST);
	assert_int_equal(w->changes.at[2].rank, 1);
	/* the allocation, what it leaves cold, and what its free, of a pool, still took */
	assert_int_equal(w->changes.at[2].saves.likely_ns, 302000 + 40000 + 1000);
	ct_whatif_destroy(w);
}

/*
 * Changes of two kinds: one saves little, most of it only together with the other. Page-locked
 * memory that is kept is not freed at all: the 108 us of the driver go too, but at the low end.
 */
static void test_two_kinds_together(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 1000);
	mb_call_about(b, CT_API_cudaFreeHost, BLOCK, 5, 1110);
	mb_call_about(b, CT_API_cudaFree, 2 * BLOCK, 1110, 1112);
	mb_launch(b, S2, 1115, 1120, 1125, 2125);
	mb_sync_device(b, 1120, 2130);
	w = whatif(b);
	assert_int_equal(w->ranks, 1);
	assert_int_equal(w->changes.count, 2);
	assert_int_equal(w->changes.at[0].rank, 0);
	assert_int_equal(w->changes.at[1].rank, 0);
	assert_int_equal(w->changes.at[0].kind + w->changes.at[1].kind,
			 CT_CHANGE_FREE + CT_CHANGE_HOIST);
	assert_int_equal(w->changes.at[0].saves.likely_ns, w->all.likely_ns);
	assert_in_range(w->all.likely_ns, 1098000, 1108000);
	assert_in_range(w->all.low_ns, 980000, 1000000);
	ct_whatif_destroy(w);
}

/*
 * An allocation waits for the lock that a free of another thread holds: without either of them
 * the kernel behind starts early. One is ranked, the other saves only in its place.
 */
static void test_one_or_the_other(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 1000);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_thread(b, MB_B);
	mb_call_about(b, CT_API_cudaMalloc, 2 * BLOCK, -100, -90);
	mb_call_about(b, CT_API_cudaMalloc, 3 * BLOCK, 100, 1020);
	mb_launch(b, S2, 1025, 1030, 1035, 2035);
	mb_sync_device(b, 1030, 2040);
	w = whatif(b);
	assert_int_equal(w->ranks, 1);
	assert_int_equal(w->changes.count, 2);
	assert_int_equal(w->changes.at[0].kind + w->changes.at[1].kind,
			 CT_CHANGE_FREE + CT_CHANGE_HOIST);
	assert_int_equal(w->changes.at[1].rank, CT_NONE);
	assert_true(ct_change_saves(w, &w->changes.at[1]));
	for (int i = 0; i < 2; i++)
		assert_in_range(w->changes.at[i].alone_ns, 880000, 940000);
	assert_in_range(w->all.likely_ns, 880000, 940000);
	ct_whatif_destroy(w);
}

/* Nothing known explains why the second kernel started so late. */
static void test_refuses_unexplained(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *k2;
	struct ct_whatif *w;

	free_between(b, &k1, &k2);
	mb_launch(b, S1, 2040, 2045, 2300, 3000);
	mb_sync_device(b, 2045, 3005);
	w = whatif(b); /* 250 us late, of 3005: 205 of them too much */
	assert_non_null(w->refusal);
	assert_int_equal(w->changes.count, 0);
	assert_in_range(w->end_error_ns, 190000, 210000);
	ct_whatif_destroy(w);
}

static void test_accepts_a_little_unexplained(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *k2;
	struct ct_whatif *w;

	free_between(b, &k1, &k2);
	mb_launch(b, S1, 2040, 2045, 2190, 3000);
	mb_sync_device(b, 2045, 3005);
	w = whatif(b);
	assert_null(w->refusal);
	assert_in_range(w->end_error_ns, 80000, 100000);
	ct_whatif_destroy(w);
}

/* The other replay, which keeps all delays, is asked as well. */
static void test_refuses_wrong_replay(void **state)
{
	struct ct_device_op *k1, *k2;
	struct ct_analysis a;
	struct ct_whatif *w;
	struct ct_range range;

	free_between(*state, &k1, &k2);
	a = analysis_of(*state);
	a.serialization->replay_error_ns = (a.model->end_ns - a.model->begin_ns) / 20 + 1;
	assert_int_equal(ct_whatif_find(&a, 0, &w), 0);
	assert_non_null(w->refusal);
	assert_int_equal(ct_whatif_of(&a, CT_FIX_FREE, &range), -ENODATA);
	ct_whatif_destroy(w);
}

static void test_refuses_parts(void **state)
{
	struct ct_device_op *k1, *k2;
	struct ct_analysis a;
	struct ct_range range;

	free_between(*state, &k1, &k2);
	a = analysis_of(*state);
	assert_int_equal(ct_whatif_of(&a, CT_FIX_FREE, &range), 0);
	assert_int_equal(range.low_ns, 995000);
	assert_int_equal(range.likely_ns, 1004000);
	assert_int_equal(ct_whatif_of(&a, CT_FIX_ALL, &range), 0);
	assert_int_equal(range.likely_ns, 1004000);
	assert_int_equal(ct_whatif_of(&a, CT_FIX_PIN, &range), 0);
	assert_int_equal(range.high_ns, 0);
	a.parts = 2;
	assert_non_null(strstr(ct_whatif_refusal(&a), "too long"));
	assert_int_equal(ct_whatif_of(&a, CT_FIX_FREE, &range), -ENODATA);
}

/* What `cutrace prove` leaves alone it is not said to prove, nor to save. */
static void test_unfixed(void **state)
{
	struct ct_device_op *k1, *k2;
	struct ct_analysis a;
	struct ct_range range;

	mb_call_about(*state, CT_API_cudaMallocManaged, BLOCK, -10, -5);
	free_between(*state, &k1, &k2);
	a = analysis_of(*state);
	assert_int_equal(ct_whatif_find(&a, 0, &a.whatif), 0);
	assert_int_equal(a.whatif->changes.at[0].unfixed, 1);
	assert_int_equal(a.whatif->changes.at[0].saves.likely_ns, 1004000);
	assert_null(ct_whatif_fix(&a, &a.whatif->changes.at[0]));
	assert_int_equal(ct_whatif_of(&a, CT_FIX_FREE, &range), 0);
	assert_int_equal(range.high_ns, 0);
	ct_whatif_destroy(a.whatif);
}

static void expect_best(const struct ct_analysis *a, const char *wanted)
{
	size_t bytes;
	char *text;
	FILE *to = open_memstream(&text, &bytes);

	assert_non_null(to);
	ct_report_whatif_best(a, to);
	fclose(to);
	for (char *c = text; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	if (!strstr(text, wanted) || (!*wanted && *text))
		fail_msg("%s: not %s", text, wanted);
	free(text);
}

/* For the end of a program: only what is predicted, and worth it. */
static void test_best(void **state)
{
	struct ct_device_op *k1, *k2;
	struct ct_analysis a;

	free_between(*state, &k1, &k2);
	a = analysis_of(*state);
	assert_int_equal(ct_whatif_find(&a, 0, &a.whatif), 0);
	expect_best(&a, "(cudaFree, 1 call): saves 995 us to 1.00 ms   of 2.03 ms, most likely 1.00 ms (49 %);");
	expect_best(&a, "prove it with: cutrace prove --fix free");
	a.whatif->refusal = "of a test";
	expect_best(&a, "");
	a.whatif->refusal = NULL;
	a.whatif->ranks = 0;
	expect_best(&a, "");
	ct_whatif_destroy(a.whatif);
	a.whatif = NULL;
	expect_best(&a, "");
}

static void expect_printed(struct model_builder *b, const char *text, bool wanted)
{
	struct ct_analysis a = analysis_of(b);
	char *report;
	size_t bytes;
	FILE *to = open_memstream(&report, &bytes);

	assert_non_null(to);
	assert_int_equal(ct_whatif_find(&a, 0, &a.whatif), 0);
	ct_report_whatif(&a, 10, to);
	fclose(to);
	ct_whatif_destroy(a.whatif);
	if ((strstr(report, text) != NULL) != wanted)
		fail_msg("%s: %s%s", report, wanted ? "" : "not wanted: ", text);
	free(report);
}

/* What is proved of changes that save together only: all, with both fixes, or what one fix makes of them. */
static void test_proof_of_two(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *call;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 1000);
	call = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 5, 1110);
	mb_copy(b, call, S1, CT_MEMORY_PAGEABLE, 1005, 1100)->u.copy.bytes = 1 << 20;
	mb_call_about(b, CT_API_cudaFree, 2 * BLOCK, 1110, 1112);
	mb_launch(b, S2, 1115, 1120, 1125, 2125);
	mb_sync_device(b, 1120, 2130);
	expect_printed(b, "together:\n       saves 995 us to 1.03 ms of 2.13 ms, most likely 1.03 ms (48 %); prove it with: cutrace\n       prove --fix all", true);
	mb_restart(b);
	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 1000);
	mb_call_about(b, CT_API_cudaFreeHost, BLOCK, 5, 1110);
	mb_call_about(b, CT_API_cudaFree, 2 * BLOCK, 1110, 1112);
	mb_launch(b, S2, 1115, 1120, 1125, 2125);
	mb_sync_device(b, 1120, 2130);
	expect_printed(b, "prove a part of it with:", true);
	expect_printed(b, "prove it with:", false);
}

/* Of too many threads it is not known which waited for which: that is said. */
static void test_many_threads(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *k2;

	free_between(b, &k1, &k2);
	for (uint32_t i = 1; i < CT_HANDOFF_THREADS; i++) {
		mb_thread(b, 1000 + i);
		mb_call(b, CT_API_cudaSetDevice, i, i + 1);
	}
	expect_printed(b, "threads that call CUDA", false);
	mb_thread(b, 1000);
	mb_call(b, CT_API_cudaSetDevice, 1, 2);
	expect_printed(b, "  With 65 threads that call CUDA, more than 64, it was not looked for", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_one_free),
		MB_TEST(test_shared_device),
		MB_TEST(test_copy_engines),
		MB_TEST(test_pinned),
		MB_TEST(test_pinned_speed),
		MB_TEST(test_default_stream),
		MB_TEST(test_queue),
		MB_TEST(test_overlapping_savings),
		MB_TEST(test_saves_only_together),
		MB_TEST(test_order),
		MB_TEST(test_two_kinds_together),
		MB_TEST(test_one_or_the_other),
		MB_TEST(test_refuses_unexplained),
		MB_TEST(test_accepts_a_little_unexplained),
		MB_TEST(test_refuses_wrong_replay),
		MB_TEST(test_refuses_parts),
		MB_TEST(test_unfixed),
		MB_TEST(test_best),
		MB_TEST(test_proof_of_two),
		MB_TEST(test_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
