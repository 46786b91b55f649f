/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test of significance against values from elsewhere: Student's density integrated by
 * Simpson's rule in Python, closed forms for one and two degrees of freedom, and Holm's
 * correction worked out by hand.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyze/welch.h"

#define PI 3.14159265358979323846

static void test_student(void **state)
{
	static const struct {
		double t, degrees, p;
	} known[] = {
		{ 2.776, 4, 0.05002277831996971 },   { 12.706, 1, 0.0500008023581312 },
		{ 1.0, 2.5, 0.40406102727827686 },   { 0.3, 7.3, 0.7725405361797122 },
		{ 3.5, 3.7, 0.028250986894196473 },  { 8, 11.2, 5.832642292813439e-06 },
		{ 2.042, 30, 0.050028670656210195 }, { 0, 5, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_float_equal(ct_student_p(known[i].t, known[i].degrees), known[i].p, 1e-10);
		assert_float_equal(ct_student_p(-known[i].t, known[i].degrees), known[i].p, 1e-10);
	}
}

static void test_closed_forms(void **state)
{
	(void)state;
	for (double t = 0.01; t < 1e6; t *= 3) {
		double one = ct_student_p(t, 1), two = ct_student_p(t, 2);

		assert_float_equal(one, 1 - 2 * atan(t) / PI, 1e-10);
		assert_float_equal(two, 1 - t / sqrt(2 + t * t), 1e-10);
	}
}

static void test_moments(void **state)
{
	const double values[] = { 2, 4, 4, 4, 5, 5, 7, 9 };
	struct ct_moments m = ct_moments_of(values, 8);

	(void)state;
	assert_float_equal(m.mean, 5, 1e-12);
	assert_float_equal(m.variance, 32.0 / 7, 1e-12);
	assert_float_equal(ct_moments_of(values, 1).variance, 0, 0);
	assert_float_equal(ct_moments_of(values, 0).mean, 0, 0);
}

static void test_welch(void **state)
{
	const double few[] = { 10.1, 9.8, 10.4, 10.0 }, fewer[] = { 11.2, 10.9, 11.8 };
	const double one[] = { 27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6,
			       19.0, 21.7, 21.4 };
	const double other[] = { 27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1,
				 22.9, 30.0, 23.9 };
	struct ct_moments a = ct_moments_of(few, 4), b = ct_moments_of(fewer, 3);

	(void)state;
	assert_float_equal(ct_welch_p(&a, &b), 0.026613159949128495, 1e-10);
	assert_float_equal(ct_welch_p(&b, &a), 0.026613159949128495, 1e-10);
	a = ct_moments_of(one, 15);
	b = ct_moments_of(other, 15);
	assert_float_equal(ct_welch_p(&a, &b), 0.00845273243742728, 1e-10);
}

/* What is the same in every run is beyond chance, or no difference at all. */
static void test_without_variance(void **state)
{
	const double fives[] = { 5, 5, 5 }, sixes[] = { 6, 6, 6 }, mixed[] = { 5, 6, 7 };
	struct ct_moments a = ct_moments_of(fives, 3), b = ct_moments_of(sixes, 3);
	struct ct_moments c = ct_moments_of(mixed, 3);

	(void)state;
	assert_float_equal(ct_welch_p(&a, &a), 1, 0);
	assert_float_equal(ct_welch_p(&a, &b), 0, 0);
	/* t = sqrt(3), 2 degrees of freedom */
	assert_float_equal(ct_welch_p(&a, &c), 1 - sqrt(3.0 / 5), 1e-10);
}

static void test_holm(void **state)
{
	double p[] = { 0.01, 0.04, 0.03, 0.005, 0.9 };
	double *at[] = { &p[0], &p[1], &p[2], &p[3], &p[4] };

	(void)state;
	ct_holm(at, 5);
	assert_float_equal(p[3], 0.025, 1e-12); /* 5 * 0.005 */
	assert_float_equal(p[0], 0.04, 1e-12);  /* 4 * 0.01 */
	assert_float_equal(p[2], 0.09, 1e-12);  /* 3 * 0.03 */
	assert_float_equal(p[1], 0.09, 1e-12);  /* 2 * 0.04 is less than the one before */
	assert_float_equal(p[4], 0.9, 1e-12);
	p[0] = 0.6;
	p[1] = 0.7;
	at[0] = &p[0];
	at[1] = &p[1];
	ct_holm(at, 2);
	assert_float_equal(p[0], 1, 0);
	ct_holm(at, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_student),
		cmocka_unit_test(test_closed_forms),
		cmocka_unit_test(test_moments),
		cmocka_unit_test(test_welch),
		cmocka_unit_test(test_without_variance),
		cmocka_unit_test(test_holm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
