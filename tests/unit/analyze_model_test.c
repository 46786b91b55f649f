/* SPDX-License-Identifier: Apache-2.0 */
/* Models at their edges: shares of a device, far correlations, many streams and polls. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/poll.h"
#include "analyze/scope.h"

static struct model_builder *of(void **state)
{
	return *state;
}

static void test_no_file(void **state)
{
	struct ct_model *model = NULL;

	(void)state;
	assert_int_equal(ct_model_load("/tmp/cutrace-there-is-no-such-file", &model), -ENOENT);
	assert_null(model);
	ct_model_destroy(NULL);
}

/* Correlations too far apart for a table are searched for; others are not found. */
static void test_far_correlations(void **state)
{
	static const uint32_t numbers[] = { 50, 70, 4000000000u, 900000, 77 };
	struct model_builder *b = of(state);
	struct ct_model *model;

	for (size_t i = 0; i < 5; i++) {
		double at = 1000.0 * (double)i;
		struct ct_device_op *op = mb_launch(b, MB_LEGACY, at, at + 2, at + 5, at + 90);

		mb_launcher(b, op)->correlation = numbers[i];
		op->correlation = numbers[i];
	}
	model = mb_load(b);
	assert_int_equal(model->call_table.count, 0);
	for (size_t i = 0; i < 5; i++) {
		uint32_t call = ct_model_call_of(model, numbers[i]);

		assert_int_equal(call, i); /* calls are in order of time */
		assert_int_equal(model->ops.at[i].call, i);
		assert_int_equal(ct_model_op_of(model, &model->calls.at[call], 0), i);
	}
	assert_int_equal(ct_model_call_of(model, 4), CT_NONE);
	assert_int_equal(ct_model_call_of(model, 71), CT_NONE);
	assert_int_equal(ct_model_call_of(model, UINT32_MAX), CT_NONE);
}

/* A kernel whose registers, shared memory or odd block limit what fits. */
static struct ct_device_op *kernel(struct model_builder *b, double at, uint32_t grid)
{
	struct ct_device_op *op = mb_launch(b, MB_LEGACY, at, at + 2, at + 5, at + 90);

	op->u.kernel.grid_x = grid;
	op->u.kernel.block_x = 256; /* 8 of 32 warps */
	return op;
}

static void expect_share(const struct model_builder *b, const struct ct_device_op *op, double share)
{
	assert_float_equal(b->model->ops.at[mb_op(b, op)].share, share, 1e-6);
}

static void test_occupancy(void **state)
{
	struct model_builder *b = of(state);
	struct ct_gpu *gpu = &b->records[0].u.gpu;
	struct ct_device_op *plain, *registers, *shared, *huge, *no_block, *other_gpu, *all;

	gpu->registers_per_multiprocessor = 65536;
	gpu->shared_per_multiprocessor = 100000;
	plain = kernel(b, 0, 100);
	registers = kernel(b, 1000, 50);
	registers->u.kernel.registers = 128; /* 2 blocks of 32768 registers */
	shared = kernel(b, 2000, 50);
	shared->shared_bytes = 40000; /* 2 blocks */
	huge = kernel(b, 3000, 50);
	huge->shared_bytes = 200000; /* more than there is: one block, for it did run */
	no_block = kernel(b, 4000, 50);
	no_block->u.kernel.block_x = 0;
	other_gpu = kernel(b, 5000, 50);
	other_gpu->device = 3; /* nothing is known of it */
	all = kernel(b, 6000, 100000);
	mb_load(b);
	expect_share(b, plain, 100.0 / (MB_FULL * 4));
	expect_share(b, registers, 50.0 / (MB_FULL * 2));
	expect_share(b, shared, 50.0 / (MB_FULL * 2));
	expect_share(b, huge, 50.0 / MB_FULL);
	expect_share(b, no_block, 0);
	expect_share(b, other_gpu, 0);
	expect_share(b, all, 1);
	gpu->warps_per_multiprocessor = 0;
	mb_load(b);
	expect_share(b, plain, 0);
}

