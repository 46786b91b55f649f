/* SPDX-License-Identifier: Apache-2.0 */
/* What a filtered report leaves out: said first, so that no sum is taken for the run's. */
#include <inttypes.h>
#include <stdarg.h>

#include "analyze/report.h"

#define INDENT "          "

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

void ct_report_filter(const struct ct_analysis *a, FILE *to)
{
	const struct ct_totals *all = &a->totals, *shown = &a->shown;
	char calls[48], left[48], some[16], whole[16], rest[16];
	struct clauses clauses = { .used = 0 };

	if (!a->filter)
		return;
	describe(a->filter, &clauses);
	ct_report_wrapped(to, "filter    ", INDENT, "only calls %s", clauses.text);
	ct_report_wrapped(to, INDENT, INDENT, "shown: %" PRIu64 " of %s, blocked %s of %s; left out: %s, "
			  "blocked %s", shown->calls, ct_report_count(all->calls, "call", calls),
			  ct_report_time(shown->blocked_ns, some), ct_report_time(all->blocked_ns, whole),
			  ct_report_count(all->calls - shown->calls, "call", left),
			  ct_report_time(all->blocked_ns - shown->blocked_ns, rest));
	if (a->model->has_device)
		ct_report_wrapped(to, INDENT, INDENT, "lost by operations that calls shown delayed: %s "
				  "(serialized.csv); by the run in all: %s. Causes were looked for in the whole "
				  "run", ct_report_time(shown->pairs_lost_ns, some),
				  ct_report_time(a->serialization->lost_ns, whole));
}
