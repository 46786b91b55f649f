/* SPDX-License-Identifier: Apache-2.0 */
/* What a report of a built model says, whichever way its lines are broken. */
#ifndef CT_TESTS_SAID_H
#define CT_TESTS_SAID_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/report.h"

static inline struct model_builder *of(void **state)
{
	return *state;
}

/* All the same, but each run of white space one space: lines break where they may. */
static inline char *flat(char *text)
{
	size_t used = 0;

	for (size_t i = 0; text[i]; i++) {
		bool space = text[i] == ' ' || text[i] == '\n';

		if (!space || (used && text[used - 1] != ' '))
			text[used++] = space ? ' ' : text[i];
	}
	text[used] = '\0';
	return text;
}

/* What was not seen, up to the line of trust, fits a terminal of 100 columns. */
static inline void check_width(const char *text)
{
	const char *at = strstr(text, "NOT seen"), *end = strstr(text, "\ntrust");

	for (; at && end && at < end; at += strcspn(at, "\n") + 1)
		if (strcspn(at, "\n") > 100)
			fail_msg("too long: %.*s", (int)strcspn(at, "\n"), at);
}

/* What is built, loaded and changed, as a report. Free it. */
static inline char *report(struct model_builder *b, bool summary, void (*change)(struct ct_model *model))
{
	struct ct_analysis *a = calloc(1, sizeof(*a));
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_true(a && to);
	mb_load(b);
	a->directory = strdup("somewhere");
	a->model = b->model;
	b->model = NULL;
	if (change)
		change(a->model);
	assert_int_equal(ct_analysis_of_model(a, NULL, false), 0);
	assert_int_equal(ct_site_totals_make(a->model, a->sites, &a->site_totals), 0);
	ct_sites_share_idle(a->sites, a->model, a->idle);
	ct_report_text(a, summary, to);
	fclose(to);
	ct_analysis_destroy(a);
	check_width(text);
	return flat(text);
}

#define SAYS 8

/* It says each of these, up to a NULL; those after that it does not. Frees the text. */
static inline void expect(char *text, const char *const says[SAYS], const char *const not[SAYS])
{
	for (int i = 0; i < SAYS && says[i]; i++)
		if (!strstr(text, says[i]))
			fail_msg("not said: \"%s\" in %s", says[i], text);
	for (int i = 0; not && i < SAYS && not[i]; i++)
		if (strstr(text, not[i]))
			fail_msg("said: \"%s\" in %s", not[i], text);
	free(text);
}

#define SAID(...) ((const char *const[SAYS]){ __VA_ARGS__ })

#endif
