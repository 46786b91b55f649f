/* SPDX-License-Identifier: Apache-2.0 */
/* What changes of the program would save: the section of report.txt, and whatif.csv. */
#include <inttypes.h>

#include "analyze/csv.h"
#include "analyze/report.h"
#include "analyze/whatif.h"

#define NAME_BYTES 256

static const char *const kind_names[CT_CHANGE_KINDS] = {
	[CT_CHANGE_FREE] = "free",
	[CT_CHANGE_HOIST] = "hoist",
	[CT_CHANGE_PIN] = "pin",
	[CT_CHANGE_STREAM] = "stream",
	[CT_CHANGE_QUEUE] = "queue",
	[CT_CHANGE_OTHER] = "other",
};

/* "if you ..." */
static const char *const kind_texts[CT_CHANGE_KINDS] = {
	[CT_CHANGE_FREE] = "free in stream order or to a pool",
	[CT_CHANGE_HOIST] = "allocate once and keep the memory",
	[CT_CHANGE_PIN] = "pin the host buffer",
	[CT_CHANGE_STREAM] = "use a non-blocking stream instead of the default stream",
	[CT_CHANGE_QUEUE] = "let the queue be deep enough (fewer, larger submissions; a stream for "
			    "each hardware queue)",
	[CT_CHANGE_OTHER] = "take the wait away",
};

static const char *const hazard_names[] = {
	[CT_HAZARD_NONE] = "",
	[CT_HAZARD_READ] = "host read",
	[CT_HAZARD_REUSE] = "host buffer reused",
	[CT_HAZARD_MANAGED] = "managed memory",
	[CT_HAZARD_SHARED] = "several streams",
	[CT_HAZARD_ORDER] = "order of data",
};

static const char *const hazard_texts[] = {
	[CT_HAZARD_NONE] = "",
	[CT_HAZARD_READ] = "no other wait that the program asks for comes before the host may read "
			   "what it brings: synchronise before reading",
	[CT_HAZARD_REUSE] = "no wait that the program asks for comes before the like is copied again: "
			    "leave the host buffer alone until it is done",
	[CT_HAZARD_MANAGED] = "no other wait that the program asks for follows it, and there is managed "
			      "memory: synchronise before the host touches that",
	[CT_HAZARD_SHARED] = "more than one stream touched the block: free it behind all of them, by "
			     "an event",
	[CT_HAZARD_ORDER] = "what follows in other streams may use what it writes: order that by an "
			    "event",
};

static double percent(const struct ct_whatif *w, uint64_t ns)
{
	return w->span_ns ? 100.0 * (double)ns / (double)w->span_ns : 0;
}

static void print_hazard(const struct ct_analysis *a, const struct ct_change *change, FILE *to)
{
	char name[CT_NAME_BYTES], count[48];

	if (change->hazard == CT_HAZARD_NONE)
		return;
	ct_model_op_name(a->model, change->hazard_op, name, sizeof(name));
	ct_report_wrapped(to, "       ", "       ", "WARNING: may change results (%s, first at %.*s): %s",
			  ct_report_count(change->hazard_calls, "call", count), NAME_BYTES, name,
			  hazard_texts[change->hazard]);
}

/* Another change that saves only together with the first of its rank. */
static void print_with(const struct ct_analysis *a, const struct ct_change *first,
		       const struct ct_change *change, FILE *to)
{
	const struct ct_site *site = &a->sites->all.at[change->site];
	bool same = change->kind == first->kind;

	ct_report_wrapped(to, "       ", "       ", "and %s%sat %s (%s, %u calls), together",
			  same ? "" : kind_texts[change->kind], same ? "" : " ", site->where, site->name,
			  change->calls);
}

/* The change, or the changes that save only together: those from `first` on of its rank. */
static size_t print_rank(const struct ct_analysis *a, size_t first, FILE *to)
{
	const struct ct_whatif *w = a->whatif;
	const struct ct_change *change = &w->changes.at[first];
	const struct ct_site *site = &a->sites->all.at[change->site];
	const char *fix = ct_whatif_fix(a, change), *remedy = ct_site_remedy(a->model, site);
	char low[16], likely[16], high[16], span[16], head[32];
	size_t next = first + 1;

	snprintf(head, sizeof(head), "%3u  ", change->rank + 1);
	ct_report_wrapped(to, head, "       ", "If you %s at %s (%s, %u calls)",
			  change->kind == CT_CHANGE_OTHER && *remedy ? remedy : kind_texts[change->kind],
			  site->where, site->name, change->calls);
	for (; next < w->changes.count && w->changes.at[next].rank == change->rank; next++)
		print_with(a, change, &w->changes.at[next], to);
	ct_report_wrapped(to, "       ", "       ", "saves %s%s to %s of %s, most likely %s (%.0f %%)%s%s%s",
			  change->rank ? "another " : "", ct_report_time(change->saves.low_ns, low),
			  ct_report_time(change->saves.high_ns, high), ct_report_time(w->span_ns, span),
			  ct_report_time(change->saves.likely_ns, likely),
			  percent(w, change->saves.likely_ns), fix ? "; prove it with: cutrace prove --fix " : "",
			  fix ? fix : "", fix ? " -- PROGRAM" : "");
	for (size_t i = first; i < next; i++)
		print_hazard(a, &w->changes.at[i], to);
	return next;
}

