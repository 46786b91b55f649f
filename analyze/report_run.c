/* SPDX-License-Identifier: Apache-2.0 */
/* The report of several processes: the rank the others wait for, each process, call sites. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "analyze/report.h"
#include "analyze/run.h"

#define PROCESSES_SHOWN 32
#define PROCESSES_SLOWEST 8 /* of more, and in a summary */
#define SITES_SHOWN 10
#define SITES_SUMMARY 3
#define WORTH_NS 50000 /* as in report_text.c: less is not worth a line */
#define LABEL_WIDTH 8
#define INDENT "          "

static size_t count_hosts(const struct ct_run *run)
{
	size_t hosts = 0;

	for (size_t i = 0; i < run->processes.count; i++) {
		size_t first = 0;

		while (strcmp(run->processes.at[first].host, run->processes.at[i].host) != 0)
			first++;
		hosts += first == i;
	}
	return hosts;
}

static void print_title(const struct ct_run *run, FILE *to)
{
	time_t when = (time_t)(run->begin_ns / 1000000000u);
	char date[32] = "", span[16], count[48], all[48];
	const char *hosts = run->processes.at[0].host;
	struct ct_names programs = { 0 };
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	for (size_t i = 0; i < run->processes.count; i++) {
		size_t first = 0;

		while (strcmp(run->processes.at[first].program, run->processes.at[i].program) != 0)
			first++;
		if (first == i)
			ct_names_add(&programs, run->processes.at[i].program);
	}
	if (count_hosts(run) > 1 || !*hosts)
		hosts = ct_report_count(count_hosts(run), "host", count);
	ct_report_wrapped(to, "", INDENT, "cutrace: %s (%s) on %s, %s, %s from the first CUDA call to "
			  "the last work", ct_report_count(run->processes.count, "process", all),
			  ct_names_text(&programs), hosts, date,
			  ct_report_time(run->end_ns - run->begin_ns, span));
}

/* A trace that was copied, as with `cp -r`; in their order copies are neighbours. */
static void print_copies(const struct ct_run *run, FILE *to)
{
	const struct ct_process *p = run->processes.at;
	struct ct_names names = { 0 };

	for (size_t i = 1; i < run->processes.count; i++)
		if (ct_process_same(&p[i - 1], &p[i]))
			ct_names_add(&names, p[i].directory);
	if (names.count)
		ct_report_wrapped(to, "TWICE     ", INDENT, "%s: of a process whose trace is here before, a copy "
				  "most likely. It was taken for another process: leave it out",
				  ct_names_text(&names));
}

/* One comparison of the slowest process with the others, if there is something in it. */
static void print_versus(FILE *to, const char *what, struct ct_versus versus, const char *detail)
{
	char mine[16], others[16];

	ct_report_wrapped(to, "    ", "                ", "%-11s %s%s, the others %s", what, detail,
			  ct_report_time(versus.mine, mine), ct_report_time(versus.others, others));
}

static void print_cause(const struct ct_run *run, FILE *to)
{
	const struct ct_slowest *s = &run->slowest;
	const struct ct_run_site *site = s->site == CT_NONE ? NULL : &run->sites.at[s->site];
	char detail[CT_NAME_BYTES], calls[48];

	if (s->part != CT_PART_COUNT) {
		snprintf(detail, sizeof(detail), "%s ", ct_part_names[s->part]);
		print_versus(to, "class", s->part_ns, detail);
	}
	if (site) {
		snprintf(detail, sizeof(detail), "%s at %s, %s took ", site->call, site->where,
			 ct_report_count(s->site_calls, "call", calls));
		print_versus(to, "call site", s->site_ns, detail);
	}
	if (s->device_known)
		print_versus(to, "device", s->work_ns, "work other than communication ");
	if (run->basis == CT_RUN_COMMUNICATION)
		print_versus(to, "waiting", s->comm_ns, "only communication kernels ran for ");
	if (s->device_known)
		print_versus(to, "outside", s->outside_ns, "neither in CUDA calls nor with device work ");
	if (ct_run_excess(s->late_ns) >= CT_SLOWEST_LEAST_NS)
		print_versus(to, "start", s->late_ns, "later than the first of them by ");
}

