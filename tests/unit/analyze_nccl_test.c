/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of NCCL's kernels: what came before a collective, and which host thread waited for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/report.h"
#include "analyze/run.h"

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

static void expect_before(const struct ct_collective *c, double own, double calls, double blocked,
			  double device)
{
	assert_true(mb_us(c->before_ns[CT_BEFORE_OWN]) == own);
	assert_true(mb_us(c->before_ns[CT_BEFORE_CALLS]) == calls);
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
	expect_before(c, 22, 18, mb_us(mb_host(b, sync)->parts[CT_PART_DEVICE_WAIT]), 80);
	assert_true(mb_us(c->before_ns[CT_BEFORE_BLOCKED]) == 180);
	assert_string_equal(text(&n, c->before[CT_BEFORE_BLOCKED]), "cudaStreamSynchronize at (no stack)");
	assert_string_equal(text(&n, c->before[CT_BEFORE_DEVICE]), "gemm");
	assert_string_equal(text(&n, c->host_at), "none");
	ct_nccl_free(&n);
}

/* Of a part of a run nothing is said of the time before what it has. */
static void test_part(void **state)
{
	struct model_builder *b = *state;
	struct ct_nccl n;

	begin(b);
	mb_call(b, CT_API_cudaMalloc, 0, 10);
	mb_launch(b, COMM, 320, 325, 330, 400)->name = ALL_REDUCE;
	n = digest(b);
	expect_before(&n.lanes.at[0].kept.at[0], 310, 10, 0, 10);
	ct_nccl_free(&n);
	b->model->core.from_ns = mb_ns(200);
	assert_int_equal(ct_nccl_find(b->model, b->sites, &n), 0);
	expect_before(&n.lanes.at[0].kept.at[0], 120, 0, 0, 10);
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
	expect_before(&n.lanes.at[0].kept.at[1], 217, 3, 0, 10);
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

/*
 * A rank of a run, from its trace: five steps of 5 ms, each with 1 ms of gemm and then an AllReduce
 * that begins `late` us after the others' and ends with theirs, for the cause given; with KERNEL it was
 * launched in time.
 */
enum cause { FREE, MALLOC, CODE, KERNEL };

static void be_late(struct model_builder *b, enum cause cause, double from, double to)
{
	if (cause == KERNEL)
		mb_launch(b, WORK, from, from + 2, from + 6, to - 5)->name = GEMM + 1;
	if (cause == FREE) {
		mb_launch(b, WORK, from, from + 2, from + 6, to - 23)->name = GEMM;
		mb_call_about(b, CT_API_cudaFree, 0x7000, from + 3, to - 20);
	}
	if (cause == MALLOC)
		mb_call(b, CT_API_cudaMalloc, from + 3, to - 20);
}

static struct ct_process rank_of(struct model_builder *b, uint32_t rank, double late, double step_late,
				 enum cause cause)
{
	struct ct_analysis a = { .directory = "somewhere" };
	struct ct_process p;

	mb_restart(b);
	begin(b);
	add_string(b, GEMM + 1, "slow_layer");
	mb_note_text(b, CT_NOTE_HOST, -900, 0, "node");
	mb_note_text(b, CT_NOTE_RANK, -900, rank, "RANK");
	for (int i = 0; i < 5; i++) {
		double at = i * 5000, come = at + 1200 + rank + late;

		mb_launch(b, WORK, at, at + 5, at + 10, at + 1000)->name = GEMM;
		mb_sync_stream(b, WORK, at + 6, at + 1003);
		if (late)
			be_late(b, cause, at + 1004, come);
		mb_launch(b, COMM, late && cause != KERNEL ? come - 15 : at + 1190, come - 5, come,
			  at + 1300 + step_late)->name = ALL_REDUCE;
		mb_sync_stream(b, COMM, come, at + 1303 + step_late);
	}
	mb_serialize(b);
	a.model = b->model;
	a.sites = b->sites;
	a.serialization = b->serialization;
	assert_int_equal(ct_idle_find(b->model, &a.idle), 0);
	assert_int_equal(ct_busy_find(b->model, b->sites, &a.busy), 0);
	assert_int_equal(ct_nccl_find(b->model, b->sites, &a.nccl), 0);
	ct_totals_find(b->model, b->sites, &a.totals);
	assert_int_equal(ct_process_take(&a, &p), 0);
	ct_busy_free(&a.busy);
	ct_idle_destroy(a.idle);
	ct_nccl_free(&a.nccl);
	return p;
}

/* Make one line of them all. */
static void unwrap(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from != '\n' && (*from != ' ' || from[1] != ' '))
			*to++ = *from;
		else if (*from == '\n' && from[1] != ' ')
			*to++ = ' ';
	}
	*to = '\0';
}

struct story {
	uint32_t ranks, late;   /* late: CT_NONE = none */
	enum cause cause;
	bool clocks;            /* each has its own */
	const char *says[3];
};

static void tell(struct model_builder *b, const struct story *s)
{
	struct ct_run *run = ct_run_create();
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(run);
	for (uint32_t rank = 0; rank < s->ranks; rank++) {
		struct ct_process p = rank_of(b, rank, rank == s->late ? 2000 : 0, s->late == CT_NONE ? 0 : 2000,
					      s->cause);

		p.clock_ns += s->clocks ? rank * 5000000000u : 0;
		assert_int_equal(ct_run_add(run, &p), 0);
	}
	assert_int_equal(ct_run_finish(run), 0);
	ct_report_run(run, false, to);
	fclose(to);
	unwrap(text);
	for (size_t i = 0; i < 3 && s->says[i]; i++)
		if (!strstr(text, s->says[i]))
			fail_msg("\"%s\" is not in\n%s", s->says[i], text);
	assert_int_equal(run->meet.named, s->late);
	assert_int_equal(run->meet.met, 5);
	free(text);
	ct_run_destroy(run);
}

static void test_runs(void **state)
{
	static const struct story stories[] = {
		{ 2, 1, FREE, false, { "Late: rank 1 came last to 5 of 5 collectives, 2.00 ms",
				       "blocked, most in cudaFree at (no stack) (5 times)",
				       "rank 0: cudaStreamSynchronize at (no stack) waited 10.0 ms in 5 calls" } },
		{ 4, 2, KERNEL, false, { "Late: rank 2 came last to 5 of 5", "while its device was at work, most in slow_layer" } },
		{ 4, 2, MALLOC, false, { "in calls that did not wait, most in cudaMalloc at (no stack)" } },
		{ 4, 0, CODE, false, { "Late: rank 0 came last to 5 of 5", "in its own code (5 times)" } },
		{ 4, 2, FREE, true, { "Late: rank 2 came last to 5 of 5", "Clocks of different hosts were not" } },
		{ 4, CT_NONE, FREE, false, { "Late: nobody stands out; the most that one came after all others "
					     "is 0 ns in all." } },
		{ 4, CT_NONE, FREE, true, { "Late: nobody stands out" } },
	};

	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		tell(*state, &stories[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_before), MB_TEST(test_part), MB_TEST(test_other_thread), MB_TEST(test_host),
		MB_TEST(test_counts), MB_TEST(test_none), MB_TEST(test_runs), MB_TEST(test_devices), MB_TEST(test_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
