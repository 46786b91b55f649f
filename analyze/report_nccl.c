/* SPDX-License-Identifier: Apache-2.0 */
/* What NCCL's kernels took, and which rank the others waited for: of a process, and of a run. */
#include <inttypes.h>
#include <string.h>

#include "analyze/csv.h"
#include "analyze/report.h"
#include "analyze/run.h"

#define ROWS_SHOWN 8
#define ROWS_SUMMARY 3
#define LABEL_WIDTH 14
#define INDENT "    "
#define LIST_INDENT "        "

static const char *const before_texts[CT_BEFORE_COUNT + 1] = {
	[CT_BEFORE_OWN] = "in its own code",
	[CT_BEFORE_CALLS] = "in calls that did not wait, most in ",
	[CT_BEFORE_BLOCKED] = "blocked, most in ",
	[CT_BEFORE_DEVICE] = "while its device was at work, most in ",
	[CT_BEFORE_COUNT] = "as its process came later to the first of all",
};

static void print_delay(const struct ct_meet_share *delay, FILE *to)
{
	bool place = delay->of != CT_BEFORE_OWN && delay->of != CT_BEFORE_COUNT;
	char ns[16], times[48];

	ct_report_wrapped(to, LIST_INDENT, LIST_INDENT "  ", "%s %s%s (%s)", ct_report_time(delay->ns, ns),
			  before_texts[delay->of], delay->text ? delay->text : place ? "something unknown" : "",
			  ct_report_count(delay->count, "time", times));
}

/* What it did longer than the others before it came. */
static void print_named(const struct ct_meet *m, size_t limit, FILE *to)
{
	const struct ct_meet_member *member = &m->members.at[m->named];
	char median[16], sum[16], met[48];

	ct_report_wrapped(to, "", INDENT, "Late: %s came last to %" PRIu64 " of %s, %s after all others "
			  "(median), %s in all. Before, longer than the others:",
			  member->label, member->late, ct_report_count(member->met, "collective", met),
			  ct_report_time(member->late_median_ns, median),
			  ct_report_time(member->late_ns, sum));
	for (size_t i = 0; i < member->delays.count && i < limit; i++)
		print_delay(&member->delays.at[i], to);
	if (!member->delays.count)
		fprintf(to, LIST_INDENT "nothing that the traces show\n");
}

/* Who came last to the first, where that is most of how late it was. */
static void print_first(const struct ct_meet *m, FILE *to)
{
	char text[16];

	for (size_t i = 0; i < m->members.count; i++) {
		const struct ct_meet_member *member = &m->members.at[i];

		if (member->first_late_ns >= CT_MEET_NAMED_NS && member->first_late_ns > member->late_ns / 2)
			ct_report_wrapped(to, "", INDENT, "Began late: %s came to its first collective %s after "
					  "the others. That is paid once.", member->label,
					  ct_report_time(member->first_late_ns, text));
	}
}

static void print_verdict(const struct ct_meet *m, size_t limit, FILE *to)
{
	uint64_t most = 0;
	char text[16];

	for (size_t i = 0; i < m->members.count; i++)
		if (m->members.at[i].late_ns > most)
			most = m->members.at[i].late_ns;
	if (m->named != CT_NONE)
		print_named(m, limit, to);
	else if (m->met)
		ct_report_wrapped(to, "", INDENT, "Late: nobody stands out; the most that one came after all "
				  "others is %s in all.", ct_report_time(most, text));
	print_first(m, to);
}

static void print_operations(const struct ct_meet *m, FILE *to)
{
	char time[16], waited[16], work[16];

	fprintf(to, "  %-14s %9s %9s %10s %10s %10s\n", "operation", "met", "kernels", "time", "waiting",
		"work");
	for (int op = 0; op < CT_NCCL_OPS; op++) {
		const struct ct_meet_sum *sum = &m->sums[op];

		if (sum->met)
			fprintf(to, "  %-14s %9" PRIu64 " %9" PRIu64 " %10s %10s %10s\n", ct_nccl_names[op],
				sum->met, sum->kernels, ct_report_time(sum->time_ns, time),
				ct_report_time(sum->waited_ns, waited),
				ct_report_time(sum->time_ns - sum->waited_ns, work));
	}
}

/* Is it one of the `limit` that were late longest? */
static bool among(const struct ct_meet *m, uint32_t index, size_t limit)
{
	size_t before = 0;

	for (uint32_t i = 0; i < m->members.count; i++)
		before += m->members.at[i].late_ns > m->members.at[index].late_ns ||
			  (m->members.at[i].late_ns == m->members.at[index].late_ns && i < index);
	return before < limit;
}