/* What "own time" means in this run. */
static void print_basis(const struct ct_run *run, FILE *to)
{
	struct ct_names left_out = { 0 };
	size_t graphs = 0, dark = 0;
	char count[48];

	for (size_t i = 0; i < run->processes.count; i++) {
		if (!run->processes.at[i].compared)
			ct_names_add(&left_out, run->processes.at[i].label);
		graphs += run->processes.at[i].graph_ops > 0;
		dark += run->processes.at[i].compared && !run->processes.at[i].has_device;
	}
	if (run->basis == CT_RUN_CUDA)
		ct_report_wrapped(to, "    ", "    ", "Own time: in CUDA calls or with the device at work, and "
				  "all time after every other process had ended. Other time between CUDA calls "
				  "is left out: no communication kernels were seen, so it may be a wait for "
				  "another process.");
	else
		ct_report_wrapped(to, "    ", "    ", "Own time: from the first CUDA call of them all to the process's "
				  "last work, less the time in which only communication kernels ran on its "
				  "device. One that comes to a collective early waits there; for the last one "
				  "the others wait. Class and call site leave such waits out.");
	if (dark)
		ct_report_wrapped(to, "    ", "    ", "Of %s the device times are not known, or in part only: they "
				  "are missing in the own time.", ct_report_count(dark, "process", count));
	if (left_out.count)
		ct_report_wrapped(to, "    ", "    ", "%s %s not compared (%s): not at work at the same time as the "
				  "others, without a rank where others have one, known in part "
				  "(CUTRACE_LIMIT)%s.", ct_report_count(left_out.count, "process", count),
				  left_out.count == 1 ? "was" : "were", ct_names_text(&left_out),
				  run->basis == CT_RUN_CUDA ? "" : ", or without communication kernels");
	if (graphs)
		ct_report_wrapped(to, "    ", "    ", "CUDA graphs were launched: they count as work, with the "
				  "communication kernels that may be in them.");
	if (count_hosts(run) > 1)
		ct_report_wrapped(to, "    ", "    ", "Times of different hosts were compared by their clocks of "
				  "day, which may differ.");
}

static bool any_cut_short(const struct ct_run *run)
{
	for (size_t i = 0; i < run->processes.count; i++)
		if (run->processes.at[i].cut_short)
			return true;
	return false;
}

static void print_slowest(const struct ct_run *run, FILE *to)
{
	const struct ct_slowest *s = &run->slowest;
	char mine[16], others[16];

	if (run->processes.count < 2)
		return;
	if (run->basis == CT_RUN_NOTHING) {
		ct_report_wrapped(to, "", "", "Slowest: cannot be said; no two of these processes ran at the "
				  "same time%s.", any_cut_short(run)
				  ? " and are known as a whole (CUTRACE_LIMIT)" : "");
		return;
	}
	if (s->process == CT_NONE) {
		ct_report_wrapped(to, "", "", "Slowest: none stands out; the most own time is %s, the median of "
				  "the others %s.", ct_report_time(s->own_ns.mine, mine),
				  ct_report_time(s->own_ns.others, others));
	} else {
		ct_report_wrapped(to, "", "    ", "Slowest: %s with %s of its own; the median of the others is %s.",
				  run->processes.at[s->process].label,
				  ct_report_time(s->own_ns.mine, mine),
				  ct_report_time(s->own_ns.others, others));
		print_cause(run, to);
	}
	print_basis(run, to);
}

/* The process with the n-th most own time, from 0. */
static size_t nth_slowest(const struct ct_run *run, size_t n)
{
	for (size_t i = 0; i < run->processes.count; i++) {
		uint64_t own_ns = run->processes.at[i].own_ns;
		size_t before = 0;

		for (size_t k = 0; k < run->processes.count; k++)
			before += run->processes.at[k].own_ns > own_ns ||
				  (run->processes.at[k].own_ns == own_ns && k < i);
		if (before == n)
			return i;
	}
	return 0;
}

/* Who it is, and its blocked time by class. */
static void print_details(const struct ct_process *p, FILE *to)
{
	char text[1024] = "", time[16];
	size_t n = 0;

	for (int part = 0; part < CT_PART_COUNT; part++) {
		if (part == CT_PART_TOOL || part == CT_PART_DRIVER_WORK || p->parts[part] < WORTH_NS)
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %s", n ? ", " : "",
				      ct_part_names[part], ct_report_time(p->parts[part], time));
	}
	if (p->comm_wait_ns >= WORTH_NS)
		snprintf(text + n, sizeof(text) - n, " (%s of device_wait while only communication kernels ran)",
			 ct_report_time(p->comm_wait_ns, time));
	ct_report_wrapped(to, "      ", "      ", "%s (pid %u)%s%s%s%s", p->program, p->pid,
			  *p->host ? " on " : "", p->host, n ? ": blocked in " : "", text);
}

