/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static void expect(const char *template, const char *text)
{
	char buf[256];

	assert_int_equal(ct_name_expand(template, "prog", buf, sizeof(buf)), 0);
	assert_string_equal(buf, text);
}

static void test_sequences(void **state)
{
	char pid[32], host[256] = "";

	(void)state;
	snprintf(pid, sizeof(pid), "a%db", (int)getpid());
	expect("a%pb", pid);
	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	expect("%h", host);
	expect("cutrace.%n", "cutrace.prog");
	expect("100%%", "100%");
	expect("%%p", "%p");
	expect("plain/path/../kept", "plain/path/../kept"); /* the template is the user's own */
	expect("", "");
}

static void test_variables(void **state)
{
	(void)state;
	setenv("CT_NAME_TEST", "value", 1);
	unsetenv("CT_NAME_NONE");
	expect("x%q{CT_NAME_TEST}y", "xvaluey");
	expect("x%q{CT_NAME_NONE}y", "xy");
	expect("%q{CT_NAME_TEST}%q{CT_NAME_TEST}", "valuevalue");
}

static void test_unknown_is_kept(void **state)
{
	char text[256] = "%q{";

	(void)state;
	expect("%", "%");
	expect("%x", "%x");
	expect("a%", "a%");
	expect("%q", "%q");
	expect("%q{", "%q{");
	expect("%q{}", "%q{}");
	expect("%q{OPEN", "%q{OPEN");
	expect("%Q{X}", "%Q{X}");
	memset(text + 3, 'V', 200); /* a name no variable has */
	strcpy(text + 203, "}");
	expect(text, text);
}

static void test_traversal(void **state)
{
	char buf[256];

	(void)state;
	setenv("CT_NAME_TEST", "../../etc/passwd", 1);
	expect("out/%q{CT_NAME_TEST}", "out/_._.._etc_passwd");
	setenv("CT_NAME_TEST", "..", 1);
	expect("out/%q{CT_NAME_TEST}/x", "out/_./x");
	setenv("CT_NAME_TEST", "/etc", 1);
	expect("%q{CT_NAME_TEST}", "_etc");
	setenv("CT_NAME_TEST", "a\nb\033c", 1);
	expect("%q{CT_NAME_TEST}", "a_b_c");
	setenv("CT_NAME_TEST", "%p", 1); /* not expanded twice */
	expect("%q{CT_NAME_TEST}", "%p");
	assert_int_equal(ct_name_expand("%n", "../x", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "_._x");
}

static void test_too_long(void **state)
{
	char buf[8], guard[] = "guard";

	(void)state;
	assert_int_equal(ct_name_expand("1234567", "p", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "1234567");
	assert_int_equal(ct_name_expand("12345678", "p", buf, sizeof(buf)), -ENAMETOOLONG);
	assert_true(memchr(buf, '\0', sizeof(buf)) != NULL);
	assert_int_equal(ct_name_expand("%n", "12345678", buf, sizeof(buf)), -ENAMETOOLONG);
	assert_int_equal(ct_name_expand("a", "p", buf, 1), -ENAMETOOLONG);
	assert_string_equal(buf, "");
	assert_string_equal(guard, "guard");
}

static void test_program(void **state)
{
	char name[64], cut[5];

	(void)state;
	ct_name_program(name, sizeof(name));
	assert_string_equal(name, "name_test");
	ct_name_program(cut, sizeof(cut));
	assert_string_equal(cut, "name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_unknown_is_kept),
		cmocka_unit_test(test_traversal),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