/* Of more busy streams than are kept, the one that ends last is kept. */
static void test_many_streams(void **state)
{
	enum { STREAMS = CT_SCOPE_STREAMS_MAX + 40 };
	struct model_builder *b = of(state);
	struct ct_device_op *last = NULL;
	struct ct_scope scope;
	struct ct_call *sync;
	bool among = false;

	for (uint32_t s = 0; s < STREAMS; s++) {
		struct ct_device_op *op;

		mb_stream(b, 100 + s, CT_STREAM_FLAG_NON_BLOCKING);
		op = mb_launch(b, 100 + s, s, s + 0.5, 1000 + s, s == STREAMS - 20 ? 9000 : 5000 + s);
		last = s == STREAMS - 20 ? op : last;
	}
	sync = mb_sync_device(b, 2000, 9001);
	mb_split(b);
	ct_scope_of(b->model, mb_host(b, sync), &scope);
	assert_int_equal(scope.count, CT_SCOPE_STREAMS_MAX);
	assert_int_equal(scope.last, mb_op(b, last));
	for (uint32_t i = 0; i < scope.count; i++)
		among |= scope.pending[i] == scope.last;
	assert_true(among);
	assert_int_equal(mb_wait(b, sync, CT_PART_DEVICE_WAIT)->op, mb_op(b, last));
}

static void query(struct model_builder *b, uint32_t event, double at, bool done)
{
	struct ct_call *call = mb_call_about(b, CT_API_cudaEventQuery, mb_event_handle(event), at,
					     at + 1);

	call->error = done ? 0 : 600;
}

/* A thread that asks about nine events in turn: eight are followed, each round starts the oldest anew. */
static void test_many_polls(void **state)
{
	struct model_builder *b = of(state);

	for (uint32_t event = 1; event <= 8; event++) {
		double at = 10 * event;

		mb_stream(b, 100 + event, CT_STREAM_FLAG_NON_BLOCKING);
		mb_launch(b, 100 + event, at, at + 1, at + 3, 2000);
		mb_record_event(b, event, 100 + event, at + 2, at + 3);
	}
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t event = 1; event <= 8; event++)
			query(b, event, 200 + 100 * round + 10 * event, round == 2);
	mb_split(b);
	assert_int_equal(ct_polls_find(b->model), 0);
	assert_int_equal(b->model->polls.count, 8);
	for (size_t i = 0; i < 8; i++) {
		const struct ct_poll *poll = &b->model->polls.at[i];

		assert_int_equal(poll->queries, 3);
		assert_int_equal(poll->start_ns, mb_ns(210 + 10 * (double)i));
		assert_int_equal(poll->end_ns, mb_ns(411 + 10 * (double)i));
		assert_int_equal(b->model->ops.at[poll->op].raw.stream, 101 + i);
	}
}

/* A ninth thing takes the place of the one asked about first, whose run ends there. */
static void test_ninth_poll(void **state)
{
	struct model_builder *b = of(state);

	query(b, 1, 100, false);
	query(b, 1, 110, false);
	for (uint32_t event = 2; event <= 8; event++)
		query(b, event, 110 + 10 * event, false);
	query(b, 9, 300, false);
	query(b, 9, 310, false);
	mb_call(b, CT_API_cudaMalloc, 400, 401);
	mb_split(b);
	assert_int_equal(ct_polls_find(b->model), 0);
	assert_int_equal(b->model->polls.count, 2); /* one query alone is no loop */
	assert_int_equal(b->model->polls.at[0].start_ns, mb_ns(100));
	assert_int_equal(b->model->polls.at[0].end_ns, mb_ns(111));
	assert_int_equal(b->model->polls.at[0].op, CT_NONE); /* the events were never recorded */
	assert_int_equal(b->model->polls.at[1].start_ns, mb_ns(300));
	assert_int_equal(b->model->polls.at[1].queries, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_file),	   MB_TEST(test_far_correlations),
		MB_TEST(test_occupancy),	   MB_TEST(test_many_streams),
		MB_TEST(test_many_polls),	   MB_TEST(test_ninth_poll),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
