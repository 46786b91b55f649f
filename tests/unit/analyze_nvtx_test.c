/* SPDX-License-Identifier: Apache-2.0 */
/* In which NVTX range a call was made: ranges that nest, overlap, begin together, never end. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "analyze/nvtx.h"
#include "analyze/report.h"

#define CALLS 8

/* One thread whose call i begins at 10 * i and takes 1, and its ranges. */
struct scene {
	struct ct_model model;
	struct ct_thread_info thread;
	struct ct_host_call calls[CALLS];
	uint32_t order[CALLS];
};

static void set(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->thread = (struct ct_thread_info){ .tid = 7, .calls = s->order, .call_count = CALLS };
	for (uint32_t i = 0; i < CALLS; i++) {
		s->calls[i].raw.enter_ns = 10 * i;
		s->calls[i].raw.leave_ns = 10 * i + 1;
		s->order[i] = i;
	}
	s->model.calls.at = s->calls;
	s->model.calls.count = CALLS;
	s->model.threads.at = &s->thread;
	s->model.threads.count = 1;
	s->model.core.to_ns = UINT64_MAX;
}

static struct ct_nvtx_range range_of(uint32_t tid, uint32_t name, uint64_t begin, uint64_t end)
{
	return (struct ct_nvtx_range){ .tid = tid, .name = name, .begin_ns = begin, .end_ns = end };
}

static void load(struct scene *s, enum ct_record_type type, struct ct_nvtx_range range)
{
	const struct ct_item item = { .type = type, .bytes = sizeof(range), .record = &range };

	assert_int_equal(ct_nvtx_load(&s->model, &item), 0);
}

static void range(struct scene *s, uint32_t name, uint64_t begin, uint64_t end)
{
	load(s, CT_RECORD_NVTX_RANGE, range_of(7, name, begin, end));
}

/* Names of the innermost range of each call, 0 for none; then of all ranges around one of them. */
static void expect(struct scene *s, const uint32_t names[CALLS])
{
	assert_int_equal(ct_nvtx_join(&s->model), 0);
	for (int i = 0; i < CALLS; i++)
		assert_int_equal(s->calls[i].range_name, names[i] ? names[i] : CT_NONE);
}

static void expect_around(const struct scene *s, int call, const uint32_t *names)
{
	uint32_t at = s->calls[call].range;

	for (; *names; names++) {
		assert_int_not_equal(at, CT_NONE);
		assert_int_equal(s->model.ranges.at[at].raw.name, *names);
		at = ct_nvtx_around(&s->model, &s->calls[call], at);
	}
	assert_int_equal(at, CT_NONE);
}

static void clear(struct scene *s)
{
	free(s->model.ranges.at);
	free(s->model.open_ranges.at);
	for (size_t i = 0; i < s->model.nvtx_names.count; i++)
		free(s->model.nvtx_names.at[i]);
	free(s->model.nvtx_names.at);
}

/* A call that begins with a range is in it, one that begins as it ends is not; others' are not ours. */
static void test_nested(void **state)
{
	struct scene s;

	(void)state;
	set(&s);
	range(&s, 2, 20, 40); /* inner ones are written first: they end first */
	range(&s, 3, 45, 55);
	range(&s, 1, 5, 60);
	load(&s, CT_RECORD_NVTX_RANGE, range_of(6, 9, 0, 100));
	load(&s, CT_RECORD_NVTX_RANGE, range_of(8, 9, 0, 100));
	expect(&s, (const uint32_t[CALLS]){ 0, 1, 2, 2, 1, 3, 0, 0 });
	expect_around(&s, 5, (const uint32_t[]){ 3, 1, 0 });
	expect_around(&s, 0, (const uint32_t[]){ 0 });
	clear(&s);
}

/* The one that began last counts, until it ends; the one around it may have ended by then. */
static void test_overlapping(void **state)
{
	struct scene s;

	(void)state;
	set(&s);
	range(&s, 1, 5, 35);
	range(&s, 2, 15, 55);
	range(&s, 3, 45, 65);
	expect(&s, (const uint32_t[CALLS]){ 0, 1, 2, 2, 2, 3, 3, 0 });
	expect_around(&s, 3, (const uint32_t[]){ 2, 1, 0 });
	expect_around(&s, 4, (const uint32_t[]){ 2, 0 });
	expect_around(&s, 5, (const uint32_t[]){ 3, 2, 0 });
	expect_around(&s, 6, (const uint32_t[]){ 3, 0 });
	clear(&s);
}

