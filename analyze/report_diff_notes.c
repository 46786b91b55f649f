/* SPDX-License-Identifier: Apache-2.0 */
/* Two sets of runs compared, as annotations for pipelines: GitHub's, and JUnit's XML. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/report_diff.h"
#include "trace/tame.h"

#define TEXT_BYTES 2048

/* The line in the text of a place; 0 = none. */
static unsigned line_of(const char *where)
{
	for (const char *at = strchr(where, ':'); at; at = strchr(at + 1, ':')) {
		size_t digits = strspn(at + 1, "0123456789");

		if (digits && digits < 10 && (!at[1 + digits] || strchr(" ,", at[1 + digits])))
			return (unsigned)strtoul(at + 1, NULL, 10);
	}
	return 0;
}

/* Where to point at, as it is now: a place that is gone has none. Returns NULL without a file. */
static const char *file_of(const struct ct_diff_site *site, const struct ct_diff_notes *notes,
			   unsigned *ret_line)
{
	const char *source = site->source[CT_AFTER];

	if (!source || *source == '<' || !line_of(site->where[CT_AFTER]))
		return NULL;
	*ret_line = line_of(site->where[CT_AFTER]);
	return notes->source(source);
}

static const char *place_of(const struct ct_diff_site *site)
{
	return site->where[CT_AFTER] ? site->where[CT_AFTER] : site->where[CT_BEFORE];
}

/* "blocked 12 ms -> 24 ms (+100 %, p < 0.001)"; figures with a verdict, in turn. */
static size_t put_figure(char *ret, size_t size, const struct ct_diff_figure *figure,
			 const char *name)
{
	char before[16], after[16], change[16], p[32] = "";

	if (!isnan(figure->p))
		snprintf(p, sizeof(p), figure->p < 0.001 ? ", p < 0.001" : ", p = %.3f", figure->p);
	return (size_t)snprintf(ret, size, "%s %s -> %s (%s%s)", name,
				ct_report_time((uint64_t)(figure->side[CT_BEFORE].mean + 0.5), before),
				ct_report_time((uint64_t)(figure->side[CT_AFTER].mean + 0.5), after),
				ct_report_change(figure, change), p);
}

static void describe(const struct ct_diff *diff, const struct ct_diff_site *site, char *ret,
		     size_t size)
{
	size_t used = (size_t)snprintf(ret, size, "%s at %s: ", site->call, place_of(site));
	bool more = false;

	for (int what = CT_DIFF_BLOCKED; what <= CT_DIFF_TOTAL && used + 256 < size; what++) {
		const struct ct_diff_figure *figure = &site->figures[what];

		if (figure->verdict <= CT_DIFF_SAME)
			continue;
		used += (size_t)snprintf(ret + used, size - used, "%s", more ? "; " : "");
		used += put_figure(ret + used, size - used, figure,
				   ct_diff_name((enum ct_diff_what)what));
		more = true;
	}
	if (used < size)
		snprintf(ret + used, size - used, "%s%s",
			 site->match == CT_DIFF_NEW ? "; new" : site->match == CT_DIFF_GONE ? "; gone" : "",
			 diff->tested ? "" : "; one run or two a side: may be chance");
}

/* As actions/toolkit's command.ts has it; a property is between colon and comma. */
static void put_command(FILE *to, const char *text, bool property)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
			fprintf(to, "%%%02X", c);
		else
			fputc(c < ' ' || c == 127 ? '?' : c, to);
	}
}

static void github_line(FILE *to, const char *level, const char *file, unsigned line,
			const char *text)
{
	fprintf(to, "::%s ", level);
	if (file) {
		fputs("file=", to);
		put_command(to, file, true);
		fprintf(to, ",line=%u,", line);
	}
	fputs("title=cutrace::", to);
	put_command(to, text, false);
	fputc('\n', to);
}

void ct_report_diff_github(const struct ct_diff *diff, const struct ct_diff_notes *notes, FILE *to)
{
	const char *level = notes->failed ? "error" : "warning", *file;
	char text[TEXT_BYTES];
	unsigned line = 0;

	if (notes->why)
		github_line(to, "error", NULL, 0, notes->why);
	for (unsigned bit = 1; bit <= CT_DIFF_UNLIKE_LAST; bit <<= 1)
		if (diff->unlike & bit)
			github_line(to, "warning", NULL, 0, ct_report_unlike((enum ct_diff_unlike)bit));
	ct_report_diff_result(diff, text, sizeof(text));
	github_line(to, notes->failed ? "error" : ct_diff_regressed(diff) ? "warning" : "notice", NULL,
		    0, text);
	for (size_t i = 0; i < diff->sites.count; i++) {
		const struct ct_diff_site *site = &diff->sites.at[i];

		if (!site->worse && !site->better)
			continue;
		describe(diff, site, text, sizeof(text));
		file = file_of(site, notes, &line);
		github_line(to, site->worse ? level : "notice", file, line, text);
	}
}

