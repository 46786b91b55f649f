/* SPDX-License-Identifier: Apache-2.0 */
/* The mean of a few measurements, and how far off it may be. */
#ifndef CT_TOOLS_SAMPLE_H
#define CT_TOOLS_SAMPLE_H

#include <stddef.h>

struct ct_sample {
	double mean;
	double margin; /* the 95 % confidence interval is mean - margin .. mean + margin */
};

/*
 * Student's t interval of the mean of count values, taken as independent and about normal:
 * margin = t(0.975, count - 1) * s / sqrt(count). count is at least 2.
 */
struct ct_sample ct_sample_of(const double *values, size_t count);

/* How far off a prediction that holds may be, as part of it: docs/what-if.md has what was measured. */
#define CT_SAMPLE_PREDICTED_WITHIN 0.1

/*
 * Does what was saved overlap what was predicted, low..high? `once` is what the change itself cost
 * in a run, beside what it saves, in the same unit. Returns a clause in English, a constant.
 */
const char *ct_sample_agreement(const struct ct_sample *saved, double low, double high, double once);

#endif
