/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several devices. CUPTI's stream numbers are those of a context, so each device here has the
 * same ones: nothing may be joined, blamed or ordered by the number alone.
 */
#include <stdlib.h>

#include "tests/unit/model_builder.h"

#include "analyze/device.h"
#include "analyze/idle.h"
#include "analyze/ledger.h"
#include "analyze/poll.h"

#define S1 21
#define S2 22
#define BLOCK 0xa0000
#define OTHER_BLOCK 0xb0000

/* Streams of the same numbers on devices 0 and 1; device 0 is current. */
static void two_devices(struct model_builder *b)
{
	for (uint32_t device = 2; device-- > 0;) {
		mb_device(b, device);
		mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
		mb_stream(b, S2, CT_STREAM_FLAG_BLOCKING);
	}
}

static struct ct_device_op *launch_on(struct model_builder *b, uint32_t device, uint32_t stream,
				      double enter, double leave, double start, double end)
{
	mb_device(b, device);
	return mb_launch(b, stream, enter, leave, start, end);
}

static struct ct_call *free_on(struct model_builder *b, uint32_t device, uint64_t block,
			       double enter, double leave)
{
	mb_device(b, device);
	return mb_call_about(b, CT_API_cudaFree, block, enter, leave);
}

static void test_streams_of_one_number(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *first, *second;
	struct ct_call *sync;

	two_devices(b);
	first = launch_on(b, 0, S1, 0, 5, 10, 500);
	second = launch_on(b, 1, S1, 6, 9, 20, 900);
	mb_device(b, 0);
	sync = mb_sync_stream(b, S1, 30, 505);
	mb_split(b);
	assert_int_equal(b->model->device_count, 2);
	assert_true(ct_devices_several(b->model));
	assert_int_not_equal(b->model->ops.at[mb_op(b, first)].stream,
			     b->model->ops.at[mb_op(b, second)].stream);
	assert_int_equal(b->model->ops.at[mb_op(b, second)].previous, CT_NONE);
	EXPECT_PARTS(b, sync, .DEVICE_WAIT = 470, .DRIVER_WORK = 5);
	assert_int_equal(mb_wait(b, sync, CT_PART_DEVICE_WAIT)->op, mb_op(b, first));
}

/* Device 1 is current, but the handle is of device 0: whatever context CUPTI's record names. */
static void test_handle_of_another_device(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *first;
	struct ct_call *sync;
	uint64_t handle;

	two_devices(b);
	first = launch_on(b, 0, S1, 0, 5, 10, 500);
	handle = mb_handle_on(b, S1);
	launch_on(b, 1, S1, 6, 9, 20, 900);
	sync = mb_sync_stream(b, S1, 30, 505);
	sync->stream = handle;
	mb_split(b);
	assert_int_equal(mb_wait(b, sync, CT_PART_DEVICE_WAIT)->op, mb_op(b, first));
}

/* A free waits for its own device; that another works on is no riddle. */
static void test_free_drains_its_device(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *own;
	struct ct_call *frees, *idle;

	two_devices(b);
	launch_on(b, 1, S1, 0, 5, 10, 900);
	idle = free_on(b, 0, BLOCK, 6, 16);
	own = launch_on(b, 0, S1, 20, 25, 30, 500);
	frees = free_on(b, 0, BLOCK, 26, 510);
	mb_split(b);
	EXPECT_PARTS(b, idle, .DRIVER_WORK = 10);
	EXPECT_PARTS(b, frees, .DEVICE_WAIT = 474, .DRIVER_WORK = 10);
	assert_int_equal(mb_wait(b, frees, CT_PART_DEVICE_WAIT)->op, mb_op(b, own));
	assert_false(mb_host(b, frees)->elsewhere);
}

