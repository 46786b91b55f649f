/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the same time come in one order, in whichever they were written. */
#include "tests/unit/model_builder.h"

#define SEEDS 12
#define S1 21

/* Operations that differ in one thing each, as they must come; grid_x says which is which. */
static uint32_t put_ops(struct model_builder *b)
{
	const struct ct_device_op base = { .start_ns = mb_ns(10), .end_ns = mb_ns(20), .correlation = 7,
					   .context = 2, .stream = 30, .name = 5 };
	struct ct_device_op wanted[] = { base, base, base, base, base, base, base };
	uint32_t count = sizeof(wanted) / sizeof(wanted[0]);

	wanted[0].end_ns = mb_ns(19);
	wanted[1].correlation = 6;
	wanted[2].context = 1;
	wanted[3].stream = 29;
	wanted[4].name = 4;
	wanted[6].end_ns = mb_ns(21);
	for (uint32_t i = 0; i < count; i++) {
		struct ct_device_op *op = mb_kernel(b, &(struct ct_call){ 0 }, 0, 0, 0);

		op->start_ns = wanted[i].start_ns;
		op->end_ns = wanted[i].end_ns;
		op->correlation = wanted[i].correlation;
		op->context = wanted[i].context;
		op->stream = wanted[i].stream;
		op->name = wanted[i].name;
		op->u.kernel.grid_x = i;
	}
	return count;
}

static void test_operations(void **state)
{
	struct model_builder *b = *state;

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		uint32_t count;

		mb_restart(b);
		count = put_ops(b);
		mb_shuffle(b, seed);
		mb_load(b);
		assert_int_equal(b->model->ops.count, count);
		for (uint32_t i = 0; i < count; i++)
			assert_int_equal(b->model->ops.at[i].raw.u.kernel.grid_x, i);
	}
}

/* As above; `stream` says which is which. */
static uint32_t put_overheads(struct model_builder *b)
{
	const struct ct_overhead base = { .start_ns = mb_ns(10), .end_ns = mb_ns(20), .kind = 3,
					  .tid = MB_B, .correlation = 7 };
	struct ct_overhead wanted[] = { base, base, base, base, base, base };
	uint32_t count = sizeof(wanted) / sizeof(wanted[0]);

	wanted[0].end_ns = mb_ns(19);
	wanted[1].kind = 2;
	wanted[2].tid = MB_A;
	wanted[3].correlation = 6;
	wanted[5].start_ns = mb_ns(11);
	for (uint32_t i = 0; i < count; i++) {
		struct ct_overhead *overhead = mb_overhead(b, CT_OVERHEAD_BUFFER_FLUSH, 0, 0);

		overhead->start_ns = wanted[i].start_ns;
		overhead->end_ns = wanted[i].end_ns;
		overhead->kind = wanted[i].kind;
		overhead->tid = wanted[i].tid;
		overhead->correlation = wanted[i].correlation;
		overhead->stream = i;
	}
	return count;
}

static void test_overheads(void **state)
{
	struct model_builder *b = *state;

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		uint32_t count;

		mb_restart(b);
		count = put_overheads(b);
		mb_shuffle(b, seed);
		mb_load(b);
		assert_int_equal(b->model->overheads.count, count);
		for (uint32_t i = 0; i < count; i++)
			assert_int_equal(b->model->overheads.at[i].stream, i);
	}
}

/* Calls by their threads, events by the number of their recording, then by their calls. */
static void test_calls_and_events(void **state)
{
	struct model_builder *b = *state;

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		mb_restart(b);
		for (uint32_t i = 0; i < 3; i++) {
			struct ct_event *event;

			mb_thread(b, MB_C - i);
			event = mb_record_event(b, i, S1, 10, 11 + i);
			event->event_sync = i < 2 ? 9 : 8;
		}
		mb_shuffle(b, seed);
		mb_load(b);
		assert_int_equal(b->model->calls.count, 3);
		assert_int_equal(b->model->calls.at[0].tid, MB_A);
		assert_int_equal(b->model->calls.at[1].tid, MB_B);
		assert_int_equal(b->model->calls.at[2].tid, MB_C);
		assert_int_equal(b->model->events.count, 3);
		assert_int_equal(b->model->events.at[0].event, 2);
		assert_int_equal(b->model->events.at[1].event, 0);
		assert_int_equal(b->model->events.at[2].event, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_operations),
		MB_TEST(test_overheads),
		MB_TEST(test_calls_and_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
