/* SPDX-License-Identifier: Apache-2.0 */
/* report.txt: what was seen, how long the host was blocked, by whom, and what it cost. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "analyze/demangle.h"
#include "analyze/device.h"
#include "analyze/report.h"
#include "analyze/seen.h"
#include "analyze/whatif.h"
#include "trace/tame.h"

#define LINE_WIDTH 98
#define SITES_SHOWN 10
#define SITES_SUMMARY 3
#define THREADS_SHOWN 4
#define WORTH_NS 50000    /* a site that blocked or lost less in all is not worth a line */

const char *ct_report_time(uint64_t ns, char ret[16])
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = { { 1000000000, "s" }, { 1000000, "ms" }, { 1000, "us" }, { 1, "ns" } };
	size_t u = 0;
	double value;

	while (u < 3 && ns < units[u].unit)
		u++;
	value = (double)ns / (double)units[u].unit;
	snprintf(ret, 16, "%.*f %s", value >= 100 || u == 3 ? 0 : value >= 10 ? 1 : 2, value,
		 units[u].name);
	return ret;
}

const char *ct_report_lost(uint64_t ns, bool judged, char ret[16])
{
	if (ns || judged)
		return ct_report_time(ns, ret);
	return strcpy(ret, "-");
}

const char *ct_report_count(uint64_t n, const char *noun, char ret[48])
{
	const char *end = *noun && noun[strlen(noun) - 1] == 's' ? "es" : "s"; /* processes */

	snprintf(ret, 48, "%" PRIu64 " %s%s", n, noun, n == 1 ? "" : end);
	return ret;
}

const char *ct_report_things(uint64_t n, const char *things, char ret[CT_THINGS_BYTES])
{
	size_t end = strcspn(things, " ,"), cut = n == 1;

	if (end && things[end] == ' ' && things[end - 1] != 's') /* "device records that ..." */
		end += 1 + strcspn(things + end + 1, " ,");
	if (!end || things[end - 1] != 's')
		cut = 0;
	else if (n == 1 && end > 4 && (strncmp(things + end - 4, "shes", 4) == 0 ||
				       strncmp(things + end - 4, "sses", 4) == 0))
		cut = 2;
	snprintf(ret, CT_THINGS_BYTES, "%" PRIu64 " %.*s%s", n, (int)(end - cut), things, things + end);
	return ret;
}

/* Is this space between a number and its unit? */
static bool before_unit(const char *text, size_t at)
{
	static const char *const units[] = { "s", "ms", "us", "ns", "%", "B", "KiB", "MiB", "GiB" };
	size_t length = strcspn(text + at + 1, " ,;:.)");

	if (!at || text[at - 1] < '0' || text[at - 1] > '9')
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i]) == length && strncmp(units[i], text + at + 1, length) == 0)
			return true;
	return false;
}

void ct_report_wrapped(FILE *to, const char *first, const char *indent, const char *format, ...)
{
	char text[CT_NAME_BYTES + 1024];
	const char *rest = text, *lead = first;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ct_tame(text, '?'); /* directories may have any name, and a long text is cut anywhere */
	while (*rest) {
		size_t width = LINE_WIDTH - strlen(lead), n = strlen(rest);

		if (n > width) {
			n = width;
			while (n > 0 && (rest[n] != ' ' || before_unit(rest, n)))
				n--;
			if (n == 0)
				n = width;
			while ((rest[n] & 0xc0) == 0x80) /* inside a character */
				n--;
		}
		fprintf(to, "%s%.*s\n", lead, (int)n, rest);
		rest += n;
		rest += strspn(rest, " ");
		lead = indent;
	}
}

const char *ct_report_whole(const struct ct_model *model)
{
	if (ct_seen_windows(model))
		return "time from the first call recorded to the last";
	return model->kept_from_ns ? "part kept" : "run";
}

