/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/interval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/model.h"

int ct_spans_append(struct ct_spans *set, uint64_t start, uint64_t end)
{
	struct ct_span span = { start, end };

	if (end <= start)
		return 0;
	if (set->count && set->at[set->count - 1].end >= start) {
		if (set->at[set->count - 1].end < end)
			set->at[set->count - 1].end = end;
		return 0;
	}
	return CT_PUSH(set, span);
}

void ct_spans_thin(struct ct_spans *set)
{
	size_t kept = 0;

	for (size_t i = 0; i + 1 < set->count; i += 2) {
		struct ct_span a = set->at[i], b = set->at[i + 1];

		set->at[kept++] = (struct ct_span){ b.start - (a.end - a.start), b.end };
	}
	if (set->count % 2)
		set->at[kept++] = set->at[set->count - 1];
	set->count = kept;
}

/* Index of the first span that ends after `time`. */
static size_t first_ending_after(const struct ct_spans *set, uint64_t time)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->at[middle].end > time)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

int ct_spans_cut(struct ct_spans *set, uint64_t start, uint64_t end,
		 void (*take)(void *arg, struct ct_span piece), void *arg)
{
	size_t i = first_ending_after(set, start);

	while (start < end && i < set->count && set->at[i].start < end) {
		struct ct_span whole = set->at[i];
		struct ct_span piece = { whole.start > start ? whole.start : start,
					 whole.end < end ? whole.end : end };
		struct ct_span left = { whole.start, piece.start };
		struct ct_span right = { piece.end, whole.end };
		size_t keep = (left.start < left.end) + (right.start < right.end);

		if (keep == 2 && CT_PUSH(set, whole) < 0)
			return -ENOMEM;
		if (keep == 2) /* one becomes two: make room behind it */
			memmove(&set->at[i + 2], &set->at[i + 1],
				(set->count - i - 2) * sizeof(whole));
		else if (keep == 0) {
			memmove(&set->at[i], &set->at[i + 1], (set->count - i - 1) * sizeof(whole));
			set->count--;
		}
		if (left.start < left.end)
			set->at[i++] = left;
		if (right.start < right.end)
			set->at[i] = right;
		take(arg, piece);
	}
	return 0;
}

uint64_t ct_spans_overlap(const struct ct_spans *set, uint64_t start, uint64_t end)
{
	uint64_t sum = 0;

	for (size_t i = first_ending_after(set, start); start < end && i < set->count; i++) {
		const struct ct_span *s = &set->at[i];

		if (s->start >= end)
			break;
		sum += (s->end < end ? s->end : end) - (s->start > start ? s->start : start);
	}
	return sum;
}

uint64_t ct_spans_total(const struct ct_spans *set)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < set->count; i++)
		sum += set->at[i].end - set->at[i].start;
	return sum;
}

void ct_spans_free(struct ct_spans *set)
{
	free(set->at);
	memset(set, 0, sizeof(*set));
}
