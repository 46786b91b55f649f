/* SPDX-License-Identifier: Apache-2.0 */
/* What changes of the program would save: the section of report.txt, and whatif.csv. */
#include <inttypes.h>
#include <string.h>

#include "analyze/csv.h"
#include "analyze/handoff.h"
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
	[CT_CHANGE_QUEUE] = ("let the queue be deep enough (fewer, larger submissions; a stream "
			     "for each hardware queue)"),
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

static bool is_array(const struct ct_site *site)
{
	return strstr(site->name, "Array") != NULL;
}

/* What to do, a clause. */
static const char *text_of(const struct ct_analysis *a, const struct ct_change *change)
{
	const struct ct_site *site = &a->sites->all.at[change->site];
	const char *remedy = ct_site_remedy(a->model, site);

	if (change->kind == CT_CHANGE_FREE && is_array(site))
		return "keep the array and use it again"; /* there are no pools of them */
	if (site->known && (change->kind == CT_CHANGE_FREE || change->kind == CT_CHANGE_PIN))
		return site->known->change;
	return change->kind == CT_CHANGE_OTHER && *remedy ? remedy : kind_texts[change->kind];
}

/* A place follows it: a remedy, which may be several clauses, is for the place. */
static const char *where_of(const struct ct_change *change)
{
	return change->kind == CT_CHANGE_OTHER ? ", for" : " at";
}

/* Another change that saves only together with the first of its rank. */
static void print_with(const struct ct_analysis *a, const struct ct_change *first,
		       const struct ct_change *change, bool last, FILE *to)
{
	const struct ct_site *site = &a->sites->all.at[change->site];
	bool same = text_of(a, change) == text_of(a, first);
	char calls[48];

	ct_report_wrapped(to, "       ", "       ", "and%s%s%s %s (%s, %s)%s", same ? "" : " ",
			  same ? "" : text_of(a, change), where_of(change), site->where, site->name,
			  ct_report_count(change->calls, "call", calls), last ? ", together:" : ",");
}

/* "12.0 ms to 13.0 ms of 250 ms, most likely 12.5 ms (5.0 %)"; a range that shows as one time is one. */
#define SAVING_BYTES 96
static const char *saving_text(const struct ct_whatif *w, const struct ct_range *range,
			       char ret[SAVING_BYTES])
{
	double share = percent(w, range->likely_ns);
	char low[16], likely[16], high[16], span[16];

	ct_report_time(range->low_ns, low);
	ct_report_time(range->likely_ns, likely);
	ct_report_time(range->high_ns, high);
	ct_report_time(w->span_ns, span);
	if (!strcmp(low, high))
		snprintf(ret, SAVING_BYTES, "%s of %s (%.*f %%)", likely, span, share < 9.95, share);
	else
		snprintf(ret, SAVING_BYTES, "%s to %s of %s, most likely %s (%.*f %%)", low, high, span,
			 likely, share < 9.95, share);
	return ret;
}

/* The pool of `--fix free` serves allocations as well. */
static bool made_with(const struct ct_analysis *a, const struct ct_change *change, const char *fix)
{
	return change->kind == CT_CHANGE_HOIST && !strcmp(fix, "free") &&
	       !(a->sites->all.at[change->site].effects & CT_HOSTMEM);
}

/* The fix of `cutrace prove` for a rank; NULL. Does it make but a part of its changes? */
static const char *fix_of_rank(const struct ct_analysis *a, size_t first, bool *ret_part)
{
	const struct ct_whatif *w = a->whatif;
	const char *fix = NULL, *other;

	*ret_part = false;
	for (size_t c = first; c < w->changes.count && w->changes.at[c].rank == w->changes.at[first].rank; c++) {
		other = ct_whatif_fix(a, &w->changes.at[c]);
		if (other)
			fix = !fix || !strcmp(fix, other) ? other : "all";
	}
	for (size_t c = first; fix && c < w->changes.count && w->changes.at[c].rank == w->changes.at[first].rank; c++)
		*ret_part |= !ct_whatif_fix(a, &w->changes.at[c]) && !made_with(a, &w->changes.at[c], fix);
	return fix;
}

