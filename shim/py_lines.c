/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/py_lines.h"

#include <stdbool.h>

#define UNIT_BYTES 2 /* of an instruction, 3.11 on */

enum { ONE_LINE_0 = 10, ONE_LINE_2 = 12, NO_COLUMNS = 13, LONG = 14, NO_LINE = 15 };

static uint32_t positive(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

/* Pairs: so many bytes further on, so many lines further on. */
static uint32_t line_3_9(const uint8_t *p, size_t size, int64_t line, uint64_t offset)
{
	uint64_t at = 0;

	for (; size >= 2; p += 2, size -= 2) {
		at += p[0];
		if (at > offset)
			break;
		line += (int8_t)p[1];
	}
	return positive(line);
}

/* Pairs: this many bytes, on a line that is so many lines further on; -128 = on none. */
static uint32_t line_3_10(const uint8_t *p, size_t size, int64_t line, uint64_t offset)
{
	uint64_t end = 0;

	for (; size >= 2; p += 2, size -= 2) {
		bool none = (int8_t)p[1] == -128;

		end += p[0];
		if (!none)
			line += (int8_t)p[1];
		if (offset < end)
			return none ? 0 : positive(line);
	}
	return 0;
}

/* A signed number in pieces of six bits, lowest first; the lowest bit is its sign. */
static int64_t signed_number(const uint8_t *p, size_t size)
{
	uint64_t number = 0;

	for (unsigned shift = 0; size && shift < 36; p++, size--, shift += 6) {
		number |= (uint64_t)(*p & 63) << shift;
		if (!(*p & 64))
			break;
	}
	return number & 1 ? -(int64_t)(number >> 1) : (int64_t)(number >> 1);
}

static int64_t line_delta(const uint8_t *p, size_t size)
{
	unsigned code = p[0] >> 3 & 15;

	if (code == LONG || code == NO_COLUMNS)
		return signed_number(p + 1, size - 1);
	return code >= ONE_LINE_0 && code <= ONE_LINE_2 ? (int64_t)code - ONE_LINE_0 : 0;
}

/* Entries that begin with a byte whose highest bit is set, and that only. */
static uint32_t line_3_11(const uint8_t *p, size_t size, int64_t line, uint64_t offset)
{
	uint64_t end = 0;

	while (size) {
		bool none = (p[0] >> 3 & 15) == NO_LINE;

		end += ((p[0] & 7) + 1u) * UNIT_BYTES;
		line += line_delta(p, size);
		if (offset < end)
			return none ? 0 : positive(line);
		do {
			p++;
			size--;
		} while (size && !(p[0] & 128));
	}
	return 0;
}

uint32_t ct_py_line(unsigned minor, const uint8_t *table, size_t size, uint32_t first,
		    uint32_t offset)
{
	if (offset == CT_PY_NOT_BEGUN)
		return positive(first);
	if (minor <= 9)
		return line_3_9(table, size, first, offset);
	if (minor == 10)
		return line_3_10(table, size, first, offset);
	return line_3_11(table, size, first, offset);
}