/* Memory is freed on the device that has it, whichever is current. */
static void test_free_of_another_devices_memory(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *theirs;
	struct ct_call *frees;

	two_devices(b);
	mb_device(b, 1);
	mb_call_about(b, CT_API_cudaMalloc, OTHER_BLOCK, -20, -10);
	theirs = launch_on(b, 1, S1, 0, 5, 10, 900);
	launch_on(b, 0, S1, 6, 9, 20, 400);
	frees = free_on(b, 0, OTHER_BLOCK, 30, 910);
	mb_split(b);
	assert_int_equal(mb_host(b, frees)->device, 1);
	EXPECT_PARTS(b, frees, .DEVICE_WAIT = 870, .DRIVER_WORK = 10);
	assert_int_equal(mb_wait(b, frees, CT_PART_DEVICE_WAIT)->op, mb_op(b, theirs));
	assert_false(mb_host(b, frees)->elsewhere);
}

/* Its own device had nothing to do, and it returned as another's work ended: that is seen. */
static void test_free_waits_elsewhere(void **state)
{
	struct model_builder *b = *state;
	const struct ct_ledger_line *line;
	struct ct_device_op *theirs;
	struct ct_ledger *ledger;
	struct ct_call *frees;

	two_devices(b);
	theirs = launch_on(b, 1, S1, 0, 5, 10, 9000);
	frees = free_on(b, 0, BLOCK, 30, 9010);
	mb_split(b);
	EXPECT_PARTS(b, frees, .DEVICE_WAIT = 8970, .DRIVER_WORK = 10);
	assert_int_equal(mb_wait(b, frees, CT_PART_DEVICE_WAIT)->op, mb_op(b, theirs));
	assert_true(mb_host(b, frees)->elsewhere);
	assert_int_equal(ct_ledger_make(b->model, &ledger), 0);
	line = &ledger->lines.at[0];
	assert_int_equal(line->api, CT_API_cudaFree);
	assert_int_equal(line->chances, 0);
	assert_int_equal(line->waited, 0);
	assert_int_equal(line->elsewhere, 1);
	assert_int_equal(line->waited_elsewhere, 1);
	ct_ledger_destroy(ledger);
}

/* Long after another's work had ended it returned: that was not what it waited for. */
static void test_free_is_merely_long(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *frees;

	two_devices(b);
	launch_on(b, 1, S1, 0, 5, 10, 5000);
	frees = free_on(b, 0, BLOCK, 30, 9010);
	mb_split(b);
	EXPECT_PARTS(b, frees, .DRIVER_WORK = 8980);
	assert_false(mb_host(b, frees)->elsewhere);
}

static void test_synchronise_means_its_device(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *own;
	struct ct_call *sync;

	two_devices(b);
	own = launch_on(b, 0, S1, 0, 5, 10, 500);
	launch_on(b, 1, S1, 6, 9, 20, 900);
	mb_device(b, 0);
	sync = mb_sync_device(b, 30, 505);
	mb_split(b);
	assert_int_equal(mb_wait(b, sync, CT_PART_DEVICE_WAIT)->op, mb_op(b, own));
	EXPECT_PARTS(b, sync, .DEVICE_WAIT = 470, .DRIVER_WORK = 5);
}

/* The default stream of a device has nothing to do with the blocking streams of another. */
static void test_default_stream_of_each(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *theirs, *own;

	two_devices(b);
	launch_on(b, 0, MB_LEGACY, 0, 5, 10, 500);
	theirs = launch_on(b, 1, S2, 6, 9, 505, 900);
	own = launch_on(b, 0, S2, 10, 15, 510, 900);
	mb_load(b);
	assert_int_equal(b->model->ops.at[mb_op(b, theirs)].edges[CT_EDGE_DEFAULT].op, CT_NONE);
	assert_int_not_equal(b->model->ops.at[mb_op(b, own)].edges[CT_EDGE_DEFAULT].op, CT_NONE);
}

