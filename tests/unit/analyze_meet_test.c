/* SPDX-License-Identifier: Apache-2.0 */
/* Collectives of several ranks: names, who was late, and what must not be matched. */
#include <stdio.h>

#include "tests/unit/run_builder.h"

#include "analyze/report.h"

#define US 1000ull
#define NAME "ncclDevKernel_AllReduce_Sum_f32_RING_LL"

static void test_names(void **state)
{
	static const struct {
		const char *name;
		enum ct_nccl_op op;
	} rows[] = {
		{ "ncclDevKernel_AllReduce_Sum_f32_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
		  CT_NCCL_ALL_REDUCE },
		{ "_Z39ncclDevKernel_AllReduce_Sum_f32_RING_LL24ncclDevKernelArgsStorageILm4096EE",
		  CT_NCCL_ALL_REDUCE },
		{ "ncclKernel_AllReduce_RING_LL_Sum_float(ncclDevComm*, unsigned long, ncclWork*)",
		  CT_NCCL_ALL_REDUCE },
		{ "ncclAllReduceRingLLKernel_sum_f32(ncclColl)", CT_NCCL_ALL_REDUCE },
		{ "ncclSymkDevKernel_AllReduce_RSxLD_AGxST_sum_bf16(ncclSymkDevWorkArgs4K)",
		  CT_NCCL_ALL_REDUCE },
		{ "ncclSymDevKernel_AllGather_LLMC(ncclSymDevArgs)", CT_NCCL_ALL_GATHER },
		{ "_Z31ncclDevKernel_AllGather_RING_LL24ncclDevKernelArgsStorageILm4096EE",
		  CT_NCCL_ALL_GATHER },
		{ "ncclDevKernel_AllGatherV_RING_LL", CT_NCCL_ALL_GATHER_V },
		{ "ncclDevKernel_ReduceScatter_Sum_bf16_RING_LL(x)", CT_NCCL_REDUCE_SCATTER },
		{ "ncclDevKernel_Reduce_Sum_u8_RING_LL(x)", CT_NCCL_REDUCE },
		{ "ncclBroadcastRingLLKernel_copy_i8(ncclColl)", CT_NCCL_BROADCAST },
		{ "ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)", CT_NCCL_SEND_RECV },
		{ "ncclKernel_SendRecv_RING_SIMPLE_Sum_int8_t(ncclDevComm*)", CT_NCCL_SEND_RECV },
		{ "ncclDevKernel_Generic(ncclDevKernelArgsStorage<4096ul>)", CT_NCCL_OTHER },
		{ "ncclDevKernel_Unheard_Of", CT_NCCL_OTHER },
		{ "ncclDevKernel", CT_NCCL_OTHER },
		{ "void my_ncclKernel_AllReduce(int)", CT_NCCL_OPS },
		{ "_Z6gatherRK24ncclDevKernelArgsStorageILm4096EE", CT_NCCL_OPS },
		{ "ncclFloatToHalf(float*)", CT_NCCL_OPS },
		{ "AllReduceKernel", CT_NCCL_OPS },
		{ "_Z", CT_NCCL_OPS },
		{ "", CT_NCCL_OPS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ct_nccl_op_of(rows[i].name) != rows[i].op)
			fail_msg("%s is operation %d", rows[i].name, ct_nccl_op_of(rows[i].name));
}

static struct ct_collective *collect(struct ct_process *p, uint32_t device, uint32_t stream,
				     const char *name, uint64_t start_us, uint64_t end_us)
{
	struct ct_collective c = { .start_ns = start_us * US, .end_ns = end_us * US,
				   .op = ct_nccl_op_of(name), .host_at = CT_NONE,
				   .before = { CT_NONE, CT_NONE, CT_NONE, CT_NONE } };
	struct ct_nccl_call call = { .kernel = ct_nccl_text(&p->nccl, name), .at = CT_NONE, .op = c.op,
				     .count = 1 };
	struct ct_nccl_lane *lane = ct_nccl_lane(&p->nccl, device, 1, stream);

	assert_non_null(lane);
	assert_int_equal(ct_nccl_add(lane, name, &c), 0);
	assert_int_equal(ct_nccl_count(&p->nccl, call), 0);
	return &lane->kept.at[lane->kept.count - 1];
}

#define RANKS 4
#define STEPS 50
#define STEP_US 5000

/*
 * Ranks on one host, or half of them on another whose clock is 5 s ahead: 1 ms of work, and then a
 * collective of 100 us. In the first `times` steps rank 2 comes 2 ms later, having been blocked.
 */
static void add_ranks(struct ct_run *run, int times, bool two_hosts)
{
	for (uint32_t rank = 0; rank < RANKS; rank++) {
		bool other = two_hosts && rank < RANKS / 2; /* not that of the late one */
		uint64_t ahead_us = other ? 5000000 : 0;
		struct ct_process p = process(rank, 0, 1000);

		p.clock_ns = START;
		if (other) {
			free(p.host);
			p.host = strdup("other");
		}
		for (uint64_t i = 0; i < STEPS; i++) {
			uint64_t late_us = (int)i < times ? 2000 : 0, at_us = ahead_us + i * STEP_US + 1000;
			uint64_t come_us = at_us + rank * 3 + (rank == 2 ? late_us : 0);
			struct ct_collective *c = collect(&p, 0, 20, NAME, come_us, at_us + late_us + 100);

			c->before_ns[CT_BEFORE_OWN] = 1000 * US;
			if (rank == 2 && late_us) {
				c->before_ns[CT_BEFORE_BLOCKED] = late_us * US;
				c->before[CT_BEFORE_BLOCKED] = ct_nccl_text(&p.nccl, "cudaFree at x.cu:10 step");
			} else if (late_us) { /* its host waits from in the middle on */
				c->host_start_ns = (at_us + 1000) * US;
				c->host_end_ns = (at_us + (rank == 1 ? 1500 : late_us + 100)) * US;
				c->host_at = ct_nccl_text(&p.nccl, "cudaStreamSynchronize at x.cu:20 step");
			}
		}
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
}

static char *text_of(const struct ct_run *run)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	ct_report_run_nccl(run, false, to);
	fclose(to);
	return text;
}

static void expect_text(const struct ct_run *run, const char *const *wanted)
{
	char *text = text_of(run);

	for (; *wanted; wanted++)
		if (!strstr(text, *wanted))
			fail_msg("\"%s\" is not in\n%s", *wanted, text);
	free(text);
}

/* Late by 2 ms less the 3 or 9 us that another came after its step's begin. */
static void test_late(void **state)
{
	static const char *const wanted[] = {
		"Late: rank 2 came last to 41 of 50 collectives, 2.00 ms",
		"81.9 ms blocked, most in cudaFree at x.cu:10 step (41 times)",
		"rank 0: cudaStreamSynchronize at x.cu:20 step waited 41.2 ms in 41 calls for rank 2's",
		"rank 1: cudaStreamSynchronize at x.cu:20 step waited 20.5 ms in 41 calls for rank 2's",
		NULL,
	};
	struct ct_run *run = *state;
	const struct ct_meet_member *late;

	add_ranks(run, 41, false);
	assert_int_equal(run->meet.met, STEPS);
	assert_int_equal(run->meet.late, 41);
	assert_int_equal(run->meet.named, 2);
	assert_false(run->meet.by_durations);
	late = &run->meet.members.at[2];
	assert_int_equal(late->late, 41);
	assert_int_equal(late->late_median_ns, 1997 * US);
	assert_int_equal(late->late_ns, 41 * 1997 * US);
	assert_int_equal(late->waited_ns, 9 * 3 * US); /* when it was not late, for rank 3 */
	assert_int_equal(run->meet.members.at[0].waited_ns, (41 * 2006 + 9 * 9) * US);
	assert_int_equal(run->meet.sums[CT_NCCL_ALL_REDUCE].kernels, STEPS * RANKS);
	assert_int_equal(late->delays.count, 1);
	assert_int_equal(late->delays.at[0].ns, 41 * 1997 * US); /* of 2000 more than it was late */
	expect_text(run, wanted);
}

static void test_balanced(void **state)
{
	static const char *const wanted[] = { "Late: nobody stands out", NULL };
	struct ct_run *run = *state;

	add_ranks(run, 0, false);
	assert_int_equal(run->meet.met, STEPS);
	assert_int_equal(run->meet.late, 0);
	assert_int_equal(run->meet.named, CT_NONE);
	assert_int_equal(run->meet.sums[CT_NCCL_ALL_REDUCE].waited_ns, STEPS * (9 + 6 + 3) * US);
	expect_text(run, wanted);
}

/* Clocks 5 s apart: who is in the kernel for the shortest time came last. */
static void test_clocks(void **state)
{
	static const char *const wanted[] = { "Late: rank 2 came last to 41 of 50", "Clocks of different hosts",
					      NULL };
	struct ct_run *run = *state;

	add_ranks(run, 41, true);
	assert_int_equal(run->meet.met, STEPS);
	assert_true(run->meet.by_durations);
	assert_int_equal(run->meet.named, 2);
	assert_int_equal(run->meet.members.at[2].late_ns, 41 * 1997 * US);
	expect_text(run, wanted);
}

static void test_clocks_balanced(void **state)
{
	struct ct_run *run = *state;

	add_ranks(run, 0, true);
	assert_int_equal(run->meet.met, STEPS);
	assert_int_equal(run->meet.late, 0);
	assert_int_equal(run->meet.named, CT_NONE);
}

/* One that is late to every other and another that is late to the rest: neither stands out. */
static void test_in_turn(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 2; rank++) {
		struct ct_process p = process(rank, 0, 1000);

		for (uint64_t i = 0; i < 20; i++)
			collect(&p, 0, 20, NAME, i * 5000 + (i % 2 == rank ? 2000 : 0), i * 5000 + 2100);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->meet.late, 20);
	assert_int_equal(run->meet.named, CT_NONE);
}

