/* SPDX-License-Identifier: Apache-2.0 */
/* What is found again by a key: a hash table of items that begin with its link. */
#ifndef CT_ANALYZE_LOOKUP_H
#define CT_ANALYZE_LOOKUP_H

#include <stddef.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* The first member of every item. */
struct ct_link {
	UT_hash_handle hh;
};

/* All zeros is an empty one. */
struct ct_lookup {
	struct ct_link *first;
};

/* The item with a key of `bytes`; NULL if there is none. */
void *ct_lookup_find(const struct ct_lookup *lookup, const void *key, size_t bytes);

/*
 * Add an item, whose key is not there yet. The key is not copied: it is part of the item, or
 * outlives it. Returns 0, or -ENOMEM and the item is still the caller's alone.
 */
int ct_lookup_add(struct ct_lookup *lookup, void *item, const void *key, size_t bytes);

/* Take out an item that is in there; it is the caller's again. */
void ct_lookup_remove(struct ct_lookup *lookup, void *item);

/* Forget all items without freeing them; or free() them. */
void ct_lookup_clear(struct ct_lookup *lookup);
void ct_lookup_free(struct ct_lookup *lookup);

#endif
