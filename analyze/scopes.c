/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/scopes.h"

#include <dwarf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define NONE UINT32_MAX
#define DEPTH_MAX 256 /* of DIEs within each other: what is deeper is not looked at */

/* A function, or one that was inlined. */
struct node {
	Dwarf_Die die;
	uint32_t around; /* the one that it was inlined in; NONE: the root */
};

/* Some code of a function; sorted by where it begins. */
struct range {
	Dwarf_Addr low, high;
	Dwarf_Addr reach; /* the highest `high` up to this one */
	uint32_t node, rank;
};

enum kind {
	FUNCTIONS,     /* of a unit, where they usually are: at its top, or in C++ in a namespace */
	ALL_FUNCTIONS, /* wherever they are */
	INLINED,       /* in a function */
};

/* What lies below a root. */
struct ct_scopes_index {
	struct ct_link link;
	struct ct_scopes_index *next; /* of all */
	struct key {
		const void *root;
		uint64_t kind;        /* enum kind, without padding */
	} key;
	const void *last; /* where the DIE is that was looked at last */
	struct node *nodes;
	struct range *ranges;
	uint32_t node_count, nodes_size, range_count, ranges_size;
};

static bool is_wanted(const struct ct_scopes_index *index, int tag)
{
	return tag == (index->key.kind == INLINED ? DW_TAG_inlined_subroutine : DW_TAG_subprogram);
}

/*
 * May it have functions below it? Those that compilers take out of another one (for OpenMP), Fortran's
 * internal ones, and without optimization lambdas and members of local classes are in that.
 */
static bool is_entered(const struct ct_scopes_index *index, int tag)
{
	if (index->key.kind == ALL_FUNCTIONS)
		return true;
	if (index->key.kind == FUNCTIONS)
		return tag == DW_TAG_namespace || tag == DW_TAG_module;
	return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
	       tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

/* Make room for one more. Returns 0 or -ENOMEM. */
static int grow(void **items, uint32_t count, uint32_t *size, size_t bytes)
{
	uint32_t more = *size ? 2 * *size : 16;
	void *moved;

	if (count < *size)
		return 0;
	moved = more > *size ? reallocarray(*items, more, bytes) : NULL;
	if (!moved)
		return -ENOMEM;
	*items = moved;
	*size = more;
	return 0;
}

static int add_range(struct ct_scopes_index *index, Dwarf_Addr low, Dwarf_Addr high)
{
	uint32_t node = index->node_count;

	if (grow((void **)&index->ranges, index->range_count, &index->ranges_size,
		 sizeof(*index->ranges)) < 0)
		return -ENOMEM;
	/* of those at one place, the innermost is found first; of a unit's, the first */
	index->ranges[index->range_count++] = (struct range){
		.low = low, .high = high, .node = node,
		.rank = index->key.kind == INLINED ? node : UINT32_MAX - node,
	};
	return 0;
}

/* A DIE without code is none. Returns 1 if it was added, 0 or -ENOMEM. */
static int add_node(struct ct_scopes_index *index, Dwarf_Die *die, uint32_t around)
{
	uint32_t before = index->range_count;
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0)
		if (low < high && add_range(index, low, high) < 0)
			return -ENOMEM;
	if (index->range_count == before)
		return 0;
	if (grow((void **)&index->nodes, index->node_count, &index->nodes_size,
		 sizeof(*index->nodes)) < 0)
		return -ENOMEM;
	index->nodes[index->node_count++] = (struct node){ *die, around };
	return 1;
}

/*
 * Look at what is below a DIE. A damaged file may tell of siblings that were there before: one DIE
 * lies behind the other, and what does not ends it. Returns 0 or -ENOMEM.
 */