static void print_process(const struct ct_process *p, int width, FILE *to)
{
	char span[16], own[16] = "-", busy[16] = "?", blocked[16], lost[16] = "?", things[48];
	unsigned unseen = ct_report_count_unseen(p);

	if (p->compared)
		ct_report_time(p->own_ns, own);
	if (p->has_device) {
		ct_report_time(p->busy_ns, busy);
		ct_report_lost(p->serialized_ns, false, lost);
	}
	fprintf(to, "  %-*s %9s %9s %9s %9s %9s   %s\n", width, p->label,
		ct_report_time(p->end_ns - p->begin_ns, span), own, busy,
		ct_report_time(p->blocked_ns, blocked), lost,
		unseen ? ct_report_count(unseen, "thing", things) : "nothing");
}

/* All of them by rank or, of many, how they spread and those with most time of their own. */
static void print_processes(const struct ct_run *run, bool summary, FILE *to)
{
	size_t count = run->processes.count, shown = count;
	size_t chosen[PROCESSES_SHOWN];
	int width = LABEL_WIDTH;

	if (count > (summary ? PROCESSES_SLOWEST : PROCESSES_SHOWN))
		shown = PROCESSES_SLOWEST;
	for (size_t n = 0; n < shown; n++) {
		chosen[n] = shown < count ? nth_slowest(run, n) : n;
		if ((int)strlen(run->processes.at[chosen[n]].label) > width)
			width = (int)strlen(run->processes.at[chosen[n]].label);
	}
	fprintf(to, "\nProcesses%s\n  %-*s %9s %9s %9s %9s %9s   %s\n", shown < count ? ", and those "
		"with most time of their own" : "", width, "process", "span", "own", "device", "blocked",
		"lost", "not seen");
	if (shown < count)
		ct_report_run_spread(run, width, to);
	for (size_t n = 0; n < shown; n++) {
		print_process(&run->processes.at[chosen[n]], width, to);
		if (!summary)
			print_details(&run->processes.at[chosen[n]], to);
	}
	if (shown < count)
		fprintf(to, "  and %zu more (`cutrace report --output DIR` writes all to ranks.csv)\n",
			count - shown);
}

static void print_site(const struct ct_run *run, const struct ct_run_site *site, FILE *to)
{
	char min[16], middle[16], max[16], lost[16], head[80], calls[48];

	snprintf(head, sizeof(head), "  %6u %9s %9s %9s %9s  ", site->processes,
		 ct_report_lost(site->lost_ns, site->judged, lost), ct_report_time(site->min_ns, min),
		 ct_report_time(site->median_ns, middle), ct_report_time(site->max_ns, max));
	ct_report_wrapped(to, head, "       ", "%s at %s", site->call, site->where);
	ct_report_wrapped(to, "       ", "       ", "%s; worst in %s, mostly %s",
			  ct_report_count(site->calls, "call", calls),
			  run->processes.at[site->worst].label, ct_part_names[site->part]);
	if (*site->remedy)
		ct_report_wrapped(to, "       ", "       ", "instead: %s", site->remedy);
}

static void print_sites(const struct ct_run *run, size_t limit, FILE *to)
{
	size_t shown = 0;

	for (size_t i = 0; i < run->sites.count && shown < limit; i++) {
		if (run->sites.at[i].blocked_ns < WORTH_NS && run->sites.at[i].lost_ns < WORTH_NS)
			continue;
		if (!shown++)
			fprintf(to, "\nCall sites of all processes, by time blocked (least, median and most of one "
				"process)\n%s   ranks      lost     least    median      most  call and place\n",
				any_cut_short(run) ? "of a flight recorder (CUTRACE_LIMIT) only in the part "
				"that was kept\n" : "");
		print_site(run, &run->sites.at[i], to);
	}
}

/* Where to read on. */
static void print_directories(const struct ct_run *run, FILE *to)
{
	struct ct_names names = { 0 };

	for (size_t i = 0; i < run->processes.count; i++)
		ct_names_add(&names, run->processes.at[i].directory);
	fputc('\n', to);
	ct_report_wrapped(to, "", INDENT, "cutrace: the report of each process is report.txt in %s; `cutrace "
			  "report` with all of these directories prints the whole report of the run",
			  ct_names_text(&names));
}

void ct_report_run(const struct ct_run *run, bool summary_only, FILE *to)
{
	if (!run->processes.count)
		return;
	print_title(run, to);
	ct_report_run_filter(run, to);
	ct_report_run_coverage(run, to);
	print_copies(run, to);
	if (run->filter) {
		ct_report_run_shown(run, to);
		print_sites(run, SITES_SHOWN, to);
		fprintf(to, "\nOf the whole run, whatever is left out:");
	}
	fputc('\n', to);
	print_slowest(run, to);
	ct_report_run_late(run, to);
	ct_report_run_nccl(run, summary_only, to);
	print_processes(run, summary_only, to);
	if (!run->filter)
		print_sites(run, summary_only ? SITES_SUMMARY : SITES_SHOWN, to);
	if (summary_only)
		print_directories(run, to);
}
