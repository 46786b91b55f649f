/* SPDX-License-Identifier: Apache-2.0 */
/* Orders between streams: which operation had to follow which, and because of what. */
#include "tests/unit/model_builder.h"

#define S1 21
#define S2 22
#define S3 23
#define BLOCK 0xa0000

static void expect_edge(const struct model_builder *b, const struct ct_device_op *op,
			enum ct_edge_kind kind, const struct ct_device_op *earlier,
			const struct ct_call *cause)
{
	const struct ct_edge *edge = &b->model->ops.at[mb_op(b, op)].edges[kind];

	assert_int_equal(edge->op, mb_op(b, earlier));
	assert_int_equal(edge->cause, cause ? mb_host_index(b, cause) : CT_NONE);
}

/* No edge, of any kind but one that the test has looked at already. */
static void expect_free(const struct model_builder *b, const struct ct_device_op *op,
			enum ct_edge_kind but)
{
	for (int kind = 0; kind < CT_EDGES; kind++)
		if (kind != (int)but)
			assert_int_equal(b->model->ops.at[mb_op(b, op)].edges[kind].op, CT_NONE);
}

static void test_stream_wait_event(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *k2, *before, *victim, *next;
	struct ct_event *event;

	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	before = mb_launch(b, S2, 0, 5, 10, 50);
	k1 = mb_launch(b, S1, 5, 10, 15, 300);
	event = mb_record_event(b, 3, S1, 10, 12);
	k2 = mb_launch(b, S1, 12, 17, 300, 900); /* after the record: not waited for */
	mb_wait_event(b, event, S2, 20, 22);
	victim = mb_launch(b, S2, 22, 27, 305, 400);
	next = mb_launch(b, S2, 27, 30, 400, 500);
	mb_load(b);
	expect_edge(b, victim, CT_EDGE_EVENT, k1, NULL);
	expect_free(b, victim, CT_EDGE_EVENT);
	expect_free(b, before, CT_EDGES);
	expect_free(b, k2, CT_EDGES);
	expect_free(b, next, CT_EDGES); /* its stream's order suffices */
	assert_int_equal(b->model->ops.at[mb_op(b, next)].previous, mb_op(b, victim));
	assert_int_equal(b->model->ops.at[mb_op(b, before)].previous, CT_NONE);
}

/* Of two events, the one that came last. */
static void test_two_events(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *late, *victim;
	struct ct_event *first, *second;

	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S3, CT_STREAM_FLAG_NON_BLOCKING);
	late = mb_launch(b, S1, 0, 5, 10, 500);
	mb_launch(b, S3, 5, 10, 15, 300);
	first = mb_record_event(b, 3, S1, 10, 12);
	second = mb_record_event(b, 4, S3, 12, 14);
	mb_wait_event(b, first, S2, 20, 22);
	mb_wait_event(b, second, S2, 22, 24);
	victim = mb_launch(b, S2, 24, 27, 505, 600);
	mb_load(b);
	expect_edge(b, victim, CT_EDGE_EVENT, late, NULL);
	assert_int_equal(b->model->stream_waits.count, 2);
}

static void test_legacy_default_stream(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *null, *behind, *exempt, *later_exempt, *unknown;

	mb_stream(b, S1, CT_STREAM_FLAG_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S3, CT_STREAM_FLAG_BLOCKING);
	k1 = mb_launch(b, S1, 0, 5, 10, 300);
	exempt = mb_launch(b, S2, 5, 10, 15, 700);
	null = mb_launch(b, MB_LEGACY, 10, 15, 305, 400);
	behind = mb_launch(b, S3, 15, 20, 405, 500);
	later_exempt = mb_launch(b, S2, 20, 25, 700, 800);
	unknown = mb_launch(b, S3 + 1, 25, 30, 405, 500); /* its flag was not recorded */
	mb_load(b);
	expect_edge(b, unknown, CT_EDGE_DEFAULT, null, mb_launcher(b, null));
	expect_edge(b, null, CT_EDGE_DEFAULT, k1, mb_launcher(b, null));
	expect_edge(b, behind, CT_EDGE_DEFAULT, null, mb_launcher(b, null));
	expect_free(b, null, CT_EDGE_DEFAULT);
	expect_free(b, behind, CT_EDGE_DEFAULT);
	expect_free(b, k1, CT_EDGES);
	expect_free(b, exempt, CT_EDGES);
	expect_free(b, later_exempt, CT_EDGES);
}

