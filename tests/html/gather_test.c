/* SPDX-License-Identifier: Apache-2.0 */
/* What a page is gathered into: lanes, exact items, memory and names, each within its bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/html/item.h"
#include "export/html/lane.h"
#include "export/html/memory.h"
#include "export/html/names.h"

static struct ct_lane *lane_of(struct ct_lanes *lanes, uint32_t id)
{
	const struct ct_lane_key key = { 0, CT_LANE_THREAD, 0, id };
	struct ct_lane *lane = ct_lanes_get(lanes, &key);

	assert_non_null(lane);
	return lane;
}

struct sums {
	uint64_t busy_ns, blocked_ns, count;
};

static struct sums sums_of(const struct ct_lane *lane, unsigned shift)
{
	struct sums sums = { 0 };

	for (size_t i = 0; i < lane->count; i++) {
		assert_true(lane->buckets[i].busy_ns <= (uint64_t)1 << shift);
		assert_true(lane->buckets[i].blocked_ns <= lane->buckets[i].busy_ns);
		sums.busy_ns += lane->buckets[i].busy_ns;
		sums.blocked_ns += lane->buckets[i].blocked_ns;
		sums.count += lane->buckets[i].count;
	}
	return sums;
}

/* However often buckets are folded, nothing is lost. */
static void test_lanes_keep_their_sums(void **state)
{
	struct ct_lanes lanes;
	struct sums expected[3] = { 0 };
	uint64_t time_ns = 5;

	(void)state;
	ct_lanes_init(&lanes);
	srand(1);
	for (int i = 0; i < 30000; i++) {
		uint32_t id = (uint32_t)rand() % 3;
		uint64_t ns = (uint64_t)rand() % 20000;

		assert_int_equal(ct_lane_add(&lanes, lane_of(&lanes, id), time_ns, time_ns + ns, 1), 0);
		assert_int_equal(ct_lane_block(&lanes, lane_of(&lanes, id), time_ns, time_ns + ns / 2,
					       CT_PART_LOCK_WAIT), 0);
		expected[id].busy_ns += ns;
		expected[id].blocked_ns += ns / 2;
		expected[id].count++;
		time_ns += ns + (uint64_t)rand() % 5000;
	}
	assert_true(lanes.shift > CT_LANE_FIRST_SHIFT);
	for (int fold = 0; fold < 4; fold++, ct_lanes_fold(&lanes))
		for (uint32_t id = 0; id < 3; id++) {
			struct sums sums = sums_of(lane_of(&lanes, id), lanes.shift);

			assert_memory_equal(&sums, &expected[id], sizeof(sums));
		}
	ct_lanes_free(&lanes);
}

static void test_what_overlaps_counts_once(void **state)
{
	struct ct_lanes lanes;
	struct ct_lane *lane;

	(void)state;
	ct_lanes_init(&lanes);
	lane = lane_of(&lanes, 7);
	assert_int_equal(ct_lane_add(&lanes, lane, 0, 5000, 1), 0);
	assert_int_equal(ct_lane_add(&lanes, lane, 1000, 2000, 1), 0);
	assert_int_equal(ct_lane_add(&lanes, lane, 4000, 6000, 1), 0);
	assert_int_equal(lane->busy_ns, 6000);
	assert_int_equal(lane->items, 3);
	assert_int_equal(sums_of(lane, lanes.shift).busy_ns, 6000);
	ct_lanes_free(&lanes);
}

