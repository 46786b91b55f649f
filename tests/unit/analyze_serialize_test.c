/* SPDX-License-Identifier: Apache-2.0 */
/* Culprits, victims and lost time. */
#include <stdlib.h>

#include "tests/unit/model_builder.h"

#define S1 21
#define S2 22
#define S3 23
#define BLOCK 0xa0000

static void two_streams(struct model_builder *b)
{
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
}

static void expect_pair(const struct model_builder *b, size_t index, const struct ct_call *culprit,
			const struct ct_device_op *victim, double delay, double lost)
{
	const struct ct_pair *pair;

	assert_true(index < b->serialization->pairs.count);
	pair = &b->serialization->pairs.at[index];
	assert_int_equal(pair->culprit, mb_host_index(b, culprit));
	assert_int_equal(pair->victim, mb_op(b, victim));
	assert_int_equal(pair->delay_ns, (uint64_t)(delay * 1000));
	assert_int_equal(pair->lost_ns, (uint64_t)(lost * 1000));
}

static uint64_t site_lost(const struct model_builder *b, const struct ct_call *call)
{
	return b->sites->all.at[b->sites->of_call[mb_host_index(b, call)]].lost_ns;
}

/* k1 on S1, then a call that waits for it, then k2 on another stream. */
struct between {
	struct ct_device_op *k1, *k2;
	struct ct_call *culprit;
};

static struct between wait_between(struct model_builder *b, enum ct_api api, uint32_t stream)
{
	struct between t;

	two_streams(b);
	t.k1 = mb_launch(b, S1, 0, 5, 10, 1000);
	t.culprit = mb_call_about(b, api, BLOCK, 5, 1010);
	t.k2 = mb_launch(b, stream, 1015, 1020, 1025, 2025);
	return t;
}

static void test_free_between_streams(void **state)
{
	struct model_builder *b = *state;
	struct between t = wait_between(b, CT_API_cudaFree, S2);
	const struct ct_serialization *s = mb_serialize(b);

	assert_int_equal(s->pairs.count, 1);
	expect_pair(b, 0, t.culprit, t.k2, 1005, 980); /* from its call, now at 20; k1 until 1000 */
	assert_int_equal(s->pairs.at[0].waited_op, mb_op(b, t.k1));
	assert_int_equal(s->pairs.at[0].through, CT_NONE);
	assert_int_equal(s->pairs.at[0].edge, CT_EDGES);
	assert_int_equal(s->replay_error_ns, 0);
	assert_int_equal(s->lost_ns, 995000);
	assert_int_equal(site_lost(b, t.culprit), 995000);
	assert_int_equal(b->sites->ranked[0], b->sites->of_call[mb_host_index(b, t.culprit)]);
}

static void test_same_stream(void **state)
{
	struct model_builder *b = *state;
	struct between t = wait_between(b, CT_API_cudaFree, S1);
	const struct ct_serialization *s = mb_serialize(b);

	assert_int_equal(s->pairs.count, 0);
	assert_int_equal(site_lost(b, t.culprit), 25000 - 10000); /* start at 1010, not 1025 */
}

/* What the program asked to wait for makes nobody a culprit. */
static void test_asked(void **state)
{
	struct model_builder *b = *state;
	struct between t = wait_between(b, CT_API_cudaDeviceSynchronize, S2);
	const struct ct_serialization *s;

	t.culprit->addr = 0;
	s = mb_serialize(b);
	assert_int_equal(mb_host(b, t.culprit)->parts[CT_PART_DEVICE_WAIT], 995000);
	assert_false(ct_serialize_culprit(mb_host(b, t.culprit)));
	assert_int_equal(s->pairs.count, 0);
	assert_int_equal(s->lost_ns, 0);
}

/* A call that was only captured submitted nothing and holds nobody. */
static void test_captured(void **state)
{
	struct model_builder *b = *state;
	struct between t = wait_between(b, CT_API_cudaFree, S2);

	t.culprit->flags = CT_CALL_CAPTURING;
	mb_serialize(b);
	assert_false(ct_serialize_culprit(mb_host(b, t.culprit)));
	assert_int_equal(b->serialization->pairs.count, 0);
}

