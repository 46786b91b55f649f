/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/name.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/tame.h"

struct out {
	char *text;
	size_t size, length;
	int error;
};

static void put(struct out *out, const char *text, size_t length)
{
	if (out->length + length + 1 > out->size) {
		out->error = -ENAMETOOLONG;
		return;
	}
	memcpy(out->text + out->length, text, length);
	out->length += length;
	out->text[out->length] = '\0';
}

/* A value that came from outside: it must stay one path component. */
static void put_value(struct out *out, const char *value)
{
	size_t from = out->length;

	put(out, value, strlen(value));
	for (size_t i = from; i < out->length; i++)
		if (out->text[i] == '/' || (unsigned char)out->text[i] < ' ')
			out->text[i] = '_';
	if (out->length > from && out->text[from] == '.')
		out->text[from] = '_';
}

/* %q{VAR}; returns the characters consumed after '%', 0 if it is not one. */
static size_t put_variable(struct out *out, const char *at)
{
	char variable[128];
	const char *end = strchr(at, '}');
	const char *value;
	size_t length;

	if (strncmp(at, "q{", 2) != 0 || !end)
		return 0;
	length = (size_t)(end - at) - 2;
	if (length == 0 || length >= sizeof(variable))
		return 0;
	memcpy(variable, at + 2, length);
	variable[length] = '\0';
	value = secure_getenv(variable);
	put_value(out, value ? value : "");
	return length + 3;
}

/* One sequence behind '%'; returns the characters consumed, 0 if unknown. */
static size_t put_sequence(struct out *out, const char *at, const char *program)
{
	char value[HOST_NAME_MAX + 1];

	switch (*at) {
	case '%':
		put(out, "%", 1);
		return 1;
	case 'p':
		snprintf(value, sizeof(value), "%d", (int)getpid());
		put(out, value, strlen(value));
		return 1;
	case 'n':
		put_value(out, program);
		return 1;
	case 'h':
		if (gethostname(value, sizeof(value)) < 0)
			strcpy(value, "host");
		value[sizeof(value) - 1] = '\0';
		put_value(out, value);
		return 1;
	default:
		return put_variable(out, at);
	}
}

int ct_name_expand(const char *template, const char *program, char *ret, size_t size)
{
	struct out out = { .text = ret, .size = size };

	*ret = '\0';
	for (const char *p = template; *p; p++) {
		if (*p == '%')
			p += put_sequence(&out, p + 1, program) ?: (put(&out, "%", 1), 0);
		else
			put(&out, p, 1);
	}
	ct_tame(ret, '_'); /* names are printed, and listed a line each */
	return out.error;
}

void ct_name_program(char *ret, size_t size)
{
	static char path[PATH_MAX]; /* called once, perhaps on a tiny stack */
	ssize_t n = readlink("/proc/thread-self/exe", path, sizeof(path) - 1);
	const char *base;

	path[n > 0 ? n : 0] = '\0';
	base = strrchr(path, '/');
	base = base ? base + 1 : "program";
	snprintf(ret, size, "%s", base);
}