/* An event ties streams of two devices: by its unique id, and by its number alone. */
static void event_across(struct model_builder *b, bool unique)
{
	struct ct_device_op *first, *second;
	struct ct_event *event, *decoy;
	struct ct_call *waits;
	uint32_t before;

	two_devices(b);
	first = launch_on(b, 0, S1, 0, 5, 10, 500);
	event = mb_record_event(b, 1, S1, 6, 8);
	launch_on(b, 1, S2, 9, 10, 20, 60);
	decoy = mb_record_event(b, 2, S2, 11, 12);
	waits = mb_wait_event(b, event, S1, 13, 15);
	second = mb_launch(b, S1, 16, 18, 505, 900);
	for (size_t i = 0; !unique && i < b->count; i++)
		if (b->records[i].type == CT_RECORD_SYNC)
			b->records[i].u.sync.event_sync = 0;
	if (!unique)
		event->event_sync = decoy->event_sync = 0;
	mb_serialize(b);
	before = b->model->ops.at[mb_op(b, second)].edges[CT_EDGE_EVENT].op;
	assert_int_equal(before, mb_op(b, first));
	EXPECT_PARTS(b, waits, .DRIVER_WORK = 2);
	assert_int_equal(b->serialization->pairs.count, 0);
}

static void test_event_across_devices(void **state)
{
	event_across(*state, true);
	mb_restart(*state);
	event_across(*state, false);
}

/* Contexts may number their events alike: a context's own is meant. */
static void test_event_numbers_of_each(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *own;
	struct ct_event *event;
	struct ct_call *sync;

	two_devices(b);
	own = launch_on(b, 0, S1, 0, 5, 10, 500);
	event = mb_record_event(b, 1, S1, 6, 8);
	launch_on(b, 1, S1, 9, 10, 20, 900);
	mb_record_event(b, 1, S1, 11, 12)->event_sync = 0;
	mb_device(b, 0);
	event->event_sync = 0;
	sync = mb_sync_event(b, event, 30, 505);
	mb_split(b);
	assert_int_equal(mb_wait(b, sync, CT_PART_DEVICE_WAIT)->op, mb_op(b, own));
}

/* Thread A frees on device 0 while thread B launches on `device`, and both return together. */
static struct ct_call *launch_beside_free(struct model_builder *b, uint32_t device,
					  double free_leave, double launch_leave)
{
	struct ct_call *launch;

	two_devices(b);
	launch_on(b, 0, S1, -20, -15, -10, 500);
	free_on(b, 0, BLOCK, 0, free_leave);
	mb_thread(b, MB_B);
	launch = mb_launcher(b, launch_on(b, device, S2, 100, launch_leave, launch_leave + 5, 2000));
	mb_split(b);
	return launch;
}

/* Locks are a device's own, as far as is known: in doubt a wait stays unexplained. */
static void test_lock_of_each(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *launch = launch_beside_free(b, 0, 510, 800);

	EXPECT_PARTS(b, launch, .LOCK_WAIT = 410, .DRIVER_WORK = 290);
	mb_restart(b);
	launch = launch_beside_free(b, 1, 510, 800);
	EXPECT_PARTS(b, launch, .UNEXPLAINED = 700);
}

/* But for one that returned the moment a free of another device had its wait behind it. */
static void test_lock_ties_devices(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *launch = launch_beside_free(b, 1, 510, 515);

	EXPECT_PARTS(b, launch, .LOCK_WAIT = 410, .DRIVER_WORK = 5);
}

/* An allocation that worked in the driver is nobody's reason on another device. */
static void test_allocation_elsewhere(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *launch;

	two_devices(b);
	mb_call_about(b, CT_API_cudaMalloc, BLOCK, 0, 510);
	mb_thread(b, MB_B);
	launch = mb_launcher(b, launch_on(b, 1, S1, 100, 515, 520, 600));
	mb_split(b);
	EXPECT_PARTS(b, launch, .UNEXPLAINED = 415);
}