/* The rule holds within a context. */
static void test_legacy_of_another_context(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *null;

	mb_context(b, 2, 8, -1000);
	mb_stream(b, S1, CT_STREAM_FLAG_BLOCKING);
	k1 = mb_launch(b, S1, 0, 5, 10, 300);
	null = mb_launch(b, 8, 10, 15, 20, 400);
	null->context = 2;
	mb_load(b);
	expect_free(b, null, CT_EDGES);
	expect_free(b, k1, CT_EDGES);
}

/* S1's block, freed behind k1, goes to S2. Returns the operation that uses it there. */
static struct ct_device_op *reuse(struct model_builder *b, struct ct_device_op **k1,
				  struct ct_call **second, uint64_t addr, double start)
{
	mb_restart(b);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	mb_call_on(b, CT_API_cudaMallocAsync, S1, 0, 2)->addr = BLOCK;
	*k1 = mb_launch(b, S1, 2, 5, 10, 500);
	mb_call_on(b, CT_API_cudaFreeAsync, S1, 5, 7)->addr = BLOCK;
	*second = mb_call_on(b, CT_API_cudaMallocAsync, S2, 10, 12);
	(*second)->addr = addr;
	return mb_launch(b, S2, 12, 15, start, start + 100);
}

static void test_reuse(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *k2;
	struct ct_call *second;

	k2 = reuse(b, &k1, &second, BLOCK, 600); /* the same address */
	mb_load(b);
	expect_edge(b, k2, CT_EDGE_REUSE, k1, second);
	expect_free(b, k2, CT_EDGE_REUSE);
	k2 = reuse(b, &k1, &second, 2 * BLOCK, 505); /* another, but the moment k1 ended */
	mb_load(b);
	expect_edge(b, k2, CT_EDGE_REUSE, k1, second);
	k2 = reuse(b, &k1, &second, 2 * BLOCK, 600);
	mb_load(b);
	expect_free(b, k2, CT_EDGES);
	k2 = reuse(b, &k1, &second, BLOCK, 20); /* it did not wait */
	mb_load(b);
	expect_free(b, k2, CT_EDGES);
}

/* k2 waits for its stream at the head of a queue; k3 of another stream lies behind it. */
static struct ct_device_op *share_queue(struct model_builder *b, struct ct_device_op **k2,
					uint8_t ahead, uint8_t channel, double start)
{
	struct ct_device_op *k3;

	mb_restart(b);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 1000)->channel = ahead;
	*k2 = mb_launch(b, S1, 5, 10, 1001, 2000);
	(*k2)->channel = ahead;
	k3 = mb_launch(b, S2, 10, 15, start, start + 100);
	k3->channel = channel;
	return k3;
}

static void test_shared_queue(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k2, *k3;

	k3 = share_queue(b, &k2, 1, 1, 1005);
	mb_load(b);
	expect_edge(b, k3, CT_EDGE_ALIAS, k2, mb_launcher(b, k2));
	expect_free(b, k3, CT_EDGE_ALIAS);
	expect_free(b, k2, CT_EDGES);
	k3 = share_queue(b, &k2, 1, 2, 1005);
	mb_load(b);
	expect_free(b, k3, CT_EDGES);
	k3 = share_queue(b, &k2, 0, 0, 1005); /* unknown */
	mb_load(b);
	expect_free(b, k3, CT_EDGES);
	k3 = share_queue(b, &k2, 1, 1, 1500); /* not when k2 started */
	mb_load(b);
	expect_free(b, k3, CT_EDGES);
}

/* A function's first launch loads it, which waits until S1 is done. */
static struct ct_device_op *load_code(struct model_builder *b, struct ct_device_op **k1,
				      enum ct_overhead_kind kind, double loaded, double start)
{
	mb_restart(b);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	*k1 = mb_launch(b, S1, 0, 5, 10, 500);
	mb_overhead(b, kind, loaded, loaded + 18);
	return mb_launch(b, S2, 10, 40, start, start + 100);
}

