/* SPDX-License-Identifier: Apache-2.0 */
/* How long many things of one name took: for nsys's tables, without keeping every number. */
#ifndef CT_ANALYZE_DURATIONS_H
#define CT_ANALYZE_DURATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Counts in steps of 1/128 of a power of two: the median is within 0.4 %. All else is exact. */
struct ct_durations {
	uint64_t count, total_ns, least_ns, most_ns;
	unsigned __int128 squares; /* of ns */
	uint32_t *steps;           /* NULL: count is 0 */
};

int ct_durations_add(struct ct_durations *durations, uint64_t ns); /* 0 or -ENOMEM */
int ct_durations_merge(struct ct_durations *durations, const struct ct_durations *more);
void ct_durations_free(struct ct_durations *durations);

/* Of the sample, as nsys has it: 0 for a single value. */
double ct_durations_deviation(const struct ct_durations *durations);
double ct_durations_median(const struct ct_durations *durations); /* of two in the middle, their mean */

#endif