/* Is it a character that XML 1.0 has? (section 2.2; tabs and ends of lines are not wanted here) */
static bool in_xml(const char *text, unsigned length)
{
	unsigned char c = (unsigned char)*text;

	if (length == 3 && c == 0xef && (unsigned char)text[1] == 0xbf)
		return (unsigned char)text[2] < 0xbe;
	return length && c >= ' ' && c != 127;
}

static void put_xml(FILE *to, const char *text)
{
	while (*text) {
		unsigned length = ct_utf8_length(text);

		if (!in_xml(text, length))
			fputc('?', to);
		else if (strchr("&<>\"'", *text))
			fprintf(to, "&#%d;", *text);
		else
			fwrite(text, 1, length, to);
		text += length ? length : 1;
	}
}

static void attribute(FILE *to, const char *name, const char *text)
{
	fprintf(to, " %s=\"", name);
	put_xml(to, text);
	fputc('"', to);
}

/* The inside of a test case: what it says, and whether that is a failure. */
static void put_outcome(FILE *to, bool failed, const char *text)
{
	fputs(failed ? "><failure type=\"regression\"" : "><system-out>", to);
	if (failed)
		attribute(to, "message", text);
	else
		put_xml(to, text);
	fputs(failed ? "/></testcase>\n" : "</system-out></testcase>\n", to);
}

static void junit_figure(const struct ct_diff *diff, int what, bool gate, FILE *to)
{
	const struct ct_diff_figure *figure = &diff->run[what];
	char text[TEXT_BYTES];

	fputs("<testcase classname=\"cutrace.run\"", to);
	attribute(to, "name", ct_diff_name((enum ct_diff_what)what));
	if (!figure->known) {
		fputs("><skipped message=\"not compared\"/></testcase>\n", to);
		return;
	}
	put_figure(text, sizeof(text), figure, ct_diff_name((enum ct_diff_what)what));
	put_outcome(to, gate && figure->verdict == CT_DIFF_WORSE, text);
}

static void junit_site(const struct ct_diff *diff, const struct ct_diff_site *site,
		       const struct ct_diff_notes *notes, FILE *to)
{
	unsigned line = 0;
	const char *file = file_of(site, notes, &line);
	char text[TEXT_BYTES];

	snprintf(text, sizeof(text), "%s at %s", site->call, place_of(site));
	fputs("<testcase classname=\"cutrace.callsite\"", to);
	attribute(to, "name", text);
	if (file) {
		attribute(to, "file", file);
		fprintf(to, " line=\"%u\"", line);
	}
	describe(diff, site, text, sizeof(text));
	put_outcome(to, notes->failed && site->worse, text);
}

/* What runs are unlike in, and how it was tested. */
static void junit_properties(const struct ct_diff *diff, FILE *to)
{
	char text[TEXT_BYTES];

	fputs("<properties>\n", to);
	for (unsigned bit = 1; bit <= CT_DIFF_UNLIKE_LAST; bit <<= 1) {
		if (!(diff->unlike & bit))
			continue;
		fputs("<property name=\"unlike\"", to);
		attribute(to, "value", ct_report_unlike((enum ct_diff_unlike)bit));
		fputs("/>\n", to);
	}
	ct_report_diff_test(diff, text, sizeof(text));
	fputs("<property name=\"test\"", to);
	attribute(to, "value", text);
	fputs("/>\n</properties>\n", to);
}

/* The counts that a test suite begins with. */
static void junit_suite(const struct ct_diff *diff, const struct ct_diff_notes *notes, FILE *to)
{
	size_t tests = CT_DIFF_LOST + 1 + (notes->why != NULL), failures = 0, skipped = 0;

	for (int what = 0; what <= CT_DIFF_LOST; what++) {
		skipped += !diff->run[what].known;
		failures += notes->failed && diff->run[what].verdict == CT_DIFF_WORSE;
	}
	for (size_t i = 0; i < diff->sites.count; i++) {
		tests += diff->sites.at[i].worse || diff->sites.at[i].better;
		failures += notes->failed && diff->sites.at[i].worse;
	}
	fprintf(to, "<testsuite name=\"cutrace diff\" tests=\"%zu\" failures=\"%zu\" errors=\"%d\" "
		"skipped=\"%zu\">\n", tests, failures, notes->why != NULL, skipped);
}

void ct_report_diff_junit(const struct ct_diff *diff, const struct ct_diff_notes *notes, FILE *to)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", to);
	junit_suite(diff, notes, to);
	junit_properties(diff, to);
	if (notes->why) {
		fputs("<testcase classname=\"cutrace.run\" name=\"judgement\"><error", to);
		attribute(to, "message", notes->why);
		fputs("/></testcase>\n", to);
	}
	for (int what = 0; what <= CT_DIFF_LOST; what++)
		junit_figure(diff, what, notes->failed, to);
	for (size_t i = 0; i < diff->sites.count; i++)
		if (diff->sites.at[i].worse || diff->sites.at[i].better)
			junit_site(diff, &diff->sites.at[i], notes, to);
	fputs("</testsuite>\n</testsuites>\n", to);
}
