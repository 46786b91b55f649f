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

/* What lies below a root: the functions of a unit, or what was inlined in a function. */
struct ct_scopes_index {
	struct ct_link link;
	struct ct_scopes_index *next; /* of all */
	const void *root;
	bool of_unit;
	const void *last; /* where the DIE is that was looked at last */
	struct node *nodes;
	struct range *ranges;
	uint32_t node_count, nodes_size, range_count, ranges_size;
};

static bool is_wanted(const struct ct_scopes_index *index, int tag)
{
	return tag == (index->of_unit ? DW_TAG_subprogram : DW_TAG_inlined_subroutine);
}

/* May it have functions below it? Those of a unit are at its top, or in C++ in a namespace. */
static bool is_entered(const struct ct_scopes_index *index, int tag)
{
	if (index->of_unit)
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
		.low = low, .high = high, .node = node, .rank = index->of_unit ? UINT32_MAX - node : node,
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
static struct ct_scopes_index *make_index(struct ct_scopes *scopes, Dwarf_Die *root, bool of_unit)
{
	struct ct_scopes_index *index = calloc(1, sizeof(*index));

	if (!index)
		return NULL;
	index->root = index->last = root->addr;
	index->of_unit = of_unit;
	if (collect(index, root, NONE, 0) < 0 ||
	    ct_lookup_add(&scopes->by_root, index, &index->root, sizeof(index->root)) < 0) {
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

static struct ct_scopes_index *index_of(struct ct_scopes *scopes, Dwarf_Die *root, bool of_unit)
{
	struct ct_scopes_index *index =
		ct_lookup_find(&scopes->by_root, &root->addr, sizeof(root->addr));

	return index ? index : make_index(scopes, root, of_unit);
}

int ct_scopes_find(struct ct_scopes *scopes, Dwarf_Die *unit, Dwarf_Addr address,
		   Dwarf_Die *ret_dies, int most)
{
	struct ct_scopes_index *of_unit = index_of(scopes, unit, true), *inlined;
	uint32_t function = of_unit ? find(of_unit, address) : NONE;
	int n = 0;

	if (function == NONE)
		return of_unit ? 0 : -ENOMEM;
	inlined = index_of(scopes, &of_unit->nodes[function].die, false);
	if (!inlined)
		return -ENOMEM;
	for (uint32_t i = find(inlined, address); i != NONE && n < most; i = inlined->nodes[i].around)
		ret_dies[n++] = inlined->nodes[i].die;
	if (n < most)
		ret_dies[n++] = of_unit->nodes[function].die;
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
