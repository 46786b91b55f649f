/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes as one run: order, own time, the slowest and its cause, merged sites. */
#include "tests/unit/run_builder.h"

static void expect_labels(const struct ct_run *run, const char *const *labels, size_t count)
{
	assert_int_equal(run->processes.count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(run->processes.at[i].label, labels[i]);
}

static void test_order(void **state)
{
	static const char *const labels[] = { "rank 0", "rank 1 (pid 7)", "rank 1 (pid 6)",
					      "rank 10", "pid 5 on h", "pid 5 on other", "pid 8" };
	struct ct_run *run = *state;
	struct ct_process p;

	for (int i = 0; i < 3; i++) { /* without rank, by start */
		p = process(CT_NONE, 3 - (uint64_t)i, 50);
		p.pid = i ? 5 : 8;
		if (i == 1) {
			free(p.host);
			p.host = strdup("other");
		}
		add(run, p);
	}
	add(run, process(10, 0, 50));
	for (uint32_t pid = 6; pid < 8; pid++) { /* a rank that was started again */
		p = process(1, 20 - pid, 50);
		p.pid = pid;
		add(run, p);
	}
	add(run, process(0, 30, 50));
	assert_int_equal(ct_run_finish(run), 0);
	expect_labels(run, labels, 7);
	assert_int_equal(run->begin_ns, START);
	assert_int_equal(run->end_ns, START + 50 * MS);
}

static void test_median(void **state)
{
	uint64_t odd[] = { 9, 1, 5 }, even[] = { 8, 2, 100, 4 };

	(void)state;
	assert_int_equal(ct_run_median(odd, 3), 5);
	assert_int_equal(ct_run_median(even, 4), 6);
	assert_int_equal(ct_run_median(odd, 0), 0);
}

/*
 * Four ranks with collectives end together at 100 ms. Rank 2 waits least: the others
 * spend 60 ms in kernels that wait for it. Its span is no longer than theirs, and its
 * device is busy no longer.
 */
static void test_communication(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 4; rank++) {
		struct ct_process p = process(rank, 0, 100);

		p.comm_ops = 10;
		p.comm_ns = (rank == 2 ? 5 : 60 + rank) * MS;
		p.work_ns = (rank == 2 ? 95 : 38) * MS;
		p.busy_ns = p.work_ns + p.comm_ns;
		active(&p, 0, 100);
		site(&p, "cudaStreamSynchronize", "a.cu:1 wait", 10, 80, 80, CT_PART_DEVICE_WAIT);
		p.sites.at[0].comm_wait_ns = p.comm_wait_ns = rank == 2 ? 5 * MS : 79 * MS;
		site(&p, "cudaFree", "a.cu:2 drop", 10, rank == 2 ? 50 : 2, rank == 2 ? 49 : 1,
		     CT_PART_LOCK_WAIT);
		if (rank != 1)
			site(&p, "cudaFree", "a.cu:3 end", 1, rank, 0, CT_PART_DRIVER_WORK);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->basis, CT_RUN_COMMUNICATION);
	assert_int_equal(run->slowest.process, 2);
	assert_int_equal(run->slowest.own_ns.mine, 95 * MS);
	assert_int_equal(run->slowest.own_ns.others, 39 * MS); /* of 40, 39, 37 */
	assert_int_equal(run->slowest.part, CT_PART_DEVICE_WAIT); /* the same, but not in collectives */
	assert_int_equal(run->slowest.part_ns.mine, 75 * MS);
	assert_int_equal(run->slowest.part_ns.others, 1 * MS);
	assert_int_equal(run->slowest.comm_ns.others, 61 * MS);
	assert_string_equal(run->sites.at[run->slowest.site].where, "a.cu:1 wait");
	assert_int_equal(run->slowest.site_ns.mine, 75 * MS);
	assert_int_equal(run->slowest.site_ns.others, 1 * MS);
	assert_int_equal(run->slowest.site_calls, 10);
}

/* The one that starts late makes the others wait, however short its own run is. */
static void test_late_start(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 3; rank++) {
		struct ct_process p = process(rank, rank == 1 ? 70 : 0, 100);

		p.comm_ops = 1;
		p.comm_ns = rank == 1 ? 0 : 70 * MS;
		active(&p, rank == 1 ? 70 : 0, 100);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->slowest.process, 1);
	assert_int_equal(run->slowest.late_ns.mine, 70 * MS);
	assert_int_equal(run->slowest.late_ns.others, 0);
	assert_int_equal(run->slowest.part, CT_PART_COUNT); /* no class tells it from the others */
	assert_int_equal(run->slowest.site, CT_NONE);
}

