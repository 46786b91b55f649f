/* SPDX-License-Identifier: Apache-2.0 */
/* A wait that is taken away, of work that the program waits for later: that wait takes it over. */
#include "tests/unit/whatif_builder.h"

#include "analyze/poll.h"

enum how { STREAM, DEVICE, EVENT, OTHER_STREAM };

static void synchronize(struct model_builder *b, enum how how, const struct ct_event *event, double at)
{
	if (how == DEVICE)
		mb_sync_device(b, at, at + 5);
	else if (how == EVENT)
		mb_sync_event(b, event, at, at + 5);
	else
		mb_sync_stream(b, how == STREAM ? S1 : S2, at, at + 5);
}

/*
 * Likely, of three rounds: a kernel, a free that waits for it, what finds it done, and 980 us of the host's.
 * That the free has lost as much is said as well.
 */
static double saving_before(struct model_builder *b, enum how how)
{
	struct ct_event *event = NULL;
	struct ct_whatif *w;
	double saves;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	for (int i = 0; i < 3; i++) {
		mb_launch(b, S1, 2000 * i, 2000 * i + 5, 2000 * i + 10, 2000 * i + 1000);
		if (how == EVENT)
			event = mb_record_event(b, 3, S1, 2000 * i + 5, 2000 * i + 6);
		mb_call_about(b, CT_API_cudaFree, BLOCK + (uint64_t)i, 2000 * i + 6, 2000 * i + 1010);
		synchronize(b, how, event, 2000 * i + 1015);
	}
	mb_launch(b, S2, 6000, 6005, 6010, 6020);
	w = whatif(b);
	saves = mb_us(w->all.likely_ns);
	assert_true(mb_us(b->serialization->lost_ns) <= saves && mb_us(b->serialization->lost_ns) > saves - 60);
	ct_whatif_destroy(w);
	mb_restart(b);
	return saves;
}

static void test_found_done(void **state)
{
	assert_true(saving_before(*state, STREAM) < 60);
	assert_true(saving_before(*state, DEVICE) < 60);
	assert_true(saving_before(*state, EVENT) < 60);
	assert_true(saving_before(*state, OTHER_STREAM) > 2900);
}

/* What is done sooner than its thread comes is not waited for: the kernel ends before 80. */
static void test_done_sooner(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_call_about(b, CT_API_cudaMalloc, BLOCK, -20, -10);
	for (int i = 0; i < 3; i++) {
		mb_launch(b, S1, 500 * i, 500 * i + 5, 500 * i + 10, 500 * i + 80);
		mb_call_about(b, CT_API_cudaMalloc, BLOCK + 1 + (uint64_t)i, 500 * i + 10, 500 * i + 110);
		mb_sync_stream(b, S1, 500 * i + 115, 500 * i + 120);
	}
	mb_launch(b, S2, 1500, 1505, 1510, 1520);
	w = whatif(b);
	assert_int_equal(w->all.low_ns, 3 * 35000); /* of 100 us: until the kernel ends, and the 5 to return */
	ct_whatif_destroy(w);
}

/* A wait for all work that waits for one stream's as it was waits for the other's, too. */
static void test_found_partly(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	for (int i = 0; i < 3; i++) {
		mb_launch(b, S1, 3000 * i, 3000 * i + 5, 3000 * i + 10, 3000 * i + 1000);
		mb_call_about(b, CT_API_cudaFree, BLOCK + (uint64_t)i, 3000 * i + 6, 3000 * i + 1010);
		mb_launch(b, S2, 3000 * i + 1015, 3000 * i + 1020, 3000 * i + 1030, 3000 * i + 1130);
		mb_sync_device(b, 3000 * i + 1020, 3000 * i + 1135);
	}
	mb_launch(b, S2, 9000, 9005, 9010, 9020);
	w = whatif(b);
	assert_true(w->all.likely_ns > 3 * 120000 && w->all.likely_ns < 3 * 180000);
	ct_whatif_destroy(w);
}

/* A loop of queries is a wait that was asked for: it ends no sooner than the work does. */
static void test_polled(void **state)
{
	struct model_builder *b = *state;
	struct ct_analysis a;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	for (int i = 0; i < 3; i++) {
		double at = 3000 * i;

		mb_launch(b, S1, at, at + 5, at + 10, at + 1000);
		mb_call_about(b, CT_API_cudaFree, BLOCK + (uint64_t)i, at + 6, at + 1010);
		mb_launch(b, S1, at + 1015, at + 1020, at + 1030, at + 1130);
		mb_call_on(b, CT_API_cudaStreamQuery, S1, at + 1040, at + 1042)->error = CT_NOT_READY;
		mb_call_on(b, CT_API_cudaStreamQuery, S1, at + 1120, at + 1122)->error = CT_NOT_READY;
		mb_call_on(b, CT_API_cudaStreamQuery, S1, at + 1129, at + 1131);
	}
	mb_launch(b, S2, 9000, 9005, 9010, 9020);
	a = analysis_of(b);
	assert_int_equal(ct_polls_find(b->model), 0);
	assert_int_equal(ct_whatif_find(&a, 0, &w), 0);
	assert_true(w->all.likely_ns < 3 * 60000);
	ct_whatif_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_found_done),
		MB_TEST(test_done_sooner),
		MB_TEST(test_found_partly),
		MB_TEST(test_polled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