static void print_members(const struct ct_meet *m, size_t limit, FILE *to)
{
	char median[16], sum[16], waited[16], work[16];

	fprintf(to, "  %-*s %9s %9s %10s %10s %10s %10s\n", LABEL_WIDTH, "rank", "met", "late",
		"by median", "in all", "waited", "worked");
	for (uint32_t i = 0; i < m->members.count; i++) {
		const struct ct_meet_member *member = &m->members.at[i];

		if (among(m, i, limit))
			fprintf(to, "  %-*s %9" PRIu64 " %9" PRIu64 " %10s %10s %10s %10s\n", LABEL_WIDTH,
				member->label, member->met, member->late,
				ct_report_time(member->late_median_ns, median),
				ct_report_time(member->late_ns, sum),
				ct_report_time(member->waited_ns, waited),
				ct_report_time(member->time_ns - member->waited_ns, work));
	}
	if (m->members.count > limit)
		fprintf(to, "  and %zu more that were late for no longer (`cutrace report --output DIR` writes "
			"all to ranks_nccl.csv)\n", m->members.count - limit);
}

/* A host thread's wait: the k-th of a member; who: NULL = none. */
struct host_wait {
	const struct ct_meet_member *who;
	size_t k;
};

static const struct ct_meet_share *share_of(struct host_wait wait)
{
	return &wait.who->waits.at[wait.k];
}

static bool before(struct host_wait a, struct host_wait b)
{
	uint64_t x = share_of(a)->ns, y = share_of(b)->ns;

	return x != y ? x > y : a.who != b.who ? a.who < b.who : a.k < b.k;
}

/* The longest of those after `last`, of which there are few: needs no memory. */
static struct host_wait next_wait(const struct ct_meet *m, struct host_wait last)
{
	struct host_wait next = { 0 };

	for (size_t i = 0; i < m->members.count; i++)
		for (size_t k = 0; k < m->members.at[i].waits.count; k++) {
			struct host_wait wait = { &m->members.at[i], k };

			if ((!last.who || before(last, wait)) && (!next.who || before(wait, next)))
				next = wait;
		}
	return next;
}

static void print_waits(const struct ct_meet *m, size_t limit, FILE *to)
{
	struct host_wait wait = next_wait(m, (struct host_wait){ 0 });
	char ns[16], times[48];

	if (wait.who)
		fprintf(to, "  Host threads that waited for a rank to come\n");
	for (size_t i = 0; wait.who && i < limit; i++, wait = next_wait(m, wait)) {
		const struct ct_meet_share *share = share_of(wait);

		ct_report_wrapped(to, INDENT, LIST_INDENT, "%s: %s waited %s in %s for %s's %s",
				  wait.who->label, share->text, ct_report_time(share->ns, ns),
				  ct_report_count(share->count, "call", times),
				  m->members.at[share->of].label, ct_nccl_names[share->op]);
	}
}

static void print_unmatched(const struct ct_meet *m, FILE *to)
{
	char count[48];

	for (int why = 0; why < CT_UNMATCHED_COUNT; why++)
		if (m->unmatched[why])
			ct_report_wrapped(to, "  ", INDENT, "not matched: %s (%s)",
					  ct_report_count(m->unmatched[why], "kernel", count),
					  ct_unmatched_texts[why]);
}

/* How it is known. */
static void print_basis(const struct ct_meet *m, FILE *to)
{
	char groups[48];

	if (!m->met)
		return;
	ct_report_wrapped(to, "  ", "  ", "A trace does not name communicators: streams with the same operations "
			  "in the same order, each at the same time, were taken for one (%s). Waiting: until "
			  "the last had come, the rest is work. Late: all others had come %d us before.",
			  ct_report_count(m->groups.count, "group", groups), CT_MEET_LATE_NS / 1000);
	if (m->by_durations)
		ct_report_wrapped(to, "  ", "  ", "Clocks of different hosts were not compared: where a group spans "
				  "several, all are taken to end together, and who has the shortest kernel "
				  "came last.");
}

static void print_meet(const struct ct_meet *m, bool summary, FILE *to)
{
	size_t limit = summary ? ROWS_SUMMARY : ROWS_SHOWN;

	print_verdict(m, limit, to);
	if (m->met && !summary) {
		print_operations(m, to);
		print_members(m, limit, to);
		print_waits(m, limit, to);
		print_basis(m, to);
	}
	print_unmatched(m, to);
}

