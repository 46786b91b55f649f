/* SPDX-License-Identifier: Apache-2.0 */
/* The run played again: as it was, and without some of its waits. */
#include "tests/unit/model_builder.h"

#include "analyze/replay.h"

#define S1 21
#define S2 22
#define BLOCK 0xa0000

static void two_streams(struct model_builder *b)
{
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
}

static void expect_call(const struct model_builder *b, const struct ct_replay *r,
			const struct ct_call *call, double enter, double leave)
{
	assert_int_equal(r->enter_ns[mb_host_index(b, call)], mb_ns(enter));
	assert_int_equal(r->leave_ns[mb_host_index(b, call)], mb_ns(leave));
}

static void expect_op(const struct model_builder *b, const struct ct_replay *r,
		      const struct ct_device_op *op, double start, double end)
{
	assert_int_equal(r->start_ns[mb_op(b, op)], mb_ns(start));
	assert_int_equal(r->end_ns[mb_op(b, op)], mb_ns(end));
}

/* Played unchanged, every time is what was measured. */
static struct ct_replay *replay(struct model_builder *b)
{
	struct ct_replay *r;
	const struct ct_model *model = mb_split(b);

	assert_int_equal(ct_replay_create(model, &r), 0);
	ct_replay_run(r);
	for (size_t i = 0; i < model->calls.count; i++) {
		assert_int_equal(r->enter_ns[i], model->calls.at[i].raw.enter_ns);
		assert_int_equal(r->leave_ns[i], model->calls.at[i].raw.leave_ns);
	}
	for (size_t i = 0; i < model->ops.count; i++) {
		assert_int_equal(r->start_ns[i], model->ops.at[i].raw.start_ns);
		assert_int_equal(r->end_ns[i], model->ops.at[i].raw.end_ns);
	}
	assert_int_equal(r->total_end_ns, model->end_ns);
	return r;
}

static void without(const struct model_builder *b, struct ct_replay *r, const struct ct_call *call,
		    uint8_t what)
{
	r->removed[mb_host_index(b, call)] = what;
	ct_replay_run(r);
	r->removed[mb_host_index(b, call)] = 0;
}

/* A free between two streams; both kernels of `grid` blocks of MB_FULL. */
struct freed {
	struct ct_device_op *k1, *k2;
	struct ct_call *frees, *sync;
};

static struct freed free_between(struct model_builder *b, uint32_t grid)
{
	struct freed f;

	two_streams(b);
	f.k1 = mb_launch(b, S1, 0, 5, 10, 1000);
	f.frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	f.k2 = mb_launch(b, S2, 1015, 1020, 1025, 2025);
	f.sync = mb_sync_device(b, 1020, 2030);
	f.k1->u.kernel.grid_x = f.k2->u.kernel.grid_x = grid;
	return f;
}

static void test_free_removed(void **state)
{
	struct model_builder *b = *state;
	struct freed f = free_between(b, 1);
	struct ct_replay *r = replay(b);

	without(b, r, f.frees, CT_REMOVE_WAIT);
	expect_call(b, r, f.frees, 5, 15);
	expect_call(b, r, mb_launcher(b, f.k2), 20, 25);
	expect_op(b, r, f.k1, 10, 1000);
	expect_op(b, r, f.k2, 30, 1030);
	expect_call(b, r, f.sync, 25, 1035);
	assert_int_equal(r->total_end_ns, mb_ns(1035)); /* 995 us saved */
	ct_replay_run(r);
	assert_int_equal(r->total_end_ns, mb_ns(2030)); /* nothing is left of it */
	ct_replay_destroy(r);
}

static void test_full_device(void **state)
{
	struct model_builder *b = *state;
	struct freed f = free_between(b, MB_FULL);
	struct ct_replay *r = replay(b);

	without(b, r, f.frees, CT_REMOVE_WAIT);
	expect_op(b, r, f.k2, 1000, 2000);
	expect_call(b, r, f.sync, 25, 2005);
	ct_replay_destroy(r);
}

static void test_half_a_device(void **state)
{
	struct model_builder *b = *state;
	struct freed f = free_between(b, MB_FULL / 2);
	struct ct_replay *r = replay(b);

	without(b, r, f.frees, CT_REMOVE_WAIT);
	expect_op(b, r, f.k2, 30, 1030);
	ct_replay_destroy(r);
	mb_restart(b);
	f = free_between(b, MB_FULL / 2 + 2);
	r = replay(b);
	without(b, r, f.frees, CT_REMOVE_WAIT);
	expect_op(b, r, f.k2, 1000, 2000);
	ct_replay_destroy(r);
}

