/* SPDX-License-Identifier: Apache-2.0 */
/* CSV fields and durations, byte by byte. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "analyze/csv.h"
#include "analyze/report.h"

static void expect_text(const char *text, const char *expected)
{
	char *written = NULL;
	size_t size;
	struct ct_csv csv = { .to = open_memstream(&written, &size) };

	assert_non_null(csv.to);
	ct_csv_text(&csv, text);
	fclose(csv.to);
	assert_string_equal(written, expected);
	free(written);
}

static void test_csv_text(void **state)
{
	(void)state;
	expect_text("", "");
	expect_text("plain text; 1.5", "plain text; 1.5");
	expect_text("f<int, 3>", "\"f<int, 3>\"");
	expect_text("say \"hi\"", "\"say \"\"hi\"\"\"");
	expect_text("\"", "\"\"\"\"");
	expect_text("caf\xc3\xa9", "caf\xc3\xa9");
}

/* Text that a spreadsheet would execute. */
static void test_csv_formula(void **state)
{
	(void)state;
	expect_text("=1+1", "\"'=1+1\"");
	expect_text("+x", "\"'+x\"");
	expect_text("-x", "\"'-x\"");
	expect_text("@sum(a,\"b\")", "\"'@sum(a,\"\"b\"\")\"");
	expect_text("a=b", "a=b");
}

static void test_csv_control(void **state)
{
	(void)state;
	expect_text("a\tb\x1b[31m", "a?b?[31m");
	expect_text("two\nlines\r", "\"two?lines?\"");
	expect_text("\t=1", "?=1");
}

static void test_csv_row(void **state)
{
	char *written = NULL;
	size_t size;
	struct ct_csv csv = { .to = open_memstream(&written, &size) };

	(void)state;
	setlocale(LC_NUMERIC, "");
	ct_csv_header(&csv, "a,b,c,d,e");
	for (int row = 0; row < 2; row++) {
		ct_csv_number(&csv, UINT64_MAX);
		ct_csv_none(&csv);
		ct_csv_decimal(&csv, 1.25, 1 + row);
		ct_csv_format(&csv, "%s,%d", "x", row);
		ct_csv_none(&csv);
		ct_csv_end_row(&csv);
	}
	fclose(csv.to);
	assert_string_equal(written, "a,b,c,d,e\n18446744073709551615,,1.2,\"x,0\",\n"
				     "18446744073709551615,,1.25,\"x,1\",\n");
	free(written);
}

static void test_time(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0 ns" },
		{ 7, "7 ns" },
		{ 999, "999 ns" },
		{ 1000, "1.00 us" },
		{ 1234, "1.23 us" },
		{ 12340, "12.3 us" },
		{ 123400, "123 us" },
		{ 1500000, "1.50 ms" },
		{ 20000000, "20.0 ms" },
		{ 1000000000, "1.00 s" },
		{ 3723000000000, "3723 s" },
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(ct_report_time(cases[i].ns, text), cases[i].text);
		assert_ptr_equal(ct_report_time(cases[i].ns, text), text);
	}
	ct_report_time(UINT64_MAX, text);
	assert_true(memchr(text, '\0', sizeof(text)) != NULL);
	assert_string_equal(text, "18446744074 s");
}

static void test_count(void **state)
{
	char text[48];

	(void)state;
	assert_string_equal(ct_report_count(0, "call", text), "0 calls");
	assert_string_equal(ct_report_count(1, "call", text), "1 call");
	assert_string_equal(ct_report_count(12, "call", text), "12 calls");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv_text),
		cmocka_unit_test(test_csv_formula),
		cmocka_unit_test(test_csv_control),
		cmocka_unit_test(test_csv_row),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