/* A free of device 0 holds its thread, which had work for device 1: a true victim. */
static void test_victim_on_another_device(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *victim;
	struct ct_call *culprit;

	two_devices(b);
	launch_on(b, 0, S1, 0, 5, 10, 1000)->u.kernel.grid_x = MB_FULL;
	culprit = free_on(b, 0, BLOCK, 5, 1010);
	victim = launch_on(b, 1, S1, 1015, 1020, 1025, 2025);
	victim->u.kernel.grid_x = MB_FULL; /* both fill their devices, which are two */
	mb_serialize(b);
	assert_int_equal(b->serialization->pairs.count, 1);
	assert_int_equal(b->serialization->pairs.at[0].culprit, mb_host_index(b, culprit));
	assert_int_equal(b->serialization->pairs.at[0].victim, mb_op(b, victim));
	assert_int_equal(b->serialization->pairs.at[0].lost_ns, 980000);
}

/* Each of two threads has its device: neither's free is to blame for the other's kernels. */
static void test_threads_of_two_devices(void **state)
{
	struct model_builder *b = *state;

	two_devices(b);
	for (uint32_t device = 0; device < 2; device++) {
		mb_thread(b, MB_A + device);
		for (int i = 0; i < 3; i++) {
			double t = i * 1100 + device * 30;

			launch_on(b, device, S1, t, t + 5, t + 10, t + 1000);
			free_on(b, device, BLOCK + device * 4096, t + 6, t + 1010);
		}
	}
	mb_serialize(b);
	for (size_t i = 0; i < b->serialization->pairs.count; i++) {
		const struct ct_pair *pair = &b->serialization->pairs.at[i];

		assert_int_equal(b->model->calls.at[pair->culprit].device,
				 b->model->ops.at[pair->victim].raw.device);
	}
	for (size_t i = 0; i < b->model->waits.count; i++)
		assert_int_not_equal(b->model->waits.at[i].part, CT_PART_LOCK_WAIT);
}

/* A thread has a default stream of its own in each context. */
static void test_per_thread_streams_of_each(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *sync;

	two_devices(b);
	for (uint32_t device = 0; device < 2; device++) {
		mb_device(b, device);
		mb_kernel(b, mb_call_on(b, CT_API_cudaLaunchKernel_ptsz, MB_LEGACY, device * 10,
					device * 10 + 5),
			  S1, 20, device ? 900 : 500);
	}
	mb_device(b, 0);
	sync = mb_call_on(b, CT_API_cudaStreamSynchronize_ptsz, MB_LEGACY, 30, 505);
	mb_split(b);
	assert_int_equal(mb_host(b, sync)->stream,
			 ct_stream_index(b->model, MB_CONTEXT, S1, false));
	EXPECT_PARTS(b, sync, .DEVICE_WAIT = 470, .DRIVER_WORK = 5);
}

/* Loading code waits for the device that it is loaded on, if for any. */
static void test_loading_of_each(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *loaded;

	two_devices(b);
	launch_on(b, 1, S1, 0, 5, 10, 500);
	mb_overhead(b, CT_OVERHEAD_LAZY_LOADING, 12, 30);
	loaded = launch_on(b, 0, S1, 10, 40, 505, 600);
	mb_load(b);
	assert_int_equal(b->model->ops.at[mb_op(b, loaded)].edges[CT_EDGE_LOADING].op, CT_NONE);
}

/* Hardware queues have the same numbers as well: what comes between on another device is no head. */
static void test_queues_of_each(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *head, *held;

	two_devices(b);
	launch_on(b, 0, S1, 0, 5, 10, 1000)->channel = 1;
	head = launch_on(b, 0, S1, 5, 10, 1001, 2000);
	head->channel = 1;
	held = launch_on(b, 0, S2, 10, 15, 1005, 1100);
	held->channel = 1;
	launch_on(b, 1, S1, 12, 14, 1002, 1100)->channel = 1;
	mb_load(b);
	assert_int_equal(b->model->ops.at[mb_op(b, held)].edges[CT_EDGE_ALIAS].op, mb_op(b, head));
}

