/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorting by a number, which takes time in proportion to how many there are. Traces are
 * made of long runs that are in order already; qsort() would not know.
 */
#ifndef CT_ANALYZE_SORT_H
#define CT_ANALYZE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* What to sort by, and the index of what is sorted. */
struct ct_ranked {
	uint64_t key;
	uint32_t index;
};

/* Sort by key; equal keys stay in their order. Returns 0 or -ENOMEM. */
int ct_sort_ranked(struct ct_ranked *items, size_t count);

/*
 * Sort an array (a pointer to a malloc()ed one with `room`, which may be replaced) of `count`
 * items of `bytes` each by the 64-bit number at `offset` in each. Equal ones are sorted by
 * `compare`, if that is not NULL, and stay in their order otherwise. Returns 0 or -ENOMEM.
 */
int ct_sort(void *array, size_t count, size_t room, size_t bytes, size_t offset,
	    int (*compare)(const void *a, const void *b));

/* An array of a model, by a member. */
#define CT_SORT_BY(array, member, compare)                                                         \
	ct_sort(&(array).at, (array).count, (array).room, sizeof(*(array).at),                     \
		offsetof(__typeof__(*(array).at), member), compare)

#endif
