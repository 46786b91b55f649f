/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger of calls and the gaps of the device, for people and as CSV. */
#include <stdlib.h>
#include <string.h>

#include "analyze/csv.h"
#include "analyze/demangle.h"
#include "analyze/device.h"
#include "analyze/report.h"

#define LINES_SHOWN 40 /* kinds of call that blocked, and as many that did not */
#define NAME_WIDTH 33
#define IDLERS_SHOWN 5
#define WORTH_NS 100000

const char *ct_report_edge(enum ct_edge_kind edge)
{
	switch (edge) {
	case CT_EDGE_DEFAULT:
		return "work in the legacy default stream separates that of all blocking streams";
	case CT_EDGE_REUSE:
		return "the allocator handed on memory that another stream was still using";
	case CT_EDGE_ALIAS:
		return "it lay behind this in a hardware queue that the streams share";
	case CT_EDGE_LOADING:
		return "loading code on its first use waited for the device";
	case CT_EDGE_PEERS:
		return "a copy between two devices follows work of both, and theirs follows it";
	case CT_EDGE_HOST_FUNCTION:
		return "host functions of different streams run one after the other";
	default:
		return "";
	}
}

static void print_line(const struct ct_model *model, const struct ct_ledger_line *line, FILE *to)
{
	char longest[16], name[CT_NAME_BYTES] = "", small[64] = "";
	const char *call = ct_apis[line->api].name;
	const struct ct_wait *wait;

	if (strlen(call) > NAME_WIDTH) /* figures stay below their heads */
		fprintf(to, "  %s\n  %*s", call, NAME_WIDTH, "");
	else
		fprintf(to, "  %-*s", NAME_WIDTH, call);
	fprintf(to, " %7u %8u %10s  ", line->calls, line->blocked, ct_report_time(line->longest_ns, longest));
	wait = &model->waits.at[line->longest_wait];
	ct_report_waited_for(model, wait, name, sizeof(name));
	if (wait->op == CT_NONE) /* a text of ours */
		snprintf(small, sizeof(small), "%.63s", name);
	else
		ct_demangle_short(name, small, sizeof(small), 44);
	fprintf(to, "%s %s%s%s\n", ct_part_names[wait->part],
		ct_report_time(line->longest_wait_ns, longest), *small ? ": " : "", small);
}

/* A line is a surprise if the documentation promises less waiting than there was. */
static bool surprising(const struct ct_ledger_line *line)
{
	uint32_t effects = ct_apis[line->api].effects;

	if (effects & CT_SYNC || !*line->documented)
		return false;
	return (line->waited > 0 && !strstr(line->documented, "waits for")) ||
	       line->waited_elsewhere > 0 || line->locked > 0;
}

static void print_surprise(const struct ct_ledger_line *line, FILE *to)
{
	char calls[48];

	ct_report_wrapped(to, "  ", "    ", "%s: documented \"%s\" (%s);", ct_apis[line->api].name,
			  line->documented, line->source);
	fprintf(to, "    observed: ");
	if (line->waited)
		fprintf(to, "waited in %u of %s made with work in flight", line->waited,
			ct_report_count(line->chances, "call", calls));
	if (line->waited_elsewhere)
		fprintf(to, "%s%u waited for another device (%u made with work on others only)",
			line->waited ? ", " : "", line->waited_elsewhere, line->elsewhere);
	if (line->locked)
		fprintf(to, "%s%u of %s waited for another thread's call",
			line->waited || line->waited_elsewhere ? ", " : "", line->locked,
			ct_report_count(line->calls, "call", calls));
	fputc('\n', to);
}

static void print_surprises(const struct ct_ledger *ledger, FILE *to)
{
	size_t shown = 0;

	for (size_t i = 0; i < ledger->lines.count; i++) {
		if (!surprising(&ledger->lines.at[i]))
			continue;
		if (!shown++)
			fprintf(to, "\nSurprises: what the documentation says, and what this driver did\n");
		print_surprise(&ledger->lines.at[i], to);
	}
}

