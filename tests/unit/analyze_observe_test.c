/* SPDX-License-Identifier: Apache-2.0 */
/* What is observed beside waits: polling, idle gaps and their causes, the ledger. */
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/idle.h"
#include "analyze/ledger.h"
#include "analyze/poll.h"

#define S1 21
#define S2 22
#define BLOCK 0xa0000
#define NOT_READY 600

static void two_streams(struct model_builder *b)
{
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, S2, CT_STREAM_FLAG_NON_BLOCKING);
}

/* `count` queries of 2 us from a time on, 10 us apart; the last one finds the work done. */
static struct ct_call *ask(struct model_builder *b, enum ct_api api, uint64_t event,
			   uint32_t stream, double from, int count)
{
	struct ct_call *first = NULL;

	for (int i = 0; i < count; i++) {
		double at = from + 10 * i;
		struct ct_call *query = event ? mb_call_about(b, api, event, at, at + 2)
					      : mb_call_on(b, api, stream, at, at + 2);

		query->error = i + 1 < count ? NOT_READY : 0;
		first = first ? first : query;
	}
	return first;
}

static struct ct_call *ask_event(struct model_builder *b, uint64_t event, double from, int count)
{
	return ask(b, CT_API_cudaEventQuery, event, 0, from, count);
}

static struct ct_call *ask_stream(struct model_builder *b, uint32_t stream, double from, int count)
{
	return ask(b, CT_API_cudaStreamQuery, 0, stream, from, count);
}

static void expect_poll(const struct model_builder *b, size_t index, const struct ct_call *first,
			uint32_t queries, double start, double end, uint32_t op)
{
	const struct ct_poll *poll = &b->model->polls.at[index];

	assert_true(index < b->model->polls.count);
	assert_int_equal(poll->call, mb_host_index(b, first));
	assert_int_equal(poll->queries, queries);
	assert_int_equal(poll->start_ns, mb_ns(start));
	assert_int_equal(poll->end_ns, mb_ns(end));
	assert_int_equal(poll->op, op);
}

static void test_polls(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *first, *second, *third;
	struct ct_device_op *k1, *other;
	uint64_t event;

	two_streams(b);
	k1 = mb_launch(b, S1, 0, 5, 10, 100);
	event = mb_event_handle(mb_record_event(b, 3, S1, 5, 8)->event);
	mb_launch(b, S1, 10, 15, 100, 900); /* behind the event */
	first = ask_event(b, event, 20, 5);
	other = mb_launch(b, S2, 200, 201, 210, 235);
	second = ask_stream(b, S2, 212, 3);
	third = ask_event(b, event, 240, 2); /* another object: another loop, with no call between */
	b->records[b->count - 1].u.call.error = NOT_READY;
	mb_load(b);
	assert_int_equal(ct_polls_find(b->model), 0);
	assert_int_equal(b->model->polls.count, 3);
	expect_poll(b, 0, first, 5, 20, 62, mb_op(b, k1));
	expect_poll(b, 1, second, 3, 212, 234, mb_op(b, other));
	expect_poll(b, 2, third, 2, 240, 252, mb_op(b, k1));
}

/* One query, queries that found all done, queries with other calls between: no loops. */
static void test_no_polls(void **state)
{
	struct model_builder *b = *state;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 900);
	for (int i = 0; i < 4; i++) {
		ask_stream(b, S1, 20 + 20 * i, 1)->error = NOT_READY;
		mb_launch(b, S2, 30 + 20 * i, 31 + 20 * i, 32 + 20 * i, 33 + 20 * i);
	}
	for (int i = 0; i < 4; i++)
		ask_stream(b, S1, 1100 + 20 * i, 1);
	mb_load(b);
	assert_int_equal(ct_polls_find(b->model), 0);
	assert_int_equal(b->model->polls.count, 0);
}