static void test_loading(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *k2;

	k2 = load_code(b, &k1, CT_OVERHEAD_LAZY_LOADING, 12, 505);
	mb_load(b);
	expect_edge(b, k2, CT_EDGE_LOADING, k1, mb_launcher(b, k2));
	expect_free(b, k2, CT_EDGE_LOADING);
	k2 = load_code(b, &k1, CT_OVERHEAD_BUFFER_FLUSH, 12, 505);
	mb_load(b);
	expect_free(b, k2, CT_EDGES);
	k2 = load_code(b, &k1, CT_OVERHEAD_LAZY_LOADING, 12, 600);
	mb_load(b);
	expect_free(b, k2, CT_EDGES);
	k2 = load_code(b, &k1, CT_OVERHEAD_LAZY_LOADING, 50, 505); /* not in its call */
	mb_load(b);
	expect_free(b, k2, CT_EDGES);
}

/* Stream 0 of per-thread calls: every thread's own. */
static void test_per_thread_default_streams(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *launch_a, *launch_b, *sync_a, *sync_b, *by_handle;
	struct ct_device_op *k;

	mb_stream(b, S1, CT_STREAM_FLAG_PER_THREAD);
	mb_stream(b, S2, CT_STREAM_FLAG_PER_THREAD);
	mb_thread(b, MB_A);
	launch_a = mb_call_on(b, CT_API_cudaLaunchKernel_ptsz, MB_LEGACY, 0, 5);
	mb_kernel(b, launch_a, S1, 10, 300);
	sync_a = mb_call_on(b, CT_API_cudaStreamSynchronize_ptsz, MB_LEGACY, 20, 305);
	by_handle = mb_call(b, CT_API_cudaStreamQuery, 310, 311);
	by_handle->stream = 2; /* cudaStreamPerThread */
	mb_thread(b, MB_B);
	launch_b = mb_call_on(b, CT_API_cudaLaunchKernel_ptsz, MB_LEGACY, 0, 5);
	mb_kernel(b, launch_b, S2, 10, 700);
	sync_b = mb_call_on(b, CT_API_cudaStreamSynchronize_ptsz, MB_LEGACY, 20, 706);
	mb_thread(b, MB_C);
	k = mb_launch(b, MB_LEGACY, 30, 35, 40, 50);
	mb_split(b);
	assert_int_equal(mb_host(b, sync_a)->stream, mb_host(b, launch_a)->stream);
	assert_int_equal(mb_host(b, by_handle)->stream, mb_host(b, launch_a)->stream);
	assert_int_equal(mb_host(b, sync_b)->stream, mb_host(b, launch_b)->stream);
	EXPECT_PARTS(b, sync_a, .DEVICE_WAIT = 280, .DRIVER_WORK = 5);
	EXPECT_PARTS(b, sync_b, .DEVICE_WAIT = 680, .DRIVER_WORK = 6);
	assert_int_equal(b->model->streams.at[mb_host(b, mb_launcher(b, k))->stream].id, MB_LEGACY);
}

/* A handle names the stream that was created last before the call. */
static void test_recycled_handle(void **state)
{
	struct model_builder *b = *state;
	struct ct_stream *again;
	struct ct_call *early, *late;

	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
	again = &b->records[b->count - 1].u.stream;
	again->handle = mb_handle(S1);
	again->seen_ns = mb_ns(500);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	early = mb_call_on(b, CT_API_cudaStreamQuery, S1, 100, 101);
	late = mb_call_on(b, CT_API_cudaStreamQuery, S1, 600, 601);
	mb_load(b);
	assert_int_equal(b->model->streams.at[mb_host(b, early)->stream].id, S1);
	assert_int_equal(b->model->streams.at[mb_host(b, late)->stream].id, S2);
}

/* Records that no sound file has, and operations that CUPTI could not time. */
static void test_odd_records(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *backwards;
	struct ct_device_op *orphan;

	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 20)->start_ns = 0;
	mb_launch(b, S1, 5, 10, 30, 25);
	backwards = mb_call(b, CT_API_cudaMalloc, 50, 40);
	orphan = mb_launch(b, S1, 60, 65, 70, 80);
	orphan->correlation = 4711;
	mb_split(b);
	assert_int_equal(b->model->untimed_ops, 2);
	assert_int_equal(b->model->ops.count, 1);
	assert_int_equal(b->model->ops.at[0].call, CT_NONE);
	assert_int_equal(b->model->ops.at[0].submit_ns, mb_ns(70));
	assert_int_equal(mb_host(b, backwards)->raw.leave_ns, mb_ns(50));
}

