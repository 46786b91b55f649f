/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/fix_blocks.h"

#include <stddef.h>
#include <string.h>
#define NDEBUG 1 /* its macros must not end a program */
#include <utlist.h>

#define CHAINS 8192 /* powers of two */
#define SIZES 256

static struct ct_block blocks[CT_BLOCKS_MAX];
static size_t used; /* those behind have never been used */
static struct ct_block *unused;
static struct ct_block *chains[CHAINS];
static struct ct_block *sizes[SIZES]; /* several sizes may share one; oldest first */
static uint64_t orders;

/* Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4). */
static uint64_t mix(uint64_t value)
{
	return value * 0x9e3779b97f4a7c15u >> 32;
}

static struct ct_block **chain_of(uint64_t at)
{
	return &chains[mix(at) % CHAINS];
}

static struct ct_block **size_of(uint64_t bytes)
{
	return &sizes[mix(bytes) % SIZES];
}

struct ct_block *ct_blocks_find(uint64_t at)
{
	struct ct_block *block = *chain_of(at);

	while (block && block->at != at)
		block = block->chain;
	return block;
}

struct ct_block *ct_blocks_around(uint64_t at)
{
	for (size_t i = 0; i < used; i++)
		if (at - blocks[i].at < blocks[i].bytes && ct_blocks_find(blocks[i].at) == &blocks[i])
			return &blocks[i];
	return NULL;
}

static struct ct_block *take_place(void)
{
	struct ct_block *block = unused;

	if (block)
		unused = block->chain;
	else if (used < CT_BLOCKS_MAX)
		block = &blocks[used++];
	return block;
}

struct ct_block *ct_blocks_add(uint64_t at, uint64_t bytes)
{
	struct ct_block *block = take_place();

	if (!block)
		return NULL;
	*block = (struct ct_block){ .at = at, .bytes = bytes, .event = block->event };
	LL_PREPEND2(*chain_of(at), block, chain);
	return block;
}

void ct_blocks_remove(struct ct_block *block)
{
	if (block->deferred)
		ct_blocks_take(block);
	LL_DELETE2(*chain_of(block->at), block, chain);
	block->chain = unused;
	unused = block;
}

void ct_blocks_defer(struct ct_block *block)
{
	block->deferred = true;
	block->order = orders++;
	DL_APPEND(*size_of(block->bytes), block);
}

void ct_blocks_take(struct ct_block *block)
{
	DL_DELETE(*size_of(block->bytes), block);
	block->deferred = false;
}

struct ct_block *ct_blocks_oldest(uint64_t bytes)
{
	struct ct_block *block;

	DL_FOREACH (*size_of(bytes), block)
		if (block->bytes == bytes)
			return block;
	return NULL;
}

struct ct_block *ct_blocks_first(void)
{
	struct ct_block *first = NULL;

	for (size_t i = 0; i < SIZES; i++)
		if (sizes[i] && (!first || sizes[i]->order < first->order))
			first = sizes[i];
	return first;
}

void ct_blocks_clear(void)
{
	memset(blocks, 0, used * sizeof(blocks[0]));
	memset(chains, 0, sizeof(chains));
	memset(sizes, 0, sizeof(sizes));
	unused = NULL;
	used = 0;
}