/* One name has three quarters of the time, always after a hundred others had theirs. */
static void test_most_of_a_bucket_is_found(void **state)
{
	struct ct_lanes lanes;
	struct ct_lane *lane;
	uint64_t time_ns = 0;

	(void)state;
	ct_lanes_init(&lanes);
	lane = lane_of(&lanes, 7);
	for (uint32_t i = 0; i < 20000; i++) {
		bool other = i % 130 < 100;
		uint64_t ns = other ? 100 : 1000;

		assert_int_equal(ct_lane_add(&lanes, lane, time_ns, time_ns + ns,
					     other ? 10 + i % 130 : 5), 0);
		time_ns += ns;
	}
	while (lanes.shift < 17)
		ct_lanes_fold(&lanes);
	assert_true(lane->count > 10);
	for (size_t i = 0; i + 1 < lane->count; i++) {
		uint64_t own = 0, others = 0;

		for (int n = 0; n < CT_LANE_NAMES; n++)
			if (lane->buckets[i].names[n].key == 5)
				own = lane->buckets[i].names[n].weight_ns;
			else if (lane->buckets[i].names[n].weight_ns > others)
				others = lane->buckets[i].names[n].weight_ns;
		assert_true(own > others);
	}
	ct_lanes_free(&lanes);
}

static void test_lanes_are_bounded(void **state)
{
	struct ct_lanes lanes;
	size_t buckets = 0;

	(void)state;
	ct_lanes_init(&lanes);
	for (uint32_t id = 0; id < CT_LANES_MAX + 100; id++)
		assert_int_equal(ct_lane_add(&lanes, lane_of(&lanes, id), 0, 1u << 30, 1), 0);
	assert_int_equal(lanes.all.count, CT_LANES_MAX + 1);
	assert_int_equal(lanes.shared, 100);
	for (size_t i = 0; i < lanes.all.count; i++)
		buckets += lanes.all.at[i]->count;
	assert_true(buckets <= (size_t)(CT_LANES_MAX + 1) * CT_LANE_BUCKETS_LEAST);
	ct_lanes_free(&lanes);
}

static void add_item(struct ct_html_items *items, uint64_t start_ns, uint64_t score, uint32_t waits)
{
	const struct ct_html_wait wait[2] = { { .start_ns = start_ns, .end_ns = start_ns + score },
					      { .start_ns = 1, .end_ns = 2 } };
	const struct ct_html_item item = { .start_ns = start_ns, .end_ns = start_ns + score,
					   .score = score, .wait_count = waits };

	assert_int_equal(ct_html_items_add(items, &item, wait), 0);
}

static void test_the_items_that_score_most_are_kept(void **state)
{
	struct ct_html_items items = { 0 };
	uint64_t count = 5 * (uint64_t)CT_HTML_ITEMS;

	(void)state;
	for (uint64_t i = 0; i < count; i++)
		add_item(&items, i, 1 + i * 7919 % count, 1); /* 7919 and count share no factor */
	assert_true(items.all.count < 2 * CT_HTML_ITEMS);
	assert_int_equal(ct_html_items_finish(&items), 0);
	assert_int_equal(items.all.count, CT_HTML_ITEMS);
	assert_int_equal(items.waits.count, CT_HTML_ITEMS);
	for (size_t i = 0; i < items.all.count; i++) {
		const struct ct_html_wait *wait = &items.waits.at[items.all.at[i].first_wait];

		assert_true(items.all.at[i].score > count - CT_HTML_ITEMS);
		assert_true(!i || items.all.at[i].start_ns > items.all.at[i - 1].start_ns);
		assert_int_equal(wait->start_ns, items.all.at[i].start_ns);
	}
	ct_html_items_free(&items);
}

/* NVTX ranges have a bound of their own, so that they take no room of calls. */
static void test_a_limit_is_kept(void **state)
{
	struct ct_html_items items = { .limit = 100 };

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		add_item(&items, i, 1 + i * 7919 % 1000, 0);
	assert_true(items.all.count < 200);
	assert_int_equal(ct_html_items_finish(&items), 0);
	assert_int_equal(items.all.count, 100);
	for (size_t i = 0; i < items.all.count; i++)
		assert_true(items.all.at[i].score > 900);
	ct_html_items_free(&items);
}

static void test_an_item_kept_twice_is_one(void **state)
{
	struct ct_html_items items = { 0 };

	(void)state;
	add_item(&items, 10, 5, 0);
	add_item(&items, 10, 5, 2);
	add_item(&items, 11, 5, 1);
	assert_int_equal(ct_html_items_finish(&items), 0);
	assert_int_equal(items.all.count, 2);
	assert_int_equal(items.all.at[0].wait_count, 2);
	assert_int_equal(items.waits.count, 3);
	ct_html_items_free(&items);
}

