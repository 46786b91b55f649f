/* SPDX-License-Identifier: Apache-2.0 */
/* Two sets of runs compared, as a table for programs. */
#include <math.h>

#include "analyze/csv.h"
#include "analyze/report_diff.h"

#define FIELDS 16 /* before the note */

const char *ct_report_match(enum ct_diff_match match)
{
	static const char *const names[] = { "exact", "moved", "together", "gone", "new" };

	return names[match];
}

const char *ct_report_verdict(const struct ct_diff_figure *figure)
{
	static const char *const names[] = { "", "same", "better", "worse" };

	return figure->known ? names[figure->verdict] : "not compared";
}

/* A row that says something of the whole comparison. */
static void write_note(struct ct_csv *csv, const char *note)
{
	ct_csv_text(csv, "note");
	for (int i = 1; i < FIELDS; i++)
		ct_csv_none(csv);
	ct_csv_text(csv, note);
	ct_csv_end_row(csv);
}

static void write_notes(const struct ct_diff *diff, struct ct_csv *csv)
{
	char text[512];

	for (int s = 0; s < CT_SIDES; s++)
		for (size_t i = 0; i < diff->sides[s].processes.count; i++) {
			const struct ct_process *p = &diff->sides[s].processes.at[i];

			if (!ct_diff_incomplete(p))
				continue;
			snprintf(text, sizeof(text), "incomplete: %s", p->directory);
			write_note(csv, text);
		}
	for (unsigned bit = 1; bit <= CT_DIFF_UNLIKE_LAST; bit <<= 1)
		if (diff->unlike & bit)
			write_note(csv, ct_report_unlike((enum ct_diff_unlike)bit));
	ct_report_diff_test(diff, text, sizeof(text));
	write_note(csv, text);
	ct_report_diff_result(diff, text, sizeof(text));
	write_note(csv, text);
}

static void moment_fields(struct ct_csv *csv, const struct ct_moments *m, bool known)
{
	ct_csv_number(csv, m->count);
	if (known)
		ct_csv_decimal(csv, m->mean, 1);
	else
		ct_csv_none(csv);
	if (known && m->count > 1)
		ct_csv_decimal(csv, sqrt(m->variance), 1);
	else
		ct_csv_none(csv);
}

static void figure_fields(struct ct_csv *csv, const struct ct_diff_figure *figure)
{
	double percent = ct_diff_percent(figure);

	for (int s = 0; s < CT_SIDES; s++)
		moment_fields(csv, &figure->side[s], figure->known);
	if (figure->known && isfinite(percent))
		ct_csv_decimal(csv, percent, 2);
	else
		ct_csv_none(csv);
	if (isnan(figure->p))
		ct_csv_none(csv);
	else
		ct_csv_decimal(csv, figure->p, 6);
	ct_csv_text(csv, ct_report_verdict(figure));
	ct_csv_none(csv);
	ct_csv_end_row(csv);
}

static const char *unit(int what)
{
	return what == CT_DIFF_CALLS ? "" : "ns";
}

static void write_row(struct ct_csv *csv, const char *scope, const char *name, const char *unit_of,
		      const struct ct_diff_figure *figure)
{
	ct_csv_text(csv, scope);
	for (int i = 0; i < 4; i++)
		ct_csv_none(csv);
	ct_csv_text(csv, name);
	ct_csv_text(csv, unit_of);
	figure_fields(csv, figure);
}

static void write_site(struct ct_csv *csv, const struct ct_diff_site *site)
{
	for (int what = CT_DIFF_BLOCKED; what < CT_DIFF_FIGURES; what++) {
		ct_csv_text(csv, "call site");
		ct_csv_text(csv, site->call);
		ct_csv_text(csv, site->where[CT_BEFORE] ? site->where[CT_BEFORE] : "");
		ct_csv_text(csv, site->where[CT_AFTER] ? site->where[CT_AFTER] : "");
		ct_csv_text(csv, ct_report_match(site->match));
		ct_csv_text(csv, ct_diff_name((enum ct_diff_what)what));
		ct_csv_text(csv, unit(what));
		figure_fields(csv, &site->figures[what]);
	}
}

void ct_report_diff_csv(const struct ct_diff *diff, FILE *to)
{
	struct ct_csv csv = { .to = to };
	char name[64];

	ct_csv_header(&csv, "Scope,Call,Call Site Before,Call Site After,Match,Figure,Unit,Runs Before,"
		      "Mean Before,StdDev Before,Runs After,Mean After,StdDev After,Change (%),P,"
		      "Verdict,Note");
	write_notes(diff, &csv);
	for (int what = 0; what < CT_DIFF_PARTS; what++)
		write_row(&csv, "run", ct_diff_name((enum ct_diff_what)what), unit(what), &diff->run[what]);
	for (int class = 0; class < CT_PART_COUNT; class++) {
		write_row(&csv, "class", ct_part_names[class], "ns", &diff->classes[class].ns);
		snprintf(name, sizeof(name), "calls with %s", ct_part_names[class]);
		write_row(&csv, "class", name, "", &diff->classes[class].calls);
	}
	for (size_t i = 0; !(diff->unlike & CT_DIFF_RECORDING) && i < diff->sites.count; i++)
		write_site(&csv, &diff->sites.at[i]);
}
