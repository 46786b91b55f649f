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

#endif
