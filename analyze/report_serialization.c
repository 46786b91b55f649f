/* SPDX-License-Identifier: Apache-2.0 */
/* What serialization cost, and how well the model says so. */
#include "analyze/report.h"
#include "analyze/seen.h"

#define WORTH_NS 50000 /* a loss of less in all is not worth a line */

/* Does the sum of what places have lost, each by itself, fall far short of what the run has? */
static bool lost_together(const struct ct_serialization *s)
{
	return !s->sites_skipped && s->alone_ns < s->lost_ns / 2;
}

/* Of places whose operations overlap only without another's waits, too; "" if there is none. */
static const char *together(const struct ct_analysis *a, struct ct_names *names)
{
	char text[512];

	for (size_t i = 0; i < a->sites->all.count; i++) {
		const struct ct_site *site = &a->sites->all.at[a->sites->ranked[i]];

		if (!site->together)
			continue;
		snprintf(text, sizeof(text), "%s at %s", site->name, site->where);
		ct_names_add(names, text);
	}
	return names->count ? ct_names_text(names) : "";
}

static const char *whole(const struct ct_model *model)
{
	return ct_seen_partly(model) ? "time in which everything was recorded" : ct_report_whole(model);
}

static double percent(const struct ct_analysis *a)
{
	uint64_t span = ct_seen_partly(a->model) ? ct_seen_ns(a->model) : a->model->end_ns - a->model->begin_ns;

	return span ? 100.0 * (double)a->serialization->lost_ns / (double)span : 0;
}

/* No place alone kept anything from overlapping that would have cost something. */
static void print_none(const struct ct_analysis *a, FILE *to)
{
	const struct ct_serialization *s = a->serialization;
	struct ct_names names = { 0 };
	const char *places = s->lost_ns >= WORTH_NS && lost_together(s) ? together(a, &names) : "";
	char text[16];

	if (*places) {
		ct_report_wrapped(to, "", "", "Serialization cost %s (%.0f %% of the %s), by several places "
				  "together: without the waits of one alone, those of another hold the run up "
				  "as long. Places: %s.", ct_report_time(s->lost_ns, text), percent(a),
				  whole(a->model), places);
		return;
	}
	ct_report_wrapped(to, "", "", "Serialization: none found%s. No call that was not meant to wait "
			  "kept device work from overlapping.",
			  ct_seen_partly(a->model) ? " in the time in which everything was recorded" : "");
	if (s->lost_ns)
		ct_report_wrapped(to, "", "", "The times lost below are host time: without those "
				  "waits the program would have reached its next call sooner.");
}

static void print_cost(const struct ct_analysis *a, FILE *to)
{
	const struct ct_serialization *s = a->serialization;
	char text[16], ops[48];

	ct_report_count(s->pair_count, "operation", ops);
	if (!s->lost_ns) {
		ct_report_wrapped(to, "", "", "Serialization kept %s from overlapping. What that cost the run is "
				  "not known, as no replay without it tells; a time lost below is that of "
				  "the operations.", ops);
		return;
	}
	ct_report_wrapped(to, "", "", "Serialization cost %s (%.0f %% of the %s): calls that were not meant "
			  "to wait kept %s from overlapping.", ct_report_time(s->lost_ns, text), percent(a),
			  whole(a->model), ops);
	if (!a->filter && lost_together(s))
		ct_report_wrapped(to, "", "", "Most of it is lost by several places together: without the waits "
				  "of one, those of another still hold the run up. By itself, as listed "
				  "below, each has lost less.");
}

/* How well the model that the losses come from reproduces the run when nothing is changed. */
static void print_model(const struct ct_analysis *a, FILE *to)
{
	const struct ct_serialization *s = a->serialization;
	uint64_t span = a->model->end_ns - a->model->begin_ns;
	char end[16], mean[16], most[16], text[96] = "";

	if (!a->totals.ops || !ct_seen_ns(a->model))
		return;
	if (s->start_error_max_ns > span / 100) /* else it changes nothing that is said here */
		snprintf(text, sizeof(text), "; operations start within %s of the measured time on average, "
			 "%s at most", ct_report_time(s->start_error_sum_ns / a->totals.ops, mean),
			 ct_report_time(s->start_error_max_ns, most));
	ct_report_wrapped(to, "", "", "The model that times lost come from replays the run unchanged within %s%s.",
			  ct_report_time(s->replay_error_ns, end), text);
}

void ct_report_serialization(const struct ct_analysis *a, bool model, FILE *to)
{
	if (!a->model->has_device)
		fprintf(to, "Serialization: cannot be judged without device times.\n");
	else if (ct_seen_partly(a->model) && !ct_seen_ns(a->model))
		fprintf(to, "Serialization: cannot be judged, kernels were not recorded (%s).\n",
			ct_seen_lack(a->model));
	else if (a->serialization->pair_count)
		print_cost(a, to);
	else
		print_none(a, to);
	if (model)
		print_model(a, to);
}
