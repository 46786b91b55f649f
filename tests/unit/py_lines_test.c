/* SPDX-License-Identifier: Apache-2.0 */
/* Line tables of every version: made by CPython, made by hand, and made of noise. */
#include "shim/py_lines.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/unit.h"

#define PAGE 4096

/* The instructions up to byte `end` are of this line; 0 = of none. */
struct stretch {
	uint32_t end, line;
};

/*
 * Of one function, compiled by CPython 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0, whose first
 * line is 2: expressions over several lines, gaps of 150 and 300 lines, try and with. The
 * lines are those that dis.findlinestarts() (3.9) and co_lines() say.
 */
static const uint8_t table_3_9[] = {
	0, 2, 2, 1, 2, 255, 4, 127, 0, 26, 12, 1, 4, 1, 6, 1, 4, 1, 2, 255, 2, 254, 6, 127, 0,
	127, 0, 52, 10, 1, 4, 1, 12, 1, 14, 1, 8, 1, 54, 2,
};

static const struct stretch lines_3_9[] = {
	{ 2, 4 }, { 4, 5 }, { 8, 4 }, { 20, 157 }, { 24, 158 }, { 30, 159 }, { 34, 160 },
	{ 36, 161 }, { 38, 160 }, { 44, 158 }, { 54, 464 }, { 58, 465 }, { 70, 466 },
	{ 84, 467 }, { 92, 468 }, { 146, 469 }, { 170, 471 },
};

static const uint8_t table_3_10[] = {
	2, 2, 2, 1, 4, 255, 0, 127, 12, 26, 4, 1, 6, 1, 4, 1, 2, 1, 2, 255, 6, 254, 0, 127, 0,
	127, 8, 52, 4, 1, 12, 1, 14, 1, 8, 1, 2, 1, 28, 255, 20, 128, 2, 255, 2, 255, 12, 5, 2,
	128, 22, 0,
};

static const struct stretch lines_3_10[] = {
	{ 2, 4 }, { 4, 5 }, { 8, 4 }, { 20, 157 }, { 24, 158 }, { 30, 159 }, { 34, 160 },
	{ 36, 161 }, { 38, 160 }, { 44, 158 }, { 52, 464 }, { 56, 465 }, { 68, 466 },
	{ 82, 467 }, { 90, 468 }, { 92, 469 }, { 120, 468 }, { 140, 0 }, { 142, 467 },
	{ 144, 466 }, { 156, 471 }, { 158, 0 }, { 180, 471 },
};

static const uint8_t table_3_11[] = {
	128, 0, 224, 9, 10, 216, 9, 10, 241, 3, 1, 10, 11, 128, 65, 245, 114, 4, 0, 14, 19,
	144, 49, 137, 88, 140, 88, 240, 0, 115, 4, 5, 21, 240, 0, 115, 4, 5, 21, 136, 1, 216,
	11, 12, 240, 0, 114, 4, 9, 21, 221, 12, 13, 136, 97, 137, 68, 140, 68, 221, 12, 13,
	136, 97, 216, 14, 15, 241, 3, 1, 13, 17, 244, 0, 1, 13, 17, 240, 5, 3, 19, 18, 136, 97,
	136, 97, 240, 100, 9, 0, 20, 21, 136, 72, 136, 72, 136, 72, 240, 2, 6, 5, 13, 221, 8,
	9, 136, 33, 137, 4, 140, 4, 136, 4, 136, 4, 248, 221, 11, 12, 240, 0, 2, 5, 17, 240, 0,
	2, 5, 17, 240, 0, 2, 5, 17, 221, 13, 14, 137, 83, 140, 83, 240, 0, 1, 9, 17, 144, 65,
	216, 12, 16, 240, 3, 1, 9, 17, 240, 0, 1, 9, 17, 240, 0, 1, 9, 17, 241, 0, 1, 9, 17,
	244, 0, 1, 9, 17, 240, 0, 1, 9, 17, 240, 0, 1, 9, 17, 240, 0, 1, 9, 17, 240, 0, 1, 9,
	17, 240, 0, 1, 9, 17, 240, 0, 1, 9, 17, 248, 248, 248, 240, 0, 1, 9, 17, 240, 0, 1, 9,
	17, 240, 0, 1, 9, 17, 240, 0, 1, 9, 17, 248, 248, 248, 248, 248, 248, 248, 248, 248,
	240, 3, 2, 5, 17, 248, 248, 248, 245, 8, 0, 9, 10, 136, 33, 137, 4, 140, 4, 136, 4,
	136, 4, 136, 4, 248, 141, 1, 136, 33, 137, 4, 140, 4, 136, 4, 136, 4, 248, 248, 248,
};

