/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of device memory, by address, and those of them that are deferred also by size. Fixed
 * room, no allocation, no lock: the caller has one.
 */
#ifndef CT_SHIM_FIX_BLOCKS_H
#define CT_SHIM_FIX_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#define CT_BLOCKS_MAX 32768 /* 80 bytes each: 2.5 MiB, touched as they are used */

struct ct_block {
	uint64_t at;            /* device address */
	uint64_t bytes;         /* as asked for */
	void *event;            /* a CUevent of the place, kept when it is used again; may be NULL */
	struct ct_block *chain; /* of its address, or of what is unused */
	struct ct_block *prev, *next; /* while deferred: of those alike in size, oldest first */
	uint64_t order; /* of deferring: lower was earlier */
	uint8_t other; /* than cuMemAlloc() memory, which is not counted: an enum ct_fix_left; else 0 */
	bool deferred;
	bool shared; /* other processes know of it */
};

/* Returns NULL where there is none of exactly this address. */
struct ct_block *ct_blocks_find(uint64_t at);

/* The block that this address lies in. Looks at all of them: slow. NULL: there is none. */
struct ct_block *ct_blocks_around(uint64_t at);

/* The address must not be there. Returns NULL if there is no room. */
struct ct_block *ct_blocks_add(uint64_t at, uint64_t bytes);

/* A block, deferred or not, is no more. */
void ct_blocks_remove(struct ct_block *block);

void ct_blocks_defer(struct ct_block *block);
void ct_blocks_take(struct ct_block *block); /* it is in use again */

/* Of the deferred blocks of this size the one that was freed first; NULL: there is none. */
struct ct_block *ct_blocks_oldest(uint64_t bytes);

/* Of all deferred blocks the one that was freed first; NULL: there is none. */
struct ct_block *ct_blocks_first(void);

/* Forget all blocks, and their events, which are not destroyed. */
void ct_blocks_clear(void);

#endif
