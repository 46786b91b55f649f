/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a process when all of it has been analyzed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/report.h"
#include "export/html/page.h"

static int render(const struct ct_analysis *a, void (*print)(const struct ct_analysis *a, FILE *to),
		  char **ret)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return -ENOMEM;
	print(a, to);
	if (fclose(to) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	return 0;
}

static void print_report(const struct ct_analysis *a, FILE *to)
{
	ct_report_text(a, false, to);
}

static int add_loss(void *arg, uint64_t count, const char *text)
{
	struct ct_html_process *process = arg;
	const struct ct_html_loss loss = { count, strdup(text) };

	if (loss.text && CT_PUSH(&process->losses, loss) == 0)
		return 0;
	free(loss.text);
	return -ENOMEM;
}

/* Names of threads and kinds of streams are known by now. */
static void name_lanes(const struct ct_html_source *from)
{
	const struct ct_model *model = from->analysis->model;
	static const char *const kinds[] = { [CT_STREAM_FLAG_LEGACY] = " (default)",
					     [CT_STREAM_FLAG_PER_THREAD] = " (thread's default)" };

	for (size_t i = 0; i < model->threads.count; i++) {
		const struct ct_thread_info *thread = &model->threads.at[i];
		const struct ct_lane_key key = { from->process, CT_LANE_THREAD, 0, thread->tid };
		struct ct_lane *lane = ct_lookup_find(&from->html->lanes.lookup, &key, sizeof(key));

		if (lane && *thread->name)
			snprintf(lane->name, sizeof(lane->name), "%s (%u)", thread->name, thread->tid);
	}
	for (size_t i = 0; i < model->streams.count; i++) {
		const struct ct_stream_info *stream = &model->streams.at[i];
		const struct ct_lane_key key = { from->process, CT_LANE_STREAM, stream->context,
						 stream->id };
		struct ct_lane *lane = ct_lookup_find(&from->html->lanes.lookup, &key, sizeof(key));
		size_t used = lane ? strlen(lane->name) : 0;

		if (lane && stream->flag < sizeof(kinds) / sizeof(kinds[0]) && kinds[stream->flag])
			snprintf(lane->name + used, sizeof(lane->name) - used, "%s",
				 kinds[stream->flag]);
	}
	ct_html_name_range_lanes(from);
}

/*
 * The longest wait of a site, where a page goes to from the table. It is kept, but of an
 * analysis in parts, which does not have all waits of the call any more.
 */
static int add_longest(const struct ct_html_source *from, const struct ct_site *site,
		       struct ct_html_site *to)
{
	const struct ct_model *model = from->analysis->model;
	const struct ct_wait *wait = &model->waits.at[site->worst_wait];
	const struct ct_host_call *call = &model->calls.at[wait->call];
	struct ct_lane *lane = ct_html_thread_lane(from, call->tid);
	int r = lane ? 0 : -ENOMEM;

	if (r == 0 && !from->analysis->parts)
		r = ct_html_keep_call(from, wait->call, CT_HTML_ALWAYS);
	if (r == 0 && !from->analysis->parts && wait->op != CT_NONE)
		r = ct_html_keep_op(from, wait->op, CT_HTML_ALWAYS);
	if (r < 0)
		return r;
	to->longest_lane = lane->index;
	to->longest_ns = ct_html_time(from, call->raw.enter_ns);
	to->range = ct_html_range_of(from, call);
	return to->range == CT_NONE ? -ENOMEM : 0;
}

static int add_texts(const struct ct_html_source *from, const struct ct_site *site,
		     struct ct_html_site *to)
{
	const struct ct_analysis *a = from->analysis;
	char text[CT_HTML_TEXT_BYTES] = "";

	if (site->worst_wait != CT_NONE)
		ct_report_waited_for(a->model, &a->model->waits.at[site->worst_wait], text,
				     CT_HTML_NAME_BYTES);
	to->waited_for = strdup(text);
	ct_places_stack_text(a->model, a->sites->places, site->stack, text, sizeof(text));
	to->stack = strdup(text);
	to->where = strndup(site->where, CT_HTML_TEXT_BYTES);
	to->remedy = strdup(ct_site_remedy(a->model, site));
	return to->waited_for && to->stack && to->where && to->remedy ? 0 : -ENOMEM;
}

