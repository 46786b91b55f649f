/* SPDX-License-Identifier: Apache-2.0 */
/* What a filtered report leaves out: said first, so that no sum is taken for the run's. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/csv.h"
#include "analyze/report.h"
#include "analyze/run.h"

#define INDENT "          "
#define SHOWN 32      /* processes in the table */
#define LABEL_WIDTH 8

/* The conditions, as a sentence is built of clauses. */
struct clauses {
	char text[1024];
	size_t used;
};

static void __attribute__((format(printf, 2, 3))) add(struct clauses *c, const char *format, ...)
{
	size_t room = sizeof(c->text) - c->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(c->text + c->used, room, format, args);
	va_end(args);
	c->used = n < 0 || (size_t)n >= room ? sizeof(c->text) - 1 : c->used + (size_t)n;
}

static void describe(const struct ct_filter *filter, struct clauses *c)
{
	char text[16];

	if (filter->only)
		add(c, "of %.400s", filter->only);
	if (filter->nvtx)
		add(c, "%sin NVTX ranges %.400s", c->used ? ", " : "", filter->nvtx);
	if (filter->min_blocked_ns)
		add(c, "%sblocked for %s or more", c->used ? ", " : "",
		    ct_report_time(filter->min_blocked_ns, text));
	if (filter->from_ns || filter->to_ns)
		add(c, "%sunder way from %s", c->used ? ", " : "", ct_report_time(filter->from_ns, text));
	if (filter->to_ns)
		add(c, " to %s", ct_report_time(filter->to_ns, text));
}

/* Calls, and for how long they were blocked. */
struct sum {
	uint64_t calls, blocked_ns;
};

static void print_sums(const struct ct_filter *filter, struct sum all, struct sum shown, FILE *to)
{
	char calls[48], left[48], some[16], whole[16], rest[16];
	struct clauses clauses = { .used = 0 };

	describe(filter, &clauses);
	ct_report_wrapped(to, "filter    ", INDENT, "only calls %s", clauses.text);
	ct_report_wrapped(to, INDENT, INDENT, "shown: %" PRIu64 " of %s, blocked %s of %s; left out: %s, "
			  "blocked %s", shown.calls, ct_report_count(all.calls, "call", calls),
			  ct_report_time(shown.blocked_ns, some), ct_report_time(all.blocked_ns, whole),
			  ct_report_count(all.calls - shown.calls, "call", left),
			  ct_report_time(all.blocked_ns - shown.blocked_ns, rest));
	if (!shown.calls && all.calls)
		ct_report_wrapped(to, INDENT, INDENT, "no call passes: `cutrace stats --report calls` lists "
				  "the names that there are, a report without filters times and ranges");
}

void ct_report_filter(const struct ct_analysis *a, FILE *to)
{
	const struct ct_totals *all = &a->totals, *shown = &a->shown;
	char some[16], whole[16];

	if (!a->filter)
		return;
	print_sums(a->filter, (struct sum){ all->calls, all->blocked_ns },
		   (struct sum){ shown->calls, shown->blocked_ns }, to);
	if (a->model->has_device)
		ct_report_wrapped(to, INDENT, INDENT, "lost by operations that calls shown delayed: %s "
				  "(serialized.csv); by the run in all: %s. Causes were looked for in the whole "
				  "run", ct_report_time(shown->pairs_lost_ns, some),
				  ct_report_time(a->serialization->lost_ns, whole));
}

void ct_report_run_filter(const struct ct_run *run, FILE *to)
{
	struct sum all = { 0 }, shown = { 0 };

	if (!run->filter)
		return;
	for (size_t i = 0; i < run->processes.count; i++) {
		const struct ct_process *p = &run->processes.at[i];

		all.calls += p->calls;
		all.blocked_ns += p->blocked_ns;
		shown.calls += p->shown.calls;
		shown.blocked_ns += p->shown.blocked_ns;
	}
	print_sums(run->filter, all, shown, to);
}

