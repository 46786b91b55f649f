/* SPDX-License-Identifier: Apache-2.0 */
#include "export/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "trace/tame.h"

/* How many bytes at the beginning of a text stand for themselves: most names are all that. */
static size_t plain(const char *text)
{
	size_t n = 0;

	while (text[n] >= ' ' && text[n] < 127 && text[n] != '"' && text[n] != '\\')
		n++;
	return n;
}

static void put_text(FILE *to, const char *text)
{
	size_t run = plain(text);

	putc_unlocked('"', to);
	fwrite_unlocked(text, 1, run, to);
	for (text += run; *text;) {
		unsigned char c = (unsigned char)*text;
		unsigned length = ct_utf8_length(text);

		if (!length)
			fputs("\\ufffd", to);
		else if (c < ' ' || c == 127)
			fprintf(to, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else
			fwrite_unlocked(text, 1, length, to);
		text += length ? length : 1;
	}
	putc_unlocked('"', to);
}

static void put_key(struct ct_json *json, const char *key)
{
	if (json->more)
		putc_unlocked(',', json->to);
	json->more = true;
	put_text(json->to, key);
	putc_unlocked(':', json->to);
}

void ct_json_begin(struct ct_json *json, const char *key)
{
	if (key)
		put_key(json, key);
	putc_unlocked('{', json->to);
	json->more = false;
}

void ct_json_end(struct ct_json *json)
{
	putc_unlocked('}', json->to);
	json->more = true;
}

void ct_json_end_line(struct ct_json *json)
{
	ct_json_end(json);
	putc_unlocked('\n', json->to);
}

void ct_json_text(struct ct_json *json, const char *key, const char *text)
{
	put_key(json, key);
	put_text(json->to, text);
}

/* Most of a line is numbers: fprintf() would take most of the time. */
static void put_number(FILE *to, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	fwrite_unlocked(digits + at, 1, sizeof(digits) - at, to);
}

void ct_json_number(struct ct_json *json, const char *key, uint64_t value)
{
	put_key(json, key);
	put_number(json->to, value);
}

void ct_json_signed(struct ct_json *json, const char *key, int64_t value)
{
	put_key(json, key);
	if (value < 0)
		putc_unlocked('-', json->to);
	put_number(json->to, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void ct_json_id(struct ct_json *json, const char *key, uint32_t id)
{
	if (id == UINT32_MAX)
		ct_json_null(json, key);
	else
		ct_json_number(json, key, id);
}

void ct_json_address(struct ct_json *json, const char *key, uint64_t address)
{
	put_key(json, key);
	fprintf(json->to, "\"0x%" PRIx64 "\"", address);
}

void ct_json_bool(struct ct_json *json, const char *key, bool value)
{
	put_key(json, key);
	fputs(value ? "true" : "false", json->to);
}

void ct_json_null(struct ct_json *json, const char *key)
{
	put_key(json, key);
	fputs("null", json->to);
}

void ct_json_raw(struct ct_json *json, const char *key, const char *value)
{
	put_key(json, key);
	fputs(value, json->to);
}

void ct_json_real(struct ct_json *json, const char *key, double value)
{
	put_key(json, key);
	if (isfinite(value))
		fprintf(json->to, "%.12g", value);
	else
		fputs("null", json->to);
}

void ct_json_begin_list(struct ct_json *json, const char *key)
{
	put_key(json, key);
	putc_unlocked('[', json->to);
	json->more = false;
}

static void begin_item(struct ct_json *json)
{
	if (json->more)
		putc_unlocked(',', json->to);
	json->more = true;
}

void ct_json_begin_item(struct ct_json *json)
{
	begin_item(json);
	ct_json_begin(json, NULL);
}

void ct_json_text_item(struct ct_json *json, const char *text)
{
	begin_item(json);
	put_text(json->to, text);
}

void ct_json_end_list(struct ct_json *json)
{
	putc_unlocked(']', json->to);
	json->more = true;
}
