/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold of every timeline, tried on random ones. */
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/blocking.h"
#include "analyze/replay.h"

#define ROUNDS 300
#define CALLS 60
#define THREADS 3
#define STREAMS 4
#define S1 21
#define BLOCK 0xa0000
#define APART 20.001 /* calls that begin closer to each other leave open which came first */

static uint32_t stream_number(uint32_t index)
{
	return index ? S1 + index : MB_LEGACY;
}

static void streams(struct model_builder *b)
{
	mb_stream(b, S1 + 1, CT_STREAM_FLAG_BLOCKING);
	mb_stream(b, S1 + 2, CT_STREAM_FLAG_BLOCKING);
	mb_stream(b, S1 + 3, CT_STREAM_FLAG_NON_BLOCKING);
}

/* Any calls, operations and overheads whatever: not even a device could have done that. */
static void nonsense(struct model_builder *b, uint64_t *seed)
{
	static const enum ct_api apis[] = {
		CT_API_cudaLaunchKernel, CT_API_cudaFree, CT_API_cudaMalloc, CT_API_cudaMemcpy,
		CT_API_cudaMemcpyAsync, CT_API_cudaStreamSynchronize, CT_API_cudaFreeAsync,
		CT_API_cudaMallocAsync, CT_API_cudaMemset, CT_API_cudaEventRecord,
		CT_API_cudaSetDevice, CT_API_cudaStreamQuery };
	double now[THREADS] = { 0 };

	for (int i = 0; i < CALLS; i++) {
		uint32_t thread = mb_random(seed, THREADS);
		uint32_t stream = stream_number(mb_random(seed, STREAMS));
		double enter = now[thread] + mb_random(seed, 50);
		double leave = enter + 1 + mb_random(seed, mb_random(seed, 2) ? 40 : 800);
		struct ct_call *call;

		mb_thread(b, MB_A + thread);
		call = mb_call_on(b, apis[mb_random(seed, sizeof(apis) / sizeof(apis[0]))], stream,
				  enter, leave);
		call->addr = BLOCK + mb_random(seed, 3);
		now[thread] = leave;
		for (uint32_t n = mb_random(seed, 3); n > 0; n--) {
			double start = enter + mb_random(seed, 600000) / 1000.0;
			double end = start + mb_random(seed, 500);

			if (mb_random(seed, 2))
				mb_kernel(b, call, stream, start, end);
			else
				mb_copy(b, call, stream,
					mb_random(seed, 2) ? CT_MEMORY_PAGEABLE : CT_MEMORY_PINNED,
					start, end);
		}
		for (uint32_t n = mb_random(seed, 4); n > 1; n--) {
			double start = enter + mb_random(seed, 300000) / 1000.0 - 30;

			mb_overhead(b, (enum ct_overhead_kind)mb_random(seed, 11), start,
				    start + mb_random(seed, 300));
		}
	}
}

/* The mode changes at any time, or not at all. */
static void modes(struct model_builder *b, uint64_t *seed)
{
	for (uint32_t n = mb_random(seed, 6); n > 0; n--)
		mb_note(b, CT_NOTE_MODE, mb_random(seed, 4000), mb_random(seed, 2));
}

/* Waits lie within their call, do not overlap, and are what its parts add up. */
static void check_waits(const struct ct_model *model, const struct ct_host_call *call)
{
	uint64_t parts[CT_PART_COUNT] = { 0 }, sum = 0;

	for (uint32_t i = 0; i < call->wait_count; i++) {
		const struct ct_wait *w = &model->waits.at[call->first_wait + i];

		assert_true(w->start_ns < w->end_ns);
		assert_true(w->start_ns >= call->raw.enter_ns && w->end_ns <= call->raw.leave_ns);
		assert_ptr_equal(&model->calls.at[w->call], call);
		assert_int_equal(w->part == CT_PART_LOCK_WAIT, w->other != CT_NONE);
		parts[w->part] += w->end_ns - w->start_ns;
		for (uint32_t j = 0; j < i; j++) {
			const struct ct_wait *v = &model->waits.at[call->first_wait + j];

			assert_true(v->end_ns <= w->start_ns || w->end_ns <= v->start_ns);
		}
	}
	assert_memory_equal(parts, call->parts, sizeof(parts));
	for (int part = 0; part < CT_PART_COUNT; part++)
		sum += parts[part];
	assert_int_equal(sum, call->raw.leave_ns - call->raw.enter_ns);
}