/* Who began late is not who is late time and again: seen on two H200, 577 ms once and 5 ms each time. */
static void test_began_late(void **state)
{
	static const char *const wanted[] = {
		"Late: rank 1 came last to 19 of 20 collectives",
		"Began late: rank 0 came to its first collective 500 ms after the others", NULL,
	};
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 2; rank++) {
		struct ct_process p = process(rank, 0, 1000);

		for (uint64_t i = 0; i < 20; i++)
			collect(&p, 0, 20, NAME, 500000 + i * 5000 + (rank && i ? 2000 : 0) - (rank && !i ? 500000 : 0),
				500000 + i * 5000 + 2100);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->meet.named, 1);
	expect_text(run, wanted);
}

/* Two pairs do the same at other times, as groups of a parallel run do: each is its own group. */
static void test_groups(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 4; rank++) {
		struct ct_process p = process(rank, 0, 1000);

		for (uint64_t i = 0; i < 10; i++) {
			uint64_t at_us = i * 5000 + (rank % 2 ? 2000 : 0);

			collect(&p, 0, 20, NAME, at_us + (rank == 3 ? 500 : 0), at_us + 600);
		}
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->meet.groups.count, 2);
	assert_int_equal(run->meet.met, 20);
	assert_int_equal(run->meet.named, 3);
	assert_int_equal(run->meet.members.at[3].late, 10);
	assert_int_equal(run->meet.members.at[0].waited_ns, 0);
	assert_int_equal(run->meet.members.at[1].waited_ns, 10 * 500 * US);
}