static const struct stretch lines_3_11[] = {
	{ 2, 2 }, { 4, 4 }, { 6, 5 }, { 12, 4 }, { 46, 157 }, { 50, 158 }, { 78, 159 },
	{ 92, 160 }, { 94, 161 }, { 108, 160 }, { 114, 158 }, { 122, 464 }, { 124, 465 },
	{ 156, 466 }, { 158, 0 }, { 176, 467 }, { 206, 468 }, { 208, 469 }, { 240, 468 },
	{ 246, 0 }, { 254, 468 }, { 272, 0 }, { 274, 467 }, { 280, 0 }, { 314, 471 },
	{ 316, 0 }, { 348, 471 }, { 354, 0 },
};

static const uint8_t table_3_12[] = {
	128, 0, 224, 9, 10, 216, 9, 10, 241, 3, 1, 10, 11, 128, 65, 244, 114, 4, 0, 14, 19,
	144, 49, 139, 88, 242, 0, 115, 4, 5, 21, 136, 1, 217, 11, 12, 220, 12, 13, 136, 97,
	139, 68, 220, 12, 13, 136, 97, 216, 14, 15, 243, 3, 1, 13, 17, 240, 5, 3, 19, 18, 137,
	97, 240, 100, 9, 0, 20, 21, 138, 72, 240, 103, 9, 115, 4, 5, 21, 240, 104, 9, 6, 5, 13,
	220, 8, 9, 136, 33, 140, 4, 244, 10, 0, 9, 10, 136, 33, 141, 4, 248, 244, 9, 0, 12, 13,
	242, 0, 2, 5, 17, 220, 13, 14, 139, 83, 240, 0, 1, 9, 17, 144, 65, 216, 12, 16, 247, 3,
	1, 9, 17, 247, 0, 1, 9, 17, 241, 0, 1, 9, 17, 255, 251, 240, 3, 2, 5, 17, 251, 244, 8,
	0, 9, 10, 136, 33, 141, 4, 250,
};

static const struct stretch lines_3_12[] = {
	{ 2, 2 }, { 4, 4 }, { 6, 5 }, { 12, 4 }, { 40, 157 }, { 44, 158 }, { 64, 159 },
	{ 76, 160 }, { 78, 161 }, { 86, 160 }, { 92, 158 }, { 100, 464 }, { 102, 157 },
	{ 104, 465 }, { 126, 466 }, { 150, 471 }, { 152, 0 }, { 168, 467 }, { 190, 468 },
	{ 192, 469 }, { 228, 468 }, { 252, 0 }, { 254, 467 }, { 262, 0 }, { 286, 471 },
	{ 292, 0 },
};

static const uint8_t table_3_13[] = {
	128, 0, 224, 9, 10, 216, 9, 10, 241, 3, 1, 10, 11, 128, 65, 244, 114, 4, 0, 14, 19,
	144, 49, 142, 88, 136, 1, 222, 11, 12, 220, 12, 13, 136, 97, 139, 68, 220, 12, 13, 136,
	97, 216, 14, 15, 243, 3, 1, 13, 17, 240, 5, 3, 19, 18, 138, 97, 240, 100, 9, 0, 20, 21,
	138, 72, 241, 103, 9, 0, 14, 22, 240, 104, 9, 6, 5, 13, 220, 8, 9, 136, 33, 140, 4,
	244, 10, 0, 9, 10, 136, 33, 141, 4, 248, 244, 9, 0, 12, 13, 243, 0, 2, 5, 17, 220, 13,
	14, 140, 83, 144, 65, 216, 12, 16, 247, 3, 0, 14, 17, 143, 83, 143, 83, 143, 83, 254,
	240, 3, 2, 5, 17, 251, 244, 8, 0, 9, 10, 136, 33, 141, 4, 250,
};

static const struct stretch lines_3_13[] = {
	{ 2, 2 }, { 4, 4 }, { 6, 5 }, { 12, 4 }, { 40, 157 }, { 54, 158 }, { 74, 159 },
	{ 86, 160 }, { 88, 161 }, { 96, 160 }, { 104, 158 }, { 112, 464 }, { 116, 157 },
	{ 118, 465 }, { 140, 466 }, { 164, 471 }, { 166, 0 }, { 184, 467 }, { 206, 468 },
	{ 208, 469 }, { 272, 468 }, { 286, 0 }, { 288, 467 }, { 296, 0 }, { 320, 471 },
	{ 326, 0 },
};