/* One class of waits: how long in all, in how many calls, and where most of it. */
static void print_class(const struct ct_analysis *a, enum ct_part part, FILE *to)
{
	const struct ct_site *most = NULL;
	uint64_t sum = a->shown.parts_ns[part];
	char text[16], count[48];

	for (size_t i = 0; i < a->sites->all.count; i++) {
		const struct ct_site *site = &a->sites->all.at[i];

		if (!most || site->parts[part] > most->parts[part])
			most = site;
	}
	if (sum >= WORTH_NS)
		ct_report_wrapped(to, "  ", "                        ", "%-11s %9s in %s, most in %s at %s",
				  ct_part_names[part], ct_report_time(sum, text),
				  ct_report_count(a->shown.parts_calls[part], "call", count), most->name,
				  most->where);
}

/* Time between the queries of a loop is the program's own, but it waited all the same. */
static void print_polls(const struct ct_totals *totals, FILE *to)
{
	char text[16], count[48];

	if (totals->poll_ns >= WORTH_NS)
		ct_report_wrapped(to, "  ", "                        ",
				  "%-11s %9s more in %s of %" PRIu64 " queries (blocked.csv): the thread "
				  "asked again and again whether work was done",
				  "polling", ct_report_time(totals->poll_ns, text),
				  ct_report_count(totals->polls, "loop", count), totals->poll_queries);
}

/* What CUPTI still says of launches that light leaves alone. */
static void print_outside(const struct ct_model *model, FILE *to)
{
	static const enum ct_part parts[] = { CT_PART_QUEUE_FULL, CT_PART_FIRST_USE };
	char text[16], count[48];

	for (size_t i = 0; ct_seen_partly(model) && i < sizeof(parts) / sizeof(parts[0]); i++) {
		const struct ct_outside *outside = &model->outside[parts[i]];

		if (outside->ns >= WORTH_NS)
			ct_report_wrapped(to, "  ", "                        ",
					  "%-11s %9s more, %s, in launches that were not recorded (%s)",
					  ct_part_names[parts[i]], ct_report_time(outside->ns, text),
					  ct_report_count(outside->count, "time", count),
					  ct_seen_lack(model));
	}
}

static void print_blocked(const struct ct_analysis *a, FILE *to)
{
	char text[16], run[16];
	int calling = 0;

	for (size_t t = 0; t < a->model->threads.count; t++)
		calling += a->model->threads.at[t].shown_calls > 0;
	ct_report_wrapped(to, "", "", "Host threads were blocked%s for %s in CUDA calls (the %s took %s%s)",
			  a->model->has_device ? "" : ", or at work in the driver,",
			  ct_report_time(a->shown.blocked_ns, text), ct_report_whole(a->model),
			  ct_report_time(a->model->end_ns - a->model->begin_ns, run),
			  calling > 1 ? ", threads add up" : "");
	for (int part = 0; part < CT_PART_COUNT; part++)
		if (part != CT_PART_TOOL && part != CT_PART_DRIVER_WORK)
			print_class(a, (enum ct_part)part, to);
	print_polls(&a->shown, to);
	if (!a->filter)
		print_outside(a->model, to);
	if (a->shown.parts_ns[CT_PART_DRIVER_WORK] >= WORTH_NS)
		fprintf(to, "and besides, not counted as blocked,\n");
	print_class(a, CT_PART_DRIVER_WORK, to);
}

static void print_threads(const struct ct_analysis *a, FILE *to)
{
	size_t printed = 0;
	char blocked[16], count[48];

	for (size_t t = 0; t < a->model->threads.count; t++) {
		const struct ct_thread_info *thread = &a->model->threads.at[t];

		if (thread->shown_calls && printed++ < THREADS_SHOWN)
			fprintf(to, "  thread %u %-15s %8u call%s, blocked %s\n", thread->tid,
				thread->name, thread->shown_calls, thread->shown_calls == 1 ? " " : "s",
				ct_report_time(thread->blocked_ns, blocked));
	}
	if (printed > THREADS_SHOWN)
		fprintf(to, "  and %s more (calls.csv)\n", ct_report_count(printed - THREADS_SHOWN, "thread", count));
}

