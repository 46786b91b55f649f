/* SPDX-License-Identifier: Apache-2.0 */
/* Where the lines of a report break. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/report.h"
#include "trace/tame.h"

/* Lines break at spaces, and a word that is longer than a line anywhere. */
static void test_wrapped(void **state)
{
	char *text = NULL, word[151];
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	assert_non_null(to);
	memset(word, 'w', sizeof(word) - 1);
	word[150] = '\0';
	ct_report_wrapped(to, "1: ", "   ", "%s and %.90s end", word, word);
	fclose(to);
	assert_int_equal(strcspn(text, "\n"), 98);
	assert_non_null(strstr(text, "\n   wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww and\n   www"));
	assert_non_null(strstr(text, "w end\n"));
	free(text);
}

/* Characters stay whole where a line ends, and where a long text does. */
static void test_wrapped_characters(void **state)
{
	char word[3 * 4096 + 2] = "x", *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	assert_non_null(to);
	for (int i = 0; i < 4096; i++)
		memcpy(word + 1 + 3 * i, "\xe6\x96\x87", 4);
	ct_report_wrapped(to, "", "  ", "%s", word);
	ct_report_wrapped(to, "", "  ", "in a\x1b[31m\xff directory");
	fclose(to);
	for (const char *c = text; *c; c += ct_utf8_length(c))
		assert_true(ct_utf8_length(c) > 0);
	assert_non_null(strstr(text, "\nin a?[31m? directory\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrapped),
		cmocka_unit_test(test_wrapped_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
