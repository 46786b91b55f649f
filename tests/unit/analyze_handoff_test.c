/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that goes on when another's call has returned: seen from when, and replayed so. */
#include "tests/unit/model_builder.h"

#include "analyze/handoff.h"
#include "analyze/replay.h"

#define S1 21
#define BLOCK 0xa0000
#define ROUNDS 48

/* One round in microseconds: A waits for a kernel in a free; B goes on after it. */
struct rhythm {
	double period, period_step; /* of A; every third round is two steps longer than the first */
	double delay;               /* of B after A's free, */
	bool own;                   /* or after its own call before, whatever A does */
	int rounds;
	double own_step;            /* its own pace varies by some of these, */
	double late_step;           /* and its delay, eight rounds alike */
	bool more;                  /* B's further calls, 230 us after those */
};

static struct ct_call *frees[ROUNDS], *allocations[ROUNDS];

static const struct ct_model *play(struct model_builder *b, const struct rhythm *rhythm)
{
	double at = 0, b_left = -1000;

	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	for (int i = 0; i < rhythm->rounds; i++) {
		double end = at + rhythm->period + i % 3 * rhythm->period_step;
		double own = b_left + rhythm->period + i * i % 7 * rhythm->own_step;
		double enter = rhythm->own ? own : end + rhythm->delay + i / 8 % 2 * rhythm->late_step;

		mb_thread(b, MB_A);
		mb_launch(b, S1, at, at + 5, at + 10, end - 10);
		frees[i] = mb_call_about(b, CT_API_cudaFree, BLOCK, at + 5, end);
		mb_thread(b, MB_B);
		allocations[i] = mb_call_about(b, CT_API_cudaMalloc, BLOCK, enter, enter + 20);
		if (rhythm->more)
			mb_call_about(b, CT_API_cudaMalloc, BLOCK, enter + 250, enter + 260);
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

	/* B's first call ends no pause; after its last the trace ends, and with it what is known */
	expect(b, (struct rhythm){ 1000, 100, 30, false, ROUNDS, 0, 0, false }, ROUNDS - 2);
	expect(b, (struct rhythm){ 1000, 100, 110, false, ROUNDS, 0, 0, false }, ROUNDS - 2);
	/* woken sooner or later: that varies nearly as much as the pauses do, but goes its own way */
	expect(b, (struct rhythm){ 1000, 25, 30, false, ROUNDS, 0, 24, false }, ROUNDS - 2);
	expect(b, (struct rhythm){ 1000, 25, 30, false, 24, 0, 20, false }, 22);
	/* not soon, but so evenly that it is no chance */
	expect(b, (struct rhythm){ 1000, 100, 200, false, ROUNDS, 0, 0, false }, ROUNDS - 2);
}

/* Threads that are known for something else than calls are no reason to look for nothing. */
static void test_idle_threads(void **state)
{
	struct model_builder *b = *state;

	for (uint32_t i = 0; i < 2 * CT_HANDOFF_THREADS; i++) {
		mb_thread(b, 1000 + i);
		mb_overhead(b, CT_OVERHEAD_BUFFER_FLUSH, 10 * i, 10 * i + 1);
	}
	expect(b, (struct rhythm){ 1000, 100, 30, false, ROUNDS, 0, 0, false }, ROUNDS - 2);
}

static void test_not_found(void **state)
{
	struct model_builder *b = *state;

	/* too few; at its own pace, even or not; not soon, and varied, or seen seldom; long after; of half its pauses */
	expect(b, (struct rhythm){ 1000, 100, 30, false, CT_HANDOFF_LEAST, 0, 0, false }, 0);
	expect(b, (struct rhythm){ 1000, 100, 0, true, ROUNDS, 0, 0, false }, 0);
	expect(b, (struct rhythm){ 1000, 100, 0, true, ROUNDS, 100, 0, false }, 0);
	expect(b, (struct rhythm){ 1000, 25, 200, false, ROUNDS, 0, 35, false }, 0);
	expect(b, (struct rhythm){ 1000, 100, 200, false, 16, 0, 0, false }, 0);
	expect(b, (struct rhythm){ 700, 100, 290, false, ROUNDS, 0, 0, false }, 0);
	expect(b, (struct rhythm){ 1000, 100, 30, false, ROUNDS, 0, 0, true }, 0);
}

/*
 * Threads that wake by one clock, each a little late by itself: of so many pairs some go together
 * as well as one in 700 does by chance.
 */
static void test_by_chance(void **state)
{
	struct model_builder *b = *state;
	const struct ct_model *model;
	uint32_t *after, random = 8;

	for (int round = 0; round < 150; round++)
		for (uint32_t t = 0; t < 16; t++) {
			double at = 1000 * round + 2.5 * t;

			random ^= random << 13; /* Marsaglia, Xorshift RNGs (2003) */
			random ^= random >> 17;
			random ^= random << 5;
			at += 1.4 * (random >> 8) / (1 << 24);
			mb_thread(b, 1000 + t);
			mb_call(b, CT_API_cudaSetDevice, at, at + 1);
		}
	model = mb_split(b);
	after = malloc(model->calls.count * sizeof(*after));
	assert_int_equal(ct_handoffs_find(model, after), 0);
	for (size_t i = 0; i < model->calls.count; i++)
		assert_int_equal(after[i], CT_NONE);
	free(after);
}

/* B at its own even pace, and A's returns happen to lie 30 to 80 us before it goes on. */
static void test_in_step(void **state)
{
	static const double ends[3] = { 1000, 2350, 3750 };
	struct model_builder *b = *state;

	for (int i = 0; i < ROUNDS; i++) {
		double end = i / 3 * 4050 + ends[i % 3], enter = i * 1350 + 1080;

		mb_thread(b, MB_A);
		frees[i] = mb_call_about(b, CT_API_cudaFree, BLOCK, end - 1000, end);
		mb_thread(b, MB_B);
		allocations[i] = mb_call_about(b, CT_API_cudaMalloc, BLOCK, enter, enter + 20);
	}
	assert_int_equal(handoffs(b, mb_split(b)), 0);
}

/* What A's return lies in, however evenly before the end, is no pause that it ended. */
static void test_most_of_it(void **state)
{
	struct model_builder *b = *state;

	for (int i = 0; i < ROUNDS; i++) {
		double end = 1400 * i + 1000;

		mb_thread(b, MB_A);
		frees[i] = mb_call_about(b, CT_API_cudaFree, BLOCK, end - 500, end);
		mb_thread(b, MB_B);
		mb_call(b, CT_API_cudaSetDevice, end - 60 - i % 4 * 10, end - 50 - i % 4 * 10);
		allocations[i] = mb_call_about(b, CT_API_cudaMalloc, BLOCK, end + 200, end + 220);
	}
	assert_int_equal(handoffs(b, mb_split(b)), 0);
}

/* -1..1, more often about 0. */
static double jitter(uint32_t *seed)
{
	double sum = 0;

	for (int i = 0; i < 3; i++) {
		*seed = *seed * 1664525u + 1013904223u;
		sum += (double)(*seed >> 8) / (1 << 23) - 1;
	}
	return sum / 3;
}

/* Both at an even pace of one clock, and A returns now before B goes on, now after. */
static void test_one_clock(void **state)
{
	struct model_builder *b = *state;
	uint32_t seed = 1;

	for (int run = 0; run < 60; run++) {
		for (int i = 0; i < ROUNDS; i++) {
			double end = 2000 * i + 1000 + 150 * jitter(&seed);
			double enter = 2000 * i + 1075 + 150 * jitter(&seed);

			mb_thread(b, MB_A);
			frees[i] = mb_call_about(b, CT_API_cudaFree, BLOCK, end - 500, end);
			mb_thread(b, MB_B);
			allocations[i] = mb_call_about(b, CT_API_cudaMalloc, BLOCK, enter, enter + 20);
		}
		assert_int_equal(handoffs(b, mb_split(b)), 0);
		mb_restart(b);
	}
}

/* A third thread wakes both now and then. B's own work takes as long whatever A's free waits for. */
static void test_one_cause(void **state)
{
	struct model_builder *b = *state;
	double woken = 0;

	for (int i = 0; i < ROUNDS; i++, woken += 1000 + i * i % 7 * 300) {
		mb_thread(b, MB_A);
		frees[i] = mb_call_about(b, CT_API_cudaFree, BLOCK, woken + 10, woken + 50 + i % 5 * 20);
		mb_thread(b, MB_B);
		allocations[i] = mb_call_about(b, CT_API_cudaMalloc, BLOCK, woken + 200 + i % 3 * 5, woken + 240);
	}
	assert_int_equal(handoffs(b, mb_split(b)), 0);
}

/* The same, A always first, and seen seldom: that the delay varies less may be chance. */
static void test_few(void **state)
{
	struct model_builder *b = *state;
	uint32_t seed = 1;

	for (int run = 0; run < 150; run++) {
		for (int i = 0; i < 16; i++) {
			double end = 2000 * i + 1000 + 30 * jitter(&seed);
			double enter = 2000 * i + 1100 + 30 * jitter(&seed);

			mb_thread(b, MB_A);
			frees[i] = mb_call_about(b, CT_API_cudaFree, BLOCK, end - 500, end);
			mb_thread(b, MB_B);
			allocations[i] = mb_call_about(b, CT_API_cudaMalloc, BLOCK, enter, enter + 20);
		}
		allocations[16] = NULL;
		assert_int_equal(handoffs(b, mb_split(b)), 0);
		mb_restart(b);
	}
}

static void test_replayed(void **state)
{
	struct model_builder *b = *state;
	struct rhythm rhythm = { 1000, 100, 30, false, ROUNDS, 0, 0, false };
	const struct ct_model *model = play(b, &rhythm);
	uint32_t last = mb_host_index(b, allocations[ROUNDS - 2]);
	uint32_t freed = mb_host_index(b, frees[ROUNDS - 2]);
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
		MB_TEST(test_idle_threads),
		MB_TEST(test_not_found),
		MB_TEST(test_by_chance),
		MB_TEST(test_in_step),
		MB_TEST(test_most_of_it),
		MB_TEST(test_one_clock),
		MB_TEST(test_one_cause),
		MB_TEST(test_few),
		MB_TEST(test_replayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