/* The change before this one of whose rank a fix is shown, as a rank from 1; 0: there is none. */
static uint32_t shown_before(const struct ct_analysis *a, size_t change, const char *fix)
{
	const struct ct_whatif *w = a->whatif;
	bool part;

	for (size_t c = 0; c < change; c++) {
		const char *other = c == 0 || w->changes.at[c].rank != w->changes.at[c - 1].rank ?
					    fix_of_rank(a, c, &part) : NULL;

		if (other && !strcmp(other, fix))
			return w->changes.at[c].rank + 1;
	}
	return 0;
}

/* How to prove it, to follow the saving of a rank: a fix makes all changes of its kind at once. */
#define PROOF_BYTES 128
static const char *proof_text(const struct ct_analysis *a, size_t first, char ret[PROOF_BYTES])
{
	uint32_t unfixed = a->whatif->changes.at[first].unfixed, before;
	bool part;
	const char *fix = fix_of_rank(a, first, &part);
	char calls[48] = "";

	ret[0] = '\0';
	if (!fix)
		return ret;
	before = shown_before(a, first, fix);
	if (before)
		snprintf(ret, PROOF_BYTES, "; --fix %s makes %s together with %u", fix,
			 part ? "part of it" : "it", before);
	else
		snprintf(ret, PROOF_BYTES, "; prove %s with: cutrace prove --fix %s -- PROGRAM",
			 part ? "a part of it" : "it", fix);
	if (unfixed && !part)
		snprintf(ret + strlen(ret), PROOF_BYTES - strlen(ret), " (which leaves %s alone)",
			 ct_report_count(unfixed, "call", calls));
	return ret;
}

/* The change, or the changes that save only together: those from `first` on of its rank. */
static size_t print_rank(const struct ct_analysis *a, size_t first, FILE *to)
{
	const struct ct_whatif *w = a->whatif;
	const struct ct_change *change = &w->changes.at[first];
	const struct ct_site *site = &a->sites->all.at[change->site];
	char saving[SAVING_BYTES], proof[PROOF_BYTES], calls[48], head[32];
	size_t next = first + 1;

	while (next < w->changes.count && w->changes.at[next].rank == change->rank)
		next++;
	snprintf(head, sizeof(head), "%3u  ", change->rank + 1);
	ct_report_wrapped(to, head, "       ", "If you %s%s %s (%s, %s)%s", text_of(a, change), where_of(change),
			  site->where, site->name, ct_report_count(change->calls, "call", calls),
			  next > first + 1 ? "," : ":");
	for (size_t i = first + 1; i < next; i++)
		print_with(a, change, &w->changes.at[i], i + 1 == next, to);
	ct_report_wrapped(to, "       ", "       ", "saves %s%s%s", change->rank ? "another " : "",
			  saving_text(w, &change->saves, saving), proof_text(a, first, proof));
	for (size_t i = first; i < next; i++)
		print_hazard(a, &w->changes.at[i], to);
	return next;
}

static void print_error(const struct ct_whatif *w, const char *what, FILE *to)
{
	char end[16], mean[16], most[16], span[16], text[96] = "";

	if (w->start_error_max_ns > w->span_ns / 100) /* else no saving that is worth it hangs on that */
		snprintf(text, sizeof(text), "; operations start %s off on average, %s at most",
			 ct_report_time(w->start_error_mean_ns, mean), ct_report_time(w->start_error_max_ns, most));
	ct_report_wrapped(to, "  ", "  ", "Trust: replayed unchanged from its known causes alone, %s of %s "
			  "ends %s off (%.1f %%)%s.", what, ct_report_time(w->span_ns, span),
			  ct_report_time(w->end_error_ns, end), percent(w, w->end_error_ns), text);
}

/* The model does without what many threads wait for of each other. */
static void print_handoffs(const struct ct_model *model, FILE *to)
{
	size_t callers = ct_handoffs_callers(model);

	if (callers > CT_HANDOFF_THREADS)
		ct_report_wrapped(to, "  ", "  ", "With %zu threads that call CUDA, more than %d, it was not looked "
				  "for which go on when another's call returns: what they would save by that "
				  "is not predicted.", callers, CT_HANDOFF_THREADS);
}

