/* SPDX-License-Identifier: Apache-2.0 */
#include "export/html/json.h"

#include <stdbool.h>

/* Bytes of a character's first byte, 0 for one that begins none (RFC 3629). */
static int length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* The second byte is what tells overlong forms, surrogates and what is beyond U+10FFFF. */
static bool second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second < 0xa0;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second < 0x90;
	default:
		return true;
	}
}

/* How many bytes of text are a valid character; 0: none. */
static int valid(const unsigned char *text)
{
	int length = length_of(text[0]);

	for (int i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80 || (i == 1 && !second_fits(text[0], text[1])))
			return 0;
	return length;
}

void ct_json_text(FILE *to, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	fputc('"', to);
	while (*at) {
		int length = valid(at);

		if (!length)
			fputs("\\ufffd", to);
		else if (*at < ' ' || *at == '"' || *at == '\\' || *at == '<' || *at == 0x7f)
			fprintf(to, "\\u%04x", *at);
		else
			fwrite(at, 1, (size_t)length, to);
		at += length ? length : 1;
	}
	fputc('"', to);
}

void ct_json_key(FILE *to, const char *key)
{
	fprintf(to, "\"%s\":", key);
}

void ct_json_next(FILE *to, size_t *count)
{
	if ((*count)++)
		fputc(',', to);
}
