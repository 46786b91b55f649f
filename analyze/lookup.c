/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/lookup.h"

#include <errno.h>
#include <stdlib.h>

void *ct_lookup_find(const struct ct_lookup *lookup, const void *key, size_t bytes)
{
	struct ct_link *link;

	HASH_FIND(hh, lookup->first, key, bytes, link);
	return link;
}

int ct_lookup_add(struct ct_lookup *lookup, void *item, const void *key, size_t bytes)
{
	struct ct_link *link = item;

	HASH_ADD_KEYPTR(hh, lookup->first, key, bytes, link);
	return link->hh.tbl ? 0 : -ENOMEM; /* uthash leaves out what it has no memory for */
}

void ct_lookup_remove(struct ct_lookup *lookup, void *item)
{
	struct ct_link *link = item;

	HASH_DEL(lookup->first, link);
}

void ct_lookup_clear(struct ct_lookup *lookup)
{
	HASH_CLEAR(hh, lookup->first);
}

void ct_lookup_free(struct ct_lookup *lookup)
{
	struct ct_link *link, *next;

	HASH_ITER(hh, lookup->first, link, next) {
		HASH_DEL(lookup->first, link);
		free(link);
	}
}