static void test_parts_sum(void **state)
{
	struct model_builder *b = *state;
	uint64_t seen[CT_PART_COUNT] = { 0 };
	uint64_t seed = 1;

	for (int round = 0; round < ROUNDS; round++) {
		mb_restart(b);
		streams(b);
		nonsense(b, &seed);
		modes(b, &seed);
		mb_split(b);
		assert_int_equal(b->model->calls.count, CALLS);
		for (size_t i = 0; i < CALLS; i++) {
			check_waits(b->model, &b->model->calls.at[i]);
			for (int part = 0; part < CT_PART_COUNT; part++)
				seen[part] += b->model->calls.at[i].parts[part] > 0;
		}
	}
	for (int part = 0; part < CT_PART_COUNT; part++)
		assert_true(seen[part] > 50);
}

static void test_mismatch_is_seen(void **state)
{
	struct model_builder *b = *state;

	mb_launch(b, MB_LEGACY, 0, 5, 10, 20);
	mb_launch(b, MB_LEGACY, 5, 9, 20, 30);
	mb_split(b);
	b->model->calls.at[1].parts[CT_PART_TOOL]++;
	assert_int_equal(ct_blocking_mismatches(b->model), 1);
}

/* Everything downstream survives nonsense as well, and says the same in any order. */
static void test_nonsense_in_any_order(void **state)
{
	struct model_builder *b = *state;
	uint64_t seed = 2;

	for (unsigned round = 0; round < 50; round++) {
		uint64_t lost, pairs, waits;

		mb_restart(b);
		streams(b);
		nonsense(b, &seed);
		modes(b, &seed);
		mb_serialize(b);
		lost = b->serialization->lost_ns;
		pairs = b->serialization->pairs.count;
		waits = b->model->waits.count;
		mb_shuffle(b, round);
		mb_serialize(b);
		assert_int_equal(b->serialization->lost_ns, lost);
		assert_int_equal(b->serialization->pairs.count, pairs);
		assert_int_equal(b->model->waits.count, waits);
	}
}

/* A machine that obeys the rules: streams in order, a lock, waits that are waits. */
struct machine {
	struct model_builder *b;
	uint64_t seed;
	double now[THREADS];
	double end[STREAMS];     /* of each stream's last operation */
	double lock_until;
	double entered;          /* when the latest call began */
};

static double later(double a, double b)
{
	return a > b ? a : b;
}

static double last_end(const struct machine *m)
{
	double end = 0;

	for (int s = 0; s < STREAMS; s++)
		end = later(end, m->end[s]);
	return end;
}

/* When an operation submitted to a stream can begin; then it does, for a while. */
static double run(struct machine *m, uint32_t stream, double submitted, double *ret_end)
{
	double start = later(submitted, m->end[stream]);

	if (stream == 0)
		start = later(start, later(m->end[1], m->end[2]));
	if (stream == 1 || stream == 2)
		start = later(start, m->end[0]);
	start += 2 + mb_random(&m->seed, 10);
	*ret_end = start + 20 + mb_random(&m->seed, 900) + mb_random(&m->seed, 1000) / 1000.0;
	m->end[stream] = *ret_end;
	return start;
}

/* The time from which a call that needs the lock can go on. */
static double locked(const struct machine *m, double enter)
{
	return later(enter, m->lock_until);
}

static double do_launch(struct machine *m, uint32_t stream, double enter)
{
	double submitted = locked(m, enter) + 1, end;
	double start = run(m, stream, submitted, &end);
	struct ct_call *call = mb_call_on(m->b, CT_API_cudaLaunchKernel, stream_number(stream),
					  enter, submitted + 4);

	mb_kernel(m->b, call, stream_number(stream), start, end);
	return submitted + 4;
}

static double do_free(struct machine *m, double enter)
{
	double leave = later(locked(m, enter), last_end(m)) + 6;

	mb_call_about(m->b, CT_API_cudaFree, BLOCK, enter, leave);
	m->lock_until = leave;
	return leave;
}

static double do_pageable(struct machine *m, uint32_t stream, double enter)
{
	double end, start = run(m, stream, locked(m, enter), &end);
	struct ct_call *call = mb_call_on(m->b, CT_API_cudaMemcpyAsync, stream_number(stream),
					  enter, end + 3);

	mb_copy(m->b, call, stream_number(stream), CT_MEMORY_PAGEABLE, start, end);
	return end + 3;
}

