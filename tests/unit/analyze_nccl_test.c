/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of NCCL's kernels: what came before a collective, and which host thread waited for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/report.h"

#define COMM 21
#define WORK 22
#define ALL_REDUCE 1 /* string ids */
#define SEND 2
#define GEMM 3

static void add_string(struct model_builder *b, uint32_t id, const char *text)
{
	struct mb_record *to = &b->records[b->count++];
	struct ct_string *string = (struct ct_string *)(void *)to->u.bytes;

	to->tid = MB_A;
	to->type = CT_RECORD_STRING;
	memset(to->u.bytes, 0, sizeof(to->u.bytes));
	string->id = id;
	string->length = (uint32_t)strlen(text);
	memcpy(string->text, text, string->length);
}

static void begin(struct model_builder *b)
{
	mb_stream(b, COMM, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, WORK, CT_STREAM_FLAG_NON_BLOCKING);
	add_string(b, ALL_REDUCE, "ncclDevKernel_AllReduce_Sum_f32");
	add_string(b, SEND, "ncclDevKernel_SendRecv");
	add_string(b, GEMM, "_Z4gemmi");
}

static struct ct_nccl digest(struct model_builder *b)
{
	struct ct_nccl found;

	mb_serialize(b);
	assert_int_equal(ct_nccl_find(b->model, b->sites, &found), 0);
	return found;
}

static void expect_before(const struct ct_collective *c, double own, double blocked, double device)
{
	assert_true(mb_us(c->before_ns[CT_BEFORE_OWN]) == own);
	assert_true(mb_us(c->before_ns[CT_BEFORE_BLOCKED]) == blocked);
	assert_true(mb_us(c->before_ns[CT_BEFORE_DEVICE]) == device);
}

static const char *text(const struct ct_nccl *n, uint32_t index)
{
	return index == CT_NONE ? "none" : n->texts.at[index];
}

/*
 * The first ends at 100. Then the host is in a synchronize from 110 to 300, of which it waits until 290
 * for a kernel, launches at 320, and the device comes to it at 400, having been at gemm from 330 on.
 */
static void test_before(void **state)
{
	struct model_builder *b = *state;
	const struct ct_collective *c;
	struct ct_call *sync;
	struct ct_nccl n;

	begin(b);
	mb_launch(b, COMM, 0, 5, 10, 100)->name = ALL_REDUCE;
	mb_launch(b, WORK, 102, 105, 107, 290);
	sync = mb_sync_stream(b, WORK, 110, 300);
	mb_launch(b, WORK, 310, 315, 330, 395)->name = GEMM;
	mb_launch(b, COMM, 320, 325, 400, 500)->name = ALL_REDUCE;
	n = digest(b);
	assert_int_equal(n.lanes.count, 1);
	assert_int_equal(n.lanes.at[0].count, 2);
	c = &n.lanes.at[0].kept.at[1];
	expect_before(c, 40, mb_us(mb_host(b, sync)->parts[CT_PART_DEVICE_WAIT]), 80);
	assert_true(mb_us(c->before_ns[CT_BEFORE_BLOCKED]) == 180);
	assert_string_equal(text(&n, c->blocked_at), "cudaStreamSynchronize at (no stack)");
	assert_string_equal(text(&n, c->ran), "gemm");
	assert_string_equal(text(&n, c->host_at), "none");
	ct_nccl_free(&n);
}

/* Another thread's waits are not the launching thread's. */
static void test_other_thread(void **state)
{
	struct model_builder *b = *state;
	struct ct_nccl n;

	begin(b);
	mb_launch(b, COMM, 0, 5, 10, 100)->name = ALL_REDUCE;
	mb_launch(b, WORK, 102, 105, 107, 290);
	mb_thread(b, MB_B);
	mb_sync_stream(b, WORK, 110, 300);
	mb_thread(b, MB_A);
	mb_launch(b, COMM, 320, 325, 330, 400)->name = ALL_REDUCE;
	n = digest(b);
	expect_before(&n.lanes.at[0].kept.at[1], 220, 0, 10);
	ct_nccl_free(&n);
}

/*
 * The host waits for the stream itself; then for a kernel of another stream that had to follow the
 * collective, as a framework's do.
 */
