/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of ct_diff_make(): the places of each side, and which of them are the same. */
#ifndef CT_ANALYZE_DIFF_MATCH_H
#define CT_ANALYZE_DIFF_MATCH_H

#include "analyze/diff.h"

#define CT_DIFF_NUMBERS 4 /* lines and offsets in the text of a place that count */

/* All calls of one API from one place, on one side. Texts but the key are of the processes. */
struct ct_diff_place {
	const char *call, *where, *source;
	double *values; /* of run r, figure f: [r * CT_DIFF_FIGURES + f] */
	double blocked_ns; /* of all runs */
	char *key;      /* `where` without lines and offsets, */
	uint64_t numbers[CT_DIFF_NUMBERS]; /* which are here */
};

struct ct_diff_places {
	struct ct_diff_place *at; /* by call, key, numbers */
	size_t count, room;
};

/* The places of a side, for ct_diff_free_places(), also after a failure. Returns 0 or -ENOMEM. */
int ct_diff_list_places(const struct ct_diff_side *side, struct ct_diff_places *ret);
void ct_diff_free_places(struct ct_diff_places *places);

/* Places of both sides that are taken for the same: neighbours in their lists. */
struct ct_diff_pair {
	enum ct_diff_match match;
	const struct ct_diff_place *at[CT_SIDES]; /* the first; NULL = none */
	size_t count[CT_SIDES];
};

struct ct_diff_pairs {
	struct ct_diff_pair *at; /* for free() */
	size_t count, room;
};

/*
 * Every place in one pair. Calls of one API in the same function of the same file are taken
 * for the same in the order of their lines, if there are as many on both sides and no line
 * of one is that of another on the other side; if there are not as many, by their lines, if all
 * lines of the side with fewer are there on the other. Else nothing tells which is which.
 * Returns 0 or -ENOMEM.
 */
int ct_diff_match(const struct ct_diff_places *before, const struct ct_diff_places *after,
		  struct ct_diff_pairs *ret);

#endif
