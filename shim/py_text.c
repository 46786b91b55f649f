/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/py_text.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u
#define OBJECT_TYPE 8          /* PyObject.ob_type */
#define LENGTH_MAX (1u << 26)  /* no name or path is longer */

/*
 * rt_sigprocmask() copies the new mask in before it looks at what to do with it: EFAULT if
 * it cannot, else EINVAL, as -1 is nothing that could be done.
 */
static bool word_readable(uint64_t at)
{
	return syscall(SYS_rt_sigprocmask, -1, (void *)(at & ~(uint64_t)7), NULL, 8) == -1 &&
	       errno == EINVAL;
}

bool ct_readable(uint64_t at, uint64_t bytes)
{
	uint64_t last = at + bytes - 1;

	if (!bytes || last < at)
		return false;
	for (uint64_t page = at; page < last; page = (page & ~(uint64_t)(PAGE - 1)) + PAGE)
		if (!word_readable(page))
			return false;
	return word_readable(last);
}

static int put_utf8(uint32_t c, char *ret)
{
	if (c >= 0xdc80 && c <= 0xdcff) { /* os.fsdecode() made it of a byte */
		ret[0] = (char)(c & 0xff);
		return 1;
	}
	if ((c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		c = '?';
	if (c < 0x80) {
		ret[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (char)(0xc0 | c >> 6);
		ret[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		ret[0] = (char)(0xe0 | c >> 12);
		ret[1] = (char)(0x80 | (c >> 6 & 63));
		ret[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	ret[0] = (char)(0xf0 | c >> 18);
	ret[1] = (char)(0x80 | (c >> 12 & 63));
	ret[2] = (char)(0x80 | (c >> 6 & 63));
	ret[3] = (char)(0x80 | (c & 63));
	return 4;
}

static uint32_t character(const void *data, uint32_t width, uint64_t i)
{
	if (width == 1)
		return ((const uint8_t *)data)[i];
	if (width == 2)
		return ((const uint16_t *)data)[i];
	return ((const uint32_t *)data)[i];
}

int ct_py_text(const struct ct_py_layout *layout, uint64_t object, uint64_t type,
	       uint32_t characters, char *ret)
{
	const uint8_t *base = (const uint8_t *)(uintptr_t)object;
	uint64_t found, length, data;
	uint32_t state, width;
	int n = 0;

	if (object & 7 || !ct_readable(object, layout->text_ascii))
		return -1;
	memcpy(&found, base + OBJECT_TYPE, sizeof(found));
	memcpy(&length, base + layout->text_length, sizeof(length));
	memcpy(&state, base + layout->text_state, sizeof(state));
	width = state >> 2 & 7;
	if (found != type || length > LENGTH_MAX || (width != 1 && width != 2 && width != 4) ||
	    !(state >> 5 & 1)) /* not compact: of a subclass of str, never of a code object */
		return -1;
	data = object + (state >> 6 & 1 ? layout->text_ascii : layout->text_wide);
	if (length && !ct_readable(data, length * width))
		return -1;
	for (uint64_t i = length > characters ? length - characters : 0; i < length; i++)
		n += put_utf8(character((const void *)(uintptr_t)data, width, i), ret + n);
	return n;
}
