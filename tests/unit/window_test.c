/* SPDX-License-Identifier: Apache-2.0 */
#include "cupti/window.h"

#include "tests/unit/unit.h"

static bool dropped(uint32_t id)
{
	return ct_windows_drop(CT_WHEN_FULL, id);
}

/* From the start, without a look at ids: the next call that is seen says which were the last. */
static void test_from_the_start(void **state)
{
	(void)state;
	ct_windows_begin(CT_MODE_FULL);
	ct_windows_called(5);
	assert_false(dropped(1));
	assert_false(dropped(70));
	assert_true(ct_windows_settled());
	ct_windows_switch(CT_MODE_OFF, 1000);
	assert_false(ct_windows_settled());
	assert_false(dropped(70)); /* it may have been made before */
	ct_windows_called(71);
	ct_windows_called(80);
	assert_true(ct_windows_settled());
	assert_false(dropped(70));
	assert_true(dropped(71));
	assert_false(ct_windows_drop(CT_WHEN_ALWAYS, 71));
	assert_false(ct_windows_drop_time(900, 2000));
	assert_true(ct_windows_drop_time(1001, 2000));
}

/* Goes on where the last left off. A window has all ids from the first to the last seen in it. */
static void test_windows(void **state)
{
	(void)state;
	ct_windows_switch(CT_MODE_FULL, 3000);
	assert_true(dropped(100)); /* no call was seen yet */
	ct_windows_called(102);
	ct_windows_called(101);
	ct_windows_called(105);
	ct_windows_switch(CT_MODE_OFF, 4000);
	ct_windows_called(106);
	assert_true(ct_windows_settled());
	assert_true(dropped(100));
	assert_false(dropped(101));
	assert_false(dropped(105));
	assert_true(dropped(106));
	assert_false(dropped(70)); /* of the window before, still */
	assert_true(ct_windows_drop_time(2000, 2999));
	assert_false(ct_windows_drop_time(3999, 5000));
	assert_true(ct_windows_drop_time(4001, 5000));
}

/* In a light window there are copies and waits, but no kernels. */
static void test_light_window(void **state)
{
	(void)state;
	ct_windows_switch(CT_MODE_LIGHT, 6000);
	ct_windows_called(200);
	ct_windows_switch(CT_MODE_FULL, 7000);
	ct_windows_called(300);
	ct_windows_switch(CT_MODE_LIGHT, 8000);
	ct_windows_called(400);
	ct_windows_switch(CT_MODE_OFF, 9000);
	assert_true(dropped(200));
	assert_false(dropped(300));
	assert_true(dropped(400));
	assert_false(ct_windows_drop(CT_WHEN_LIGHT, 200));
	assert_false(ct_windows_drop(CT_WHEN_LIGHT, 400));
	assert_true(ct_windows_drop(CT_WHEN_LIGHT, 401));
	assert_false(ct_windows_drop_time(7500, 7600));
}

/* Ids count up to the end and begin anew. */
static void test_wrap(void **state)
{
	(void)state;
	ct_windows_switch(CT_MODE_FULL, 10000);
	ct_windows_called(UINT32_MAX);
	ct_windows_called(90);
	ct_windows_called(UINT32_MAX - 1);
	ct_windows_switch(CT_MODE_OFF, 11000);
	assert_false(dropped(UINT32_MAX - 1));
	assert_false(dropped(80));
	assert_false(dropped(90));
	assert_true(dropped(91));
	assert_true(dropped(1u << 31)); /* far from any, whichever way one counts */
	assert_true(dropped(UINT32_MAX - 2));
}

/* Stopped and started at once, before any call: what came behind the second window is of none. */
static void test_at_once(void **state)
{
	(void)state;
	ct_windows_begin(CT_MODE_FULL);
	ct_windows_switch(CT_MODE_OFF, 1000);
	ct_windows_switch(CT_MODE_FULL, 1001);
	ct_windows_called(71);
	ct_windows_switch(CT_MODE_OFF, 1002);
	ct_windows_called(72);
	assert_true(ct_windows_settled());
	assert_false(dropped(70));
	assert_false(dropped(71));
	assert_true(dropped(72));
	ct_windows_begin(CT_MODE_FULL);
	ct_windows_switch(CT_MODE_OFF, 1000);
	ct_windows_switch(CT_MODE_FULL, 1001);
	ct_windows_switch(CT_MODE_OFF, 1002);
	assert_false(ct_windows_settled());
	ct_windows_called(71);
	assert_true(ct_windows_settled());
	assert_true(dropped(71));
}

/* A window from the start may have more calls than half of all ids: its last ones count. */
static void test_long(void **state)
{
	(void)state;
	ct_windows_begin(CT_MODE_FULL);
	ct_windows_switch(CT_MODE_OFF, 1000);
	ct_windows_called(3000000001u);
	assert_false(dropped(3000000000u));
	assert_false(dropped(2999000000u));
	assert_true(dropped(3000000001u));
}

/* Windows are forgotten in the end, which is known of what comes so late. */
static void test_forgotten(void **state)
{
	(void)state;
	ct_windows_begin(CT_MODE_OFF);
	for (uint32_t n = 1; n <= 30; n++) {
		assert_true(n > 16 || !ct_windows_forgot(CT_WHEN_FULL, 10));
		ct_windows_switch(CT_MODE_FULL, n);
		ct_windows_called(n * 10);
		ct_windows_switch(CT_MODE_OFF, n);
	}
	assert_false(dropped(300));
	assert_false(dropped(150));
	assert_false(ct_windows_forgot(CT_WHEN_FULL, 145)); /* of none, for certain */
	assert_true(dropped(140));
	assert_true(ct_windows_forgot(CT_WHEN_FULL, 140));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_the_start),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_light_window),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