static int by_longest(const void *a, const void *b)
{
	const struct ct_ledger_line *x = *(const struct ct_ledger_line *const *)a;
	const struct ct_ledger_line *y = *(const struct ct_ledger_line *const *)b;

	if (x->longest_ns != y->longest_ns)
		return x->longest_ns > y->longest_ns ? -1 : 1;
	return strcmp(ct_apis[x->api].name, ct_apis[y->api].name);
}

#define LIST_BYTES (LINES_SHOWN * 100) /* no name and its figures are longer */

/* In one sentence: they would be most of the lines. */
static void list_quiet(const struct ct_ledger_line **quiet, size_t count, FILE *to)
{
	char text[LIST_BYTES + 64], longest[16], more[48];
	size_t used = 0;

	for (size_t i = 0; i < count && i < LINES_SHOWN && used < LIST_BYTES; i++)
		used += (size_t)snprintf(text + used, LIST_BYTES - used, "%s%s (%u, %s)", i ? ", " : "",
					 ct_apis[quiet[i]->api].name, quiet[i]->calls,
					 ct_report_time(quiet[i]->longest_ns, longest));
	used = used < LIST_BYTES ? used : LIST_BYTES - 1;
	if (count > LINES_SHOWN)
		snprintf(text + used, sizeof(text) - used, " and %s more (ledger.csv)",
			 ct_report_count(count - LINES_SHOWN, "kind", more));
	ct_report_wrapped(to, "  ", "    ", "did not block (calls, the longest): %s", text);
}

static void print_quiet(const struct ct_ledger *ledger, FILE *to)
{
	const struct ct_ledger_line *quiet[CT_API_COUNT];
	size_t count = 0;

	for (size_t i = 0; i < ledger->lines.count && count < CT_API_COUNT; i++)
		if (ledger->lines.at[i].longest_wait == CT_NONE)
			quiet[count++] = &ledger->lines.at[i];
	if (!count)
		return;
	qsort(quiet, count, sizeof(*quiet), by_longest);
	list_quiet(quiet, count, to);
}

void ct_report_ledger(const struct ct_analysis *a, FILE *to)
{
	const struct ct_ledger *ledger = a->ledger;
	size_t blocked = 0;
	char more[48];

	if (!ledger->lines.count)
		return;
	fprintf(to, "\nEvery kind of call, and whether it blocked\n");
	for (size_t i = 0; i < ledger->lines.count; i++) {
		if (ledger->lines.at[i].longest_wait == CT_NONE)
			continue;
		if (!blocked++)
			fprintf(to, "  %-*s %7s %8s %10s  longest wait, and on what\n", NAME_WIDTH, "call",
				"calls", "blocked", "long call");
		if (blocked <= LINES_SHOWN)
			print_line(a->model, &ledger->lines.at[i], to);
	}
	if (blocked > LINES_SHOWN)
		fprintf(to, "  and %s more (ledger.csv)\n", ct_report_count(blocked - LINES_SHOWN, "kind", more));
	print_quiet(ledger, to);
	print_surprises(ledger, to);
}

void ct_report_ledger_csv(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };

	for (size_t i = 0; i < a->ledger->lines.count; i++) {
		const struct ct_ledger_line *line = &a->ledger->lines.at[i];

		ct_csv_text(&csv, ct_apis[line->api].name);
		ct_csv_number(&csv, line->calls);
		ct_csv_number(&csv, line->chances);
		ct_csv_number(&csv, line->waited);
		ct_csv_number(&csv, line->locked);
		ct_csv_number(&csv, line->longest_ns);
		ct_csv_number(&csv, line->longest_wait_ns);
		ct_csv_text(&csv, line->documented);
		ct_csv_text(&csv, line->source);
		ct_csv_number(&csv, line->elsewhere);
		ct_csv_number(&csv, line->waited_elsewhere);
		ct_csv_end_row(&csv);
	}
}

