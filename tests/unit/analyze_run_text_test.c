/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a run of several processes, as text. */
#include <stdio.h>

#include "tests/unit/run_builder.h"

#include "analyze/report.h"

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

static int count_of(const char *text, const char *wanted)
{
	int count = 0;

	for (; (text = strstr(text, wanted)); text++)
		count++;
	return count;
}

/* The least of all may be what little was kept of one: that is said. */
static void test_kept_part(void **state)
{
	struct ct_run *run = *state;

	for (uint32_t rank = 0; rank < 3; rank++) {
		struct ct_process p = process(rank, 0, 100);

		site(&p, "cudaFree", "a.cu:2 drop", 10, 50, rank == 1 ? 1 : 40, CT_PART_DEVICE_WAIT);
		add(run, p);
	}
	for (int cut_short = 0; cut_short < 2; cut_short++) {
		char *text;

		run->processes.at[1].cut_short = cut_short;
		assert_int_equal(ct_run_finish(run), 0);
		text = text_of(run, false);
		assert_true(says(text, "most of one process)"));
		assert_int_equal(says(text, "only in the part that was kept"), cut_short);
		free(text);
	}
}

/* No time lost is "-", as in the report of one process; 0 ns is what a site was found to cost. */
static void test_none_lost(void **state)
{
	static const struct ct_filter filter = { .only = "cudaFree" };
	struct ct_run *run = *state;
	char *text;

	for (uint32_t rank = 0; rank < 2; rank++) {
		struct ct_process p = process(rank, 0, 100);

		p.serialized_ns = rank * 2 * MS;
		site(&p, "cudaMalloc", "a.cu:1 take", 1, 50, 40, CT_PART_LOCK_WAIT);
		site(&p, "cudaFree", "a.cu:2 drop", 1, 50, 40, CT_PART_DEVICE_WAIT);
		p.sites.at[0].lost_ns = p.sites.at[1].lost_ns = 0;
		p.sites.at[1].judged = rank == 1;
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	text = text_of(run, false);
	assert_non_null(strstr(text, "         -   nothing"));
	assert_non_null(strstr(text, "   2.00 ms   nothing"));
	assert_non_null(strstr(text, "       2         -   40.0 ms   40.0 ms   40.0 ms  cudaMalloc"));
	assert_non_null(strstr(text, "       2      0 ns   40.0 ms   40.0 ms   40.0 ms  cudaFree"));
	free(text);
	run->filter = &filter;
	text = text_of(run, false);
	assert_non_null(strstr(text, "      0 ns         -   not blocked"));
	free(text);
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
	assert_int_equal(count_of(text, "that ("), 1); /* once for all of them */
	assert_null(strstr(text, "nothing was dropped"));
	free(text);
}

/* Lines wide enough for a terminal, and not many. */
static void expect_readable(const char *text, size_t lines)
{
	size_t count = 0, width;

	for (; *text; text += width + 1) {
		width = strcspn(text, "\n");
		assert_in_range(width, 0, 98);
		count++;
	}
	assert_in_range(count, 1, lines);
}

/*
 * Hundreds of ranks: how their times spread, those with most own time first, and who began late;
 * what of each is missing is one line, though the numbers in it differ.
 */
static void test_many(void **state)
{
	struct ct_run *run = *state;
	char *text, unseen[64];

	for (uint32_t rank = 0; rank < 512; rank++) {
		struct ct_process p = process(rank, rank == 77 ? 90 : 0, rank == 5 ? 1100 : 1000);

		snprintf(unseen, sizeof(unseen), "the calls of %u operations\n", 7 + rank % 200);
		free(p.unseen);
		p.unseen = strdup(unseen);

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
		assert_true(says(text, "Late: rank 77 by 90.0 ms, by"));
		assert_non_null(strstr(text, "\n  least       910 ms    100 ms "));
		assert_non_null(strstr(text, "\n  median      1.00 s    104 ms "));
		assert_non_null(strstr(text, "\n  most        1.10 s    900 ms "));
		assert_non_null(strstr(text, "\n  most in     rank 5  rank 300 "));
		assert_true(strstr(text, "\n  rank 300 ") < strstr(text, "\n  rank 5 "));
		assert_null(strstr(text, "\n  rank 0 "));
		assert_non_null(strstr(text, "and 504 more"));
		assert_true(says(text, "rank 517 and 506 more of 1024: no trace of them"));
		assert_int_equal(count_of(text, "the calls of "), 1);
		assert_true(says(text, "the calls of 7 operations (rank 0, rank 200, rank 400; with other "
				 "numbers: rank 1, rank 2,"));
		expect_readable(text, 60);
		free(text);
	}
}

/* The number of a process is never cut: it would be another's. */
static void test_many_pids(void **state)
{
	struct ct_run *run = *state;
	char *text;

	for (uint32_t i = 0; i < 40; i++) {
		struct ct_process p = process(CT_NONE, 0, i == 7 ? 1100 : 1000);

		p.pid = 4194200 + i;
		active(&p, 0, i == 9 ? 900 : 100);
		add(run, p);
	}
	run->processes.at[9].pid = 12345;
	assert_int_equal(ct_run_finish(run), 0);
	text = text_of(run, false);
	assert_non_null(strstr(text, "\n  most in       4194207 pid 12345 "));
	free(text);
}

/* The trace of a process and a copy of it are not two processes. */
static void test_copies(void **state)
{
	struct ct_run *run = *state;
	char *text;

	for (uint32_t i = 0; i < 4; i++) {
		struct ct_process p = process(i < 3 ? i : 2, 0, 1000);

		p.calls = 7;
		free(p.directory);
		p.directory = strdup(i < 3 ? "ranks" : "saved");
		active(&p, 0, 100);
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	text = text_of(run, false);
	assert_true(says(text, "TWICE     saved: of a process whose trace is here before"));
	free(text);
	run->processes.at[3].clock_ns = 1; /* of another boot */
	text = text_of(run, false);
	assert_null(strstr(text, "TWICE"));
	free(text);
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

/* No process, one alone, and some that never ran at the same time. */
static void test_no_comparison(void **state)
{
	struct ct_run *run = *state;
	char *text;

	assert_int_equal(ct_run_finish(run), 0);
	text = text_of(run, false);
	assert_string_equal(text, "");
	free(text);
	add(run, process(0, 0, 100));
	assert_int_equal(ct_run_finish(run), 0);
	text = text_of(run, false);
	assert_true(says(text, "cutrace: 1 process (p) on h, "));
	assert_null(strstr(text, "Slowest"));
	free(text);
	add(run, process(1, 500, 900));
	assert_int_equal(ct_run_finish(run), 0);
	text = text_of(run, false);
	assert_true(says(text, "Slowest: cannot be said; no two of these processes ran at the same time."));
	assert_null(strstr(text, "Own time:"));
	free(text);
}

/* Everything there is to say of the slowest: class, place, start; some device times are not known. */
static void test_slowest(void **state)
{
	struct ct_run *run = *state;
	char *text;

	for (uint32_t rank = 0; rank < 4; rank++) {
		struct ct_process p = process(rank, rank == 2 ? 300 : 0, 1000);

		active(&p, rank == 2 ? 300 : 0, rank == 2 ? 1000 : 200 + 10 * rank);
		site(&p, "cudaFree", "a.cu:2 drop", 10, rank == 2 ? 500 : 20, rank == 2 ? 400 : 10,
		     CT_PART_LOCK_WAIT);
		site(&p, "cudaFree", "a.cu:9 small", 1, 0, 0, CT_PART_LOCK_WAIT);
		p.has_device = rank != 1;
		p.comm_wait_ns = rank == 3 ? 5 * MS : 0;
		free(p.host);
		p.host = strdup(rank < 2 ? "east" : "west");
		free(p.program);
		p.program = strdup(rank % 2 ? "odd" : "even");
		add(run, p);
	}
	assert_int_equal(ct_run_finish(run), 0);
	text = text_of(run, false);
	assert_true(says(text, "cutrace: 4 processes (even, odd) on 2 hosts, "));
	assert_true(says(text, "Slowest: rank 2 "));
	assert_true(says(text, "class       lock_wait 400 ms, the others 10.0 ms"));
	assert_true(says(text, "call site   cudaFree at a.cu:2 drop, 10 calls took 500 ms"));
	assert_true(says(text, "start       later than the first of them by 300 ms, the others 0 ns"));
	assert_true(says(text, "Of 1 process the device times are not known"));
	assert_true(says(text, "(5.00 ms of device_wait while only communication kernels ran)"));
	assert_true(says(text, "odd (pid 101) on east: blocked in lock_wait 10.0 ms"));
	assert_true(says(text, "instead: do otherwise"));
	free(text);
}

static void test_plurals(void **state)
{
	char text[CT_THINGS_BYTES];

	(void)state;
	assert_string_equal(ct_report_things(1, "calls after the end", text), "1 call after the end");
	assert_string_equal(ct_report_things(1, "device records that", text), "1 device record that");
	assert_string_equal(ct_report_things(1, "serialized pairs, those", text), "1 serialized pair, those");
	assert_string_equal(ct_report_things(1, "final flushes that did", text), "1 final flush that did");
	assert_string_equal(ct_report_things(1, "losses of a kind", text), "1 loss of a kind");
	assert_string_equal(ct_report_things(2, "final flushes that did", text), "2 final flushes that did");
	assert_string_equal(ct_report_things(1, "unknown", text), "1 unknown");
	assert_string_equal(ct_report_count(1, "process", text), "1 process");
	assert_string_equal(ct_report_count(0, "process", text), "0 processes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(test_no_comparison),
		RUN_TEST(test_slowest),
		RUN_TEST(test_coverage),
		RUN_TEST(test_kept_part),
		RUN_TEST(test_many),
		RUN_TEST(test_none_lost),
		RUN_TEST(test_many_pids),
		RUN_TEST(test_copies),
		cmocka_unit_test(test_plurals),
		cmocka_unit_test(test_names),
		RUN_TEST(test_reservations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