/* The class of most of the time that the calls shown were blocked; CT_PART_COUNT: they were not. */
static enum ct_part worst_of(const struct ct_process_shown *shown)
{
	enum ct_part worst = CT_PART_COUNT;

	for (int part = 0; part < CT_PART_COUNT; part++)
		if (part != CT_PART_DRIVER_WORK && part != CT_PART_TOOL && shown->parts[part] &&
		    (worst == CT_PART_COUNT || shown->parts[part] > shown->parts[worst]))
			worst = (enum ct_part)part;
	return worst;
}

static int by_blocked(const void *a, const void *b)
{
	const struct ct_process *x = *(const struct ct_process *const *)a;
	const struct ct_process *y = *(const struct ct_process *const *)b;

	if (x->shown.blocked_ns != y->shown.blocked_ns)
		return x->shown.blocked_ns > y->shown.blocked_ns ? -1 : 1;
	return x < y ? -1 : 1;
}

/* Those whose calls shown were blocked longest, with this much room. Returns how many there are. */
static size_t choose(const struct ct_run *run, const struct ct_process **ret, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < run->processes.count; i++) {
		const struct ct_process *p = &run->processes.at[i];

		if (count == room && by_blocked(&p, &ret[count - 1]) > 0)
			continue;
		count -= count == room;
		ret[count++] = p;
		qsort(ret, count, sizeof(*ret), by_blocked);
	}
	return count;
}

void ct_report_run_shown(const struct ct_run *run, FILE *to)
{
	const struct ct_process *chosen[SHOWN];
	size_t count = choose(run, chosen, SHOWN);
	int width = LABEL_WIDTH;
	char blocked[16], lost[16];

	for (size_t i = 0; i < count; i++)
		width = (int)strlen(chosen[i]->label) > width ? (int)strlen(chosen[i]->label) : width;
	fprintf(to, "\nProcesses, by time blocked in the calls shown\n  %-*s %8s %9s %9s   %s\n", width, "process",
		"calls", "blocked", "lost", "mostly");
	for (size_t i = 0; i < count; i++) {
		const struct ct_process_shown *shown = &chosen[i]->shown;
		enum ct_part worst = worst_of(shown);

		fprintf(to, "  %-*s %8" PRIu64 " %9s %9s   %s\n", width, chosen[i]->label, shown->calls,
			ct_report_time(shown->blocked_ns, blocked),
			chosen[i]->has_device ? ct_report_lost(shown->lost_ns, false, lost) : "?",
			worst == CT_PART_COUNT ? "not blocked" : ct_part_names[worst]);
	}
	if (count < run->processes.count)
		fprintf(to, "  and %zu more (with --output DIR, ranks_shown.csv has them all)\n",
			run->processes.count - count);
}

void ct_report_run_shown_csv(const void *of, FILE *to)
{
	const struct ct_run *run = of;
	struct ct_csv csv = { .to = to };

	ct_csv_header(&csv, "Process,Directory,Calls,Total (ns),Blocked (ns),Device Wait (ns),Lock Wait (ns),"
		      "Queue Full (ns),Transfer (ns),First Use (ns),Tool (ns),Driver Work (ns),"
		      "Unexplained (ns),Lost (ns)");
	for (size_t i = 0; i < run->processes.count; i++) {
		const struct ct_process *p = &run->processes.at[i];

		ct_csv_text(&csv, p->label);
		ct_csv_text(&csv, p->directory);
		ct_csv_number(&csv, p->shown.calls);
		ct_csv_number(&csv, p->shown.call_ns);
		ct_csv_number(&csv, p->shown.blocked_ns);
		for (int part = 0; part < CT_PART_COUNT; part++)
			ct_csv_number(&csv, p->shown.parts[part]);
		if (p->has_device)
			ct_csv_number(&csv, p->shown.lost_ns);
		else
			ct_csv_none(&csv);
		ct_csv_end_row(&csv);
	}
}