static void test_host(void **state)
{
	struct model_builder *b = *state;
	struct ct_event *event;
	const struct ct_collective *kept;
	struct ct_nccl n;

	begin(b);
	mb_launch(b, COMM, 0, 5, 10, 100)->name = ALL_REDUCE;
	mb_sync_stream(b, COMM, 20, 103);
	mb_launch(b, COMM, 200, 205, 210, 400)->name = ALL_REDUCE;
	event = mb_record_event(b, 1, COMM, 206, 208);
	mb_wait_event(b, event, WORK, 210, 212);
	mb_launch(b, WORK, 214, 216, 402, 420)->name = GEMM;
	mb_sync_stream(b, WORK, 250, 423);
	mb_launch(b, COMM, 500, 505, 510, 600)->name = ALL_REDUCE;
	n = digest(b);
	kept = n.lanes.at[0].kept.at;
	assert_int_equal(kept[0].host_start_ns, mb_ns(20));
	assert_int_equal(kept[0].host_end_ns, mb_ns(100));
	assert_string_equal(text(&n, kept[0].host_at), "cudaStreamSynchronize at (no stack)");
	assert_int_equal(kept[1].host_start_ns, mb_ns(250));
	assert_int_equal(kept[1].host_end_ns, mb_ns(400));
	assert_int_equal(kept[2].host_end_ns, 0);
	ct_nccl_free(&n);
}

/* Sends are counted, but are no collectives; other kernels are neither. */
static void test_counts(void **state)
{
	struct model_builder *b = *state;
	struct ct_nccl n;

	begin(b);
	mb_launch(b, COMM, 0, 5, 10, 30)->name = ALL_REDUCE;
	mb_launch(b, COMM, 40, 45, 50, 110)->name = ALL_REDUCE;
	mb_launch(b, COMM, 120, 125, 130, 140)->name = SEND;
	mb_launch(b, WORK, 150, 155, 160, 170)->name = GEMM;
	n = digest(b);
	assert_int_equal(n.lanes.count, 1);
	assert_int_equal(n.lanes.at[0].count, 2);
	assert_int_equal(n.calls.count, 2);
	assert_int_equal(n.calls.at[0].op, CT_NCCL_ALL_REDUCE);
	assert_true(mb_us(n.calls.at[0].total_ns) == 80);
	assert_true(mb_us(n.calls.at[0].least_ns) == 20);
	assert_true(mb_us(n.calls.at[0].most_ns) == 60);
	assert_int_equal(n.calls.at[1].op, CT_NCCL_SEND_RECV);
	ct_nccl_free(&n);
}

static void test_none(void **state)
{
	struct model_builder *b = *state;
	struct ct_nccl n;

	begin(b);
	mb_launch(b, WORK, 150, 155, 160, 170)->name = GEMM;
	n = digest(b);
	assert_int_equal(n.lanes.count + n.calls.count + n.texts.count, 0);
	ct_nccl_free(&n);
}

/* The section of a process's report, as text for free(). */
static char *section(struct ct_nccl *nccl)
{
	struct ct_analysis a = { .nccl = *nccl };
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	assert_int_equal(ct_meet_add(&a.meet, 0, NULL, 0, &a.nccl), 0);
	assert_int_equal(ct_meet_find(&a.meet), 0);
	ct_report_nccl(&a, to);
	fclose(to);
	ct_meet_free(&a.meet);
	return text;
}

/* One thread drives two devices, and comes to the second 1.5 ms later. */
static void test_devices(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *op;
	struct ct_nccl n;
	char *text;

	begin(b);
	mb_context(b, 2, 8, -100);
	for (int i = 0; i < 3; i++) {
		mb_launch(b, COMM, i * 5000, i * 5000 + 5, i * 5000 + 10, i * 5000 + 1600)->name = ALL_REDUCE;
		op = mb_launch(b, COMM, i * 5000 + 1500, i * 5000 + 1505, i * 5000 + 1510, i * 5000 + 1600);
		op->name = ALL_REDUCE;
		op->context = 2;
		op->device = 1;
	}
	n = digest(b);
	assert_int_equal(n.lanes.count, 2);
	text = section(&n);
	assert_non_null(strstr(text, "Late: device 1 came last to 3 of 3 collectives, 1.50 ms"));
	assert_null(strstr(text, "In one rank's trace"));
	free(text);
	ct_nccl_free(&n);
}

/* Of one rank alone nothing is called a wait: the spread of durations is, as an estimate. */
static void test_alone(void **state)
{
	struct model_builder *b = *state;
	struct ct_nccl n;
	char *text;

	begin(b);
	mb_launch(b, COMM, 0, 5, 10, 30)->name = ALL_REDUCE;
	mb_launch(b, COMM, 40, 45, 50, 110)->name = ALL_REDUCE;
	n = digest(b);
	text = section(&n);
	assert_non_null(strstr(text, "AllReduce             2   80.0 us   20.0 us   60.0 us   40.0 us"));
	assert_non_null(strstr(text, "In one rank's trace waiting and work look the same"));
	assert_null(strstr(text, "Late:"));
	free(text);
	ct_nccl_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_before), MB_TEST(test_other_thread), MB_TEST(test_host),
		MB_TEST(test_counts), MB_TEST(test_none), MB_TEST(test_devices), MB_TEST(test_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
