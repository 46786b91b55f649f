/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/fix_pool.h"

#include <string.h>
#define NDEBUG 1 /* its macros must not end a program */
#include <utlist.h>

static struct ct_pool_block blocks[CT_POOL_BLOCKS]; /* those of a slab are together */
static void *slabs[CT_POOL_SLABS];
static bool doomed[CT_POOL_SLABS]; /* what comes back to it stays away */
static struct ct_pool_block *unused, *flying;
static size_t unused_count;

static size_t slab_of(const struct ct_pool_block *block)
{
	return (size_t)(block - blocks) / CT_POOL_SLAB_BLOCKS;
}

static void put(struct ct_pool_block *block)
{
	if (doomed[slab_of(block)]) {
		block->state = CT_POOL_NONE;
		return;
	}
	block->state = CT_POOL_UNUSED;
	LL_PREPEND(unused, block);
	unused_count++;
}

struct ct_pool_block *ct_pool_take(size_t count)
{
	struct ct_pool_block *chain = NULL;

	if (!count || count > unused_count)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct ct_pool_block *block = unused;

		LL_DELETE(unused, block);
		block->state = CT_POOL_OUT;
		LL_PREPEND(chain, block);
	}
	unused_count -= count;
	return chain;
}

void ct_pool_fly(struct ct_pool_block *chain)
{
	for (struct ct_pool_block *block = chain; block; block = block->next)
		block->state = CT_POOL_FLYING;
	LL_PREPEND2(flying, chain, flight);
}

void ct_pool_give(struct ct_pool_block *chain)
{
	for (struct ct_pool_block *next; chain; chain = next) {
		next = chain->next;
		put(chain);
	}
}

void ct_pool_land(bool (*done)(void *event))
{
	struct ct_pool_block *chain, *next;

	LL_FOREACH_SAFE2 (flying, chain, next, flight) {
		if (!done(chain->event))
			continue;
		LL_DELETE2(flying, chain, flight);
		ct_pool_give(chain);
	}
}

static size_t free_slab(void)
{
	size_t i = 0;

	while (i < CT_POOL_SLABS && slabs[i])
		i++;
	return i;
}

bool ct_pool_has_room(void)
{
	return free_slab() < CT_POOL_SLABS;
}

void ct_pool_add(void *slab)
{
	size_t index = free_slab();
	struct ct_pool_block *first = &blocks[index * CT_POOL_SLAB_BLOCKS];

	slabs[index] = slab;
	for (size_t i = CT_POOL_SLAB_BLOCKS; i-- > 0;) {
		first[i].at = (unsigned char *)slab + i * CT_POOL_BLOCK_BYTES;
		first[i].event = NULL;
		put(&first[i]);
	}
}

static bool has_one_out(size_t slab)
{
	const struct ct_pool_block *first = &blocks[slab * CT_POOL_SLAB_BLOCKS];

	for (size_t i = 0; i < CT_POOL_SLAB_BLOCKS; i++)
		if (first[i].state == CT_POOL_OUT)
			return true;
	return false;
}

/* The events of blocks that are out are with the threads that have these. */
static void take_events(size_t slab, struct ct_pool_rest *rest)
{
	struct ct_pool_block *first = &blocks[slab * CT_POOL_SLAB_BLOCKS];

	for (size_t i = 0; i < CT_POOL_SLAB_BLOCKS; i++) {
		if (first[i].state == CT_POOL_OUT)
			continue;
		if (first[i].event)
			rest->events[rest->event_count++] = first[i].event;
		first[i].event = NULL;
		first[i].state = CT_POOL_NONE;
	}
}

void ct_pool_empty(struct ct_pool_rest *rest)
{
	rest->slab_count = rest->event_count = 0;
	for (size_t i = 0; i < CT_POOL_SLABS; i++) {
		doomed[i] = doomed[i] || has_one_out(i);
		take_events(i, rest);
		if (!slabs[i] || doomed[i])
			continue;
		rest->slabs[rest->slab_count++] = slabs[i];
		slabs[i] = NULL;
	}
	unused = flying = NULL;
	unused_count = 0;
}
