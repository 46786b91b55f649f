/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal is shown of anybody's text. */
#include "trace/tame.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

/* In a block that ends with the text, so that reading on would be seen by tools. */
static void expect(const char *text, const char *tamed)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	assert_non_null(copy);
	memcpy(copy, text, size);
	ct_tame(copy, '?');
	assert_string_equal(copy, tamed);
	free(copy);
}

static void test_text_stays(void **state)
{
	(void)state;
	expect("", "");
	expect("void f<int>(~x)", "void f<int>(~x)");
	expect("\u00a0\u00e4\u07ff", "\u00a0\u00e4\u07ff");
	expect("\u0800\u2029\u202f\u2065\u206a\ud7ff\ue000\uffff",
	       "\u0800\u2029\u202f\u2065\u206a\ud7ff\ue000\uffff");
	expect("\xe2\x82\xac\xe2\x80\x93", "\u20ac\u2013");
	expect("\U00010000\U0001f600\U0010ffff", "\U00010000\U0001f600\U0010ffff");
}

static void test_control_characters(void **state)
{
	(void)state;
	expect("a\nb\tc\x1b[31m\x01\x7f", "a?b?c?[31m??");
	expect("\xc2\x80\xc2\x9b\xc2\x9f.", "??????."); /* C1 */
	expect("\u202a\u202e\u2066\u2069.", "????????????.");
}

static void test_not_utf8(void **state)
{
	(void)state;
	expect("\x80\xbf", "??");              /* nothing that they continue */
	expect("\xc0\xaf\xc1\xbf", "????");    /* longer than needed */
	expect("\xe0\x9f\xbf\xf0\x8f\xbf\xbf", "???????");
	expect("\xed\xa0\x80\xed\xbf\xbf", "??????"); /* surrogates */
	expect("\xf4\x90\x80\x80", "????");    /* beyond U+10FFFF */
	expect("\xf5\x80\x80\x80\xff", "?????");
	expect("\xe2\x80" "a\xe2" "b", "??a?b");
	expect("\xf0\x9f\x98" "a", "???a");
}

static void test_cut_within_a_character(void **state)
{
	(void)state;
	expect("a\xc3", "a?");
	expect("a\xe2\x80", "a??");
	expect("a\xf0\x9f\x98", "a???");
	expect("\xe0", "?");
	expect("\xf4", "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_stays),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_cut_within_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