/* What a kernel fills, by its limits: warps, registers, shared memory. */
static void test_occupancy(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *tiny, *threads, *registers, *shared, *copy, *full;
	const struct ct_model *model;

	two_streams(b);
	b->records[0].u.gpu.warps_per_multiprocessor = 64;
	b->records[0].u.gpu.registers_per_multiprocessor = 65536;
	b->records[0].u.gpu.shared_per_multiprocessor = 100000;
	tiny = mb_launch(b, S1, 0, 1, 10, 20);
	threads = mb_launch(b, S1, 1, 2, 20, 30);
	registers = mb_launch(b, S1, 2, 3, 30, 40);
	shared = mb_launch(b, S1, 3, 4, 40, 50);
	copy = mb_copy(b, mb_call(b, CT_API_cudaMemcpyAsync, 4, 5), S1, CT_MEMORY_PINNED, 50, 60);
	full = mb_launch(b, S1, 5, 6, 60, 70);
	tiny->u.kernel.block_x = 32;        /* 32 blocks fit, whatever their size */
	threads->u.kernel.block_x = 690;    /* 22 warps: 2 fit */
	threads->u.kernel.grid_y = 10;
	registers->u.kernel.block_x = 256;  /* 8 warps of 32 * 255: 1 fits, where warps leave 8 */
	registers->u.kernel.registers = 255;
	registers->u.kernel.grid_x = 50;
	shared->u.kernel.block_x = 32;
	shared->shared_bytes = 30000;       /* 3 fit */
	shared->u.kernel.grid_x = 30;
	full->u.kernel.grid_x = 1000;
	model = mb_load(b);
	assert_float_equal(model->ops.at[mb_op(b, tiny)].share, 1.0f / 3200, 1e-6f);
	assert_float_equal(model->ops.at[mb_op(b, threads)].share, 0.05f, 1e-6f);
	assert_float_equal(model->ops.at[mb_op(b, registers)].share, 0.5f, 1e-6f);
	assert_float_equal(model->ops.at[mb_op(b, shared)].share, 0.1f, 1e-6f);
	assert_float_equal(model->ops.at[mb_op(b, copy)].share, 0.0f, 1e-6f);
	assert_float_equal(model->ops.at[mb_op(b, full)].share, 1.0f, 1e-6f);
}

/* A wait that another call takes over saves nothing. */
static void test_second_free_takes_over(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *first, *second;
	struct ct_replay *r;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 1000);
	first = mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_launch(b, S1, 1010, 1015, 1020, 1900);
	second = mb_call_about(b, CT_API_cudaFree, 2 * BLOCK, 1015, 1910);
	r = replay(b);
	without(b, r, first, CT_REMOVE_WAIT);
	expect_call(b, r, first, 5, 15);
	expect_call(b, r, second, 20, 1900); /* its kernel follows its stream, 10 us sooner */
	ct_replay_destroy(r);
}

/* A copy that had nothing to wait for behind the free, and now has. */
static void test_copy_takes_over(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *frees, *call;
	struct ct_device_op *copy;
	struct ct_replay *r;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 1000);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	call = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 1015, 1100);
	copy = mb_copy(b, call, S1, CT_MEMORY_PAGEABLE, 1020, 1090);
	r = replay(b);
	without(b, r, frees, CT_REMOVE_WAIT);
	expect_op(b, r, copy, 1005, 1075);
	expect_call(b, r, call, 20, 1085);
	ct_replay_destroy(r);
}

/* A launch in another thread goes when the free that it queued behind does. */
static void test_lock_waiter(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *frees, *launch;
	struct ct_device_op *k2;
	struct ct_replay *r;

	two_streams(b);
	mb_launch(b, S1, -20, -15, -10, 1000);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 1010);
	mb_thread(b, MB_B);
	k2 = mb_launch(b, S2, 100, 1005, 1020, 1100);
	launch = mb_launcher(b, k2);
	r = replay(b);
	without(b, r, frees, CT_REMOVE_WAIT);
	expect_call(b, r, frees, 0, 10);
	expect_call(b, r, launch, 100, 105);
	expect_op(b, r, k2, 120, 200); /* 20 us behind the release, as before */
	ct_replay_destroy(r);
}

