/* SPDX-License-Identifier: Apache-2.0 */
/* Two sets of runs compared, as a table for people. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/report_diff.h"

#define SITES_SHOWN 15 /* of each kind */
#define INDENT "          "
#define COLUMNS "    before  spread     after  spread    change        p"

static int by_rank(const void *a, const void *b)
{
	const struct ct_process *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return strcmp(x->directory, y->directory);
}

/* What was seen of a side's processes, each called by its directory. */
static void print_coverage(const struct ct_diff_side *side, FILE *to)
{
	struct ct_run all = { 0 };

	for (size_t i = 0; i < side->processes.count; i++) {
		struct ct_process p = side->processes.at[i];
		size_t length = strlen(p.directory), room = sizeof(p.label) - 1;

		snprintf(p.label, sizeof(p.label), "%s",
			 p.directory + (length > room ? length - room : 0));
		if (CT_PUSH(&all.processes, p) < 0)
			break;
	}
	if (all.processes.count == side->processes.count) {
		qsort(all.processes.at, all.processes.count, sizeof(*all.processes.at), by_rank);
		ct_report_run_coverage(&all, to);
	} else {
		fputs("NOT seen  what was not: no memory to list it\n", to);
	}
	free(all.processes.at);
}

/* Each text of a side's processes once: their programs, or GPUs. */
static void name_each(const struct ct_diff_side *side, size_t offset, struct ct_names *names)
{
	for (size_t i = 0; i < side->processes.count; i++) {
		const char *text = *(char *const *)((const char *)&side->processes.at[i] + offset);
		size_t first = 0;

		while (strcmp(*(char *const *)((const char *)&side->processes.at[first] + offset), text))
			first++;
		if (first == i)
			ct_names_add(names, *text ? text : "not known");
	}
}

static void print_side(const struct ct_diff *diff, int s, FILE *to)
{
	const struct ct_diff_side *side = &diff->sides[s];
	struct ct_names programs = { 0 }, gpus = { 0 };
	size_t least = SIZE_MAX, most = 0;
	char runs[48], processes[48], range[48] = "";

	for (size_t i = 0; i < side->runs.count; i++) {
		least = side->runs.at[i].count < least ? side->runs.at[i].count : least;
		most = side->runs.at[i].count > most ? side->runs.at[i].count : most;
	}
	if (least != most)
		snprintf(range, sizeof(range), "%zu to ", least);
	name_each(side, offsetof(struct ct_process, program), &programs);
	name_each(side, offsetof(struct ct_process, gpus), &gpus);
	ct_report_wrapped(to, s == CT_BEFORE ? "before    " : "after     ", INDENT,
			  "%s: %s of %s%s, %s; GPUs: %s", side->name,
			  ct_report_count(side->runs.count, "run", runs), range,
			  ct_report_count(most, "process", processes), ct_names_text(&programs), ct_names_text(&gpus));
	print_coverage(side, to);
}

const char *ct_report_unlike(enum ct_diff_unlike unlike)
{
	switch (unlike) {
	case CT_DIFF_PROGRAMS:
		return "not all runs are of the same program";
	case CT_DIFF_GPUS:
		return "not all runs were on the same GPUs";
	case CT_DIFF_PROCESSES:
		return "not all runs have as many processes: what is added up is of more of them";
	case CT_DIFF_RECORDING:
		return "not all runs were recorded alike (CUTRACE_MODE, or device times of some only): "
		       "nothing but durations is compared";
	case CT_DIFF_INCOMPLETE:
		return "some traces do not tell all of their run (NOT seen, above): their figures may be "
		       "too small";
	default:
		return "lost time is not compared: it takes device times of the whole run, and was to be "
		       "worked out for every call site";
	}
}

static void print_unlike(const struct ct_diff *diff, FILE *to)
{
	bool printed = false;

	for (unsigned bit = 1; bit <= CT_DIFF_UNLIKE_LAST; bit <<= 1) {
		if (!(diff->unlike & bit))
			continue;
		ct_report_wrapped(to, printed ? INDENT : "UNLIKE    ", INDENT, "%s",
				  ct_report_unlike((enum ct_diff_unlike)bit));
		printed = true;
	}
}

void ct_report_diff_test(const struct ct_diff *diff, char *ret, size_t size)
{
	if (diff->tested)
		snprintf(ret, size, "Welch's t-test, two-sided; better and worse need p < %.2f after Holm's "
			 "correction (tests: %zu of the run, %zu of classes and call sites), and more than %g %% of "
			 "what was before", CT_DIFF_LEVEL, diff->tests_run, diff->tests_sites,
			 diff->percent);
	else
		snprintf(ret, size, "none: significance takes %d runs or more on each side, here are %zu and "
			 "%zu. Better and worse are what differs by more than %g %%, which may be chance",
			 CT_DIFF_RUNS, diff->sides[CT_BEFORE].runs.count,
			 diff->sides[CT_AFTER].runs.count, diff->percent);
}

