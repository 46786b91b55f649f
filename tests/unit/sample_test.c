/* SPDX-License-Identifier: Apache-2.0 */
/* The interval that `cutrace prove` prints, against values worked out by hand, and what it says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/sample.h"

static void of_three(void **state)
{
	const double values[] = { 1, 2, 3 }; /* s = 1, t(0.975, 2) = 4.303 */
	struct ct_sample sample = ct_sample_of(values, 3);

	(void)state;
	assert_float_equal(sample.mean, 2, 1e-9);
	assert_float_equal(sample.margin, 4.303 / 1.7320508, 1e-4);
}

static void of_two_alike(void **state)
{
	const double values[] = { 5, 5 };
	struct ct_sample sample = ct_sample_of(values, 2);

	(void)state;
	assert_float_equal(sample.mean, 5, 1e-9);
	assert_float_equal(sample.margin, 0, 1e-9);
}

/* Between the rows for 20 and 24 degrees that for 20 counts, the wider one. */
static void of_many(void **state)
{
	double values[23];
	struct ct_sample sample;

	(void)state;
	for (int i = 0; i < 23; i++)
		values[i] = i % 2 ? 1 : -1; /* 12 of -1, 11 of 1 */
	sample = ct_sample_of(values, 23);
	assert_float_equal(sample.mean, -1.0 / 23, 1e-9);
	assert_float_equal(sample.margin, 2.086 * 1.0215078 / 4.7958315, 1e-4);
}

static void expect_agreement(double mean, double margin, double once, const char *clause)
{
	struct ct_sample saved = { mean, margin };

	assert_string_equal(ct_sample_agreement(&saved, 100, 120, once), clause);
}

/* Predicted 100 to 120. */
static void agrees(void **state)
{
	(void)state;
	expect_agreement(90, 10, 0, "which agrees with the prediction");
	expect_agreement(130, 10, 0, "which agrees with the prediction");
	expect_agreement(0, 500, 0, "which agrees with the prediction");
	expect_agreement(92, 5, 9, "less than predicted, by 10 % or less");
	expect_agreement(80, 5, 0, "less than predicted");
	expect_agreement(80, 5, 4, "less than predicted");
	expect_agreement(80, 5, 5, "less than predicted, as page-locking memory to stage in took its time, once");
	expect_agreement(137, 5, 9, "more than predicted, by 10 % or less");
	expect_agreement(138, 5, 9, "more than predicted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_three),
		cmocka_unit_test(of_two_alike),
		cmocka_unit_test(of_many),
		cmocka_unit_test(agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