static void expect(unsigned minor, const uint8_t *table, size_t size,
		   const struct stretch *stretches, size_t count)
{
	uint32_t offset = 0;

	for (size_t i = 0; i < count; i++)
		for (; offset < stretches[i].end; offset += 2)
			assert_int_equal(ct_py_line(minor, table, size, 2, offset),
					 stretches[i].line);
}

#define EXPECT(minor)                                                                              \
	expect(minor, table_3_##minor, sizeof(table_3_##minor), lines_3_##minor,                   \
	       sizeof(lines_3_##minor) / sizeof(lines_3_##minor[0]))

static void test_real_tables(void **state)
{
	(void)state;
	EXPECT(9);
	EXPECT(10);
	EXPECT(11);
	EXPECT(12);
	EXPECT(13);
}

static void test_behind_the_end(void **state)
{
	(void)state;
	assert_int_equal(ct_py_line(9, table_3_9, sizeof(table_3_9), 2, 100000), 471);
	assert_int_equal(ct_py_line(10, table_3_10, sizeof(table_3_10), 2, 100000), 0);
	assert_int_equal(ct_py_line(12, table_3_12, sizeof(table_3_12), 2, 100000), 0);
}

static void test_not_begun(void **state)
{
	(void)state;
	assert_int_equal(ct_py_line(9, table_3_9, sizeof(table_3_9), 2, CT_PY_NOT_BEGUN), 2);
	assert_int_equal(ct_py_line(10, table_3_10, sizeof(table_3_10), 2, CT_PY_NOT_BEGUN), 2);
	assert_int_equal(ct_py_line(12, table_3_12, sizeof(table_3_12), 2, CT_PY_NOT_BEGUN), 2);
}

static void test_empty_tables(void **state)
{
	(void)state;
	assert_int_equal(ct_py_line(9, NULL, 0, 7, 0), 7);
	assert_int_equal(ct_py_line(10, NULL, 0, 7, 0), 0);
	assert_int_equal(ct_py_line(11, NULL, 0, 7, 0), 0);
}

/* The forms of an entry, from Objects/locations.md: short, one line, no columns, long, none. */
static void test_forms(void **state)
{
	static const uint8_t table[] = {
		0x80 | 3 << 3 | 0, 0x15,                        /* short: 1 unit, same line */
		0x80 | 12 << 3 | 1, 4, 9,                       /* one line: 2 units, 2 lines on */
		0x80 | 13 << 3 | 0, 3,                          /* no columns: 1 line back */
		0x80 | 14 << 3 | 7, 0x40 | 40, 50, 0, 1, 1,     /* long: 8 units, 1620 lines on */
		0x80 | 15 << 3 | 0,                             /* none */
		0x80 | 11 << 3 | 0, 0, 0,                       /* one line: 1 line on */
	};
	static const struct stretch lines[] = {
		{ 2, 10 }, { 6, 12 }, { 8, 11 }, { 24, 1631 }, { 26, 0 }, { 28, 1632 },
	};
	uint32_t offset = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		for (; offset < lines[i].end; offset += 2)
			assert_int_equal(ct_py_line(12, table, sizeof(table), 10, offset),
					 lines[i].line);
}

static void test_lines_are_positive(void **state)
{
	static const uint8_t back[] = { 2, 0x90, 2, 0x90, 4, 0 };

	(void)state;
	assert_int_equal(ct_py_line(9, back, sizeof(back), 3, 4), 0);
	assert_int_equal(ct_py_line(10, back, sizeof(back), 3, 3), 0);
}

/* Noise that ends where memory does: a read beyond it would be fatal. */
static void test_noise(void **state)
{
	uint8_t *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);

	(void)state;
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(pages + PAGE, PAGE, PROT_NONE), 0);
	srand(1);
	for (int round = 0; round < 20000; round++) {
		size_t size = (size_t)rand() % 24;
		uint8_t *table = pages + PAGE - size;

		for (size_t i = 0; i < size; i++)
			table[i] = (uint8_t)rand();
		for (unsigned minor = 9; minor <= 13; minor++)
			ct_py_line(minor, table, size, 1, (uint32_t)rand() % 64);
	}
	munmap(pages, 2 * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_tables), cmocka_unit_test(test_behind_the_end),
		cmocka_unit_test(test_not_begun), cmocka_unit_test(test_empty_tables),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_lines_are_positive), cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