static void print_error(const struct ct_whatif *w, const char *what, FILE *to)
{
	char end[16], mean[16], most[16], span[16];

	ct_report_wrapped(to, "  ", "  ", "Replayed from its known causes alone, %s of %s ends %s off "
			  "(%.1f %%); operations start %s off on average, %s at most.", what,
			  ct_report_time(w->span_ns, span), ct_report_time(w->end_error_ns, end),
			  percent(w, w->end_error_ns), ct_report_time(w->start_error_mean_ns, mean),
			  ct_report_time(w->start_error_max_ns, most));
}

static void print_all(const struct ct_whatif *w, bool part, FILE *to)
{
	char low[16], likely[16], high[16];

	if (w->ranks > 1)
		ct_report_wrapped(to, "  all  ", "       ", "together save %s to %s, most likely %s (%.0f %%)",
				  ct_report_time(w->all.low_ns, low), ct_report_time(w->all.high_ns, high),
				  ct_report_time(w->all.likely_ns, likely), percent(w, w->all.likely_ns));
	if (!w->ranks)
		fprintf(to, "  No change of a call that waited, worked or ordered streams would save "
			"anything worth it%s.\n", part ? " there" : "");
	if (w->skipped)
		fprintf(to, "  %u more changes were not replayed one by one; `cutrace whatif` replays "
			"more of a long trace.\n", w->skipped);
}

/* What makes all of it less sure. */
static void print_doubts(const struct ct_analysis *a, FILE *to)
{
	const struct ct_model *model = a->model;
	uint64_t lost = model->damaged_bytes + model->untimed_ops;

	for (uint32_t i = 0; i < model->header->loss_count && i < CT_LOSS_COUNT; i++)
		lost += i == CT_LOSS_STACKS || i == CT_LOSS_STRINGS || i == CT_LOSS_SCRIPTS ||
				i == CT_LOSS_TOTALS
				? 0
				: model->header->lost[i];
	if (lost)
		fprintf(to, "  Records are missing (NOT seen, above): what they would change is not "
			"predicted.\n");
	if (model->kept_from_ns)
		fprintf(to, "  All of it is about the part that the flight recorder kept.\n");
}

/* Which part of the run all of it is about. */
static void print_excerpt(const struct ct_analysis *whole, FILE *to)
{
	const struct ct_model *run = whole->model, *part = whole->excerpt->model;
	uint64_t span_ns = run->end_ns - run->begin_ns, part_ns = part->end_ns - part->begin_ns;
	uint64_t bytes = (whole->totals.calls + whole->totals.ops) * CT_WHATIF_RECORD_BYTES;
	double share = span_ns ? 100.0 * (double)part_ns / (double)span_ns : 0;
	char begin[16], end[16], length[16], span[16];

	ct_report_wrapped(to, "  ", "  ", "The run is long, so only its part from %s to %s was replayed (%s of %s, "
			  "%.*g %%); nothing is extrapolated from it. `cutrace whatif %s` "
			  "replays all of it, with some %llu MB of memory.",
			  ct_report_time(part->begin_ns - run->begin_ns, begin),
			  ct_report_time(part->end_ns - run->begin_ns, end),
			  ct_report_time(part_ns, length), ct_report_time(span_ns, span),
			  share < 10 ? 2 : 3, share, whole->directory,
			  (unsigned long long)(bytes / 1000000));
}

static void print_predictions(const struct ct_analysis *a, size_t limit, FILE *to)
{
	const struct ct_whatif *w = a->whatif;
	const char *refusal = ct_whatif_refusal(a);
	size_t c = 0;

	if (w && w->measured)
		print_error(w, a->model->facts ? "the part" : "the run", to);
	if (refusal) {
		fprintf(to, "  Nothing is predicted: %s.\n", refusal);
		return;
	}
	print_doubts(a, to);
	while (c < w->changes.count && w->changes.at[c].rank < w->ranks &&
	       w->changes.at[c].rank < limit)
		c = print_rank(a, c, to);
	print_all(w, a->model->facts, to);
}

void ct_report_whatif(const struct ct_analysis *a, size_t limit, FILE *to)
{
	if (!a->whatif && !ct_whatif_refusal(a))
		return; /* it was not asked for */
	fprintf(to, "\nWhat a change would save\n");
	if (a->excerpt)
		print_excerpt(a, to);
	print_predictions(a->excerpt ? a->excerpt : a, limit, to);
}

void ct_report_whatif_csv(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };
	const struct ct_whatif *w = a->whatif;

	for (size_t c = 0; w && c < w->changes.count && w->changes.at[c].rank != CT_NONE; c++) {
		const struct ct_change *change = &w->changes.at[c];
		const struct ct_site *site = &a->sites->all.at[change->site];
		const char *fix = ct_whatif_fix(a, change);

		ct_csv_number(&csv, change->rank + 1);
		ct_csv_text(&csv, kind_names[change->kind]);
		ct_csv_text(&csv, site->name);
		ct_csv_text(&csv, site->where);
		ct_csv_number(&csv, change->calls);
		ct_csv_number(&csv, change->saves.low_ns);
		ct_csv_number(&csv, change->saves.likely_ns);
		ct_csv_number(&csv, change->saves.high_ns);
		ct_csv_number(&csv, change->alone_ns);
		ct_csv_text(&csv, fix ? fix : "");
		ct_csv_text(&csv, hazard_names[change->hazard]);
		ct_csv_end_row(&csv);
	}
}