void ct_report_run_nccl(const struct ct_run *run, bool summary, FILE *to)
{
	char count[48];

	if (!run->meet.met && !run->meet.unmatched[CT_UNMATCHED_NAME] && !run->meet.lanes.count)
		return;
	fprintf(to, "\nNCCL: %s of several ranks\n", ct_report_count(run->meet.met, "collective", count));
	print_meet(&run->meet, summary, to);
}

/* The one with most time of those after `last`; NULL: none is left. */
static const struct ct_nccl_call *next_call(const struct ct_nccl *nccl, const struct ct_nccl_call *last)
{
	const struct ct_nccl_call *next = NULL;

	for (size_t i = 0; i < nccl->calls.count; i++) {
		const struct ct_nccl_call *call = &nccl->calls.at[i];

		if (last && (call->total_ns > last->total_ns ||
			     (call->total_ns == last->total_ns && call <= last)))
			continue;
		if (!next || call->total_ns > next->total_ns)
			next = call;
	}
	return next;
}

static void print_call(const struct ct_nccl *nccl, const struct ct_nccl_call *call, FILE *to)
{
	char time[16], least[16], most[16], over[16], head[96];

	snprintf(head, sizeof(head), "  %-14s %8" PRIu64 " %9s %9s %9s %9s  ", ct_nccl_names[call->op],
		 call->count, ct_report_time(call->total_ns, time), ct_report_time(call->least_ns, least),
		 ct_report_time(call->most_ns, most),
		 ct_report_time(call->total_ns - call->count * call->least_ns, over));
	ct_report_wrapped(to, head, "       ", "%s",
			  call->at == CT_NONE ? nccl->texts.at[call->kernel] : nccl->texts.at[call->at]);
}

static void print_calls(const struct ct_nccl *nccl, FILE *to)
{
	const struct ct_nccl_call *call = next_call(nccl, NULL);

	fprintf(to, "  %-14s %8s %9s %9s %9s %9s  launched\n", "operation", "count", "time", "shortest",
		"longest", "over");
	for (size_t i = 0; call && i < ROWS_SHOWN; i++, call = next_call(nccl, call))
		print_call(nccl, call, to);
	if (nccl->calls.count > ROWS_SHOWN)
		fprintf(to, "  and %zu more\n", nccl->calls.count - ROWS_SHOWN);
}

void ct_report_nccl(const struct ct_analysis *a, FILE *to)
{
	if (!a->nccl.calls.count)
		return;
	fprintf(to, "\nNCCL: its kernels\n");
	print_calls(&a->nccl, to);
	ct_report_wrapped(to, "  ", "  ", "over: beyond the shortest of the same name, grid and place; an estimate "
			  "of the time spent waiting for other ranks, if all moved as much.");
	if (a->meet.members.count > 1)
		print_meet(&a->meet, false, to);
	else
		ct_report_wrapped(to, "  ", "  ", "In one rank's trace waiting and work look the same, and the late "
				  "rank is not in it: `cutrace report` of the directories of all ranks "
				  "tells them apart.");
}

static void member_row(struct ct_csv *csv, const struct ct_run *run, const struct ct_meet_member *member,
		       bool stands_out)
{
	const struct ct_meet_share *delay = member->delays.count ? &member->delays.at[0] : NULL;
	static const char *const names[CT_BEFORE_COUNT + 1] = { "own", "calls", "blocked", "device", "start" };

	ct_csv_text(csv, member->label);
	ct_csv_number(csv, run->processes.at[member->process].pid);
	ct_csv_number(csv, member->device);
	ct_csv_number(csv, member->met);
	ct_csv_number(csv, member->late);
	ct_csv_number(csv, member->late_ns);
	ct_csv_number(csv, member->late_median_ns);
	ct_csv_number(csv, stands_out);
	ct_csv_number(csv, member->time_ns);
	ct_csv_number(csv, member->waited_ns);
	ct_csv_text(csv, delay ? names[delay->of] : "");
	ct_csv_text(csv, delay && delay->text ? delay->text : "");
	ct_csv_number(csv, delay ? delay->ns : 0);
	ct_csv_end_row(csv);
}

void ct_report_run_nccl_csv(const void *of, FILE *to)
{
	const struct ct_run *run = of;
	struct ct_csv csv = { .to = to };

	ct_csv_header(&csv, "Rank,Pid,Device,Collectives,Late,Late (ns),Median Late (ns),Stands Out,"
		      "Kernels (ns),Waited (ns),Delay,Delayed By,Delay (ns)");
	for (size_t i = 0; i < run->meet.members.count; i++)
		member_row(&csv, run, &run->meet.members.at[i], i == run->meet.named);
}