/* What each of two sites costs by itself, and both; a longer wait that was asked for is no loss. */
static void test_two_sites(void **state)
{
	struct model_builder *b = *state;
	struct between t = wait_between(b, CT_API_cudaFree, S2);
	struct ct_call *second;

	mb_sync_device(b, 1020, 2030);
	mb_launch(b, S1, 2035, 2040, 2045, 3000);
	second = mb_call_about(b, CT_API_cudaFreeHost, BLOCK, 2040, 3010);
	mb_launch(b, S2, 3015, 3020, 3025, 4000);
	mb_serialize(b);
	assert_int_equal(site_lost(b, t.culprit), 995000);
	assert_int_equal(site_lost(b, second), 960000);
	assert_int_equal(b->serialization->lost_ns, 995000 + 960000);
	assert_int_equal(b->serialization->sites_evaluated, 2);
	assert_int_equal(b->sites->ranked[0], b->sites->of_call[mb_host_index(b, t.culprit)]);
	assert_int_equal(b->sites->ranked[1], b->sites->of_call[mb_host_index(b, second)]);
}

static void test_behind_event(void **state)
{
	struct model_builder *b = *state;
	struct ct_event *event;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 1000);
	event = mb_record_event(b, 3, S1, 5, 6);
	mb_wait_event(b, event, S2, 6, 8);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 10, 1010);
	mb_launch(b, S2, 1010, 1012, 1014, 2000);
	assert_int_equal(mb_serialize(b)->pairs.count, 0);
}

static void test_full_device(void **state)
{
	struct model_builder *b = *state;
	struct between t = wait_between(b, CT_API_cudaFree, S2);

	t.k1->u.kernel.grid_x = t.k2->u.kernel.grid_x = MB_FULL;
	assert_int_equal(mb_serialize(b)->pairs.count, 0);
	assert_int_equal(site_lost(b, t.culprit), 25000);
}

/* The launch after next, too; but not what comes after the next wait. */
static void test_several_victims(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *second;
	struct between t = wait_between(b, CT_API_cudaFree, S2);
	const struct ct_serialization *s;

	mb_stream(b, S3, CT_STREAM_FLAG_NON_BLOCKING);
	second = mb_launch(b, S3, 1020, 1025, 1030, 1130);
	mb_sync_device(b, 1030, 2030);
	mb_launch(b, S3, 2030, 2035, 2040, 2100);
	s = mb_serialize(b);
	assert_int_equal(s->pairs.count, 2);
	expect_pair(b, 0, t.culprit, t.k2, 1005, 980 * 995.0 / (980 + 100));
	assert_int_equal(s->pairs.at[1].culprit, s->pairs.at[0].culprit);
	assert_int_equal(s->pairs.at[1].victim, mb_op(b, second));
	assert_int_equal(s->pairs.at[1].delay_ns, 1005000);
	/* it gains no more than the run: pairs of a site are scaled to that */
	assert_int_equal(site_lost(b, t.culprit), 995000);
	assert_true(s->pairs.at[0].lost_ns + s->pairs.at[1].lost_ns <= 995000);
	assert_true(s->pairs.at[0].lost_ns + s->pairs.at[1].lost_ns >= 994998);
}

/* Waits under the clock's error are nobody's. */
static void test_too_short(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *frees;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 14);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 20);
	mb_launch(b, S2, 20, 25, 30, 1000);
	mb_serialize(b);
	assert_int_equal(mb_host(b, frees)->parts[CT_PART_DEVICE_WAIT], 9000);
	assert_false(ct_serialize_culprit(mb_host(b, frees)));
	assert_int_equal(b->serialization->pairs.count, 0);
}

/* The victim's thread queued behind the culprit's lock. */
static void test_through_lock(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *k2, *k3;
	struct ct_call *frees;
	const struct ct_serialization *s;

	two_streams(b);
	k1 = mb_launch(b, S1, -20, -15, -10, 1000);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 1010);
	mb_thread(b, MB_B);
	k2 = mb_launch(b, S2, 100, 1012, 1020, 1500);
	k3 = mb_launch(b, S2, 1012, 1016, 1500, 1900);
	s = mb_serialize(b);
	assert_int_equal(s->pairs.count, 2);
	expect_pair(b, 0, frees, k2, 920, 480);
	assert_int_equal(s->pairs.at[0].waited_op, mb_op(b, k1));
	assert_int_equal(s->pairs.at[0].through, mb_host_index(b, mb_launcher(b, k2)));
	expect_pair(b, 1, frees, k3, 920, 400);
	assert_int_equal(s->pairs.at[1].through, mb_host_index(b, mb_launcher(b, k2)));
}