/* Without its own wait before, the thread launches when nobody has the lock yet. */
static void test_lock_waiter_comes_first(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *before, *frees, *launch;
	struct ct_device_op *k2;
	struct ct_replay *r;

	two_streams(b);
	mb_launch(b, S1, -20, -15, -10, 1000);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 0, 1010);
	mb_thread(b, MB_B);
	mb_launch(b, S2, -1025, -1020, -1010, -500);
	before = mb_call_about(b, CT_API_cudaFree, 2 * BLOCK, -1010, -490);
	k2 = mb_launch(b, S2, 100, 1005, 1020, 1100);
	launch = mb_launcher(b, k2);
	r = replay(b);
	without(b, r, before, CT_REMOVE_WAIT);
	expect_call(b, r, launch, -410, -405);
	expect_op(b, r, k2, -390, -310);
	expect_call(b, r, frees, 0, 1010); /* its own wait is as it was */
	ct_replay_destroy(r);
}

static void test_queue_full_removed(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k;
	struct ct_replay *r;

	two_streams(b);
	k = mb_launch(b, S1, 0, 1000, 1005, 1200);
	mb_overhead(b, CT_OVERHEAD_QUEUE_FULL, 10, 990);
	r = replay(b);
	without(b, r, mb_launcher(b, k), CT_REMOVE_WAIT);
	expect_call(b, r, mb_launcher(b, k), 0, 20);
	expect_op(b, r, k, 15, 210); /* 15 us behind the room, as before */
	ct_replay_destroy(r);
}

/* A pageable copy: without its wait and its own copy, the call is what the driver does. */
static void test_pageable_copy_removed(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *copy, *k2;
	struct ct_call *call;
	struct ct_replay *r;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 300);
	call = mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 5, 420);
	copy = mb_copy(b, call, S1, CT_MEMORY_PAGEABLE, 305, 400);
	k2 = mb_launch(b, S2, 425, 430, 435, 500);
	r = replay(b);
	without(b, r, call, CT_REMOVE_WAIT);
	expect_call(b, r, call, 5, 5);
	expect_op(b, r, copy, 305, 400);
	expect_op(b, r, k2, 20, 85);
	ct_replay_destroy(r);
}

static void test_default_stream_order_removed(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *null, *behind;
	struct ct_replay *r;

	mb_stream(b, S1, CT_STREAM_FLAG_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 500);
	null = mb_launch(b, MB_LEGACY, 5, 10, 502, 600);
	behind = mb_launch(b, S2, 10, 15, 603, 700);
	r = replay(b);
	without(b, r, mb_launcher(b, null), CT_REMOVE_ORDER);
	expect_op(b, r, null, 7, 105);
	expect_op(b, r, behind, 13, 110);
	ct_replay_destroy(r);
}

/* An order of the program's stays, whoever does not wait. */
static void test_events_stay(void **state)
{
	struct model_builder *b = *state;
	struct ct_event *event;
	struct ct_device_op *k1, *k2;
	struct ct_call *frees;
	struct ct_replay *r;

	two_streams(b);
	k1 = mb_launch(b, S1, 0, 5, 10, 1000);
	event = mb_record_event(b, 3, S1, 5, 6);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 10, 1010);
	mb_wait_event(b, event, S2, 1010, 1012);
	k2 = mb_launch(b, S2, 1012, 1015, 1020, 1100);
	r = replay(b);
	without(b, r, frees, CT_REMOVE_WAIT);
	expect_op(b, r, k1, 10, 1000);
	expect_op(b, r, k2, 1008, 1088);
	ct_replay_destroy(r);
}

static void test_shared_queue_removed(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k2, *k3;
	struct ct_replay *r;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 1000)->channel = 1;
	k2 = mb_launch(b, S1, 5, 10, 1001, 2000);
	k2->channel = 1;
	k3 = mb_launch(b, S2, 10, 15, 1004, 1100);
	k3->channel = 1;
	r = replay(b);
	without(b, r, mb_launcher(b, k2), CT_REMOVE_ORDER);
	expect_op(b, r, k3, 13, 109);
	ct_replay_destroy(r);
}

/* A free that found its device idle waits where it no longer is; another device's does not. */
static void test_frees_of_two_devices(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *culprit, *elsewhere, *again;
	struct ct_replay *r;

	mb_device(b, 1);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 1000);
	culprit = mb_call_about(b, CT_API_cudaFree, 0xa0000, 5, 1010);
	again = mb_call_about(b, CT_API_cudaFree, 0xb0000, 1040, 1050);
	mb_device(b, 0);
	elsewhere = mb_call_about(b, CT_API_cudaFree, 0xc0000, 1020, 1030);
	mb_split(b);
	assert_int_equal(ct_replay_create(b->model, &r), 0);
	r->removed[mb_host_index(b, culprit)] = CT_REMOVE_WAIT;
	r->take_over = true;
	ct_replay_run(r);
	assert_int_equal(r->leave_ns[mb_host_index(b, culprit)], mb_ns(15));
	assert_int_equal(r->leave_ns[mb_host_index(b, elsewhere)], mb_ns(35));
	assert_int_equal(r->leave_ns[mb_host_index(b, again)], mb_ns(1010));
	ct_replay_destroy(r);
}