static const char *const causes[] = {
	[CT_IDLE_CALL] = "call",
	[CT_IDLE_HOST] = "host code",
	[CT_IDLE_DEVICE] = "device",
	[CT_IDLE_OTHER] = "other device",
};

void ct_report_idle_csv(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };
	char name[CT_NAME_BYTES];

	for (size_t i = 0; i < a->idle->gaps.count; i++) {
		const struct ct_gap *gap = &a->idle->gaps.at[i];

		if (a->filter && (gap->call == CT_NONE || a->model->calls.at[gap->call].left_out))
			continue;
		ct_csv_number(&csv, gap->start_ns);
		ct_csv_number(&csv, gap->end_ns - gap->start_ns);
		ct_csv_text(&csv, causes[gap->cause]);
		ct_csv_text(&csv, gap->call == CT_NONE ? "" : a->model->calls.at[gap->call].name);
		ct_csv_text(&csv, gap->call == CT_NONE
				  ? ""
				  : a->sites->all.at[a->sites->of_call[gap->call]].where);
		ct_model_op_name(a->model, gap->next_op, name, sizeof(name));
		ct_csv_text(&csv, name);
		ct_csv_number(&csv, a->model->ops.at[gap->next_op].raw.stream);
		ct_csv_number(&csv, a->model->ops.at[gap->next_op].raw.device);
		if (ct_idle_device(a->model, gap) == CT_NONE)
			ct_csv_text(&csv, "all");
		else
			ct_csv_number(&csv, ct_idle_device(a->model, gap));
		ct_csv_end_row(&csv);
	}
}

/* Idle time by what filled it: a call site, or the host's own code before one. */
struct idler {
	uint32_t site;
	enum ct_idle_cause cause;
	struct ct_idle_share share;
};

static int by_ns(const void *a, const void *b)
{
	const struct idler *x = a, *y = b;

	if (x->share.ns != y->share.ns)
		return x->share.ns > y->share.ns ? -1 : 1;
	return x->site < y->site ? -1 : x->site > y->site;
}

static void print_idler(const struct ct_analysis *a, const struct idler *idler, FILE *to)
{
	const struct ct_site *site = &a->sites->all.at[idler->site];
	char time[16], gaps[48];

	fprintf(to, "  %9s in %s: ", ct_report_time(idler->share.ns, time),
		ct_report_count(idler->share.gaps, "gap", gaps));
	switch (idler->cause) {
	case CT_IDLE_CALL:
		fprintf(to, "%s ran at %s\n", site->name, site->where);
		break;
	case CT_IDLE_HOST:
		fprintf(to, "host code before %s at %s\n", site->name, site->where);
		break;
	default:
		fprintf(to, "the device itself, before what %s at %s submitted\n", site->name,
			site->where);
		break;
	}
}

static size_t gather(const struct ct_sites *sites, struct idler *idlers)
{
	size_t n = sites->all.count * CT_IDLE_CAUSES;

	for (size_t i = 0; i < n; i++) {
		uint32_t site = (uint32_t)(i / CT_IDLE_CAUSES);
		enum ct_idle_cause cause = (enum ct_idle_cause)(i % CT_IDLE_CAUSES);

		idlers[i] = (struct idler){ site, cause, sites->all.at[site].idle[cause] };
	}
	qsort(idlers, n, sizeof(*idlers), by_ns);
	return n;
}

void ct_report_idle(const struct ct_analysis *a, FILE *to)
{
	struct idler *idlers = calloc(a->sites->all.count * CT_IDLE_CAUSES + 1, sizeof(*idlers));
	size_t n = idlers ? gather(a->sites, idlers) : 0;

	for (size_t i = 0; i < n && i < IDLERS_SHOWN && idlers[i].share.ns >= WORTH_NS; i++) {
		if (i == 0)
			fprintf(to, "\n%s while\n", ct_devices_several(a->model)
				? "No device had work" : "The device was idle");
		print_idler(a, &idlers[i], to);
	}
	free(idlers);
}