static double do_sync(struct machine *m, uint32_t stream, double enter)
{
	bool device = mb_random(&m->seed, 2);
	double leave = later(enter, device ? last_end(m) : m->end[stream]) + 5;

	if (device)
		mb_sync_device(m->b, enter, leave);
	else
		mb_sync_stream(m->b, stream_number(stream), enter, leave);
	return leave;
}

static double do_queue_full(struct machine *m, uint32_t stream, double enter)
{
	double full = locked(m, enter) + 30 + mb_random(&m->seed, 200), end;
	double start = run(m, stream, full + 1, &end);
	struct ct_call *call = mb_call_on(m->b, CT_API_cudaLaunchKernel, stream_number(stream),
					  enter, full + 4);

	mb_kernel(m->b, call, stream_number(stream), start, end);
	mb_overhead(m->b, CT_OVERHEAD_QUEUE_FULL, full - 30, full);
	return full + 4;
}

/* The thread that is furthest behind makes the next call, so calls come in order of time. */
static void step(struct machine *m)
{
	uint32_t thread = 0, stream = mb_random(&m->seed, STREAMS);
	double enter;

	for (uint32_t t = 1; t < THREADS; t++)
		if (m->now[t] < m->now[thread])
			thread = t;
	mb_thread(m->b, MB_A + thread);
	enter = m->now[thread] + 1 + mb_random(&m->seed, 60) + mb_random(&m->seed, 1000) / 1000.0;
	enter = later(enter, m->entered + APART);
	m->entered = enter;
	switch (mb_random(&m->seed, 10)) {
	case 0:
		m->now[thread] = do_free(m, enter);
		break;
	case 1:
		m->now[thread] = do_pageable(m, stream, enter);
		break;
	case 2:
	case 3:
		m->now[thread] = do_sync(m, stream, enter);
		break;
	case 4:
		m->now[thread] = do_queue_full(m, stream, enter);
		break;
	default:
		m->now[thread] = do_launch(m, stream, enter);
		break;
	}
}

static void possible_run(struct model_builder *b, uint64_t seed, uint32_t calls)
{
	struct machine m = { .b = b, .seed = seed };

	mb_restart(b);
	streams(b);
	for (uint32_t t = 0; t < THREADS; t++)
		m.now[t] = 7 * t;
	for (uint32_t i = 0; i < calls; i++)
		step(&m);
}

static void expect_unchanged(const struct ct_model *model, const struct ct_replay *r)
{
	for (size_t i = 0; i < model->calls.count; i++) {
		assert_int_equal(r->enter_ns[i], model->calls.at[i].raw.enter_ns);
		assert_int_equal(r->leave_ns[i], model->calls.at[i].raw.leave_ns);
	}
	for (size_t i = 0; i < model->ops.count; i++) {
		assert_int_equal(r->start_ns[i], model->ops.at[i].raw.start_ns);
		assert_int_equal(r->end_ns[i], model->ops.at[i].raw.end_ns);
	}
	assert_int_equal(r->total_end_ns, model->end_ns);
}

static void test_replay_is_exact(void **state)
{
	struct model_builder *b = *state;
	uint64_t seen[CT_PART_COUNT] = { 0 };

	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct ct_replay *r;

		possible_run(b, seed * 77777, CALLS);
		mb_split(b);
		for (size_t i = 0; i < b->model->calls.count; i++)
			for (int part = 0; part < CT_PART_COUNT; part++)
				seen[part] += b->model->calls.at[i].parts[part] > 0;
		assert_int_equal(ct_replay_create(b->model, &r), 0);
		for (int again = 0; again < 2; again++) {
			ct_replay_run(r);
			expect_unchanged(b->model, r);
		}
		ct_replay_destroy(r);
	}
	assert_true(seen[CT_PART_DEVICE_WAIT] > 100 && seen[CT_PART_LOCK_WAIT] > 100);
	assert_true(seen[CT_PART_QUEUE_FULL] > 100 && seen[CT_PART_TRANSFER] > 100);
}

