/* SPDX-License-Identifier: Apache-2.0 */
/* Names of kernels: each written once, and a bound on what is kept of them. */
#include "cupti/names.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

static uint8_t written[16384];
static uint64_t records, lost;

static void *reserve(uint32_t bytes)
{
	assert_true(bytes <= sizeof(written));
	memset(written, 0, sizeof(written));
	records++;
	return written;
}

static void commit(void *record, enum ct_record_type type, uint32_t bytes)
{
	const struct ct_string *string = record;

	assert_int_equal(type, CT_RECORD_STRING);
	assert_int_equal(bytes, sizeof(*string) + string->length);
}

static void lose(enum ct_loss what, uint64_t n)
{
	assert_int_equal(what, CT_LOSS_STRINGS);
	lost += n;
}

static const struct ct_cupti_host host = { .reserve = reserve, .commit = commit, .lose = lose };

/* One test, as the names are the process's. */
static void test_names(void **state)
{
	static char text[6000];
	uint32_t first = ct_names_intern(&host, "first"), id = 0;
	uint64_t kept = 0;
	size_t before;

	(void)state;
	assert_int_not_equal(first, 0);
	assert_int_equal(ct_names_intern(&host, "first"), first);
	assert_int_not_equal(ct_names_intern(&host, "second"), first);
	assert_int_equal(records, 2);
	memset(text, 'x', sizeof(text) - 1);
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	for (unsigned int i = 0; i < 4000; i++) { /* a program that makes a kernel for every use */
		snprintf(text, 16, "kernel%08u", i);
		text[strlen(text)] = 'x';
		id = ct_names_intern(&host, text);
		kept += id != 0;
	}
	assert_int_equal(id, 0);
	assert_int_equal(kept + lost, 4000);
	assert_int_equal(records, 2 + kept);
	assert_in_range(kept, 600, 4 * 1024 * 1024 / 6000 + 1);
	assert_true(mallinfo2().uordblks + mallinfo2().hblkhd - before < 5 * 1024 * 1024);
	assert_int_equal(ct_names_intern(&host, "first"), first);
	assert_int_equal(lost, 4000 - kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