static const char *verdict_name(enum ct_diff_verdict verdict)
{
	return verdict == CT_DIFF_WORSE ? "  worse" : verdict == CT_DIFF_BETTER ? "  better" : "";
}

const char *ct_report_change(const struct ct_diff_figure *figure, char ret[16])
{
	double percent = ct_diff_percent(figure);

	if (isnan(percent) || (percent > -0.05 && percent < 0.05))
		return "0 %";
	if (isinf(percent))
		return "from 0";
	snprintf(ret, 16, "%+.*f %%", fabs(percent) < 99.95 ? 1 : 0, fmin(percent, 999999));
	return ret;
}

/* The standard deviation in percent of the mean. */
static const char *spread(const struct ct_moments *m, char ret[16])
{
	if (m->count < 2)
		return "";
	snprintf(ret, 16, "%.1f %%", m->mean > 0 ? 100 * sqrt(m->variance) / m->mean : 0);
	return ret;
}

static const char *value(double mean, bool number, char ret[16])
{
	if (!number)
		return ct_report_time((uint64_t)(mean + 0.5), ret);
	snprintf(ret, 16, "%.*f", fabs(mean - round(mean)) < 0.05 ? 0 : 1, mean);
	return ret;
}

static void print_figure(const char *name, const struct ct_diff_figure *figure, bool number, FILE *to)
{
	const struct ct_moments *b = &figure->side[CT_BEFORE], *a = &figure->side[CT_AFTER];
	char before[16], after[16], first[16], second[16], change[16], p[16] = "";

	if (!figure->known) {
		fprintf(to, "    %-13s not compared\n", name);
		return;
	}
	if (!isnan(figure->p))
		snprintf(p, sizeof(p), figure->p < 0.001 ? "  <0.001" : "%8.3f", figure->p);
	else if (figure->verdict > CT_DIFF_SAME)
		snprintf(p, sizeof(p), "%8s", "");
	fprintf(to, "    %-13s %9s %7s %9s %7s %9s%s%s\n", name, value(b->mean, number, before),
		spread(b, first), value(a->mean, number, after), spread(a, second),
		ct_report_change(figure, change), p, verdict_name(figure->verdict));
}

static void print_run(const struct ct_diff *diff, FILE *to)
{
	fprintf(to, "\nThe run           " COLUMNS "\n");
	for (int what = 0; what < CT_DIFF_PARTS; what++)
		print_figure(what == CT_DIFF_TOTAL ? "in calls" : ct_diff_name((enum ct_diff_what)what),
			     &diff->run[what], what == CT_DIFF_CALLS, to);
}

static void print_classes(const struct ct_diff *diff, FILE *to)
{
	bool printed = false;

	for (int class = 0; class < CT_PART_COUNT; class++) {
		const struct ct_diff_class *c = &diff->classes[class];

		if (!c->ns.known || (!c->calls.side[CT_BEFORE].mean && !c->calls.side[CT_AFTER].mean))
			continue;
		if (!printed)
			fprintf(to, "\nClasses, and calls that have some\n");
		printed = true;
		print_figure(ct_part_names[class], &c->ns, false, to);
		print_figure("  calls", &c->calls, true, to);
	}
}

/* How it was found again, for behind its place. */
static void print_place(const struct ct_diff_site *site, FILE *to)
{
	const char *before = site->where[CT_BEFORE], *after = site->where[CT_AFTER];
	char how[CT_NAME_BYTES] = "";

	if (site->match == CT_DIFF_NEW)
		snprintf(how, sizeof(how), " (new)");
	else if (site->match == CT_DIFF_GONE)
		snprintf(how, sizeof(how), " (gone)");
	else if (site->match == CT_DIFF_MOVED)
		snprintf(how, sizeof(how), " (before: %s; matched by order)", before);
	else if (site->match == CT_DIFF_TOGETHER)
		snprintf(how, sizeof(how), " and the like, added up: %u such places before, %u after, and "
			 "which is which is not known", site->places[CT_BEFORE], site->places[CT_AFTER]);
	ct_report_wrapped(to, "  ", "      ", "%s at %s%s", site->call, after ? after : before, how);
}

static bool matters(const struct ct_diff_figure *figure)
{
	double by = figure->side[CT_AFTER].mean - figure->side[CT_BEFORE].mean;

	return figure->verdict > CT_DIFF_SAME || (figure->known && fabs(by) >= CT_DIFF_LEAST_NS);
}

static void print_site(const struct ct_diff_site *site, FILE *to)
{
	print_place(site, to);
	for (int what = CT_DIFF_BLOCKED; what < CT_DIFF_FIGURES; what++)
		if (what == CT_DIFF_CALLS || matters(&site->figures[what]))
			print_figure(ct_diff_name((enum ct_diff_what)what), &site->figures[what],
				     what == CT_DIFF_CALLS, to);
}

