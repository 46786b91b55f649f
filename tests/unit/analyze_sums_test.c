/* SPDX-License-Identifier: Apache-2.0 */
/* What analyses of long runs rest on: sorting, durations that are only summed up, ticks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "analyze/density.h"
#include "analyze/durations.h"
#include "analyze/sort.h"

static uint64_t seed;

static uint64_t random_below(uint64_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 20) % below;
}

struct item {
	uint32_t first, second; /* order among equal keys, and that of the beginning */
	uint64_t key;
};

static int by_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Keys of a given range; step: how far each is from the one before, at least. */
static void check_sort(size_t count, uint64_t range, uint64_t step, bool ties)
{
	struct item *items = malloc((count + 1) * sizeof(*items));

	for (size_t i = 0; i < count; i++)
		items[i] = (struct item){ (uint32_t)random_below(3), (uint32_t)i,
					  i * step + random_below(range) };
	assert_int_equal(ct_sort(&items, count, count + 1, sizeof(*items),
				 offsetof(struct item, key), ties ? by_first : NULL), 0);
	for (size_t i = 1; i < count; i++) {
		const struct item *a = &items[i - 1], *b = &items[i];

		assert_true(a->key <= b->key);
		if (a->key < b->key)
			continue;
		assert_true(!ties || a->first <= b->first);
		if (!ties || a->first == b->first)
			assert_true(a->second < b->second);
	}
	free(items);
}

static void test_sort(void **state)
{
	static const uint64_t ranges[] = { 1, 2, 50, 3000, 1 << 20, (uint64_t)1 << 40, UINT64_MAX };

	(void)state;
	for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++)
		for (size_t count = 0; count < 5000; count = count * 2 + 1) {
			check_sort(count, ranges[r], 0, false);
			check_sort(count, ranges[r], 0, true);
			check_sort(count, ranges[r], 10, true);
		}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void check_durations(size_t count, uint64_t most)
{
	struct ct_durations d = { 0 }, half = { 0 };
	uint64_t *all = malloc(count * sizeof(*all)), total = 0;
	double sum = 0, mean, middle;

	for (size_t i = 0; i < count; i++) {
		all[i] = random_below(most) * random_below(most) / most;
		total += all[i];
		assert_int_equal(ct_durations_add(i % 2 ? &d : &half, all[i]), 0);
	}
	assert_int_equal(ct_durations_merge(&d, &half), 0);
	qsort(all, count, sizeof(*all), by_value);
	mean = (double)total / (double)count;
	for (size_t i = 0; i < count; i++)
		sum += ((double)all[i] - mean) * ((double)all[i] - mean);
	assert_int_equal(d.count, count);
	assert_int_equal(d.total_ns, total);
	assert_int_equal(d.least_ns, all[0]);
	assert_int_equal(d.most_ns, all[count - 1]);
	assert_true(fabs(ct_durations_deviation(&d) - sqrt(sum / (double)(count - 1))) <= 1e-6 * mean);
	middle = ((double)all[(count - 1) / 2] + (double)all[count / 2]) / 2;
	assert_true(fabs(ct_durations_median(&d) - middle) <= 0.004 * middle);
	ct_durations_free(&d);
	ct_durations_free(&half);
	free(all);
}

static void test_durations(void **state)
{
	(void)state;
	for (uint64_t most = 100; most < 100000000000; most *= 10) {
		check_durations(3, most);
		check_durations(1001, most);
	}
}

/*
 * However coarse ticks have become: what begins where, and what is under way between them.
 * One record is far off, so that ticks get longer half way.
 */
static void check_density(uint64_t span, uint64_t far)
{
	struct ct_density d, more;
	uint64_t starts[300], ends[300];
	size_t last = 0;

	assert_int_equal(ct_density_init(&d, 1000), 0);
	assert_int_equal(ct_density_init(&more, 1000), 0);
	for (int i = 0; i < 300; i++) {
		starts[i] = 1000 + random_below(span);
		ends[i] = starts[i] + random_below(i % 3 ? 100 : span / 10 + 1);
		if (i == 150)
			starts[i] = ends[i] = 1000 + far;
		ct_density_add(i % 7 ? &d : &more, starts[i], ends[i]);
	}
	ct_density_merge(&d, &more);
	while (last < d.used && ct_density_time(&d, last) < 1000 + 2 * span)
		last++;
	assert_true(d.used <= CT_DENSITY_TICKS);
	for (size_t tick = 0, begun = 0, under_way = 0; tick < last; tick++) {
		size_t expect_begun = 0, expect_under_way = 0;

		under_way += (size_t)d.change[tick];
		for (int i = 0; i < 300; i++) {
			expect_begun += starts[i] < ct_density_time(&d, tick);
			expect_under_way += starts[i] < ct_density_time(&d, tick) &&
					    ends[i] > ct_density_time(&d, tick);
		}
		assert_int_equal(begun, expect_begun);
		assert_int_equal(under_way, expect_under_way);
		begun += d.starts[tick];
	}
	ct_density_free(&d);
	ct_density_free(&more);
}

static void test_density(void **state)
{
	(void)state;
	check_density(1 << 20, 0);
	check_density(1 << 22, 0);
	check_density((uint64_t)1 << 32, (uint64_t)1 << 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sort), cmocka_unit_test(test_durations),
		cmocka_unit_test(test_density),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