/* Threads poll on their own: another's calls do not end a loop. */
static void test_polls_of_threads(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k1;
	struct ct_call *first;

	two_streams(b);
	k1 = mb_launch(b, S1, 0, 5, 10, 100);
	first = ask_stream(b, S1, 20, 8);
	mb_thread(b, MB_B);
	mb_launch(b, S2, 33, 36, 40, 50);
	mb_load(b);
	assert_int_equal(ct_polls_find(b->model), 0);
	assert_int_equal(b->model->polls.count, 1);
	expect_poll(b, 0, first, 8, 20, 92, mb_op(b, k1));
}

static struct ct_idle *idle_of(struct model_builder *b)
{
	struct ct_idle *idle;

	mb_split(b);
	assert_int_equal(ct_idle_find(b->model, &idle), 0);
	return idle;
}

static void expect_gap(const struct model_builder *b, const struct ct_idle *idle, double start,
		       const struct ct_device_op *next, enum ct_idle_cause cause,
		       const struct ct_call *call)
{
	const struct ct_gap *gap = &idle->gaps.at[0];

	assert_int_equal(idle->gaps.count, 1);
	assert_int_equal(gap->start_ns, mb_ns(start));
	assert_int_equal(gap->end_ns, next->start_ns);
	assert_int_equal(gap->next_op, mb_op(b, next));
	assert_int_equal(gap->cause, cause);
	assert_int_equal(gap->call, mb_host_index(b, call));
	assert_int_equal(idle->idle_ns, next->start_ns - mb_ns(start));
	assert_int_equal(idle->by_cause_ns[cause], idle->idle_ns);
}

static const struct ct_gap *gap_of(const struct ct_idle *idle, uint32_t device)
{
	const struct ct_gap *found = NULL;

	for (size_t i = 0; i < idle->gaps.count; i++) {
		if (idle->gaps.at[i].device != device)
			continue;
		assert_null(found);
		found = &idle->gaps.at[i];
	}
	return found;
}

/*
 * Device 0 works until 290 and from 500 on, device 1 until 60 and from 295 on, behind an event of
 * device 0. Its copy is within it, or goes to device 1, which is not idle then.
 */
static struct ct_idle *idle_of_two(struct model_builder *b, bool copies)
{
	struct ct_event *event;
	struct ct_device_op *copy;

	mb_restart(b);
	mb_device(b, 1);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 3, 10, 60);
	mb_device(b, 0);
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 4, 6, 10, 100);
	copy = mb_copy(b, mb_call_on(b, CT_API_cudaMemcpyPeerAsync, S1, 7, 9), S1, CT_MEMORY_DEVICE, 105,
		       290);
	if (copies) {
		copy->u.copy.direction = CT_DIRECTION_P2P;
		copy->u.copy.peer.source = 0 + 1;
		copy->u.copy.peer.target = 1 + 1;
	}
	event = mb_record_event(b, 3, S1, 10, 11);
	mb_device(b, 1);
	mb_wait_event(b, event, S1, 12, 13);
	mb_launch(b, S1, 14, 16, 295, 450);
	mb_device(b, 0);
	mb_launch(b, S1, 460, 465, 500, 600);
	return idle_of(b);
}