static void test_default_stream(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *null, *behind;
	const struct ct_serialization *s;

	mb_stream(b, S1, CT_STREAM_FLAG_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_BLOCKING);
	mb_launch(b, S1, -20, -15, -10, -5);
	k1 = mb_launch(b, S1, 0, 5, 10, 500);
	null = mb_launch(b, MB_LEGACY, 5, 10, 502, 1000);
	behind = mb_launch(b, S2, 10, 15, 1003, 1500);
	s = mb_serialize(b);
	assert_int_equal(s->pairs.count, 2);
	assert_int_equal(s->pairs.at[0].victim, mb_op(b, null));
	assert_int_equal(s->pairs.at[0].waited_op, mb_op(b, k1));
	assert_int_equal(s->pairs.at[0].edge, CT_EDGE_DEFAULT);
	assert_int_equal(s->pairs.at[0].delay_ns, 497000);
	assert_int_equal(s->pairs.at[1].victim, mb_op(b, behind));
	assert_int_equal(s->pairs.at[1].waited_op, mb_op(b, null));
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(s->pairs.at[i].culprit, mb_host_index(b, mb_launcher(b, null)));
}

static void test_queue_full(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *full, *victim;
	const struct ct_serialization *s;

	two_streams(b);
	mb_launch(b, S1, -10, -5, 0, 1500);
	full = mb_launch(b, S1, 0, 1000, 1500, 1600);
	mb_overhead(b, CT_OVERHEAD_QUEUE_FULL, 10, 990);
	victim = mb_launch(b, S2, 1000, 1005, 1010, 1900);
	s = mb_serialize(b);
	assert_int_equal(s->pairs.count, 1);
	assert_int_equal(s->pairs.at[0].culprit, mb_host_index(b, mb_launcher(b, full)));
	assert_int_equal(s->pairs.at[0].victim, mb_op(b, victim));
	assert_int_equal(s->pairs.at[0].waited_op, CT_NONE);
	assert_int_equal(s->pairs.at[0].delay_ns, 990000); /* from 20 on */
	assert_int_equal(s->pairs.at[0].lost_ns, 300000); /* the run ends at 1600, not 1900 */
}

/* Two streams each with a host function of 400 us; one thread runs both. */
static void test_host_functions(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *first, *second;
	struct ct_device_op *after_first, *after_second;
	const struct ct_serialization *s;

	two_streams(b);
	mb_stream(b, S3, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S3, 0, 1, 2, 2000); /* other work to run beside */
	first = mb_call_on(b, CT_API_cudaLaunchHostFunc, S1, 10, 12);
	second = mb_call_on(b, CT_API_cudaLaunchHostFunc, S2, 12, 14);
	after_first = mb_launch(b, S1, 14, 16, 410, 500);
	after_second = mb_launch(b, S2, 16, 18, 810, 900);
	s = mb_serialize(b);
	assert_int_equal(s->pairs.count, 1);
	expect_pair(b, 0, first, after_second, 410 - 12, 90);
	assert_int_equal(s->pairs.at[0].edge, CT_EDGE_HOST_FUNCTION);
	assert_int_equal(s->pairs.at[0].through, mb_host_index(b, second));
	assert_true(s->pairs.at[0].victim != mb_op(b, after_first));
}

/* Functions of one stream follow each other anyway; those of others did not meet. */
static void test_host_functions_apart(void **state)
{
	struct model_builder *b = *state;

	two_streams(b);
	mb_stream(b, S3, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S3, 0, 1, 2, 2000);
	mb_call_on(b, CT_API_cudaLaunchHostFunc, S1, 10, 12);
	mb_call_on(b, CT_API_cudaLaunchHostFunc, S1, 12, 14);
	mb_launch(b, S1, 14, 16, 410, 500);
	mb_call_on(b, CT_API_cudaLaunchHostFunc, S2, 405, 412);
	mb_launch(b, S2, 412, 415, 810, 900);
	assert_int_equal(mb_serialize(b)->pairs.count, 0);
}

/*
 * One that nothing follows shows no gap; where a stream still works when its function is called,
 * the gap begins with the end of that work.
 */
static void test_host_functions_gaps(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *first, *second;
	struct ct_device_op *victim;

	two_streams(b);
	mb_stream(b, S3, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S3, 0, 1, 2, 2000);
	mb_launch(b, S2, 1, 2, 3, 300);
	first = mb_call_on(b, CT_API_cudaLaunchHostFunc, S1, 10, 12);
	second = mb_call_on(b, CT_API_cudaStreamAddCallback, S2, 12, 14);
	mb_launch(b, S1, 14, 16, 410, 500);
	victim = mb_launch(b, S2, 16, 18, 810, 900);
	mb_call_on(b, CT_API_cudaLaunchHostFunc, S2, 1000, 1001);
	assert_int_equal(mb_serialize(b)->pairs.count, 1);
	expect_pair(b, 0, first, victim, 410 - 300, 90);
	assert_int_equal(b->serialization->pairs.at[0].through, mb_host_index(b, second));
}

