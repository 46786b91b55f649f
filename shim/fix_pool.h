/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page-locked memory to stage copies in: blocks of one size, cut from slabs, which are all taken
 * alike. A copy takes a chain of them. No lock and no call of the driver: the caller has both.
 */
#ifndef CT_SHIM_FIX_POOL_H
#define CT_SHIM_FIX_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "trace/fix.h"

#define CT_POOL_BLOCK_BYTES (1024 * 1024)
#define CT_POOL_SLAB_BLOCKS 16
#define CT_POOL_SLAB_BYTES (CT_POOL_SLAB_BLOCKS * CT_POOL_BLOCK_BYTES)
#define CT_POOL_SLABS (CT_PIN_MOST_BYTES / CT_POOL_SLAB_BYTES)
#define CT_POOL_BLOCKS (CT_POOL_SLABS * CT_POOL_SLAB_BLOCKS)

enum ct_pool_state {
	CT_POOL_NONE,   /* there is no memory to it, or it is not to be used again */
	CT_POOL_UNUSED,
	CT_POOL_OUT,    /* a thread fills it and submits copies from it, or has lost it */
	CT_POOL_FLYING  /* the device copies from it */
};

struct ct_pool_block {
	unsigned char *at;
	void *event; /* a CUevent, kept for when it is first of a chain again; may be NULL */
	struct ct_pool_block *next;   /* of its chain, or of what is unused */
	struct ct_pool_block *flight; /* of the first of a chain: the next chain that flies */
	enum ct_pool_state state;
};

/* What is left of the pool, to be given back: slabs, and events of blocks in them. */
struct ct_pool_rest {
	void *slabs[CT_POOL_SLABS];
	void *events[CT_POOL_BLOCKS];
	size_t slab_count, event_count;
};

/* So many blocks as a chain that ends with NULL; NULL if fewer are unused. */
struct ct_pool_block *ct_pool_take(size_t blocks);

/* The device copies from a chain, until the event of its first block has passed. */
void ct_pool_fly(struct ct_pool_block *chain);

/* Have every chain back whose event is done. */
void ct_pool_land(bool (*done)(void *event));

/* A chain is unused again. */
void ct_pool_give(struct ct_pool_block *chain);

/* Is there room for another slab? */
bool ct_pool_has_room(void);

/* It must have room. The memory is the pool's until ct_pool_empty() returns it. */
void ct_pool_add(void *slab);

/*
 * The pool is empty from now on. Slabs from which a block is out are nobody's: their memory stays
 * where it is, and counts towards the bound.
 */
void ct_pool_empty(struct ct_pool_rest *ret);

#endif
