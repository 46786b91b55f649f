/* SPDX-License-Identifier: Apache-2.0 */
/* analyze/interval.c against a map with one byte per point of time. */
#include <stdbool.h>
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/interval.h"

#define POINTS 80
#define PIECES 16

/* Which points a set covers; checks that it is sorted and disjoint. */
static void draw(const struct ct_spans *set, bool *map)
{
	memset(map, 0, POINTS * sizeof(*map));
	for (size_t i = 0; i < set->count; i++) {
		assert_true(set->at[i].start < set->at[i].end);
		assert_true(i == 0 || set->at[i - 1].end <= set->at[i].start);
		for (uint64_t t = set->at[i].start; t < set->at[i].end; t++)
			map[t] = true;
	}
}

static void expect_map(const struct ct_spans *set, const bool *expected)
{
	bool map[POINTS];
	uint64_t total = 0;

	draw(set, map);
	assert_memory_equal(map, expected, sizeof(map));
	for (int t = 0; t < POINTS; t++)
		total += expected[t];
	assert_int_equal(ct_spans_total(set), total);
}

static void expect_spans(const struct ct_spans *set, size_t count, const struct ct_span *spans)
{
	assert_int_equal(set->count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(set->at[i].start, spans[i].start);
		assert_int_equal(set->at[i].end, spans[i].end);
	}
}

static void test_append(void **state)
{
	struct ct_spans set = { 0 };

	(void)state;
	assert_int_equal(ct_spans_append(&set, 5, 5), 0); /* empty */
	assert_int_equal(ct_spans_append(&set, 6, 5), 0);
	assert_int_equal(set.count, 0);
	ct_spans_append(&set, 10, 20);
	ct_spans_append(&set, 12, 15); /* inside */
	expect_spans(&set, 1, (struct ct_span[]){ { 10, 20 } });
	ct_spans_append(&set, 20, 25); /* touches */
	ct_spans_append(&set, 24, 30); /* overlaps */
	expect_spans(&set, 1, (struct ct_span[]){ { 10, 30 } });
	ct_spans_append(&set, 31, 32);
	expect_spans(&set, 2, (struct ct_span[]){ { 10, 30 }, { 31, 32 } });
	assert_int_equal(ct_spans_total(&set), 21);
	ct_spans_free(&set);
	assert_int_equal(set.count, 0);
	assert_null(set.at);
}

/* The pieces a cut hands out. */
struct pieces {
	struct ct_span at[PIECES];
	size_t count;
};

static void take(void *arg, struct ct_span piece)
{
	struct pieces *pieces = arg;

	assert_true(pieces->count < PIECES);
	pieces->at[pieces->count++] = piece;
}

/* Cut and compare: the pieces are what was there, the rest is what was there outside. */
static void check_cut(struct ct_spans *set, uint64_t start, uint64_t end)
{
	bool before[POINTS], cut[POINTS] = { 0 };
	struct pieces pieces = { .count = 0 };
	uint64_t inside = 0;

	draw(set, before);
	for (uint64_t t = start; t < end; t++)
		inside += before[t];
	assert_int_equal(ct_spans_overlap(set, start, end), inside);
	assert_int_equal(ct_spans_cut(set, start, end, take, &pieces), 0);
	for (size_t i = 0; i < pieces.count; i++) {
		assert_true(pieces.at[i].start < pieces.at[i].end);
		assert_true(pieces.at[i].start >= start && pieces.at[i].end <= end);
		assert_true(i == 0 || pieces.at[i - 1].end <= pieces.at[i].start);
		for (uint64_t t = pieces.at[i].start; t < pieces.at[i].end; t++) {
			assert_true(before[t]);
			cut[t] = true;
		}
	}
	for (uint64_t t = 0; t < POINTS; t++) {
		assert_int_equal(cut[t], before[t] && t >= start && t < end);
		before[t] = before[t] && !cut[t];
	}
	expect_map(set, before);
}

/* Every place an interval can have beside, across and inside three spans. */
static void test_cut_everywhere(void **state)
{
	(void)state;
	for (uint64_t start = 0; start <= 45; start++)
		for (uint64_t end = start; end <= 45; end++) {
			struct ct_spans set = { 0 };

			ct_spans_append(&set, 5, 10);
			ct_spans_append(&set, 15, 25);
			ct_spans_append(&set, 30, 40);
			check_cut(&set, start, end);
			ct_spans_free(&set);
		}
}

static void test_cut_random(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct ct_spans set = { 0 };
		uint64_t at = 0;

		while (at < POINTS - 20) {
			uint64_t length = mb_random(&seed, 8);

			at += mb_random(&seed, 6);
			assert_int_equal(ct_spans_append(&set, at, at + length), 0);
			at += mb_random(&seed, 2) ? length : length / 2;
		}
		for (int cuts = 0; cuts < 6; cuts++) {
			uint64_t start = mb_random(&seed, POINTS);

			check_cut(&set, start, start + mb_random(&seed, (uint32_t)(POINTS - start)));
		}
		ct_spans_free(&set);
	}
}

/* More spans than the first allocation holds: every cut splits one in two. */
static void test_cut_grows(void **state)
{
	struct ct_spans set = { 0 };
	struct pieces pieces;

	(void)state;
	ct_spans_append(&set, 0, 3000);
	for (uint64_t i = 0; i < 1000; i++) {
		pieces.count = 0;
		ct_spans_cut(&set, 3 * i + 1, 3 * i + 2, take, &pieces);
		expect_spans(&(struct ct_spans){ pieces.at, pieces.count, 0 }, 1,
			     (struct ct_span[]){ { 3 * i + 1, 3 * i + 2 } });
	}
	assert_int_equal(set.count, 1001);
	assert_int_equal(ct_spans_total(&set), 2000);
	assert_int_equal(ct_spans_overlap(&set, 0, 3000), 2000);
	assert_int_equal(ct_spans_overlap(&set, 1, 5), 2);
	ct_spans_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_cut_random),
		cmocka_unit_test(test_cut_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
