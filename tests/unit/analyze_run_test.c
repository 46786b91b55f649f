/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes as one run: order, own time, the slowest and its cause, merged sites. */
#include "analyze/report.h"
#include "analyze/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#define MS 1000000ull
#define START (1000 * MS) /* time of day of the run's first call */

static int set_up(void **state)
{
	*state = ct_run_create();
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	ct_run_destroy(*state);
	return 0;
}

/* A process that is in CUDA from begin to end, in ms from START, but for nothing else. */
static struct ct_process process(uint32_t rank, uint64_t begin, uint64_t end)
{
	struct ct_process p = {
		.directory = strdup("d"),
		.program = strdup("p"),
		.host = strdup("h"),
		.variable = strdup(""),
		.unseen = strdup(""),
		.pid = 100 + rank % 1000,
		.rank = rank,
		.local_rank = CT_NONE,
		.size = CT_NONE,
		.parent = CT_NONE,
		.begin_ns = START + begin * MS,
		.end_ns = START + end * MS,
		.has_device = true,
	};

	return p;
}

static void add(struct ct_run *run, struct ct_process p)
{
	assert_int_equal(ct_run_add(run, &p), 0);
}

static void active(struct ct_process *p, uint64_t begin, uint64_t end)
{
	assert_int_equal(ct_spans_append(&p->active, START + begin * MS, START + end * MS), 0);
}

static void site(struct ct_process *p, const char *call, const char *where, uint32_t calls,
		 uint64_t total, uint64_t blocked, enum ct_part part)
{
	struct ct_process_site s = {
		.call = strdup(call),
		.where = strdup(where),
		.calls = calls,
		.total_ns = total * MS,
		.blocked_ns = blocked * MS,
		.lost_ns = MS,
		.worst = part,
	};

	assert_int_equal(CT_PUSH(&p->sites, s), 0);
	p->parts[part] += blocked * MS;
}

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

/* A helper that takes no part in collectives never waits in one: it is not compared. */
static void test_helper_left_out(void **state)
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
}

static char *text_of(const struct ct_run *run, bool summary)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	ct_report_run(run, summary, to);
	fclose(to);
	return text;
}

/* Does the text, with its lines joined again, hold this? */
static bool says(const char *text, const char *wanted)
{
	char *flat = strdup(text), *to = flat;
	bool found;

	for (const char *from = text; *from; from++) {
		*to++ = *from == '\n' ? ' ' : *from;
		if (*from == '\n')
			from += strspn(from + 1, " ");
	}
	*to = '\0';
	found = strstr(flat, wanted) != NULL;
	free(flat);
	return found;
}

/* Losses are added up and say whose they are; a rank of which there is no trace is named. */
static void test_coverage(void **state)
{
	struct ct_run *run = *state;
	char *text;

	for (uint32_t rank = 0; rank < 4; rank++) {
		struct ct_process p = process(rank == 3 ? 4 : rank, 0, 100);

		p.size = 5;
		if (rank == 1 || rank == 2)
			p.lost[CT_LOSS_SPACE] = 10 + rank;
		if (rank != 1) {
			free(p.unseen);
			p.unseen = strdup(rank ? "this\nthat\n" : "that\n");
		}
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	text = text_of(run, false);
	assert_true(says(text, "NOT seen  rank 3 of 5: no trace of it"));
	assert_true(says(text, "23 records dropped"));
	assert_true(says(text, "(rank 1, rank 2)"));
	assert_true(says(text, "that (rank 0, rank 2, rank 4) "));
	assert_true(says(text, "this (rank 2, rank 4) "));
	assert_null(strstr(text, "nothing was dropped"));
	free(text);
}

/* Hundreds of ranks: those with most own time, each line within a terminal's width. */
static void test_many(void **state)
{
	struct ct_run *run = *state;
	size_t width = 0, at = 0;
	char *text;

	for (uint32_t rank = 0; rank < 512; rank++) {
		struct ct_process p = process(rank, 0, 1000);

		active(&p, 0, 100 + (rank == 300 ? 800 : rank / 64));
		site(&p, "cudaFree", "some_rather_long_name.cu:1000 some_function", 1, 5, 5,
		     CT_PART_DEVICE_WAIT);
		p.size = 1024;
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	for (int summary = 0; summary < 2; summary++) {
		text = text_of(run, summary);
		assert_non_null(strstr(text, "Slowest: rank 300 "));
		assert_non_null(strstr(text, "\n  rank 300 "));
		assert_null(strstr(text, "\n  rank 0 "));
		assert_non_null(strstr(text, summary ? "and 504 more" : "and 480 more"));
		assert_true(says(text, "rank 517 and 506 more of 1024: no trace of them"));
		for (at = 0; text[at]; at += width + 1) {
			width = strcspn(text + at, "\n");
			assert_in_range(width, 0, 98);
		}
		free(text);
	}
}

static void test_names(void **state)
{
	struct ct_names few = { 0 }, many = { 0 }, wide = { 0 };
	char long_name[700];

	(void)state;
	assert_string_equal(ct_names_text(&few), "");
	ct_names_add(&few, "a");
	ct_names_add(&few, "b");
	assert_string_equal(ct_names_text(&few), "a, b");
	for (int i = 0; i < 9; i++)
		ct_names_add(&many, "x");
	assert_string_equal(ct_names_text(&many), "x, x, x, x, x, x and 3 more");
	memset(long_name, 'y', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	ct_names_add(&wide, "first");
	for (int i = 0; i < 3; i++)
		ct_names_add(&wide, long_name);
	ct_names_add(&wide, "last"); /* what does not fit is counted, and all behind it */
	assert_int_equal(strlen(ct_names_text(&wide)), 5 + 2 + 699 + strlen(" and 3 more"));
	assert_non_null(strstr(wide.text, " and 3 more"));
}

/* What the comparison cannot know is said beside it. */
static void test_reservations(void **state)
{
	struct ct_run *run = *state;
	struct ct_process p;
	char *text;

	for (uint32_t rank = 0; rank < 2; rank++) {
		p = process(rank, 0, 100);
		p.graph_ops = rank;
		free(p.host);
		p.host = strdup(rank ? "one" : "two");
		active(&p, 0, 50 + 40 * rank);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	text = text_of(run, true);
	assert_true(says(text, "on 2 hosts"));
	assert_true(says(text, "CUDA graphs were launched"));
	assert_true(says(text, "their clocks of day"));
	assert_true(says(text, "no communication kernels were seen"));
	free(text);
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
		assert_true(ct_process_communicates(yes[i]));
		assert_false(ct_process_communicates(no[i]));
	}
}

#define RUN_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(test_order),
		cmocka_unit_test(test_median),
		RUN_TEST(test_communication),
		RUN_TEST(test_late_start),
		RUN_TEST(test_helper_left_out),
		RUN_TEST(test_cuda_time),
		RUN_TEST(test_last_one),
		RUN_TEST(test_none_stands_out),
		RUN_TEST(test_nothing_to_compare),
		RUN_TEST(test_sites),
		RUN_TEST(test_coverage),
		RUN_TEST(test_many),
		cmocka_unit_test(test_names),
		RUN_TEST(test_reservations),
		cmocka_unit_test(test_communication_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
