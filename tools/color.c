/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/color.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define BOLD "\033[1m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"
#define LINE_BYTES 4096 /* longer lines have no colors */
#define FIELD 9         /* width of a time in a table */

/* Standard output as it was, and the line that is being written to it. */
static struct painter {
	FILE *to;
	char line[LINE_BYTES];
	size_t used;
	bool inside; /* the line was too long: what of it came so far is written */
	bool heads;
	size_t lost;
} painter = { .heads = true };

/* Length of a time as ct_report_time() has it, "1.22 ms"; 0 = there is none, or it is 0. */
static size_t time_at(const char *text)
{
	static const char *const units[] = { " ns", " us", " ms", " s", " min", " h" };
	size_t digits = strspn(text, "0123456789.");

	for (size_t i = 0; digits && i < sizeof(units) / sizeof(units[0]); i++) {
		size_t n = digits + strlen(units[i]);

		if (!strncmp(text + digits, units[i], n - digits) && !strchr("abcdefghijklmnopqrstuvwxyz",
									     text[n] ? text[n] : ' '))
			return strtod(text, NULL) > 0 ? n : 0;
	}
	return 0;
}

/* Where in a table's row the time of the column that ends there begins; NULL = there is none. */
static const char *time_before(const char *line, size_t end)
{
	size_t at = end > FIELD ? end - FIELD : 0;

	if (!end || end > strlen(line))
		return NULL;
	for (at += strspn(line + at, " "); at < end; at++)
		if ((!at || line[at - 1] == ' ') && at + time_at(line + at) == end)
			return line + at;
	return NULL;
}

/* The time that stands behind these words. */
static const char *time_behind(const char *line, const char *words)
{
	const char *at = strstr(line, words);

	return at && time_at(at + strlen(words)) ? at + strlen(words) : NULL;
}

static const char *find_lost(const char *line, size_t lost)
{
	const char *at = time_behind(line, "Serialization cost ");

	if (!at)
		at = time_behind(line, "saves ");
	return at ? at : time_before(line, lost);
}

/* What begins a line and is to stand out: "NOT seen", the "NO" of doctor, a heading up to its colon. */
static size_t find_head(const char *line, bool heads, const char **ret_color)
{
	*ret_color = YELLOW;
	if (!strncmp(line, "NOT seen", 8))
		return 8;
	if (!strncmp(line, "NO    ", 6))
		return 2;
	*ret_color = BOLD;
	return heads && *line != ' ' ? strcspn(line, ":") : 0;
}

/* The end of the word "lost" in the head of a table; 0 = it has no such column. */
static size_t lost_column(const char *line)
{
	const char *at = strstr(line, " lost ");

	return at && line[0] == ' ' && strstr(line, "  ") ? (size_t)(at - line) + 5 : 0;
}

char *ct_color_line(const char *line, bool heads, size_t *lost)
{
	const char *color, *time = find_lost(line, *lost);
	size_t head = find_head(line, heads, &color), shown = time ? time_at(time) : 0;
	char *text = NULL;

	if (time && time < line + head)
		head = 0;
	if (!time)
		time = line + strlen(line);
	if (asprintf(&text, "%s%.*s%s%.*s%s%.*s%s%s", head ? color : "", (int)head, line,
		     head ? PLAIN : "", (int)(time - line - (ptrdiff_t)head), line + head,
		     shown ? RED : "", (int)shown, time, shown ? PLAIN : "", time + shown) < 0)
		return NULL;
	if (!*line)
		*lost = 0;
	else if (!*lost)
		*lost = lost_column(line);
	return text;
}

/* The line is whole: write it. Returns what fputs() does. */
static int put_line(struct painter *p)
{
	char *text = NULL;
	int r;

	p->line[p->used] = '\0';
	if (!p->inside)
		text = ct_color_line(p->line, p->heads, &p->lost);
	p->heads = !p->used;
	r = fputs(text ? text : p->line, p->to);
	free(text);
	p->used = 0;
	return r < 0 || fputc('\n', p->to) < 0 ? EOF : 0;
}

static ssize_t take(void *cookie, const char *bytes, size_t count)
{
	struct painter *p = cookie;

	for (size_t i = 0; i < count; i++) {
		if (bytes[i] != '\n' && p->used + 1 < LINE_BYTES) {
			p->line[p->used++] = bytes[i];
			continue;
		}
		if (bytes[i] == '\n') {
			if (put_line(p) < 0)
				return 0;
			p->inside = false;
			continue;
		}
		p->inside = true;
		if (fwrite(p->line, 1, p->used, p->to) < p->used)
			return 0;
		p->used = 0;
		p->line[p->used++] = bytes[i];
	}
	return fflush(p->to) == 0 ? (ssize_t)count : 0;
}

static bool wanted(const char *when)
{
	const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

	if (when && strcasecmp(when, "auto") != 0) /* words are taken in any case of letters */
		return strcasecmp(when, "always") == 0;
	return !(none && *none) && terminal && strcmp(terminal, "dumb") != 0 && isatty(STDOUT_FILENO);
}

void ct_color_begin(const char *when)
{
	const cookie_io_functions_t functions = { .write = take };
	FILE *painted = wanted(when) ? fopencookie(&painter, "w", functions) : NULL;

	if (!painted)
		return;
	painter.to = stdout;
	stdout = painted; /* flushed by exit() as any stream, to the one that it was */
}
