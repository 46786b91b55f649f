/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/spelling.h"

#include <stdio.h>
#include <string.h>

#define LETTERS_MAX 63

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Damerau and Levenshtein's, in the form that edits no part twice: three rows of its table. */
size_t ct_spelling_distance(const char *a, const char *b)
{
	size_t rows[3][LETTERS_MAX + 1];
	size_t *older = rows[0], *old = rows[1], *row = rows[2], *swap;
	size_t length_a = strlen(a), length_b = strlen(b);
	size_t m = least(length_a, LETTERS_MAX), n = least(length_b, LETTERS_MAX);

	for (size_t j = 0; j <= n; j++)
		old[j] = j;
	for (size_t i = 1; i <= m; i++) {
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			row[j] = old[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least(row[j], least(old[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], older[j - 2] + 1);
		}
		swap = older;
		older = old;
		old = row;
		row = swap;
	}
	return old[n] + (length_a - m) + (length_b - n);
}

void ct_spelling_offer(struct ct_spelling *spelling, const char *known)
{
	size_t distance = ct_spelling_distance(spelling->word, known), length = strlen(known);

	if (distance > (length <= 4 ? 1 : length / 3))
		return;
	if (*spelling->nearest && distance >= spelling->distance)
		return;
	spelling->distance = distance;
	snprintf(spelling->nearest, sizeof(spelling->nearest), "%s", known);
}