static int collect(struct ct_scopes_index *index, Dwarf_Die *parent, uint32_t around, int depth)
{
	Dwarf_Die die;
	int r = dwarf_child(parent, &die);

	for (; r == 0 && die.addr > index->last; r = dwarf_siblingof(&die, &die)) {
		int tag = dwarf_tag(&die), added = 0;

		index->last = die.addr;
		if (is_wanted(index, tag))
			added = add_node(index, &die, around);
		if (added >= 0 && depth < DEPTH_MAX && is_entered(index, tag))
			added = collect(index, &die, added ? index->node_count - 1 : around,
					depth + 1) < 0 ? -ENOMEM : added;
		if (added < 0)
			return -ENOMEM;
	}
	return 0;
}

static int by_low(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void sort(struct ct_scopes_index *index)
{
	Dwarf_Addr reach = 0;

	if (index->range_count)
		qsort(index->ranges, index->range_count, sizeof(*index->ranges), by_low);
	for (uint32_t i = 0; i < index->range_count; i++) {
		reach = index->ranges[i].high > reach ? index->ranges[i].high : reach;
		index->ranges[i].reach = reach;
	}
}

static void free_index(struct ct_scopes_index *index)
{
	free(index->nodes);
	free(index->ranges);
	free(index);
}

/* Of what is below a DIE; NULL without memory. */
static struct ct_scopes_index *make_index(struct ct_scopes *scopes, Dwarf_Die *root, struct key key)
{
	struct ct_scopes_index *index = calloc(1, sizeof(*index));

	if (!index)
		return NULL;
	index->key = key;
	index->last = root->addr;
	if (collect(index, root, NONE, 0) < 0 ||
	    ct_lookup_add(&scopes->by_root, index, &index->key, sizeof(index->key)) < 0) {
		free_index(index);
		return NULL;
	}
	sort(index);
	index->next = scopes->indexes;
	scopes->indexes = index;
	return index;
}

/* How many ranges begin at the address or before. */
static uint32_t begun(const struct ct_scopes_index *index, Dwarf_Addr address)
{
	uint32_t low = 0, high = index->range_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (index->ranges[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The innermost function around an address; NONE if there is none. */
static uint32_t find(const struct ct_scopes_index *index, Dwarf_Addr address)
{
	for (uint32_t i = begun(index, address); i-- > 0 && index->ranges[i].reach > address;)
		if (index->ranges[i].high > address)
			return index->ranges[i].node;
	return NONE;
}

static struct ct_scopes_index *index_of(struct ct_scopes *scopes, Dwarf_Die *root, enum kind kind)
{
	const struct key key = { root->addr, kind };
	struct ct_scopes_index *index = ct_lookup_find(&scopes->by_root, &key, sizeof(key));

	return index ? index : make_index(scopes, root, key);
}

/* Returns 1 and the function of a unit around an address, which is not inlined; 0: none; -ENOMEM. */
static int find_function(struct ct_scopes *scopes, Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die *ret)
{
	for (int kind = FUNCTIONS; kind <= ALL_FUNCTIONS; kind++) { /* the second takes far longer to make */
		const struct ct_scopes_index *index = index_of(scopes, unit, (enum kind)kind);
		uint32_t function = index ? find(index, address) : NONE;

		if (!index)
			return -ENOMEM;
		if (function != NONE) {
			*ret = index->nodes[function].die;
			return 1;
		}
	}
	return 0;
}

int ct_scopes_find(struct ct_scopes *scopes, Dwarf_Die *unit, Dwarf_Addr address,
		   Dwarf_Die *ret_dies, int most)
{
	struct ct_scopes_index *inlined;
	Dwarf_Die function;
	int n = 0, r = find_function(scopes, unit, address, &function);

	if (r <= 0)
		return r;
	inlined = index_of(scopes, &function, INLINED);
	if (!inlined)
		return -ENOMEM;
	for (uint32_t i = find(inlined, address); i != NONE && n < most; i = inlined->nodes[i].around)
		ret_dies[n++] = inlined->nodes[i].die;
	if (n < most)
		ret_dies[n++] = function;
	return n;
}

void ct_scopes_clear(struct ct_scopes *scopes)
{
	struct ct_scopes_index *next;

	ct_lookup_clear(&scopes->by_root);
	for (; scopes->indexes; scopes->indexes = next) {
		next = scopes->indexes->next;
		free_index(scopes->indexes);
	}
}