static int add_row(const struct ct_html_source *from, const struct ct_site *site)
{
	const struct ct_html_site_key key = {
		.where = site->where,
		.process = from->process,
		.name = ct_html_name(&from->html->names, CT_HTML_CALL, site->name),
	};
	struct ct_html_site *to = ct_lookup_find(&from->html->site_keys, &key, sizeof(key));
	int r;

	if (!to)
		return 0; /* none of its calls is in the core: nothing to rank */
	to->told = true;
	to->calls = site->calls;
	to->total_ns = site->total_ns;
	to->blocked_ns = site->blocked_ns;
	to->lost_ns = site->lost_ns;
	to->judged = ct_site_judged(site);
	to->asked = site->effects & CT_SYNC;
	to->idle_ns = site->idle[CT_IDLE_CALL].ns;
	to->worst = site->worst;
	to->certainty = ct_site_certainty(from->analysis->model, site);
	r = add_texts(from, site, to);
	if (r == 0 && site->worst_wait != CT_NONE)
		r = add_longest(from, site, to);
	return r < 0 ? r : CT_PUSH(&from->html->rows, to->index);
}

static int add_pair(const struct ct_html_source *from, const struct ct_pair *pair)
{
	const struct ct_model *model = from->analysis->model;
	const struct ct_host_call *culprit = &model->calls.at[pair->culprit];
	const struct ct_op *victim = &model->ops.at[pair->victim];
	struct ct_lane *thread = ct_html_thread_lane(from, culprit->tid);
	struct ct_lane *stream = ct_html_stream_lane(from, victim);
	const struct ct_html_pair to = {
		.site = ct_html_site_of(from, pair->culprit),
		.culprit_lane = thread ? thread->index : CT_NONE,
		.victim_lane = stream ? stream->index : CT_NONE,
		.victim_name = ct_html_op_name(from, pair->victim),
		.culprit_start_ns = ct_html_time(from, culprit->raw.enter_ns),
		.culprit_end_ns = ct_html_time(from, culprit->raw.leave_ns),
		.victim_start_ns = ct_html_time(from, victim->raw.start_ns),
		.victim_end_ns = ct_html_time(from, victim->raw.end_ns),
		.delay_ns = pair->delay_ns,
		.lost_ns = pair->lost_ns,
	};

	if (!thread || !stream || to.site == CT_NONE || to.victim_name == CT_NONE)
		return -ENOMEM;
	return CT_PUSH(&from->html->pairs, to);
}

static int add_tables(const struct ct_html_source *from)
{
	const struct ct_analysis *a = from->analysis;
	struct ct_html_process *process = &from->html->processes.at[from->process];
	size_t pairs = a->serialization->pairs.count, rows = CT_HTML_SITES / from->html->export->processes;
	int r = 0;

	process->sites = a->sites->all.count;
	for (size_t i = 0; r == 0 && i < pairs && i < CT_HTML_PAIRS; i++)
		r = add_pair(from, &a->serialization->pairs.at[i]);
	if (r == 0 && pairs > CT_HTML_PAIRS)
		r = add_loss(process, pairs - CT_HTML_PAIRS, "pairs of serialized operations of the "
			     "places that cost least: the page has no room for them");
	if (rows < CT_HTML_SITES_LEAST)
		rows = CT_HTML_SITES_LEAST;
	for (size_t i = 0; r == 0 && i < a->sites->all.count && i < rows; i++)
		r = add_row(from, &a->sites->all.at[a->sites->ranked[i]]);
	return r;
}

static int add_sums(const struct ct_html_source *from)
{
	const struct ct_analysis *a = from->analysis;
	struct ct_html_process *process = &from->html->processes.at[from->process];
	int r;

	ct_export_label(a->model, process->label, sizeof(process->label));
	process->totals = a->totals;
	process->begin_ns = ct_html_time(from, a->model->begin_ns);
	process->end_ns = ct_html_time(from, a->model->end_ns);
	process->lost_ns = a->serialization->lost_ns;
	process->device_busy_ns = a->idle->busy_ns;
	process->device_idle_ns = a->idle->idle_ns;
	r = ct_html_memory_finish(&process->memory);
	if (r == 0)
		r = render(a, ct_report_coverage, &process->coverage);
	if (r == 0)
		r = render(a, print_report, &process->report);
	if (r == 0)
		r = ct_html_gather_range_sums(from);
	if (r == 0)
		r = ct_export_losses(a, add_loss, process);
	return r < 0 || !ct_memory_unknown(process->memory.map) ? r :
		add_loss(process, ct_memory_unknown(process->memory.map), CT_MEMORY_UNKNOWN_TEXT);
}

int ct_html_gather_end(struct ct_html *html, uint32_t process, const struct ct_analysis *analysis)
{
	struct ct_html_source from = { .html = html, .process = process, .analysis = analysis };
	int r = add_sums(&from);

	name_lanes(&from);
	if (r == 0 && !analysis->parts)
		r = ct_html_source_open(&from);
	if (r == 0)
		r = add_tables(&from);
	ct_html_source_close(&from);
	return r;
}