/* A copy from device 0 to 1, a free, then one with the host to device 1, or from it. */
static struct ct_device_op *copy_behind_peers(struct model_builder *b, enum ct_direction direction,
					      struct ct_call **frees)
{
	struct ct_device_op *copy;

	mb_restart(b);
	mb_device(b, 1);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	mb_device(b, 0);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	copy = mb_copy(b, mb_call_on(b, CT_API_cudaMemcpyPeerAsync, S1, 0, 5), S1, CT_MEMORY_DEVICE, 10,
		       1000);
	copy->u.copy.direction = CT_DIRECTION_P2P;
	copy->u.copy.peer.source = 0 + 1;
	copy->u.copy.peer.target = 1 + 1;
	*frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_device(b, 1);
	copy = mb_copy(b, mb_call_on(b, CT_API_cudaMemcpyAsync, S2, 1010, 1015), S2, CT_MEMORY_PINNED,
		       1020, 1100);
	copy->u.copy.direction = direction;
	return copy;
}

/* A copy between devices takes an engine of both: that from its source, that to its target. */
static void test_copy_between_devices(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *copy;
	struct ct_call *frees;
	struct ct_replay *r;

	copy = copy_behind_peers(b, CT_DIRECTION_H2D, &frees);
	r = replay(b);
	without(b, r, frees, CT_REMOVE_WAIT);
	expect_op(b, r, copy, 25, 105); /* they share freely */
	r->room.sharing = CT_SHARE_ENGINES;
	without(b, r, frees, CT_REMOVE_WAIT);
	expect_op(b, r, copy, 1000, 1080);
	ct_replay_destroy(r);
	copy = copy_behind_peers(b, CT_DIRECTION_D2H, &frees);
	r = replay(b);
	r->room.sharing = CT_SHARE_ENGINES;
	without(b, r, frees, CT_REMOVE_WAIT);
	expect_op(b, r, copy, 25, 105); /* the other engine */
	ct_replay_destroy(r);
}

/* A copy that stood until 500 behind a kernel of S1 that ended at 100; another thread comes next. */
static struct ct_device_op *late_copy(struct model_builder *b)
{
	struct ct_device_op *copy;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 100);
	copy = mb_copy(b, mb_call_on(b, CT_API_cudaMemcpyAsync, S1, 6, 8), S1, CT_MEMORY_PINNED, 500, 510);
	mb_thread(b, MB_B);
	return copy;
}

/* While a free gives memory back the device starts nothing: what stood behind it starts sooner without. */
static void test_held_by_free(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *copy = late_copy(b);
	struct ct_call *frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 50, 480);
	struct ct_replay *r = replay(b);

	without(b, r, frees, CT_REMOVE_WAIT);
	expect_op(b, r, copy, 500, 510); /* it gives memory back all the same */
	without(b, r, frees, CT_REMOVE_WAIT | CT_REMOVE_WORK);
	expect_op(b, r, copy, 120, 130);
	ct_replay_destroy(r);
}

/* A free of another device's memory holds it up no more than it did. */
static void test_held_by_no_free(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *copy = late_copy(b);
	struct ct_call *frees;
	struct ct_replay *r;

	mb_device(b, 1);
	mb_launch(b, MB_LEGACY, 20, 25, 30, 40);
	frees = mb_call_about(b, CT_API_cudaFree, BLOCK, 50, 480);
	r = replay(b);
	without(b, r, frees, CT_REMOVE_WAIT | CT_REMOVE_WORK);
	expect_op(b, r, copy, 500, 510);
	ct_replay_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_free_removed),
		MB_TEST(test_full_device),
		MB_TEST(test_half_a_device),
		MB_TEST(test_occupancy),
		MB_TEST(test_second_free_takes_over),
		MB_TEST(test_copy_takes_over),
		MB_TEST(test_lock_waiter),
		MB_TEST(test_lock_waiter_comes_first),
		MB_TEST(test_queue_full_removed),
		MB_TEST(test_pageable_copy_removed),
		MB_TEST(test_default_stream_order_removed),
		MB_TEST(test_frees_of_two_devices),
		MB_TEST(test_copy_between_devices),
		MB_TEST(test_held_by_free),
		MB_TEST(test_held_by_no_free),
		MB_TEST(test_events_stay),
		MB_TEST(test_shared_queue_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