/* k1 on device 0, a copy between devices in its default stream, k2 on device 1 that starts then. */
static struct ct_device_op *peer_copy(struct model_builder *b, enum ct_api api, struct ct_device_op **k1,
				      struct ct_device_op **copy, double start)
{
	mb_restart(b);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	*k1 = mb_launch(b, S1, 0, 5, 10, 500);
	*copy = mb_copy(b, mb_call_on(b, api, MB_LEGACY, 6, 10), MB_LEGACY, CT_MEMORY_DEVICE, 505, 600);
	(*copy)->u.copy.direction = CT_DIRECTION_P2P;
	mb_device(b, 1);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	return mb_launch(b, S1, 11, 15, start, start + 500);
}

static void between(struct ct_device_op *copy, uint16_t source, uint16_t target)
{
	copy->u.copy.peer.source = source + 1;
	copy->u.copy.peer.target = target + 1;
}

static void test_peer_copy(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *k2, *copy;

	k2 = peer_copy(b, CT_API_cudaMemcpyPeer, &k1, &copy, 605);
	mb_load(b);
	expect_edge(b, copy, CT_EDGE_PEERS, k1, mb_launcher(b, copy));
	expect_edge(b, k2, CT_EDGE_PEERS, copy, mb_launcher(b, copy));
	expect_free(b, k1, CT_EDGES);
	k2 = peer_copy(b, CT_API_cudaMemcpyPeerAsync, &k1, &copy, 605);
	mb_load(b);
	expect_free(b, k2, CT_EDGES);
	k2 = peer_copy(b, CT_API_cudaMemcpyPeer, &k1, &copy, 20); /* it did not wait */
	mb_load(b);
	expect_free(b, k2, CT_EDGES);
	k2 = peer_copy(b, CT_API_cudaMemcpyPeer, &k1, &copy, 605);
	between(copy, 0, 2); /* not of k2's device */
	mb_load(b);
	expect_edge(b, copy, CT_EDGE_PEERS, k1, mb_launcher(b, copy));
	expect_free(b, k2, CT_EDGES);
}

/* Where it is known which devices they are, their blocking streams follow the default stream's rule. */
static void test_peer_copy_of_known_devices(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *k2, *k3, *copy;

	k2 = peer_copy(b, CT_API_cudaMemcpyPeer, &k1, &copy, 900); /* long after the copy */
	between(copy, 0, 1);
	mb_stream(b, S2, CT_STREAM_FLAG_BLOCKING);
	k3 = mb_launch(b, S2, 16, 20, 950, 1000);
	mb_load(b);
	expect_free(b, k2, CT_EDGES); /* non-blocking */
	expect_edge(b, k3, CT_EDGE_PEERS, copy, mb_launcher(b, copy));
	k2 = peer_copy(b, CT_API_cudaMemcpyPeer, &k1, &copy, 900);
	between(copy, 0, 1);
	mb_stream(b, S2, CT_STREAM_FLAG_BLOCKING);
	k3 = mb_launch(b, S2, 16, 20, 550, 1000); /* it overlapped with the copy */
	mb_load(b);
	expect_free(b, k3, CT_EDGES);
}

/* A thread's own default stream is ordered with the legacy one only, of its device and others. */
static void test_peer_copy_per_thread(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1, *k3, *copy;

	peer_copy(b, CT_API_cudaMemcpy_ptds, &k1, &copy, 900);
	between(copy, 0, 1);
	copy->stream = S3;
	mb_launcher(b, copy)->stream = 2; /* cudaStreamPerThread */
	mb_stream(b, S2, CT_STREAM_FLAG_BLOCKING);
	k3 = mb_launch(b, S2, 16, 20, 950, 1000);
	mb_load(b);
	expect_free(b, k3, CT_EDGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_stream_wait_event),
		MB_TEST(test_two_events),
		MB_TEST(test_legacy_default_stream),
		MB_TEST(test_legacy_of_another_context),
		MB_TEST(test_reuse),
		MB_TEST(test_shared_queue),
		MB_TEST(test_loading),
		MB_TEST(test_peer_copy),
		MB_TEST(test_peer_copy_of_known_devices),
		MB_TEST(test_peer_copy_per_thread),
		MB_TEST(test_per_thread_default_streams),
		MB_TEST(test_recycled_handle),
		MB_TEST(test_odd_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
