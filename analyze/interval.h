/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of half-open time intervals [start, end), sorted and disjoint. */
#ifndef CT_ANALYZE_INTERVAL_H
#define CT_ANALYZE_INTERVAL_H

#include <stddef.h>
#include <stdint.h>

struct ct_span {
	uint64_t start, end;
};

struct ct_spans {
	struct ct_span *at;
	size_t count, room;
};

/* Append a span that starts no earlier than any in the set; touching ones merge. 0 or -ENOMEM. */
int ct_spans_append(struct ct_spans *set, uint64_t start, uint64_t end);

/*
 * Halve the number of spans: every two neighbours become one, as long as both, which ends when
 * the second does. The total stays exact.
 */
void ct_spans_thin(struct ct_spans *set);

/*
 * Cut [start, end) out of the set. take(arg, piece) is called for every piece that
 * was in it. Returns 0 or -ENOMEM.
 */
int ct_spans_cut(struct ct_spans *set, uint64_t start, uint64_t end,
		 void (*take)(void *arg, struct ct_span piece), void *arg);

/* Nanoseconds of [start, end) that the set covers. */
uint64_t ct_spans_overlap(const struct ct_spans *set, uint64_t start, uint64_t end);

/* Nanoseconds the set covers in all. */
uint64_t ct_spans_total(const struct ct_spans *set);

void ct_spans_free(struct ct_spans *set);

#endif