/* Groups in step: they overlap at each turn, but do not end together. */
static void test_ends(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 4; rank++) {
		struct ct_process p = process(rank, 0, 1000);

		for (uint64_t i = 0; i < 10; i++)
			collect(&p, 0, 20, NAME, i * 9000 + (rank == 1 ? 3000 : 0),
				i * 9000 + (rank < 2 ? 3100 : 6100));
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->meet.groups.count, 2);
	assert_int_equal(run->meet.members.at[2].waited_ns, 0);
	assert_int_equal(run->meet.members.at[0].waited_ns, 10 * 3000 * US);
}

/* Two streams of rank 0 fit one of rank 1: which of them is meant is not guessed. */
static void test_ambiguous(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 2; rank++) {
		struct ct_process p = process(rank, 0, 1000);

		for (uint64_t i = 0; i < 10; i++) {
			collect(&p, 0, 20, NAME, i * 1000, i * 1000 + 100);
			if (rank == 0)
				collect(&p, 0, 21, NAME, i * 1000, i * 1000 + 100);
		}
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->meet.met, 0);
	assert_int_equal(run->meet.unmatched[CT_UNMATCHED_AMBIGUOUS], 30);
}

/* Ranks 1 and 2 each fit rank 0, which takes long, but one has ended before the other begins. */
static void test_not_each_other(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 3; rank++) {
		struct ct_process p = process(rank, 0, 1000);

		for (uint64_t i = 0; i < 10; i++)
			collect(&p, 0, 20, NAME, i * 3000 + (rank == 2 ? 600 : 0), i * 3000 + (rank == 1 ? 500 : 700));
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->meet.unmatched[CT_UNMATCHED_AMBIGUOUS], 30);
}

