/* SPDX-License-Identifier: Apache-2.0 */
/* The interval that `cutrace prove` prints, against values worked out by hand. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_three),
		cmocka_unit_test(of_two_alike),
		cmocka_unit_test(of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
