/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/sample.h"

#include <math.h>

/* t(0.975, degrees of freedom): Abramowitz & Stegun, table 26.10. */
static const struct {
	size_t degrees;
	double t;
} table[] = {
	{ 1, 12.706 }, { 2, 4.303 }, { 3, 3.182 }, { 4, 2.776 }, { 5, 2.571 }, { 6, 2.447 },
	{ 7, 2.365 }, { 8, 2.306 }, { 9, 2.262 }, { 10, 2.228 }, { 11, 2.201 }, { 12, 2.179 },
	{ 13, 2.160 }, { 14, 2.145 }, { 15, 2.131 }, { 16, 2.120 }, { 17, 2.110 }, { 18, 2.101 },
	{ 19, 2.093 }, { 20, 2.086 }, { 24, 2.064 }, { 30, 2.042 }, { 40, 2.021 }, { 60, 2.000 },
	{ 120, 1.980 },
};

/* Between two rows that of fewer degrees, which errs to the wide side. */
static double student(size_t degrees)
{
	double t = table[0].t;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].degrees <= degrees)
			t = table[i].t;
	return t;
}

struct ct_sample ct_sample_of(const double *values, size_t count)
{
	double sum = 0, squares = 0, mean;

	for (size_t i = 0; i < count; i++)
		sum += values[i];
	mean = sum / (double)count;
	for (size_t i = 0; i < count; i++)
		squares += (values[i] - mean) * (values[i] - mean);
	return (struct ct_sample){
		.mean = mean,
		.margin = student(count - 1) * sqrt(squares / (double)(count - 1) / (double)count),
	};
}

const char *ct_sample_agreement(const struct ct_sample *saved, double low, double high, double once)
{
	double least = saved->mean - saved->margin, most = saved->mean + saved->margin;
	const double within = CT_SAMPLE_PREDICTED_WITHIN;

	if (least <= high && most >= low)
		return "which agrees with the prediction";
	if (least > high)
		return least <= high * (1 + within) ? "more than predicted, by 10 % or less"
						    : "more than predicted";
	if (most >= low * (1 - within))
		return "less than predicted, by 10 % or less";
	return most + once >= low * (1 - within)
		       ? "less than predicted, as page-locking memory to stage in took its time, once"
		       : "less than predicted";
}