/* A process that takes no part in collectives never waits in one: it is not compared. */
static void test_silent_left_out(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 3; rank++) {
		struct ct_process p = process(rank, 0, 100);

		p.comm_ops = rank != 0;
		p.comm_ns = rank == 1 ? 10 * MS : rank == 2 ? 50 * MS : 0;
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->basis, CT_RUN_COMMUNICATION);
	assert_false(run->processes.at[0].compared);
	assert_int_equal(run->slowest.process, 1);
	assert_int_equal(run->slowest.own_ns.others, 50 * MS);
}

/* Of one whose beginning was overwritten nobody knows how long it worked. */
static void test_cut_short_left_out(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 3; rank++) {
		struct ct_process p = process(rank, rank == 1 ? 80 : 0, 100);

		p.comm_ops = 1;
		p.comm_ns = rank == 1 ? 1 * MS : rank == 2 ? 50 * MS : 10 * MS;
		p.cut_short = rank == 1;
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_false(run->processes.at[1].compared);
	assert_int_equal(run->slowest.process, 0);
	assert_int_equal(run->slowest.own_ns.others, 50 * MS);
}

/* Device times that are not known are not taken for none. */
static void test_device_not_known(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 3; rank++) {
		struct ct_process p = process(rank, 0, 100);

		active(&p, 0, rank == 0 ? 80 : 20);
		p.work_ns = rank == 2 ? 0 : 40 * MS;
		p.has_device = rank != 2;
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->slowest.process, 0);
	assert_true(run->slowest.device_known);
	assert_int_equal(run->slowest.work_ns.others, 40 * MS);
	run->processes.at[0].has_device = false;
	assert_int_equal(ct_run_finish(run), 0);
	assert_false(run->slowest.device_known);
}

/* Without communication kernels: time in CUDA, not between calls, decides. */
static void test_cuda_time(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 3; rank++) {
		struct ct_process p = process(rank, 0, 100);

		active(&p, 0, rank == 1 ? 80 : 20);
		active(&p, 90, 100);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->basis, CT_RUN_CUDA);
	assert_int_equal(run->slowest.process, 1);
	assert_int_equal(run->slowest.own_ns.mine, 90 * MS);
	assert_int_equal(run->slowest.own_ns.others, 30 * MS);
	assert_int_equal(run->slowest.outside_ns.mine, 10 * MS);
	assert_int_equal(run->slowest.outside_ns.others, 70 * MS);
}

/* What a process does outside CUDA after all others have ended is its own. */
static void test_last_one(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 3; rank++) {
		struct ct_process p = process(rank, 0, rank == 0 ? 150 : 99 + rank);

		active(&p, 0, 20);
		if (rank == 0)
			active(&p, 140, 150);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->slowest.process, 0);
	assert_int_equal(run->slowest.own_ns.mine, (20 + 49) * MS); /* others end at 101 */
	assert_int_equal(run->slowest.own_ns.others, 20 * MS);
}

/* A side process without a rank, and ranks of an earlier try, are no peers of the ranks. */
static void test_strangers(void **state)
{
	struct ct_run *run = *state;
	struct ct_process p;

	for (uint32_t rank = 0; rank < 3; rank++) {
		p = process(rank, 300, 400);
		active(&p, 300, rank == 1 ? 380 : 320);
		add(run, p);
		p = process(rank, 0, 200); /* as many, but earlier */
		active(&p, 0, 10 + 80 * rank);
		add(run, p);
	}
	p = process(CT_NONE, 0, 500);
	active(&p, 0, 500);
	add(run, p);
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->basis, CT_RUN_CUDA);
	assert_int_equal(run->from_ns, START + 300 * MS);
	for (size_t i = 0; i < run->processes.count; i++)
		assert_int_equal(run->processes.at[i].compared,
				 run->processes.at[i].begin_ns == START + 300 * MS);
	assert_int_equal(run->slowest.own_ns.mine, 80 * MS);
	assert_int_equal(run->slowest.own_ns.others, 20 * MS);
	assert_int_equal(run->processes.at[run->slowest.process].rank, 1);
}

