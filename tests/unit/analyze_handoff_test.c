/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that goes on when another's call has returned: seen from when, and replayed so. */
#include "tests/unit/model_builder.h"

#include "analyze/handoff.h"
#include "analyze/replay.h"

#define S1 21
#define BLOCK 0xa0000
#define ROUNDS 10

/* One round in microseconds: A waits for a kernel in a free; B goes on after it. */
struct rhythm {
	double period, period_step; /* of A; every third round is two steps longer than the first */
	double delay;               /* of B after A's free, */
	bool own;                   /* or after its own call before, whatever A does */
	int rounds;
	int busy;                   /* further calls of A, 40 us apart */
};

static struct ct_call *frees[ROUNDS], *allocations[ROUNDS];

static const struct ct_model *play(struct model_builder *b, const struct rhythm *rhythm)
{
	double at = 0, b_left = -1000;

	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	for (int i = 0; i < rhythm->rounds; i++) {
		double end = at + rhythm->period + i % 3 * rhythm->period_step;
		double enter = rhythm->own ? b_left + rhythm->period : end + rhythm->delay;

		mb_thread(b, MB_A);
		mb_launch(b, S1, at, at + 5, at + 10, end - 10);
		frees[i] = mb_call_about(b, CT_API_cudaFree, BLOCK, at + 5, end);
		for (int n = 0; n < rhythm->busy; n++)
			mb_call(b, CT_API_cudaEventRecord, end + 5 + 40 * n, end + 6 + 40 * n);
		mb_thread(b, MB_B);
		allocations[i] = mb_call_about(b, CT_API_cudaMalloc, BLOCK, enter, enter + 20);
		b_left = enter + 20;
		at = end + 300;
	}
	return mb_split(b);
}

static size_t handoffs(struct model_builder *b, const struct ct_model *model)
{
	uint32_t *after = malloc((model->calls.count + 1) * sizeof(*after));
	size_t found = 0;

	assert_int_equal(ct_handoffs_find(model, after), 0);
	for (int i = 0; i < ROUNDS && allocations[i]; i++) {
		uint32_t of = after[mb_host_index(b, allocations[i])];

		assert_true(of == CT_NONE || of == mb_host_index(b, frees[i]));
		found += of != CT_NONE;
	}
	free(after);
	return found;
}

static void expect(struct model_builder *b, struct rhythm rhythm, size_t found)
{
	memset(allocations, 0, sizeof(allocations));
	assert_int_equal(handoffs(b, play(b, &rhythm)), found);
	mb_restart(b);
}

static void test_found(void **state)
{
	struct model_builder *b = *state;

	/* B's first call ends no pause */
	expect(b, (struct rhythm){ 1000, 100, 30, false, ROUNDS, 0 }, ROUNDS - 1);
}

static void test_not_found(void **state)
{
	struct model_builder *b = *state;

	/* too few; at its own pace; long after; A returns from something all the time */
	expect(b, (struct rhythm){ 1000, 100, 30, false, CT_HANDOFF_LEAST, 0 }, 0);
	expect(b, (struct rhythm){ 1000, 100, 0, true, ROUNDS, 0 }, 0);
	expect(b, (struct rhythm){ 1000, 100, 280, false, ROUNDS, 0 }, 0);
	expect(b, (struct rhythm){ 1000, 100, 25, false, ROUNDS, 5 }, 0);
}

static void test_replayed(void **state)
{
	struct model_builder *b = *state;
	struct rhythm rhythm = { 1000, 100, 30, false, ROUNDS, 0 };
	const struct ct_model *model = play(b, &rhythm);
	uint32_t last = mb_host_index(b, allocations[ROUNDS - 1]);
	uint32_t freed = mb_host_index(b, frees[ROUNDS - 1]);
	struct ct_replay *r;

	assert_int_equal(ct_replay_create(model, &r), 0);
	ct_replay_run(r);
	assert_int_equal(r->enter_ns[last], model->calls.at[last].raw.enter_ns);
	for (int i = 0; i < ROUNDS; i++)
		r->removed[mb_host_index(b, frees[i])] = CT_REMOVE_WAIT | CT_REMOVE_WORK;
	ct_replay_run(r);
	assert_int_equal(r->enter_ns[last], r->leave_ns[freed] + 30000);
	assert_true(r->enter_ns[last] + 5000000 < model->calls.at[last].raw.enter_ns);
	ct_replay_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_found),
		MB_TEST(test_not_found),
		MB_TEST(test_replayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
