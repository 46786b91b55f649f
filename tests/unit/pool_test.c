/* SPDX-License-Identifier: Apache-2.0 */
/* The pool in which copies are staged: blocks in, out and in flight, and what is left at its end. */
#include "tests/unit/unit.h"

#include "shim/fix_pool.h"

static unsigned char slabs[CT_POOL_SLABS]; /* only their addresses count */
static char events[CT_POOL_BLOCKS];
static size_t passed; /* so many of the events, from the first */

static bool done(void *event)
{
	return (size_t)((char *)event - events) < passed;
}

static size_t length_of(const struct ct_pool_block *chain)
{
	size_t count = 0;

	for (; chain; chain = chain->next)
		count++;
	return count;
}

static int empty(void **state)
{
	struct ct_pool_rest rest;

	(void)state;
	ct_pool_empty(&rest);
	passed = 0;
	return 0;
}

/* All or nothing, no block twice, and each where its slab is. */
static void test_takes(void **state)
{
	struct ct_pool_block *all, *block;

	(void)state;
	assert_null(ct_pool_take(1));
	ct_pool_add(&slabs[0]);
	assert_null(ct_pool_take(CT_POOL_SLAB_BLOCKS + 1));
	all = ct_pool_take(CT_POOL_SLAB_BLOCKS);
	assert_int_equal(length_of(all), CT_POOL_SLAB_BLOCKS);
	for (block = all; block; block = block->next) {
		size_t at = (size_t)(block->at - &slabs[0]);

		assert_int_equal(at % CT_POOL_BLOCK_BYTES, 0);
		assert_true(at < CT_POOL_SLAB_BYTES);
		for (struct ct_pool_block *other = block->next; other; other = other->next)
			assert_ptr_not_equal(other->at, block->at);
	}
	assert_null(ct_pool_take(1));
	ct_pool_give(all);
	all = ct_pool_take(CT_POOL_SLAB_BLOCKS);
	assert_int_equal(length_of(all), CT_POOL_SLAB_BLOCKS);
	ct_pool_give(all);
}

/* Blocks in flight come back when their own event has passed, whichever took off first. */
static void test_flies(void **state)
{
	struct ct_pool_block *first, *second;

	(void)state;
	ct_pool_add(&slabs[0]);
	first = ct_pool_take(10);
	second = ct_pool_take(6);
	first->event = &events[1];
	second->event = &events[0];
	ct_pool_fly(first);
	ct_pool_fly(second);
	ct_pool_land(done);
	assert_null(ct_pool_take(1));
	passed = 1;
	ct_pool_land(done);
	assert_null(ct_pool_take(7));
	second = ct_pool_take(6);
	assert_non_null(second);
	passed = 2;
	ct_pool_land(done);
	ct_pool_land(done); /* none comes back twice */
	assert_null(ct_pool_take(11));
	first = ct_pool_take(10);
	assert_int_equal(length_of(first), 10);
	ct_pool_give(first);
	ct_pool_give(second);
}

static void test_room(void **state)
{
	struct ct_pool_block *all;
	struct ct_pool_rest rest;

	(void)state;
	for (size_t i = 0; i < CT_POOL_SLABS; i++) {
		assert_true(ct_pool_has_room());
		ct_pool_add(&slabs[i]);
	}
	assert_false(ct_pool_has_room());
	all = ct_pool_take(CT_POOL_BLOCKS);
	assert_int_equal(length_of(all), CT_POOL_BLOCKS);
	ct_pool_give(all);
	ct_pool_empty(&rest);
	assert_int_equal(rest.slab_count, CT_POOL_SLABS);
	assert_true(ct_pool_has_room());
}

/* At the end everything is given back but slabs from which a thread has a block still. */
static void test_empties(void **state)
{
	struct ct_pool_block *out, *flying, *unused;
	struct ct_pool_rest rest;

	(void)state;
	ct_pool_add(&slabs[0]);
	flying = ct_pool_take(4);
	flying->event = &events[0];
	ct_pool_fly(flying);
	unused = ct_pool_take(1);
	unused->event = &events[1];
	ct_pool_give(unused);
	ct_pool_empty(&rest);
	assert_int_equal(rest.slab_count, 1);
	assert_ptr_equal(rest.slabs[0], &slabs[0]);
	assert_int_equal(rest.event_count, 2);
	assert_null(ct_pool_take(1));
	passed = CT_POOL_BLOCKS;
	ct_pool_land(done);
	assert_null(ct_pool_take(1)); /* what flew was given back with its slab */

	ct_pool_add(&slabs[1]);
	out = ct_pool_take(1);
	out->event = &events[2];
	ct_pool_empty(&rest);
	assert_int_equal(rest.slab_count + rest.event_count, 0);
	ct_pool_fly(out); /* it goes on, if the context does, */
	ct_pool_land(done);
	assert_null(ct_pool_take(1)); /* and is not used again */
	for (size_t i = 0; i < CT_POOL_SLABS - 1; i++)
		ct_pool_add(&slabs[i]);
	assert_false(ct_pool_has_room()); /* it counts towards the bound */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_takes, empty),
		cmocka_unit_test_setup(test_flies, empty),
		cmocka_unit_test_setup(test_room, empty),
		cmocka_unit_test_setup(test_empties, empty), /* last: it leaves a slab to nobody */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
