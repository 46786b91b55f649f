/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Are two sets of measurements of the same mean? Welch's t-test (B. L. Welch, Biometrika 34,
 * 1947), which does not take their variances for equal, and Holm's correction (S. Holm,
 * Scandinavian Journal of Statistics 6, 1979) where many such questions are asked at once. No
 * rank test: of three runs a side none of those can fall below p = 0.1.
 */
#ifndef CT_ANALYZE_WELCH_H
#define CT_ANALYZE_WELCH_H

#include <stddef.h>

/* What a test needs to know of a set of measurements. */
struct ct_moments {
	size_t count;
	double mean;     /* 0 of none */
	double variance; /* of the sample, by count - 1; 0 of fewer than two */
};

struct ct_moments ct_moments_of(const double *values, size_t count);

/*
 * How likely means at least so far apart are if there is no difference: two-sided, 0 to 1.
 * Both sets have two or more values. Where neither varies: 1 if the means are equal, else 0.
 */
double ct_welch_p(const struct ct_moments *a, const struct ct_moments *b);

/* P(|T| >= |t|) of Student's distribution; degrees of freedom > 0, and need not be whole. */
double ct_student_p(double t, double degrees);

/*
 * Holm's step-down correction: each p becomes the smallest level at which its test, among
 * all of these, would be called significant. p: pointers, which are put into another order.
 */
void ct_holm(double **p, size_t count);

#endif