static void test_idle_of_each(void **state)
{
	struct model_builder *b = *state;
	struct ct_idle *idle = idle_of_two(b, false);

	assert_int_equal(gap_of(idle, CT_NONE)->start_ns, mb_ns(450)); /* none worked */
	assert_int_equal(gap_of(idle, 0)->start_ns, mb_ns(290));
	assert_int_equal(gap_of(idle, 0)->end_ns, mb_ns(500));
	assert_int_equal(gap_of(idle, 1)->start_ns, mb_ns(60));
	assert_int_equal(gap_of(idle, 1)->end_ns, mb_ns(295));
	assert_int_equal(gap_of(idle, 1)->cause, CT_IDLE_OTHER);
	assert_int_equal(idle->devices[0].idle_ns, 5000 + 210000);
	assert_int_equal(idle->devices[1].idle_ns, 235000);
	assert_int_equal(idle->devices[1].by_cause_ns[CT_IDLE_OTHER], 235000);
	assert_int_equal(idle->devices[1].busy_ns, 205000);
	ct_idle_destroy(idle);
	idle = idle_of_two(b, true);
	assert_int_equal(gap_of(idle, 1)->start_ns, mb_ns(60));
	assert_int_equal(gap_of(idle, 1)->end_ns, mb_ns(105));
	assert_int_equal(idle->devices[1].busy_ns, 205000 + 185000);
	assert_int_equal(idle->devices[1].ops, 2);
	assert_int_equal(idle->devices[1].work_ns, idle->devices[1].busy_ns);
	assert_int_equal(idle->work_ns, 50000 + 90000 + 185000 + 155000 + 100000); /* the copy once */
	ct_idle_destroy(idle);
}

/* A part whose run had work of device 1 before, and of all devices shortly before it begins. */
static void test_idle_before_a_part(void **state)
{
	uint64_t until_ns[CT_IDLE_TRACKS] = { [1] = mb_ns(-500), [CT_IDLE_ALL] = mb_ns(-100) };
	struct ct_idle *idle = idle_of_two(*state, false);
	struct ct_model *model = ((struct model_builder *)*state)->model;

	assert_int_equal(ct_idle_lead(model, until_ns, idle), 0);
	assert_int_equal(idle->devices[0].idle_ns, 5000 + 210000);
	assert_int_equal(idle->devices[1].idle_ns, 235000 + 510000);
	assert_int_equal(idle->idle_ns, 5000 + 5000 + 50000 + 110000);
	ct_idle_destroy(idle);
}

static void test_idle_in_call(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k2;
	struct ct_call *allocates;
	struct ct_idle *idle;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 100);
	mb_launch(b, S2, 5, 10, 20, 120);
	mb_sync_device(b, 20, 124);
	allocates = mb_call_about(b, CT_API_cudaMalloc, BLOCK, 130, 480);
	k2 = mb_launch(b, S1, 485, 490, 500, 600);
	idle = idle_of(b);
	expect_gap(b, idle, 120, k2, CT_IDLE_CALL, allocates);
	assert_int_equal(idle->busy_ns, 210000);
	assert_int_equal(idle->work_ns, 290000);
	assert_int_equal(idle->idle_blocked_ns, 0); /* an allocation is work, not a wait */
	ct_idle_destroy(idle);
}

static void test_idle_in_program(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k2;
	struct ct_idle *idle;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 100);
	mb_sync_device(b, 20, 104);
	mb_call_about(b, CT_API_cudaMalloc, BLOCK, 110, 200);
	k2 = mb_launch(b, S1, 485, 490, 500, 600);
	mb_thread(b, MB_B);
	mb_call_about(b, CT_API_cudaMalloc, BLOCK, 105, 480); /* not its thread */
	idle = idle_of(b);
	expect_gap(b, idle, 100, k2, CT_IDLE_HOST, mb_launcher(b, k2));
	ct_idle_destroy(idle);
}

static void test_idle_on_device(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *k2;
	struct ct_idle *idle;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 100);
	k2 = mb_launch(b, S1, 110, 140, 500, 600); /* submitted in the gap, but early in it */
	idle = idle_of(b);
	expect_gap(b, idle, 100, k2, CT_IDLE_DEVICE, mb_launcher(b, k2));
	ct_idle_destroy(idle);
}