/* A thread asks about the default streams of both in turn: two loops, each for its own work. */
static void test_polls_of_each(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *ops[2];

	two_devices(b);
	for (uint32_t device = 0; device < 2; device++)
		ops[device] = launch_on(b, device, MB_LEGACY, device * 10, device * 10 + 5, 20, 100);
	for (int i = 0; i < 8; i++) {
		double at = 40 + i * 10;

		mb_device(b, (uint32_t)i % 2);
		mb_call_on(b, CT_API_cudaStreamQuery, MB_LEGACY, at, at + 2)->error =
			i < 6 ? 600 : 0; /* cudaErrorNotReady */
	}
	mb_split(b);
	assert_int_equal(ct_polls_find(b->model), 0);
	assert_int_equal(b->model->polls.count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(b->model->polls.at[i].queries, 4);
		assert_int_equal(b->model->polls.at[i].op, mb_op(b, ops[i]));
	}
}

/* Three threads are busy in the driver, about another device than a call that takes long. */
static struct ct_call *call_in_crowd(struct model_builder *b, uint32_t device)
{
	two_devices(b);
	mb_device(b, 0);
	for (uint32_t thread = MB_A; thread < MB_A + 3; thread++) {
		mb_thread(b, thread);
		for (int i = 0; i < 40; i++) {
			double at = 99 + i * 15 + thread;

			mb_call_on(b, CT_API_cudaMemsetAsync, S1, at, at + 15);
		}
	}
	mb_thread(b, MB_A + 3);
	return mb_launcher(b, launch_on(b, device, S2, 200, 600, 605, 700));
}

static void test_convoy_of_each(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *launch = call_in_crowd(b, 0);

	mb_split(b);
	EXPECT_PARTS(b, launch, .LOCK_WAIT = 400);
	mb_restart(b);
	launch = call_in_crowd(b, 1);
	mb_split(b);
	EXPECT_PARTS(b, launch, .UNEXPLAINED = 400);
}

/* How busy each device was, and how many at a time. */
static void test_busy_of_each(void **state)
{
	struct model_builder *b = *state;
	struct ct_idle *idle;

	two_devices(b);
	launch_on(b, 0, S1, 0, 5, 100, 500);
	launch_on(b, 0, S2, 6, 8, 200, 600);
	launch_on(b, 1, S1, 9, 10, 400, 1000);
	mb_split(b);
	assert_int_equal(ct_idle_find(b->model, &idle), 0);
	assert_int_equal(idle->busy_ns, 900000);
	assert_int_equal(idle->work_ns, 1400000);
	assert_int_equal(idle->devices[0].ops, 2);
	assert_int_equal(idle->devices[0].busy_ns, 500000);
	assert_int_equal(idle->devices[0].work_ns, 800000);
	assert_int_equal(idle->devices[1].ops, 1);
	assert_int_equal(idle->devices[1].busy_ns, 600000);
	assert_int_equal(idle->devices[1].work_ns, 600000);
	ct_idle_destroy(idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_streams_of_one_number),
		MB_TEST(test_handle_of_another_device),
		MB_TEST(test_free_drains_its_device),
		MB_TEST(test_free_of_another_devices_memory),
		MB_TEST(test_free_waits_elsewhere),
		MB_TEST(test_free_is_merely_long),
		MB_TEST(test_synchronise_means_its_device),
		MB_TEST(test_default_stream_of_each),
		MB_TEST(test_event_across_devices),
		MB_TEST(test_event_numbers_of_each),
		MB_TEST(test_lock_of_each),
		MB_TEST(test_lock_ties_devices),
		MB_TEST(test_allocation_elsewhere),
		MB_TEST(test_victim_on_another_device),
		MB_TEST(test_threads_of_two_devices),
		MB_TEST(test_per_thread_streams_of_each),
		MB_TEST(test_loading_of_each),
		MB_TEST(test_queues_of_each),
		MB_TEST(test_polls_of_each),
		MB_TEST(test_convoy_of_each),
		MB_TEST(test_busy_of_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