/* Call sites that got worse, or those that only got better. */
static size_t print_sites(const struct ct_diff *diff, bool worse, FILE *to)
{
	size_t count = 0;

	for (size_t i = 0; i < diff->sites.count; i++) {
		const struct ct_diff_site *site = &diff->sites.at[i];

		if (worse ? !site->worse : !site->better || site->worse)
			continue;
		if (!count)
			fprintf(to, "\nCall sites that got %s, largest change first\n                  " COLUMNS
				"\n", worse ? "worse" : "better");
		if (count++ < SITES_SHOWN)
			print_site(site, to);
	}
	if (count > SITES_SHOWN)
		fprintf(to, "  and %zu more: --format csv has all\n", count - SITES_SHOWN);
	return count;
}

/* Is one of the places that of all those beyond CT_PROCESS_SITES of a process? */
static bool any_others(const struct ct_diff *diff)
{
	for (size_t i = 0; i < diff->sites.count; i++)
		for (int s = 0; s < CT_SIDES; s++)
			if (diff->sites.at[i].where[s] &&
			    !strcmp(diff->sites.at[i].where[s], CT_PROCESS_OTHERS))
				return true;
	return false;
}

/* What is not listed: places of one side that hardly cost anything, and the rest. */
static void print_rest(const struct ct_diff *diff, FILE *to)
{
	size_t counts[CT_DIFF_NEW + 1] = { 0 }, same = 0;
	char text[48], moved[48] = "", fresh[48] = "", gone[48] = "";

	for (size_t i = 0; i < diff->sites.count; i++)
		if (!diff->sites.at[i].worse && !diff->sites.at[i].better)
			counts[diff->sites.at[i].match]++;
	same = counts[CT_DIFF_EXACT] + counts[CT_DIFF_MOVED] + counts[CT_DIFF_TOGETHER];
	if (counts[CT_DIFF_MOVED])
		snprintf(moved, sizeof(moved), " (%zu at another line)", counts[CT_DIFF_MOVED]);
	if (counts[CT_DIFF_NEW])
		snprintf(fresh, sizeof(fresh), ", %zu new", counts[CT_DIFF_NEW]);
	if (counts[CT_DIFF_GONE])
		snprintf(gone, sizeof(gone), ", %zu gone", counts[CT_DIFF_GONE]);
	ct_report_wrapped(to, "\n", "", "Not listed: %s no different%s%s%s%s; --format csv has all.",
			  ct_report_count(same, "call site", text), moved, fresh, gone,
			  *fresh || *gone ? ", which cost too little to matter" : "");
	if (any_others(diff))
		ct_report_wrapped(to, "", "", "Of a process with more than %d call sites those that cost least are "
				  "added up as " CT_PROCESS_OTHERS ": new and gone ones may be among them.",
				  CT_PROCESS_SITES);
}

/* Figures of the whole run with one verdict: "duration +23.9 %, lost +100 %". */
static bool list_verdicts(const struct ct_diff *diff, enum ct_diff_verdict verdict, char *ret,
			  size_t size)
{
	char change[16];
	size_t used = 0;

	*ret = '\0';
	for (int what = 0; what <= CT_DIFF_LOST; what++)
		if (diff->run[what].verdict == verdict)
			used += (size_t)snprintf(ret + used, size - used, "%s%s %s", used ? ", " : "",
						 ct_diff_name((enum ct_diff_what)what),
						 ct_report_change(&diff->run[what], change));
	return used > 0;
}

void ct_report_diff_result(const struct ct_diff *diff, char *ret, size_t size)
{
	char worse[128], better[128];
	bool is_worse = list_verdicts(diff, CT_DIFF_WORSE, worse, sizeof(worse));
	bool is_better = list_verdicts(diff, CT_DIFF_BETTER, better, sizeof(better));

	if (is_worse || is_better)
		snprintf(ret, size, "The run got %s%s%s%s%s", is_worse ? "worse: " : "", worse,
			 is_worse && is_better ? "; and " : "", is_better ? "better: " : "", better);
	else
		snprintf(ret, size, "The run: no difference beyond %g %% in %s", diff->percent,
			 diff->run[CT_DIFF_LOST].known ? "duration, blocked or lost time"
			 : diff->run[CT_DIFF_BLOCKED].known ? "duration or blocked time; lost time was not "
							      "compared"
							    : "duration; nothing else was compared");
}

void ct_report_diff(const struct ct_diff *diff, FILE *to)
{
	char text[512];

	fprintf(to, "cutrace: what changed between two sets of runs\n");
	for (int s = 0; s < CT_SIDES; s++)
		print_side(diff, s, to);
	print_unlike(diff, to);
	ct_report_diff_test(diff, text, sizeof(text));
	ct_report_wrapped(to, "test      ", INDENT, "%s", text);
	ct_report_diff_result(diff, text, sizeof(text));
	ct_report_wrapped(to, "\n", "    ", "%s.", text);
	print_run(diff, to);
	print_classes(diff, to);
	if (diff->unlike & CT_DIFF_RECORDING)
		return;
	if (print_sites(diff, true, to) + print_sites(diff, false, to) == 0)
		fprintf(to, "\nCall sites: no difference\n");
	print_rest(diff, to);
}