/* Changes that would save as much as those above did, and nothing beside them. */
#define INSTEAD_MAX 3
static void print_instead(const struct ct_analysis *a, FILE *to)
{
	const struct ct_whatif *w = a->whatif;
	int printed = 0;

	for (size_t c = 0; c < w->changes.count && printed < INSTEAD_MAX; c++) {
		const struct ct_change *change = &w->changes.at[c];
		const struct ct_site *site = &a->sites->all.at[change->site];
		char saved[16], calls[48];

		if (change->rank != CT_NONE || !ct_change_saves(w, change))
			continue;
		ct_report_wrapped(to, " or  ", "       ", "If you %s%s %s (%s, %s) instead: saves most "
				  "likely %s alone, nothing on top of those above",
				  text_of(a, change), where_of(change), site->where, site->name,
				  ct_report_count(change->calls, "call", calls),
				  ct_report_time(change->alone_ns, saved));
		print_hazard(a, change, to);
		printed++;
	}
}

static void print_all(const struct ct_whatif *w, bool part, FILE *to)
{
	char saving[SAVING_BYTES], count[48];

	if (w->ranks > 1)
		ct_report_wrapped(to, "  all  ", "       ", "together save %s",
				  saving_text(w, &w->all, saving));
	if (!w->ranks)
		fprintf(to, "  No change of a call that waited, worked or ordered streams would save "
			"anything worth it%s.\n", part ? " there" : "");
	if (w->skipped)
		fprintf(to, "  Not replayed one by one: %s more; `cutrace whatif` replays more of a long "
			"trace.\n", ct_report_count(w->skipped, "change", count));
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
	if (w && w->measured)
		print_handoffs(a->model, to);
	if (refusal) {
		fprintf(to, "  Nothing is predicted: %s.\n", refusal);
		return;
	}
	print_doubts(a, to);
	while (c < w->changes.count && w->changes.at[c].rank < w->ranks &&
	       w->changes.at[c].rank < limit)
		c = print_rank(a, c, to);
	print_instead(a, to);
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

/* Which part of a long run it is, for the middle of a sentence. */
static const char *part_text(const struct ct_analysis *whole, char ret[80])
{
	const struct ct_model *run = whole->model, *part = whole->excerpt->model;
	char begin[16], end[16];

	snprintf(ret, 80, ", of the part from %s to %s of this long run",
		 ct_report_time(part->begin_ns - run->begin_ns, begin),
		 ct_report_time(part->end_ns - run->begin_ns, end));
	return ret;
}

void ct_report_whatif_best(const struct ct_analysis *whole, FILE *to)
{
	const struct ct_analysis *a = whole->excerpt ? whole->excerpt : whole;
	const struct ct_whatif *w = a->whatif;
	char saving[SAVING_BYTES], proof[PROOF_BYTES], calls[48], part[80] = "";
	const struct ct_change *best;
	const struct ct_site *site;
	size_t others = 1;

	if (!w || w->refusal || !w->ranks)
		return;
	best = &w->changes.at[0];
	site = &a->sites->all.at[best->site];
	while (others < w->changes.count && w->changes.at[others].rank == 0)
		others++;
	fputc('\n', to);
	ct_report_wrapped(to, "", "  ", "If you %s%s %s (%s, %s)%s: saves %s%s%s%s", text_of(a, best),
			  where_of(best), site->where, site->name, ct_report_count(best->calls, "call", calls),
			  others > 1 ? " and change what the report names with it" : "",
			  saving_text(w, &best->saves, saving), whole->excerpt ? part_text(whole, part) : "",
			  proof_text(a, 0, proof),
			  best->hazard ? ". WARNING: it may change results, see the report" : "");
}

void ct_report_whatif_csv(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };
	const struct ct_whatif *w = a->whatif;

	for (size_t c = 0; w && c < w->changes.count; c++) {
		const struct ct_change *change = &w->changes.at[c];
		const struct ct_site *site = &a->sites->all.at[change->site];
		const char *fix = ct_whatif_fix(a, change);

		if (!ct_change_saves(w, change))
			continue;
		if (change->rank == CT_NONE)
			ct_csv_text(&csv, "");
		else
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
