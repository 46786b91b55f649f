/* SPDX-License-Identifier: Apache-2.0 */
/* What calls leave cold: how much sooner what follows them is done where they are not made. */
#include "tests/unit/model_builder.h"

#include "analyze/poll.h"
#include "analyze/replay.h"

#define BLOCK 0xa0000
#define ALL (CT_REMOVE_WORK | CT_REMOVE_CALL | CT_REMOVE_COLD)

static void expect_call(const struct model_builder *b, const struct ct_replay *r,
			const struct ct_call *call, double enter, double leave)
{
	assert_int_equal(r->enter_ns[mb_host_index(b, call)], mb_ns(enter));
	assert_int_equal(r->leave_ns[mb_host_index(b, call)], mb_ns(leave));
}

static void without(const struct model_builder *b, struct ct_replay *r, const struct ct_call *call,
		    uint8_t what)
{
	r->removed[mb_host_index(b, call)] = what;
	ct_replay_run(r);
	r->removed[mb_host_index(b, call)] = 0;
}

/* Caches full of the driver's code slow down what a thread does next, until it has lost enough. */
static void test_slower_behind(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *mapped = mb_call_about(b, CT_API_cudaMalloc, BLOCK, 0, 50);
	struct ct_call *soon = mb_call_about(b, CT_API_cudaMalloc, 2 * BLOCK, 60, 85);
	struct ct_call *quick = mb_call_about(b, CT_API_cudaMalloc, 3 * BLOCK, 210, 220);
	struct ct_call *last = mb_call(b, CT_API_cudaSetDevice, 320, 321);
	struct ct_call *around = mb_call_about(b, CT_API_cudaMalloc, BLOCK, 400, 450);
	struct ct_call *inside = mb_call(b, CT_API_cudaSetDevice, 440, 441);
	struct ct_replay *r;

	assert_int_equal(ct_replay_create(mb_split(b), &r), 0);
	without(b, r, mapped, ALL & ~CT_REMOVE_COLD);
	expect_call(b, r, soon, 10, 35);
	without(b, r, mapped, ALL);
	expect_call(b, r, soon, 6, 21);     /* four tenths of the time between, and of the call */
	expect_call(b, r, quick, 140, 150); /* but of 50 us no more than 20 in all */
	without(b, r, soon, ALL);
	expect_call(b, r, quick, 175, 185);
	without(b, r, quick, ALL);
	expect_call(b, r, last, 310, 311); /* no longer in the driver than to hand out what it has */
	without(b, r, around, ALL);
	expect_call(b, r, inside, 390, 390.6); /* there is no time between */
	ct_replay_destroy(r);
}

/* However many they are, and however long: caches have an end. */
static void test_how_cold(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *lasting = mb_call_about(b, CT_API_cudaMalloc, BLOCK, 0, 1000);
	struct ct_call *next = mb_call_about(b, CT_API_cudaMalloc, 2 * BLOCK, 1010, 1060);
	struct ct_call *later = mb_call(b, CT_API_cudaSetDevice, 1260, 1261);
	struct ct_replay *r;

	assert_int_equal(ct_replay_create(mb_split(b), &r), 0);
	without(b, r, lasting, ALL);
	expect_call(b, r, next, 6, 36);
	expect_call(b, r, later, 220, 221);
	r->removed[mb_host_index(b, next)] = ALL;
	without(b, r, lasting, ALL);
	expect_call(b, r, later, 166, 167);
	ct_replay_destroy(r);
}

/* What asks again and again whether work is done waits for that: it would not be done any sooner. */
static void test_polls(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *lasting = mb_call_about(b, CT_API_cudaMalloc, BLOCK, 0, 1000);
	struct ct_call *done, *next;
	struct ct_replay *r;

	mb_launch(b, MB_LEGACY, 1000, 1005, 1010, 1105);
	for (int i = 0; i < 10; i++)
		mb_call_on(b, CT_API_cudaStreamQuery, MB_LEGACY, 1010 + 10 * i, 1012 + 10 * i)->error = CT_NOT_READY;
	done = mb_call_on(b, CT_API_cudaStreamQuery, MB_LEGACY, 1110, 1112);
	next = mb_call(b, CT_API_cudaSetDevice, 1122, 1123);
	assert_int_equal(ct_replay_create(mb_split(b), &r), 0);
	without(b, r, lasting, ALL);
	expect_call(b, r, done, 106, 107.2); /* four tenths of the launch and of 5 us behind it, and of itself */
	expect_call(b, r, next, 113.2, 113.8);
	ct_replay_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_slower_behind),
		MB_TEST(test_how_cold),
		MB_TEST(test_polls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