/* Without ranks, processes are peers if they ran at the same time. */
static void test_no_ranks(void **state)
{
	struct ct_run *run = *state;
	struct ct_process p;

	for (uint32_t i = 0; i < 4; i++) {
		p = process(CT_NONE, i ? 50 : 0, i ? 100 : 10);
		p.pid = i;
		active(&p, p.begin_ns / MS - 1000, i == 3 ? 90 : i ? 60 : 10);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_false(run->processes.at[0].compared);
	assert_int_equal(run->processes.at[run->slowest.process].pid, 3);
	assert_int_equal(run->slowest.own_ns.mine, 40 * MS);
	assert_int_equal(run->slowest.own_ns.others, 10 * MS);
}

static void test_none_stands_out(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 4; rank++) {
		struct ct_process p = process(rank, 0, 100);

		active(&p, 0, 90 + rank); /* less than 5 % apart */
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->slowest.process, CT_NONE);
	assert_int_equal(run->slowest.own_ns.mine, 93 * MS);
	assert_int_equal(run->slowest.own_ns.others, 91 * MS);
}

/* One after the other, or one alone: nobody waited for anybody. */
static void test_nothing_to_compare(void **state)
{
	struct ct_run *run = *state;

	add(run, process(0, 0, 10));
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->basis, CT_RUN_NOTHING);
	assert_int_equal(run->slowest.process, CT_NONE);
	add(run, process(1, 10, 1000));
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->basis, CT_RUN_NOTHING);
	assert_int_equal(run->slowest.process, CT_NONE);
}

static void test_sites(void **state)
{
	static const uint64_t blocked[] = { 3, 1, 8 };
	struct ct_run *run = *state;
	const struct ct_run_site *s;

	for (uint32_t rank = 0; rank < 3; rank++) {
		struct ct_process p = process(rank, 0, 100);

		site(&p, "cudaFree", "a.cu:1 f", rank + 1, 10, blocked[rank],
		     rank == 2 ? CT_PART_LOCK_WAIT : CT_PART_DEVICE_WAIT);
		if (rank == 1)
			site(&p, "cudaMalloc", "a.cu:1 f", 7, 9, 40, CT_PART_FIRST_USE);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	assert_int_equal(run->sites.count, 2);
	s = &run->sites.at[0]; /* most blocked in all comes first */
	assert_string_equal(s->call, "cudaMalloc");
	assert_int_equal(s->processes, 1);
	assert_int_equal(s->worst, 1);
	assert_int_equal(s->min_ns, 40 * MS);
	assert_int_equal(s->median_ns, 40 * MS);
	s = &run->sites.at[1];
	assert_string_equal(s->call, "cudaFree");
	assert_int_equal(s->processes, 3);
	assert_int_equal(s->calls, 6);
	assert_int_equal(s->total_ns, 30 * MS);
	assert_int_equal(s->blocked_ns, 12 * MS);
	assert_int_equal(s->lost_ns, 3 * MS);
	assert_int_equal(s->min_ns, 1 * MS);
	assert_int_equal(s->median_ns, 3 * MS);
	assert_int_equal(s->max_ns, 8 * MS);
	assert_int_equal(s->worst, 2);
	assert_int_equal(s->part, CT_PART_LOCK_WAIT);
	assert_string_equal(s->remedy, "do otherwise"); /* that of the worst */
	assert_string_equal(run->sites.at[0].remedy, "");
}

static void test_communication_names(void **state)
{
	static const char *const yes[] = {
		"ncclDevKernel_AllReduce_Sum_f32_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
		"ncclKernel_AllGather_RING_LL_Sum_int8_t(ncclDevComm*, unsigned long, ncclWork*)",
		"nvshmemi_proxy_quiet",
		"void vllm::cross_device_reduce_1stage<__half, 8>(vllm::RankData*)",
	};
	static const char *const no[] = { "", "spin(long)", "all_reduce_in_a_block(float*)",
					  "void at::native::reduce_kernel<512, 1>(x)" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(ct_busy_communicates(yes[i]));
		assert_false(ct_busy_communicates(no[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(test_order),
		cmocka_unit_test(test_median),
		RUN_TEST(test_communication),
		RUN_TEST(test_late_start),
		RUN_TEST(test_silent_left_out),
		RUN_TEST(test_cut_short_left_out),
		RUN_TEST(test_device_not_known),
		RUN_TEST(test_cuda_time),
		RUN_TEST(test_last_one),
		RUN_TEST(test_strangers),
		RUN_TEST(test_no_ranks),
		RUN_TEST(test_none_stands_out),
		RUN_TEST(test_nothing_to_compare),
		RUN_TEST(test_sites),
		cmocka_unit_test(test_communication_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