/* Two threads and three streams with frees, copies and a lock, said in any order. */
static void busy_run(struct model_builder *b)
{
	mb_restart(b);
	two_streams(b);
	mb_stream(b, S3, CT_STREAM_FLAG_BLOCKING);
	for (int i = 0; i < 12; i++) {
		double t = 3000 * i;
		struct ct_event *event;
		struct ct_call *copy;

		mb_thread(b, MB_A);
		mb_launch(b, S1, t, t + 5, t + 10, t + 800 + i);
		mb_call_about(b, CT_API_cudaFree, BLOCK + (uint64_t)i, t + 5, t + 810 + i);
		mb_launch(b, S2, t + 820, t + 825, t + 830, t + 1700);
		copy = mb_call_on(b, CT_API_cudaMemcpyAsync, S2, t + 830, t + 1760);
		mb_copy(b, copy, S2, CT_MEMORY_PAGEABLE, t + 1705, t + 1750);
		mb_launch(b, S1, t + 1765, t + 1770, t + 1775, t + 2300);
		event = mb_record_event(b, 3, S1, t + 1770, t + 1772);
		mb_sync_event(b, event, t + 1780, t + 2304);
		mb_thread(b, MB_B);
		mb_launch(b, S3, t + 100, t + 815 + i, t + 830 + i, t + 2700);
		mb_launch(b, MB_LEGACY, t + 850, t + 855, t + 2703, t + 2900);
	}
}

static uint64_t device_wait(const struct ct_model *model)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < model->calls.count; i++)
		sum += model->calls.at[i].parts[CT_PART_DEVICE_WAIT];
	return sum;
}

static void test_order_of_records(void **state)
{
	struct model_builder *b = *state;
	struct ct_pair *pairs;
	uint64_t waited;
	size_t count;

	busy_run(b);
	mb_serialize(b);
	count = b->serialization->pairs.count;
	assert_true(count >= 24);
	waited = device_wait(b->model);
	pairs = b->serialization->pairs.at;
	b->serialization->pairs.at = NULL; /* ours now */
	for (unsigned seed = 0; seed < 50; seed++) {
		mb_shuffle(b, seed);
		mb_serialize(b);
		assert_int_equal(b->serialization->pairs.count, count);
		assert_int_equal(device_wait(b->model), waited);
		for (size_t i = 0; i < count; i++) {
			const struct ct_pair *p = &b->serialization->pairs.at[i];

			assert_int_equal(p->culprit, pairs[i].culprit);
			assert_int_equal(p->victim, pairs[i].victim);
			assert_int_equal(p->waited_op, pairs[i].waited_op);
			assert_int_equal(p->through, pairs[i].through);
			assert_int_equal(p->edge, pairs[i].edge);
			assert_int_equal(p->delay_ns, pairs[i].delay_ns);
			assert_int_equal(p->lost_ns, pairs[i].lost_ns);
		}
	}
	free(pairs);
}

/* A loss that is nothing beside a first use stands behind it; what was asked for makes no loss a trifle. */
static void test_trifles(void **state)
{
	struct ct_site all[] = {
		{ .effects = CT_FREE, .lost_ns = 10000, .blocked_ns = 10000 },
		{ .effects = CT_INIT, .blocked_ns = 100000000 },
		{ .effects = CT_FREE, .lost_ns = 1000000, .blocked_ns = 2000000 },
		{ .effects = CT_SYNC, .blocked_ns = 20000000000 },
		{ .effects = CT_FREE, .lost_ns = 999999, .blocked_ns = 3000000 },
	};
	static const uint32_t ranked[] = { 2, 3, 1, 4, 0 };
	struct ct_sites sites = { .all = { .at = all, .count = sizeof(all) / sizeof(all[0]) } };

	(void)state;
	assert_int_equal(ct_sites_rank(&sites), 0);
	assert_memory_equal(sites.ranked, ranked, sizeof(ranked));
	free(sites.ranked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_free_between_streams),
		MB_TEST(test_same_stream),
		MB_TEST(test_asked),
		MB_TEST(test_captured),
		MB_TEST(test_two_sites),
		MB_TEST(test_trifles),
		MB_TEST(test_behind_event),
		MB_TEST(test_full_device),
		MB_TEST(test_several_victims),
		MB_TEST(test_too_short),
		MB_TEST(test_through_lock),
		MB_TEST(test_default_stream),
		MB_TEST(test_queue_full),
		MB_TEST(test_host_functions),
		MB_TEST(test_host_functions_apart),
		MB_TEST(test_host_functions_gaps),
		MB_TEST(test_order_of_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
