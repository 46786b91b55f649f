/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings and names of output directories. The input is lines: the template, the program's
 * name, then NAME=value of the environment, where NUL bytes end nothing.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/log.h"
#include "shim/name.h"
#include "shim/options.h"
#include "tests/fuzz/form.h"

extern char **environ;

enum { VARIABLES = 64 };

void ct_warn(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
}

static size_t count(const char *text, char of)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == of;
	return n;
}

/* Is a component of the path "." or ".."? */
static bool has_dots(const char *path)
{
	while (*path) {
		size_t length = strcspn(path, "/");

		if ((length == 1 && path[0] == '.') || (length == 2 && !strncmp(path, "..", 2)))
			return true;
		path += length + (path[length] == '/');
	}
	return false;
}

/* Values stay within their component, and nothing is written behind `size`. */
static void expand(const char *template, const char *program, size_t size)
{
	char *name = malloc(size);
	int r;

	MUST(name);
	r = ct_name_expand(template, program, name, size);
	MUST(strlen(name) < size);
	for (const char *c = name; *c; c++)
		MUST((unsigned char)*c >= ' ' && *c != 127);
	if (r == 0) {
		MUST(count(name, '/') <= count(template, '/'));
		MUST(count(template, '.') || !has_dots(name));
	}
	free(name);
}

static void read_options(void)
{
	struct ct_options options;

	memset(&options, 0xff, sizeof(options));
	ct_options_read(&options);
	MUST((unsigned)options.mode <= CT_LEVEL_AUTO && (unsigned)options.cupti <= CT_CUPTI_LATE);
	MUST(options.output && *options.output && options.cupti_library && options.started_list);
	MUST((unsigned)ct_options_cupti() <= CT_CUPTI_LATE);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	char *text = malloc(size + 1), *variables[VARIABLES + 1] = { NULL }, *rest = text;
	char **before = environ;
	char *template, *program;

	MUST(text);
	for (size_t i = 0; i < size; i++)
		text[i] = input[i] ? (char)input[i] : ' ';
	text[size] = '\0';
	template = strsep(&rest, "\n");
	program = rest ? strsep(&rest, "\n") : template;
	for (int i = 0; rest && i < VARIABLES; i++)
		variables[i] = strsep(&rest, "\n");
	environ = variables;
	expand(template, program, 4096);
	expand(template, program, 1 + size % 64);
	read_options();
	environ = before;
	free(text);
	return 0;
}