/* A gap of 10 us counts but is none to show; blocked: the union over threads. */
static void test_idle_sums(void **state)
{
	struct model_builder *b = *state;
	struct ct_idle *idle;

	two_streams(b);
	mb_launch(b, S1, 0, 5, 10, 100);
	mb_launch(b, S1, 5, 10, 109, 200);
	mb_sync_device(b, 20, 203);
	mb_launch(b, S1, 880, 890, 900, 1000);
	mb_thread(b, MB_B);
	mb_sync_stream(b, S2, 210, 410); /* unexplained: 200 us each, 50 in common */
	mb_thread(b, MB_C);
	mb_sync_stream(b, S2, 360, 560);
	idle = idle_of(b);
	assert_int_equal(idle->busy_ns, 281000);
	assert_int_equal(idle->work_ns, 281000);
	assert_int_equal(idle->idle_ns, 709000);
	assert_int_equal(idle->gaps.count, 1);
	assert_int_equal(idle->by_cause_ns[CT_IDLE_DEVICE], 9000);
	assert_int_equal(idle->by_cause_ns[CT_IDLE_HOST], 700000);
	assert_int_equal(idle->idle_blocked_ns, 350000 + 9000);
	ct_idle_destroy(idle);
}

static const struct ct_ledger_line *line_of(const struct ct_ledger *ledger, enum ct_api api)
{
	for (size_t i = 0; i < ledger->lines.count; i++)
		if (ledger->lines.at[i].api == api)
			return &ledger->lines.at[i];
	fail_msg("no line of %s", ct_apis[api].name);
	return NULL;
}

static void test_ledger(void **state)
{
	struct model_builder *b = *state;
	const struct ct_ledger_line *frees, *launches;
	struct ct_call *longest;
	struct ct_ledger *ledger;

	two_streams(b);
	mb_call_about(b, CT_API_cudaFree, BLOCK, -300, -100);   /* nothing in flight */
	mb_launch(b, S1, 0, 5, 10, 500);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 510);
	mb_launch(b, S1, 600, 605, 610, 1000);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 610, 640);     /* it could have waited */
	mb_call_about(b, CT_API_cudaFree, BLOCK, 985, 1004);    /* 15 us: too short to count */
	mb_launch(b, S1, 1990, 1995, 1999, 3000);
	longest = mb_call_about(b, CT_API_cudaFree, BLOCK, 2000, 3001);
	mb_thread(b, MB_B);
	mb_launch(b, S2, 2100, 3001, 3010, 3100);
	mb_thread(b, MB_A);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 3020, 3105);
	mb_split(b);
	assert_int_equal(ct_ledger_make(b->model, &ledger), 0);
	assert_int_equal(ledger->lines.count, 2);
	frees = line_of(ledger, CT_API_cudaFree);
	assert_int_equal(frees->calls, 6);
	assert_int_equal(frees->chances, 5);
	assert_int_equal(frees->waited, 3);
	assert_int_equal(frees->blocked, 3);
	assert_int_equal(frees->locked, 0);
	assert_int_equal(frees->longest_ns, 1001000);
	assert_int_equal(frees->longest_wait_ns, 1000000);
	assert_ptr_equal(&b->model->waits.at[frees->longest_wait],
			 mb_wait(b, longest, CT_PART_DEVICE_WAIT));
	assert_true(frees->documented[0] && frees->source[0]);
	launches = line_of(ledger, CT_API_cudaLaunchKernel);
	assert_int_equal(launches->calls, 4);
	assert_int_equal(launches->chances, 1);
	assert_int_equal(launches->waited, 0);
	assert_int_equal(launches->locked, 1);
	assert_int_equal(launches->blocked, 1);
	assert_ptr_equal(&ledger->lines.at[0], frees); /* by longest wait */
	ct_ledger_destroy(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_polls),
		MB_TEST(test_no_polls),
		MB_TEST(test_polls_of_threads),
		MB_TEST(test_idle_of_each),
		MB_TEST(test_idle_before_a_part),
		MB_TEST(test_idle_in_call),
		MB_TEST(test_idle_in_program),
		MB_TEST(test_idle_on_device),
		MB_TEST(test_idle_sums),
		MB_TEST(test_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
