/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that were recorded in windows: what is concluded, and what the report says of them. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/report.h"
#include "analyze/seen.h"

static void mode(struct model_builder *b, double us, enum ct_mode to)
{
	mb_note(b, CT_NOTE_MODE, us, to);
}

/* Two calls say how long the run was. */
static void run_of(struct model_builder *b, double start, double end)
{
	mb_call(b, CT_API_cudaMalloc, start, start + 1);
	mb_call(b, CT_API_cudaMalloc, end - 1, end);
}

static void expect_sight(const struct model_builder *b, double us, bool wanted)
{
	assert_int_equal(ct_sight_at(b->model, mb_ns(us)) != NULL, wanted);
}

static void expect_text(const struct model_builder *b, const char *wanted)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	ct_report_windows(b->model, "", "", to);
	fclose(to);
	for (char *c = text; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	if (!strstr(text, wanted))
		fail_msg("%s", text);
	free(text);
}

/*
 * Nothing is recorded before a window begins: work from before may be under way, though the
 * first call on record is of the window.
 */
static void test_off(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *early, *sync, *late;

	mode(b, -100, CT_MODE_OFF);
	mode(b, 50, CT_MODE_FULL);
	mode(b, 500, CT_MODE_OFF);
	mode(b, 700, CT_MODE_FULL);
	early = mb_call(b, CT_API_cudaFree, 100, 110);
	sync = mb_call(b, CT_API_cudaDeviceSynchronize, 200, 210);
	late = mb_call(b, CT_API_cudaFree, 300, 310);
	run_of(b, 100, 1000);
	mb_load(b);
	assert_true(ct_seen_windows(b->model));
	assert_string_equal(ct_seen_lack(b->model), "outside the windows");
	assert_int_equal(b->model->sights.count, 2);
	expect_sight(b, 499, true);
	expect_sight(b, 500, false);
	expect_sight(b, 700, true);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, early)), CT_SEEN_LIGHT);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, sync)), CT_SEEN_LIGHT);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, late)), CT_SEEN_ALL);
}

/* What nothing explains may be due to work that was submitted before the window. */
static void test_unexplained(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *copy;

	mode(b, -100, CT_MODE_OFF);
	mode(b, -50, CT_MODE_FULL);
	mb_stream(b, 13, CT_STREAM_FLAG_NON_BLOCKING);
	copy = mb_call_on(b, CT_API_cudaMemcpyAsync, 13, 0, 1000);
	mb_copy(b, copy, 13, CT_MEMORY_PINNED, 1500, 1600);
	mb_split(b);
	assert_non_null(strstr(mb_wait(b, copy, CT_PART_UNEXPLAINED)->why,
			       "outside of the windows"));
}

/* A run that was recorded from the start is told to stop, and its first note is of that. */
static void test_stopped(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *early;

	mode(b, 500, CT_MODE_OFF);
	early = mb_call(b, CT_API_cudaFree, 100, 110);
	run_of(b, 0, 1000);
	mb_load(b);
	assert_int_equal(b->model->sights.count, 1);
	expect_sight(b, 0, true);
	expect_sight(b, 499, true);
	expect_sight(b, 500, false);
	assert_int_equal(ct_seen_call(b->model, mb_host(b, early)), CT_SEEN_ALL);
}

/* The builder has a run start at 0 where a flight recorder kept its end. */
static void test_text(void **state)
{
	struct model_builder *b = *state;

	b->kept_from_us = 1;
	run_of(b, 100, 1000);
	mode(b, 200, CT_MODE_OFF);
	mode(b, 300, CT_MODE_LIGHT);
	mode(b, 350, CT_MODE_FULL);
	mode(b, 400, CT_MODE_OFF);
	for (int i = 0; i < 6; i++) {
		mode(b, 500 + 10 * i, CT_MODE_FULL);
		mode(b, 501 + 10 * i, CT_MODE_OFF);
	}
	mb_load(b);
	expect_text(b, "outside 8 windows of");
	expect_text(b, "(from 0 ns for 200 us, from 300 us for 100 us, from 500 us for 1.00 us,");
	expect_text(b, "from 530 us for 1.00 us and 2 more)");
	assert_string_equal(ct_seen_lack(b->model), "light, or outside the windows");
}

static void test_no_window(void **state)
{
	struct model_builder *b = *state;

	mode(b, -100, CT_MODE_OFF);
	mb_load(b);
	expect_text(b, "anything: no window was begun in the");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_off), MB_TEST(test_unexplained),
		MB_TEST(test_stopped),
		MB_TEST(test_text),
		MB_TEST(test_no_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