/* What is not matched is counted, each kernel once. */
static void test_unmatched(void **state)
{
	static const char *const wanted[] = { "not matched: 6 kernels (send and receive", NULL };
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 2; rank++) {
		struct ct_process p = process(rank, 0, 1000);

		for (uint64_t i = 0; i < 3; i++)
			collect(&p, 0, 20, "ncclDevKernel_Broadcast_RING_LL", i * 1000, i * 1000 + 100);
		for (uint64_t i = 0; i < 3; i++)
			ct_nccl_count(&p.nccl, (struct ct_nccl_call){ .kernel = 0, .at = CT_NONE, .grid = 9,
								      .op = CT_NCCL_SEND_RECV, .count = 1 });
		for (uint64_t i = 0; i < 5 + rank; i++) /* one more */
			collect(&p, 0, 21, NAME, i * 1000, i * 1000 + 100);
		for (uint64_t i = 0; i < 4; i++) /* never at one time */
			collect(&p, 0, 22, NAME, i * 1000 + rank * 200, i * 1000 + rank * 200 + 100);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->meet.met, 0);
	assert_int_equal(run->meet.unmatched[CT_UNMATCHED_NAME], 6);
	assert_int_equal(run->meet.unmatched[CT_UNMATCHED_ROOT_ONLY], 6);
	assert_int_equal(run->meet.unmatched[CT_UNMATCHED_ALONE], 11);
	assert_int_equal(run->meet.unmatched[CT_UNMATCHED_APART], 8);
	expect_text(run, wanted);
}

/* Who sends to one that is not there yet may be through with it: it did not wait. */
static void test_root(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 2; rank++) {
		struct ct_process p = process(rank, 0, 1000);

		collect(&p, 0, 20, NAME, 0, 100);
		collect(&p, 0, 20, "ncclDevKernel_Broadcast_RING_LL", 1000 + rank * 3000,
			rank ? 4100 : 1100);
		collect(&p, 0, 20, "ncclDevKernel_Broadcast_RING_LL", 6000 + rank * 3000, 9100);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->meet.met, 3);
	assert_int_equal(run->meet.members.at[0].waited_ns, 3000 * US);
	assert_int_equal(run->meet.members.at[1].late, 1);
}

/* The devices of one process are ranks. */
static void test_devices(void **state)
{
	struct ct_run *run = *state;
	struct ct_process p = process(0, 0, 1000);

	for (uint64_t i = 0; i < 10; i++)
		for (uint32_t device = 0; device < 2; device++)
			collect(&p, device, 20, NAME, i * 5000 + device * 1000, i * 5000 + 1100);
	add(run, p);
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->meet.met, 10);
	assert_string_equal(run->meet.members.at[run->meet.named].label, "rank 0 device 1");
}

/* Of a stream with more than are kept, the first are compared, and the others counted. */
static void test_beyond(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 2; rank++) {
		struct ct_process p = process(rank, 0, 1000);

		for (uint64_t i = 0; i < CT_NCCL_KEPT + 7; i++)
			collect(&p, 0, 20, NAME, i * 100, i * 100 + 50);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->meet.met, CT_NCCL_KEPT);
	assert_int_equal(run->meet.unmatched[CT_UNMATCHED_BEYOND], 14);
}

/* However a run is cut into parts, the sequence is the same. */
static void test_append(void **state)
{
	static const char *const names[] = { NAME, "ncclDevKernel_Broadcast_RING_LL" };
	struct ct_process whole = { 0 }, half[2] = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 9; i++) {
		collect(&whole, 0, 20, names[i % 3 == 0], i * 100, i * 100 + 50);
		collect(&half[i >= 4], 0, 20, names[i % 3 == 0], i * 100, i * 100 + 50);
	}
	assert_int_equal(ct_nccl_append(&half[0].nccl, &half[1].nccl), 0);
	assert_int_equal(half[0].nccl.lanes.at[0].sequence, whole.nccl.lanes.at[0].sequence);
	assert_int_equal(half[0].nccl.lanes.at[0].count, 9);
	assert_int_equal(half[0].nccl.lanes.at[0].kept.count, 9);
	assert_int_equal(half[0].nccl.calls.count, 2);
	assert_int_equal(half[0].nccl.calls.at[0].count, 3);
	ct_nccl_free(&whole.nccl);
	ct_nccl_free(&half[0].nccl);
	ct_nccl_free(&half[1].nccl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), RUN_TEST(test_late), RUN_TEST(test_balanced),
		RUN_TEST(test_clocks), RUN_TEST(test_clocks_balanced), RUN_TEST(test_in_turn), RUN_TEST(test_began_late),
		RUN_TEST(test_groups), RUN_TEST(test_ends), RUN_TEST(test_ambiguous),
		RUN_TEST(test_not_each_other),
		RUN_TEST(test_unmatched), RUN_TEST(test_root), RUN_TEST(test_devices),
		RUN_TEST(test_beyond), cmocka_unit_test(test_append),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
