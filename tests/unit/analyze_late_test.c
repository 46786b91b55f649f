/* SPDX-License-Identifier: Apache-2.0 */
/* CUPTI was started in the middle of the run: what existed by then has no record. */
#include "tests/unit/model_builder.h"

#include "analyze/seen.h"

#define OLDER 7 /* a context without a record */
#define S1 21   /* and a stream */

static struct ct_device_op *launch(struct model_builder *b, uint32_t stream, double enter,
				   double start, double end)
{
	struct ct_device_op *op = mb_launch(b, stream, enter, enter + 5, start, end);

	op->context = OLDER;
	return op;
}

/* What is submitted says which stream a handle is, at any time. */
static void test_handle(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *before, *after;
	uint32_t stream;

	before = mb_call_on(b, CT_API_cudaFreeAsync, S1, 0, 1);
	launch(b, S1, 10, 20, 300);
	after = mb_call_on(b, CT_API_cudaFreeAsync, S1, 20, 21);
	mb_load(b);
	stream = ct_stream_index(b->model, OLDER, S1, false);
	assert_int_not_equal(stream, CT_NONE);
	assert_int_equal(mb_host(b, before)->stream, stream);
	assert_int_equal(mb_host(b, after)->stream, stream);
}

/* A record of a stream says since when its handle is its own: until then it was another's. */
static void test_handle_used_again(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *before;
	uint64_t handle = mb_handle(S1);
	struct ct_device_op *op;

	before = mb_call_on(b, CT_API_cudaFreeAsync, S1, -3000, -2999);
	op = launch(b, S1 + 1, -2000, -1990, -1500);
	mb_launcher(b, op)->stream = handle;
	mb_stream(b, S1, CT_STREAM_FLAG_BLOCKING); /* since -1000 */
	mb_launch(b, S1, 0, 5, 10, 300);
	mb_load(b);
	assert_int_equal(mb_host(b, before)->stream, ct_stream_index(b->model, OLDER, S1 + 1, false));
}

/* So is the default stream found; whether it holds another up is not known. */
static void test_default_stream(void **state)
{
	struct model_builder *b = *state;
	const struct ct_context *context;
	struct ct_device_op *other;
	uint32_t stream;

	launch(b, MB_LEGACY, 0, 10, 300);
	other = launch(b, S1, 10, 305, 400);
	mb_load(b);
	context = &b->model->contexts.at[b->model->contexts.count - 1];
	assert_int_equal(context->context, OLDER);
	assert_int_equal(context->null_stream, MB_LEGACY);
	stream = ct_stream_index(b->model, OLDER, MB_LEGACY, false);
	assert_int_equal(b->model->streams.at[stream].flag, CT_STREAM_FLAG_LEGACY);
	assert_int_equal(b->model->ops.at[mb_op(b, other)].edges[CT_EDGE_DEFAULT].op, CT_NONE);
}

/* What was copied before has no record, and none is missed. */
static void test_copies(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *before, *after;

	mb_note(b, CT_NOTE_MODE, -100, CT_MODE_LIGHT);
	mb_note(b, CT_NOTE_CUPTI_VERSION, 490, 0);
	before = mb_call(b, CT_API_cudaMemcpy, 300, 310);
	after = mb_call(b, CT_API_cudaMemcpy, 700, 710);
	mb_load(b);
	assert_false(ct_seen_work(b->model, mb_host(b, before)));
	assert_true(ct_seen_work(b->model, mb_host(b, after)));
}

/* A call that waits for the device waits for one context: with another at work, not for all. */
static void test_contexts(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *next;

	mb_note(b, CT_NOTE_MODE, -100, CT_MODE_LIGHT);
	mb_note(b, CT_NOTE_MODE, 100, CT_MODE_FULL);
	mb_call(b, CT_API_cudaMalloc, 0, 1);
	mb_sync_device(b, 200, 300);
	next = mb_call(b, CT_API_cudaDeviceSynchronize, 400, 500);
	mb_load(b);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, next)), CT_SEEN_ALL);
	mb_launch(b, S1, 600, 605, 610, 620)->context = OLDER;
	mb_call(b, CT_API_cudaMalloc, 700, 701);
	mb_load(b);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, next)), CT_SEEN_LIGHT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_handle),
		MB_TEST(test_handle_used_again),
		MB_TEST(test_default_stream),
		MB_TEST(test_copies),
		MB_TEST(test_contexts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
