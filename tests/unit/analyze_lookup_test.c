/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table: keys of every length, many items, and no memory. Linked with --wrap=malloc. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "analyze/lookup.h"

#define MANY 20000
#define KEY_BYTES 40

struct item {
	struct ct_link link;
	uint32_t number;
	char key[KEY_BYTES];
};

static long until_failure = -1; /* allocations that still succeed; below 0: all do */

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);

void *__wrap_malloc(size_t bytes)
{
	if (until_failure == 0)
		return NULL;
	if (until_failure > 0)
		until_failure--;
	return __real_malloc(bytes);
}

static struct item *item_of(uint32_t number)
{
	struct item *item = calloc(1, sizeof(*item));

	assert_non_null(item);
	item->number = number;
	for (int i = 0; i < KEY_BYTES; i++)
		item->key[i] = (char)(i * 7 + 1);
	memcpy(item->key, &number, sizeof(number));
	return item;
}

static void test_lengths(void **state)
{
	struct ct_lookup lookup = { 0 };

	(void)state;
	for (size_t bytes = 1; bytes <= KEY_BYTES; bytes++) {
		struct item *item = item_of((uint32_t)bytes);

		assert_null(ct_lookup_find(&lookup, item->key, bytes));
		assert_int_equal(ct_lookup_add(&lookup, item, item->key, bytes), 0);
	}
	for (size_t bytes = 1; bytes <= KEY_BYTES; bytes++) {
		struct item *like = item_of((uint32_t)bytes), *found;

		found = ct_lookup_find(&lookup, like->key, bytes);
		assert_non_null(found);
		assert_int_equal(found->number, bytes);
		like->key[bytes - 1]++;
		assert_null(ct_lookup_find(&lookup, like->key, bytes));
		free(like);
	}
	ct_lookup_free(&lookup);
	assert_null(lookup.first);
}

/* Is each of `count` in there, but for those taken out, which are every third? */
static void expect_items(const struct ct_lookup *lookup, uint32_t count, bool taken)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct item *found = ct_lookup_find(lookup, &i, sizeof(i));

		if (taken && i % 3 == 0) {
			assert_null(found);
		} else {
			assert_non_null(found);
			assert_int_equal(found->number, i);
		}
	}
}

static void test_many(void **state)
{
	struct item **items = calloc(MANY, sizeof(*items));
	struct ct_lookup lookup = { 0 };

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		items[i] = item_of(i);
		assert_int_equal(ct_lookup_add(&lookup, items[i], items[i]->key, sizeof(i)), 0);
	}
	expect_items(&lookup, MANY, false);
	for (uint32_t i = MANY; i-- > 0;)
		if (i % 3 == 0) {
			ct_lookup_remove(&lookup, items[i]);
			free(items[i]);
		}
	expect_items(&lookup, MANY, true);
	ct_lookup_clear(&lookup);
	assert_null(lookup.first);
	for (uint32_t i = 0; i < MANY; i++)
		if (i % 3)
			free(items[i]); /* clearing left them alone */
	free(items);
}

/* Whatever there is no memory for is said; what was in there before stays. */
static void test_no_memory(void **state)
{
	struct ct_lookup lookup = { 0 };
	uint32_t failures = 0;

	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		struct item *item = item_of(i);

		for (until_failure = 0;
		     ct_lookup_add(&lookup, item, item->key, sizeof(i)) < 0; until_failure = failures % 3) {
			until_failure = -1;
			failures++;
			assert_null(ct_lookup_find(&lookup, &i, sizeof(i)));
			expect_items(&lookup, i, false);
		}
		until_failure = -1;
		assert_ptr_equal(ct_lookup_find(&lookup, &i, sizeof(i)), item);
	}
	assert_true(failures >= 5); /* of the table, its buckets, and each time it grew */
	expect_items(&lookup, 2000, false);
	ct_lookup_free(&lookup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
