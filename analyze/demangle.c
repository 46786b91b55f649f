/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/demangle.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* From the Itanium C++ ABI; <cxxabi.h> can be included from C++ only. */
char *__cxa_demangle(const char *mangled, char *buffer, size_t *length, int *status);

/* One <length><identifier> of a mangled name. Returns what follows it, or NULL. */
static const char *take_identifier(const char *p, const char **ret_name, size_t *ret_length)
{
	size_t length = 0;

	if (*p < '1' || *p > '9')
		return NULL;
	while (*p >= '0' && *p <= '9' && length <= CT_DEMANGLE_MAX)
		length = length * 10 + (size_t)(*p++ - '0');
	if (length > CT_DEMANGLE_MAX || strnlen(p, length) < length)
		return NULL;
	*ret_name = p;
	*ret_length = length;
	if (length > 10 && strncmp(p, "_GLOBAL__N", 10) == 0) {
		*ret_name = "(anonymous namespace)";
		*ret_length = strlen(*ret_name);
	}
	return p + length;
}

/*
 * "a::b<...>" of _ZN1a1bI.., for names that the demangler refuses: GNU's takes at
 * most 1024 characters, and kernel templates exceed that. NULL if it has no such form.
 */
static char *leading_names(const char *symbol)
{
	const char *p = symbol + 2, *name;
	char *text = malloc(2 * strlen(symbol) + 32);
	size_t at = 0, length;
	bool nested = *p == 'N';

	if (!text)
		return NULL;
	if (nested)
		p += 1 + strspn(p + 1, "rVK");
	if (nested && strncmp(p, "St", 2) == 0) {
		memcpy(text, "std", at = 3);
		p += 2;
	}
	for (const char *next; (next = take_identifier(p, &name, &length)); p = next) {
		if (at) {
			memcpy(text + at, "::", 2);
			at += 2;
		}
		memcpy(text + at, name, length);
		at += length;
		if (!nested) {
			p = next;
			break;
		}
	}
	strcpy(text + at, *p == 'I' ? "<...>" : nested && *p != 'E' ? "..." : "");
	if (at)
		return text;
	free(text);
	return NULL;
}

const char *ct_demangle(const char *symbol, char **ret_memory)
{
	size_t length = strlen(symbol);
	int status;

	*ret_memory = NULL;
	if (strncmp(symbol, "_Z", 2) != 0)
		return symbol;
	if (length <= CT_DEMANGLE_MAX)
		*ret_memory = __cxa_demangle(symbol, NULL, NULL, &status);
	if (!*ret_memory && length > CT_DEMANGLE_SURE)
		*ret_memory = leading_names(symbol);
	return *ret_memory ? *ret_memory : symbol;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t n = strlen(end);

	return length >= n && memcmp(text + length - n, end, n) == 0;
}

/* Length without what may stand behind the parameters: qualifiers, " [clone ...]". */
static size_t without_suffix(const char *text, size_t length)
{
	static const char *const suffixes[] = { " const", " volatile", " &", "&", " noexcept" };

	while (length && text[length - 1] == ']') {
		size_t open = length;

		while (open > 1 && text[open - 1] != '[')
			open--;
		if (open < 2 || text[open - 2] != ' ')
			return length;
		length = open - 2;
	}
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (ends_with(text, length, suffixes[i])) {
			length -= strlen(suffixes[i]);
			i = (size_t)-1; /* from the first again */
		}
	return length;
}

/* Length of the text without its parameter list; the whole length if it has none. */
static size_t without_parameters(const char *text)
{
	size_t whole = strlen(text);
	size_t at = without_suffix(text, whole);
	unsigned depth = 0;

	if (!at || text[at - 1] != ')')
		return whole;
	while (at--) {
		if (text[at] == ')')
			depth++;
		else if (text[at] == '(' && --depth == 0)
			break;
	}
	/* "operator()" alone and "(anonymous namespace)" are names, not parameters */
	if (depth || !at || ends_with(text, at, "operator") || ends_with(text, at, "::"))
		return whole;
	return at;
}

/* Characters that follow the word "operator" and open or close nothing. */
static size_t operator_length(const char *text, const char *end)
{
	const char *p = text + strlen("operator");

	if ((size_t)(end - text) <= strlen("operator") || strncmp(text, "operator", 8) != 0)
		return 0;
	while (p < end && strchr("<>=-", *p))
		p++;
	if (end - p >= 2 && p[0] == '(' && p[1] == ')')
		p += 2;
	return (size_t)(p - text);
}

/* Where characters go: those between head and resume are left out, "..." marks them. */
struct squeeze {
	char *buf; /* NULL: only count */
	size_t head, resume;
	size_t at;     /* characters seen */
	size_t stored;
};

static void put(struct squeeze *s, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++, s->at++) {
		if (!s->buf || (s->at >= s->head && s->at < s->resume))
			continue;
		if (s->at == s->resume && s->resume > s->head) {
			memcpy(s->buf + s->stored, "...", 3);
			s->stored += 3;
		}
		s->buf[s->stored++] = text[i];
	}
}

/*
 * Pass the text on with template arguments nested `limit` deep or deeper replaced.
 * Angle brackets inside parentheses are left alone: they may be comparisons.
 * Returns the deepest nesting seen.
 */
static unsigned collapse(struct squeeze *s, const char *text, size_t length, unsigned limit)
{
	const char *end = text + length;
	unsigned depth = 0, parens = 0, deepest = 0;

	for (const char *p = text; p < end; p++) {
		bool word = p > text && (isalnum((unsigned char)p[-1]) || p[-1] == '_');
		size_t n = word ? 0 : operator_length(p, end);
		bool arrow = *p == '>' && p > text && p[-1] == '-';

		if (n) {
			if (depth < limit)
				put(s, p, n);
			p += n - 1;
			continue;
		}
		if (*p == '(')
			parens++;
		else if (*p == ')' && parens)
			parens--;
		if (*p == '>' && !parens && !arrow && depth)
			depth--;
		if (depth < limit)
			put(s, p, 1);
		if (*p == '<' && !parens) {
			if (++depth == limit)
				put(s, "...", 3);
			deepest = depth > deepest ? depth : deepest;
		}
	}
	return deepest;
}

static size_t collapsed_length(const char *text, size_t length, unsigned limit)
{
	struct squeeze count = { 0 };

	collapse(&count, text, length, limit);
	return count.at;
}

size_t ct_demangle_short(const char *demangled, char *buf, size_t size, size_t width)
{
	const char *text = strncmp(demangled, "void ", 5) == 0 ? demangled + 5 : demangled;
	size_t length = without_parameters(text);
	struct squeeze count = { 0 }, out = { .buf = buf };
	unsigned limit = collapse(&count, text, length, UINT_MAX) + 1;
	size_t need = length;

	if (width > size - 1)
		width = size - 1;
	while (need > width && limit > 1)
		need = collapsed_length(text, length, --limit);
	out.head = out.resume = need;
	if (need > width) {
		size_t keep = width > 3 ? width - 3 : 0;

		out.head = keep - keep / 2;
		out.resume = need - keep / 2;
		if (keep < 2) { /* no room for two ends and a mark */
			out.head = width;
			out.resume = need;
		}
	}
	collapse(&out, text, length, limit);
	buf[out.stored] = '\0';
	return out.stored;
}
