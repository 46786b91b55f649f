/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/tame.h"

#include <stdbool.h>
#include <string.h>

unsigned ct_utf8_length(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	unsigned n = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 :
		     c[0] < 0xf5 ? 4 : 0;

	for (unsigned i = 1; i < n; i++) /* ends at a terminating zero */
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] >= 0x90))
		return 0;
	return n;
}

static bool control(const unsigned char *c)
{
	return c[0] < ' ' || c[0] == 127 || (c[0] == 0xc2 && c[1] < 0xa0); /* to U+001F, to U+009F */
}

/* U+202A to U+202E, U+2066 to U+2069 */
static bool turns(const unsigned char *c)
{
	return c[0] == 0xe2 && ((c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) ||
				(c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

void ct_tame(char *text, char mark)
{
	unsigned char *c = (unsigned char *)text;

	while (*c) {
		unsigned n = ct_utf8_length((const char *)c);

		if (!n || control(c) || turns(c))
			memset(c, mark, n ? n : 1);
		c += n ? n : 1;
	}
}
