/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody may have meant. */
#ifndef CT_TOOLS_SPELLING_H
#define CT_TOOLS_SPELLING_H

#include <stddef.h>

/*
 * In how many letters two words differ: inserted, left out, replaced, or two neighbours swapped.
 * Of words longer than 63 letters, those are compared and the rest is taken to differ.
 */
size_t ct_spelling_distance(const char *a, const char *b);

/* The best so far, while words are offered one by one; begins as { .word = what was written }. */
struct ct_spelling {
	const char *word;
	size_t distance;
	char nearest[64]; /* "" = none is near */
};

/*
 * Offer a word. It is near if one letter in three differs at most, and one of words of four or
 * fewer; the first of the nearest is kept.
 */
void ct_spelling_offer(struct ct_spelling *spelling, const char *known);

#endif