static void see(struct ct_html_memory *memory, const struct ct_model *model, uint32_t effects,
		uint64_t enter_ns, uint64_t leave_ns, uint64_t bytes)
{
	const struct ct_host_call call = {
		.raw = { .enter_ns = enter_ns, .leave_ns = leave_ns, .bytes = bytes, .addr = 0x1000 },
		.effects = effects,
		.name = effects & CT_ALLOC ? "cudaMalloc" : "cudaFree",
	};

	assert_int_equal(ct_html_memory_see(memory, model, &call), 0);
}

/* A block that one thread frees is given to another, whose call began before the free did. */
static void test_memory_goes_from_thread_to_thread(void **state)
{
	const struct ct_model model = { 0 };
	struct ct_html_memory memory = { .shift = 10 };

	(void)state;
	assert_int_equal(ct_html_memory_begin(&memory, 100), 0);
	see(&memory, &model, CT_ALLOC, 1000, 2000, 4096);
	see(&memory, &model, CT_ALLOC, 5000, 9000, 8192);
	see(&memory, &model, CT_FREE, 6000, 7000, 0);
	see(&memory, &model, CT_FREE, 20000, 21000, 0);
	assert_int_equal(ct_html_memory_finish(&memory), 0);
	assert_int_equal(memory.most_bytes[CT_HTML_DEVICE], 8192);
	assert_int_equal(memory.bytes[CT_HTML_DEVICE], 0);
	assert_int_equal(ct_memory_unknown(memory.map), 0);
	assert_int_equal(memory.levels[CT_HTML_DEVICE].count, 4);
	assert_int_equal(memory.levels[CT_HTML_DEVICE].at[0].bucket, 1900 >> 10);
	ct_html_memory_widen(&memory, 14);
	assert_int_equal(memory.levels[CT_HTML_DEVICE].count, 2);
	assert_int_equal(memory.levels[CT_HTML_DEVICE].at[0].most_bytes, 8192);
	assert_int_equal(memory.levels[CT_HTML_DEVICE].at[0].last_bytes, 8192);
	assert_int_equal(memory.levels[CT_HTML_DEVICE].at[1].last_bytes, 0);
	ct_html_memory_free(&memory);
}

static void test_names_are_bounded(void **state)
{
	struct ct_html_names names = { 0 };
	char text[2 * CT_HTML_NAME_BYTES];
	uint32_t first;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	first = ct_html_name(&names, CT_HTML_KERNEL, text);
	assert_int_equal(ct_html_name(&names, CT_HTML_KERNEL, text), first);
	assert_int_not_equal(ct_html_name(&names, CT_HTML_CALL, text), first);
	assert_true(names.all.at[first]->length < CT_HTML_NAME_BYTES);
	for (unsigned i = 0; i < 40000; i++) {
		snprintf(text, 9, "%08u", i);
		text[8] = 'b';
		assert_int_not_equal(ct_html_name(&names, CT_HTML_KERNEL, text), CT_NONE);
	}
	assert_true(names.dropped > 0);
	assert_true(names.bytes < CT_HTML_NAMES_BYTES + 2 * CT_HTML_NAME_BYTES);
	ct_html_names_free(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lanes_keep_their_sums),
		cmocka_unit_test(test_what_overlaps_counts_once),
		cmocka_unit_test(test_most_of_a_bucket_is_found),
		cmocka_unit_test(test_lanes_are_bounded),
		cmocka_unit_test(test_the_items_that_score_most_are_kept),
		cmocka_unit_test(test_a_limit_is_kept),
		cmocka_unit_test(test_an_item_kept_twice_is_one),
		cmocka_unit_test(test_memory_goes_from_thread_to_thread),
		cmocka_unit_test(test_names_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