static void print_device(const struct ct_analysis *a, bool streams, FILE *to)
{
	const struct ct_idle *idle = a->idle;
	bool several = ct_devices_several(a->model);
	char text[16], busy[16], blocked[16];

	if (a->model->has_device && a->model->cupti_end_ns < a->model->end_ns)
		fprintf(to, "All about the device is the time before the program's own profiler:\n");
	if (a->model->has_device && ct_seen_partly(a->model) && !ct_seen_ns(a->model)) {
		fprintf(to, "The device: its kernels were not recorded (%s).\n", ct_seen_lack(a->model));
		return;
	}
	if (a->model->has_device && ct_seen_partly(a->model))
		fprintf(to, "All about the device is the %s in which everything was recorded:\n",
			ct_report_time(ct_seen_ns(a->model), text));
	if (!a->totals.ops) {
		fprintf(to, a->model->has_device ? "The device had nothing to do: no operation was seen.\n"
						 : "The device: nothing is known.\n");
		return;
	}
	ct_report_wrapped(to, "", "", "%s busy for %s and %s for %s in between (%s while a "
			  "host thread was blocked); %.2f operations ran at a time.",
			  several ? "At least one device was" : "The device was",
			  ct_report_time(idle->busy_ns, busy), several ? "none" : "idle",
			  ct_report_time(idle->idle_ns, text),
			  ct_report_time(idle->idle_blocked_ns, blocked),
			  idle->busy_ns ? (double)idle->work_ns / (double)idle->busy_ns : 0);
	if (several)
		ct_report_devices(a, streams, to);
}

/* Why the holder of a lock held it so long. */
static void print_cause(const struct ct_analysis *a, const struct ct_host_call *holder, FILE *to)
{
	char name[CT_NAME_BYTES], device[32];
	uint32_t stream;

	for (uint32_t i = 0; i < holder->wait_count; i++) {
		const struct ct_wait *cause = &a->model->waits.at[holder->first_wait + i];

		if (cause->part != CT_PART_DEVICE_WAIT)
			continue;
		ct_report_waited_for(a->model, cause, name, sizeof(name));
		fprintf(to, "       which itself waited for %s", name);
		stream = ct_report_wait_stream(a->model, cause);
		if (stream != CT_NONE)
			fprintf(to, ", stream %u%s", stream,
				ct_report_device(a->model, ct_report_wait_device(a->model, cause),
						 device));
		fputc('\n', to);
		return;
	}
}

/* How a wait came about: what it was for, how long at most, by which rule. */
static void print_waited(const struct ct_analysis *a, const struct ct_site *site, FILE *to)
{
	const struct ct_wait *wait;
	char name[CT_NAME_BYTES], range[CT_NVTX_TEXT_BYTES], small[128], longest[16], text[1024], device[32];
	const char *sure;
	uint32_t stream;
	int n;

	if (site->worst_wait == CT_NONE)
		return;
	wait = &a->model->waits.at[site->worst_wait];
	ct_report_waited_for(a->model, wait, name, sizeof(name));
	if (wait->op == CT_NONE) /* a text of ours */
		snprintf(small, sizeof(small), "%.127s", name);
	else
		ct_demangle_short(name, small, sizeof(small), 60);
	n = snprintf(text, sizeof(text), "%s%s%s", ct_part_names[wait->part], *small ? " on " : "",
		     small);
	stream = ct_report_wait_stream(a->model, wait);
	if (stream != CT_NONE)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ", stream %u%s", stream,
			      ct_report_device(a->model, ct_report_wait_device(a->model, wait),
					       device));
	sure = ct_site_certainty(a->model, site);
	snprintf(text + n, sizeof(text) - (size_t)n, " (longest %s%s%s)%s%s",
		 ct_report_time(wait->end_ns - wait->start_ns, longest), *sure ? "; " : "", sure,
		 *wait->why ? ": " : "", wait->why);
	ct_report_wrapped(to, "       ", "       ", "%s", text);
	if (wait->other != CT_NONE)
		print_cause(a, &a->model->calls.at[wait->other], to);
	ct_nvtx_of_call(a->model, &a->model->calls.at[wait->call], range);
	if (*range)
		ct_report_wrapped(to, "       ", "       ", "in NVTX range %.300s", range);
}

/* The first of the sites shown, from 1, that has this remedy; 0: none has. */
static size_t told_before(const char *const *remedies, size_t count, const char *remedy)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(remedies[i], remedy) == 0)
			return i + 1;
	return 0;
}