/* Nothing ends later for want of waits, and no kernel gets longer. */
static void test_removing_never_costs(void **state)
{
	struct model_builder *b = *state;

	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct ct_replay *r;

		possible_run(b, seed * 55555, CALLS);
		mb_split(b);
		assert_int_equal(ct_replay_create(b->model, &r), 0);
		for (size_t i = 0; i < b->model->calls.count; i++)
			if (b->model->calls.at[i].effects & CT_FREE)
				r->removed[i] = CT_REMOVE_WAIT;
		ct_replay_run(r);
		assert_true(r->total_end_ns <= b->model->end_ns);
		for (size_t i = 0; i < b->model->ops.count; i++) {
			const struct ct_device_op *op = &b->model->ops.at[i].raw;

			assert_int_equal(r->end_ns[i] - r->start_ns[i], op->end_ns - op->start_ns);
			assert_true(r->start_ns[i] <= op->start_ns);
		}
		for (size_t i = 0; i < b->model->calls.count; i++)
			assert_true(r->leave_ns[i] <= b->model->calls.at[i].raw.leave_ns);
		ct_replay_destroy(r);
	}
}

/* Who waits for a lock waits for a call that does not wait for the same in turn. */
static void test_locks_have_no_circle(void **state)
{
	struct model_builder *b = *state;

	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		possible_run(b, seed * 33333, CALLS);
		mb_split(b);
		for (size_t i = 0; i < b->model->waits.count; i++) {
			uint32_t at = (uint32_t)i, steps = 0;

			while (at != CT_NONE && b->model->waits.at[at].other != CT_NONE) {
				const struct ct_host_call *holder =
					&b->model->calls.at[b->model->waits.at[at].other];

				assert_true(++steps <= b->model->calls.count);
				at = CT_NONE;
				for (uint32_t n = 0; n < holder->wait_count; n++)
					if (b->model->waits.at[holder->first_wait + n].other != CT_NONE)
						at = holder->first_wait + n;
			}
		}
	}
}

/* What an analysis says of a call. */
struct told {
	uint64_t enter_ns; /* no two calls begin at one time */
	uint64_t parts[CT_PART_COUNT];
	uint32_t released_by[CT_PART_COUNT]; /* correlation of the operation; 0 = none */
};

static void listen(const struct ct_model *model, size_t index, struct told *ret)
{
	const struct ct_host_call *call = &model->calls.at[index];

	memset(ret, 0, sizeof(*ret));
	ret->enter_ns = call->raw.enter_ns;
	memcpy(ret->parts, call->parts, sizeof(ret->parts));
	for (uint32_t i = 0; i < call->wait_count; i++) {
		const struct ct_wait *w = &model->waits.at[call->first_wait + i];

		if (w->op != CT_NONE)
			ret->released_by[w->part] = model->ops.at[w->op].raw.correlation;
	}
}

/*
 * A flight recorder that has lost the beginning says of the calls that it kept what it would
 * have said with all of it, or that it does not know. (Who held a lock may be gone.)
 */
static void test_kept_part_says_the_same(void **state)
{
	static struct told whole[CALLS], part;
	struct model_builder *b = *state;
	unsigned calls = 0, other = 0;

	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		size_t gone;

		b->kept_from_us = 0;
		possible_run(b, seed * 11111, CALLS);
		mb_split(b);
		for (size_t i = 0; i < CALLS; i++)
			listen(b->model, i, &whole[i]);
		b->kept_from_us = mb_us(whole[10 + seed % 30].enter_ns - 1 - mb_ns(0));
		gone = CALLS - mb_split(b)->calls.count;
		for (size_t i = gone; i < CALLS; i++, calls++) {
			listen(b->model, i - gone, &part);
			assert_int_equal(part.enter_ns, whole[i].enter_ns);
			assert_true(part.parts[CT_PART_DEVICE_WAIT] <= whole[i].parts[CT_PART_DEVICE_WAIT]);
			assert_true(part.parts[CT_PART_LOCK_WAIT] <= whole[i].parts[CT_PART_LOCK_WAIT]);
			assert_true(part.parts[CT_PART_QUEUE_FULL] <= whole[i].parts[CT_PART_QUEUE_FULL]);
			assert_true(part.parts[CT_PART_FIRST_USE] <= whole[i].parts[CT_PART_FIRST_USE]);
			other += memcmp(&part, &whole[i], sizeof(part)) != 0;
		}
	}
	assert_true(calls > 30 * ROUNDS);
	assert_true(other < calls / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_parts_sum),
		MB_TEST(test_mismatch_is_seen),
		MB_TEST(test_nonsense_in_any_order),
		MB_TEST(test_replay_is_exact),
		MB_TEST(test_removing_never_costs),
		MB_TEST(test_locks_have_no_circle),
		MB_TEST(test_kept_part_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
