/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/sort.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FAR 256    /* no item that is nearly in place is further from there */
#define PATIENCE 4 /* steps an item that insertion may take: as long as distribution does */
#define DIGIT_BITS 11
#define DIGITS ((size_t)1 << DIGIT_BITS)

/* Are they in order? Else, the bits in which keys differ from the least, *ret_least. */
static bool in_order(const struct ct_ranked *items, size_t count, uint64_t *ret_least,
		     uint64_t *ret_range)
{
	uint64_t least = UINT64_MAX, most = 0;
	bool ordered = true;

	for (size_t i = 0; i < count; i++) {
		ordered &= i == 0 || items[i - 1].key <= items[i].key;
		least = items[i].key < least ? items[i].key : least;
		most = items[i].key > most ? items[i].key : most;
	}
	*ret_least = least;
	*ret_range = most - least;
	return ordered;
}

/*
 * Insert each where it belongs, as is fast where none is far from there. Gives up, with all
 * of them in some order, if one is FAR or once that has taken PATIENCE.
 */
static bool insert_all(struct ct_ranked *items, size_t count)
{
	size_t steps = 0;

	for (size_t i = 1; i < count; i++) {
		struct ct_ranked item = items[i];
		size_t at = i;

		while (at > 0 && items[at - 1].key > item.key) {
			items[at] = items[at - 1];
			at--;
		}
		items[at] = item;
		steps += i - at;
		if (i - at > FAR || steps > PATIENCE * count)
			return false;
	}
	return true;
}

/* One pass, by the digit at `shift`. */
static void distribute(const struct ct_ranked *from, struct ct_ranked *to, size_t count,
		       uint64_t least, unsigned shift)
{
	size_t starts[DIGITS] = { 0 }, sum = 0;

	for (size_t i = 0; i < count; i++)
		starts[(from[i].key - least) >> shift & (DIGITS - 1)]++;
	for (size_t digit = 0; digit < DIGITS; digit++) {
		size_t here = starts[digit];

		starts[digit] = sum;
		sum += here;
	}
	for (size_t i = 0; i < count; i++)
		to[starts[(from[i].key - least) >> shift & (DIGITS - 1)]++] = from[i];
}

int ct_sort_ranked(struct ct_ranked *items, size_t count)
{
	struct ct_ranked *other, *from = items, *to;
	uint64_t least, range;

	if (in_order(items, count, &least, &range) || insert_all(items, count))
		return 0;
	other = malloc(count * sizeof(*other));
	if (!other)
		return -ENOMEM;
	to = other;
	for (unsigned shift = 0; shift < 64 && range >> shift; shift += DIGIT_BITS) {
		struct ct_ranked *swap = from;

		distribute(from, to, count, least, shift);
		from = to;
		to = swap;
	}
	if (from != items)
		memcpy(items, from, count * sizeof(*items));
	free(other);
	return 0;
}

static uint64_t key_of(const char *item, size_t offset)
{
	uint64_t key;

	memcpy(&key, item + offset, sizeof(key));
	return key;
}

struct tie {
	const char *items;
	size_t bytes;
	int (*compare)(const void *a, const void *b);
};

static int break_tie(const void *a, const void *b, void *arg)
{
	const struct tie *tie = arg;
	const struct ct_ranked *x = a, *y = b;
	int order = tie->compare(tie->items + x->index * tie->bytes,
				 tie->items + y->index * tie->bytes);

	return order ? order : x->index < y->index ? -1 : 1;
}

static void break_ties(struct ct_ranked *ranked, size_t count, struct tie *tie)
{
	for (size_t first = 0, end; first < count; first = end) {
		for (end = first + 1; end < count && ranked[end].key == ranked[first].key;)
			end++;
		if (end - first > 1)
			qsort_r(ranked + first, end - first, sizeof(*ranked), break_tie, tie);
	}
}

static bool moved(const struct ct_ranked *ranked, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ranked[i].index != i)
			return true;
	return false;
}

/* Put items where they belong, in a new array of the same room. */
static int move(char **items, const struct ct_ranked *ranked, size_t count, size_t room,
		size_t bytes)
{
	char *sorted = malloc(room * bytes);

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		memcpy(sorted + i * bytes, *items + ranked[i].index * bytes, bytes);
	free(*items);
	*items = sorted;
	return 0;
}

int ct_sort(void *array, size_t count, size_t room, size_t bytes, size_t offset,
	    int (*compare)(const void *a, const void *b))
{
	struct ct_ranked *ranked = malloc((count + 1) * sizeof(*ranked));
	char **items = array;
	struct tie tie = { *items, bytes, compare };
	int r = ranked ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < count; i++)
		ranked[i] = (struct ct_ranked){ key_of(*items + i * bytes, offset), (uint32_t)i };
	if (r == 0)
		r = ct_sort_ranked(ranked, count);
	if (r == 0 && compare)
		break_ties(ranked, count, &tie);
	if (r == 0 && moved(ranked, count))
		r = move(items, ranked, count, room, bytes);
	free(ranked);
	return r;
}