/* remedies: of the sites shown before. */
static void print_site(const struct ct_analysis *a, size_t rank, const struct ct_site *site,
		       const char *const *remedies, FILE *to)
{
	const char *remedy = ct_site_remedy(a->model, site);
	size_t before = told_before(remedies, rank - 1, remedy);
	bool ordered_only = site->edge != CT_EDGES && !site->parts[CT_PART_DEVICE_WAIT];
	char lost[16], blocked[16], head[64];

	snprintf(head, sizeof(head), "%3zu  %9s %9s %8u  ", rank,
		 ct_report_lost(site->lost_ns, ct_site_judged(site), lost),
		 ct_report_time(site->blocked_ns, blocked), site->calls);
	ct_report_wrapped(to, head, "       ", "%s at %s", site->name, site->where);
	if (site->blocked_ns || !ordered_only)
		print_waited(a, site, to);
	if (ordered_only)
		fprintf(to, "       no host wait: %s\n", ct_report_edge(site->edge));
	if (*remedy && before)
		fprintf(to, "       instead: as for %zu\n", before);
	else if (*remedy)
		ct_report_wrapped(to, "       ", "       ", "instead: %s", remedy);
}

static void print_sites(const struct ct_analysis *a, size_t limit, FILE *to)
{
	const char *remedies[SITES_SHOWN];
	size_t shown = 0;

	for (size_t i = 0; i < a->sites->all.count && shown < limit; i++) {
		const struct ct_site *site = &a->sites->all.at[a->sites->ranked[i]];

		if (site->blocked_ns < WORTH_NS && site->lost_ns < WORTH_NS)
			continue;
		if (!shown++)
			fprintf(to, "\nCall sites that cost most\n"
				"  #       lost   blocked    calls  call and place\n");
		print_site(a, shown, site, remedies, to);
		remedies[shown - 1] = ct_site_remedy(a->model, site);
	}
}

static void print_pageable(const struct ct_analysis *a, FILE *to)
{
	uint32_t copies = 0;
	char text[48];

	for (size_t i = 0; i < a->sites->all.count; i++)
		if (a->sites->all.at[i].pageable && a->sites->all.at[i].effects & CT_ASYNC)
			copies += a->sites->all.at[i].calls;
	if (copies)
		ct_report_wrapped(to, "", "", "Not asynchronous: %s named Async moved pageable (ordinary) host "
				  "memory; the host stages it, and waits for the stream where it must.",
				  ct_report_count(copies, "copy call", text));
}

static void print_findings(const struct ct_analysis *a, bool summary_only, FILE *to)
{
	char skipped[48];

	print_blocked(a, to);
	if (!summary_only)
		print_threads(a, to);
	if (a->filter)
		fprintf(to, "Of the whole run, whatever is left out:\n");
	print_device(a, !summary_only, to);
	ct_report_serialization(a, !summary_only, to);
	print_pageable(a, to);
	print_sites(a, summary_only ? SITES_SUMMARY : SITES_SHOWN, to);
	if (!summary_only)
		ct_report_nvtx(a, to);
	if (!a->filter)
		ct_report_totals(a, !summary_only ? SITES_SHOWN : a->model->kept_from_ns ? SITES_SUMMARY : 0,
				 to);
	if (summary_only) {
		ct_report_whatif_best(a, to);
		return;
	}
	if (!a->filter) {
		ct_report_whatif(a, SITES_SHOWN, to);
		ct_report_nccl(a, to);
	}
	ct_report_idle(a, to);
	ct_report_ledger(a, to);
	if (a->serialization->sites_skipped)
		fprintf(to, "\n%s more waited too; what they lost was not computed.\n",
			ct_report_count(a->serialization->sites_skipped, "call site", skipped));
}

void ct_report_text(const struct ct_analysis *a, bool summary_only, FILE *to)
{
	ct_report_coverage(a, to);
	fputc('\n', to);
	if (ct_report_nothing(a))
		ct_report_wrapped(to, "", "", "Nothing was recorded of this run: no CUDA call and no device "
				  "operation is left in its trace, which %s. Whether anything waited is not known.",
				  ct_report_damaged(a) ? "was cut or damaged" : "has no end");
	else
		print_findings(a, summary_only, to);
	if (summary_only)
		fprintf(to, "\ncutrace: the whole report is in %s/report.txt, tables beside it\n",
			a->directory);
}