/* Of those that begin together the longer one is around the other; empty ones are around nothing. */
static void test_together(void **state)
{
	struct scene s;

	(void)state;
	set(&s);
	range(&s, 1, 10, 30);
	range(&s, 2, 10, 50);
	range(&s, 3, 20, 20);
	expect(&s, (const uint32_t[CALLS]){ 0, 1, 1, 2, 2, 0, 0, 0 });
	expect_around(&s, 2, (const uint32_t[]){ 1, 2, 0 });
	clear(&s);
}

/* What was open at the end lasts for ever, unless it is said as well that it has ended. */
static void test_open(void **state)
{
	struct scene s;

	(void)state;
	set(&s);
	range(&s, 2, 30, 50);
	load(&s, CT_RECORD_NVTX_OPEN, range_of(7, 1, 15, 0));
	load(&s, CT_RECORD_NVTX_OPEN, range_of(7, 2, 30, 0));
	load(&s, CT_RECORD_NVTX_OPEN, range_of(7, 3, 0, 0)); /* a place that is not in use */
	expect(&s, (const uint32_t[CALLS]){ 0, 0, 1, 2, 2, 1, 1, 1 });
	assert_int_equal(s.model.ranges.count, 2);
	clear(&s);
}

/* A range that ends before it begins is damage; ids beyond all bounds and texts for terminals too. */
static void test_damage(void **state)
{
	union {
		struct ct_nvtx_name name;
		char bytes[64];
	} u = { .name = { .id = 3, .length = 3 } };
	const struct ct_item item = { .type = CT_RECORD_NVTX_NAME, .bytes = 64, .record = &u };
	char text[CT_NVTX_TEXT_BYTES];
	struct scene s;

	(void)state;
	set(&s);
	range(&s, 1, 50, 10);
	memcpy(u.bytes + offsetof(struct ct_nvtx_name, text), "a\033b", 3);
	assert_int_equal(ct_nvtx_load(&s.model, &item), 0);
	u.bytes[offsetof(struct ct_nvtx_name, text)] = 'x'; /* the first of an id counts */
	assert_int_equal(ct_nvtx_load(&s.model, &item), 0);
	u.name.id = UINT32_MAX;
	assert_int_equal(ct_nvtx_load(&s.model, &item), 0);
	assert_int_equal(s.model.nvtx_names.count, 4);
	assert_string_equal(ct_nvtx_text(&s.model, 0, 3, text), "a?b");
	assert_string_equal(ct_nvtx_text(&s.model, 3, 3, text), "a?b:a?b");
	assert_string_equal(ct_nvtx_text(&s.model, 0, 2, text), "(unnamed)");
	assert_string_equal(ct_nvtx_text(&s.model, 77, UINT32_MAX - 1, text), "(unnamed):(unnamed)");
	expect(&s, (const uint32_t[CALLS]){ 0 });
	clear(&s);
}

/* The table as it is printed of these sums, of which only those with calls are shown. */
static char *table_of(struct ct_nvtx_sum *sums, size_t count)
{
	struct ct_nvtx_sum *at[4];
	struct ct_model model = { 0 };
	struct ct_analysis a = { .model = &model };
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	for (size_t i = 0; i < count; i++)
		at[i] = &sums[i];
	a.nvtx.all.at = at;
	a.nvtx.all.count = count;
	ct_report_nvtx(&a, to);
	fclose(to);
	return text;
}

/* Rows that nobody can act upon are counted, and most is more than half. */
static void test_table(void **state)
{
	struct ct_nvtx_sum sums[] = {
		{ .key = { 0, 1 }, .calls = 3, .blocked_ns = 10, .all_calls = 3, .all_blocked_ns = 10 },
		{ .key = { 0, 2 }, .calls = 1, .all_calls = 1 },
		{ .key = { 0, 3 }, .calls = 1, .all_calls = 1 },
	};
	char *text;

	(void)state;
	sums[0].parts[CT_PART_DEVICE_WAIT] = 5;
	sums[0].parts[CT_PART_LOCK_WAIT] = 3;
	sums[0].parts[CT_PART_TRANSFER] = 2;
	text = table_of(sums, 3);
	assert_non_null(strstr(text, " 3  (unnamed)\n  and 2 more (nvtx.csv)\n"));
	free(text);
	sums[0].parts[CT_PART_DEVICE_WAIT] = 6;
	text = table_of(sums, 1);
	assert_non_null(strstr(text, "(unnamed), most of it device_wait\n"));
	free(text);
	sums[0].all_calls = 0; /* a filter leaves them out */
	text = table_of(sums, 1);
	assert_string_equal(text, "");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_overlapping),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
