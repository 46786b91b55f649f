/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/welch.h"

#include <math.h>
#include <stdlib.h>

struct ct_moments ct_moments_of(const double *values, size_t count)
{
	struct ct_moments m = { .count = count };
	double squares = 0;

	for (size_t i = 0; i < count; i++)
		m.mean += values[i] / (double)count;
	for (size_t i = 0; i < count; i++)
		squares += (values[i] - m.mean) * (values[i] - m.mean);
	if (count > 1)
		m.variance = squares / (double)(count - 1);
	return m;
}

#define STEPS 500 /* far more than it takes */
#define CLOSE 1e-15
#define TINY 1e-300 /* in place of 0, which must not be divided by */

static double not_zero(double x)
{
	return fabs(x) < TINY ? TINY : x;
}

/* The coefficient d of step n of the continued fraction below. */
static double coefficient(double a, double b, double x, int n)
{
	double m = floor(n / 2.0);

	if (n % 2)
		return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
	return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
}

/*
 * The regularised incomplete beta function by its continued fraction, DLMF 8.17.22
 * (https://dlmf.nist.gov/8.17), evaluated by Lentz's method. For x < (a + 1) / (a + b + 2).
 */
static double beta_fraction(double a, double b, double x)
{
	double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a;
	double whole = 1, c = 1, d = 0;

	for (int n = 1; n <= STEPS; n++) {
		d = 1 / not_zero(1 + coefficient(a, b, x, n) * d);
		c = not_zero(1 + coefficient(a, b, x, n) / c);
		whole *= c * d;
		if (fabs(c * d - 1) < CLOSE)
			break;
	}
	return front / whole;
}

static double incomplete_beta(double a, double b, double x)
{
	if (x <= 0 || x >= 1)
		return x <= 0 ? 0 : 1;
	if (x < (a + 1) / (a + b + 2))
		return beta_fraction(a, b, x);
	return 1 - beta_fraction(b, a, 1 - x);
}

double ct_student_p(double t, double degrees)
{
	return incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

double ct_welch_p(const struct ct_moments *a, const struct ct_moments *b)
{
	double of_a = a->variance / (double)a->count, of_b = b->variance / (double)b->count;
	double error = of_a + of_b, degrees;

	if (error <= 0)
		return a->mean == b->mean ? 1 : 0;
	/* Welch and Satterthwaite: how many degrees of freedom the sum of both variances has */
	degrees = error * error / (of_a * of_a / (double)(a->count - 1) +
				   of_b * of_b / (double)(b->count - 1));
	return ct_student_p((a->mean - b->mean) / sqrt(error), degrees);
}

static int by_p(const void *a, const void *b)
{
	double x = **(double *const *)a, y = **(double *const *)b;

	return x < y ? -1 : x > y;
}

void ct_holm(double **p, size_t count)
{
	double least = 0;

	if (count)
		qsort(p, count, sizeof(*p), by_p);
	for (size_t i = 0; i < count; i++) {
		double adjusted = *p[i] * (double)(count - i);

		least = adjusted > least ? adjusted : least;
		*p[i] = least < 1 ? least : 1;
	}
}
