/* SPDX-License-Identifier: Apache-2.0 */
/* NVTX ranges of a page: lanes by depth, the longest of them exactly, and sums by name. */
#include <errno.h>

#include "analyze/nvtx.h"
#include "export/events.h"
#include "export/html/page.h"

static struct ct_lane *shared_lane(struct ct_lanes *lanes, uint32_t process)
{
	const struct ct_lane_key key = { process, CT_LANE_RANGES, 0, CT_LANE_SHARED };

	lanes->shared++;
	return ct_lanes_get(lanes, &key);
}

/* thread: its name, if that is known. */
static void name_lane(struct ct_lane *lane, const char *thread)
{
	char depth[24] = "";

	if (lane->key.id)
		snprintf(depth, sizeof(depth), ", depth %u", lane->key.id + 1);
	if (lane->key.id == CT_LANE_SHARED)
		snprintf(lane->name, sizeof(lane->name), "other NVTX ranges");
	else if (*thread)
		snprintf(lane->name, sizeof(lane->name), "NVTX ranges of %s (%u)%s", thread, lane->key.group,
			 depth);
	else
		snprintf(lane->name, sizeof(lane->name), "NVTX ranges of thread %u%s", lane->key.group, depth);
}

void ct_html_name_range_lanes(const struct ct_html_source *from)
{
	const struct ct_lanes *lanes = &from->html->lanes;

	for (size_t i = 0; i < lanes->all.count; i++) {
		struct ct_lane *lane = lanes->all.at[i];
		const struct ct_thread_info *thread = ct_model_thread(from->analysis->model, lane->key.group);

		if (lane->key.kind == CT_LANE_RANGES && lane->key.process == from->process)
			name_lane(lane, thread ? thread->name : "");
	}
}

/* The lane of a depth, if it is there or there is room for one more; NULL: there is none. */
static struct ct_lane *lane_of_depth(const struct ct_html_source *from, uint32_t tid, uint32_t depth)
{
	struct ct_html_process *process = &from->html->processes.at[from->process];
	const struct ct_lane_key key = { from->process, CT_LANE_RANGES, tid, depth };
	struct ct_lane *lane = ct_lookup_find(&from->html->lanes.lookup, &key, sizeof(key));
	size_t limit = CT_HTML_RANGE_LANES / from->html->export->processes;

	if (limit < CT_HTML_RANGE_LANES_LEAST)
		limit = CT_HTML_RANGE_LANES_LEAST;
	if (lane || process->range_lanes >= limit)
		return lane;
	process->range_lanes++;
	return ct_lanes_get(&from->html->lanes, &key);
}

/* Ranges come by time of their begin, so those that nest lie in as many lanes as they are deep. */
struct ct_lane *ct_html_range_lane(const struct ct_html_source *from, uint32_t tid, uint64_t start_ns)
{
	struct ct_lane *lane = NULL;
	uint32_t depth = 0;

	for (; depth < CT_HTML_RANGE_DEPTHS; depth++) {
		lane = lane_of_depth(from, tid, depth);
		if (!lane || lane->key.id == CT_LANE_SHARED || lane->last_end_ns <= start_ns)
			break;
	}
	if (!lane || depth == CT_HTML_RANGE_DEPTHS)
		lane = shared_lane(&from->html->lanes, from->process);
	if (lane && !*lane->name)
		name_lane(lane, "");
	return lane;
}

uint32_t ct_html_range_of(const struct ct_html_source *from, const struct ct_host_call *call)
{
	char text[CT_NVTX_TEXT_BYTES];

	if (!*ct_nvtx_of_call(from->analysis->model, call, text))
		return 0;
	return ct_html_name(&from->html->names, CT_HTML_RANGE, text);
}

static int add_range(const struct ct_html_source *from, const struct ct_nvtx_range *raw)
{
	const struct ct_model *model = from->analysis->model;
	struct ct_html *html = from->html;
	int64_t begin_ns = ct_export_time(html->export, model, raw->begin_ns);
	struct ct_html_item item = {
		.start_ns = ct_html_time(from, raw->begin_ns),
		.end_ns = ct_html_time(from, ct_export_range_end(model, raw)),
		.tool_ns = begin_ns < 0 ? (uint64_t)-begin_ns : 0,
		.copies_lane = CT_NONE, .by_lane = CT_NONE, .site = CT_NONE,
		.error = raw->end_ns == UINT64_MAX,
	};
	struct ct_lane *lane = ct_html_range_lane(from, raw->tid, item.start_ns);
	char text[CT_NVTX_TEXT_BYTES];
	int r;

	item.name = ct_html_name(&html->names, CT_HTML_RANGE,
				 ct_nvtx_text(model, raw->domain, raw->name, text));
	if (!lane || item.name == CT_NONE)
		return -ENOMEM;
	item.lane = lane->index;
	item.score = item.end_ns - item.start_ns + 1; /* 0 would be kept by nothing */
	r = ct_lane_add(&html->lanes, lane, item.start_ns, item.end_ns, item.name);
	return r < 0 ? r : ct_html_items_add(&html->ranges, &item, NULL);
}

int ct_html_gather_ranges(const struct ct_html_source *from)
{
	const struct ct_model *model = from->analysis->model;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->ranges.count; i++) {
		const struct ct_nvtx_range *raw = &model->ranges.at[i].raw;

		if (raw->begin_ns >= model->core.begin_ns && raw->begin_ns < model->core.end_ns)
			r = add_range(from, raw);
	}
	return r;
}

static int add_sum(const struct ct_html_source *from, const struct ct_nvtx_sum *sum)
{
	bool none = sum->key.name == CT_NONE;
	char text[CT_NVTX_TEXT_BYTES];
	const struct ct_html_range_sum to = {
		.name = none ? CT_NONE : ct_html_name(&from->html->names, CT_HTML_RANGE,
						      ct_nvtx_text(from->analysis->model, sum->key.domain,
								   sum->key.name, text)),
		.part = ct_nvtx_class(sum),
		.ranges = sum->ranges,
		.calls = sum->calls,
		.total_ns = sum->total_ns,
		.blocked_ns = sum->blocked_ns,
		.lost_ns = sum->lost_ns,
		.all_calls = sum->all_calls,
		.all_blocked_ns = sum->all_blocked_ns,
		.all_lost_ns = sum->all_lost_ns,
	};

	if (!none && to.name == CT_NONE)
		return -ENOMEM;
	return CT_PUSH(&from->html->processes.at[from->process].range_sums, to);
}

int ct_html_gather_range_sums(const struct ct_html_source *from)
{
	const struct ct_nvtx_sums *sums = &from->analysis->nvtx;
	struct ct_html_process *process = &from->html->processes.at[from->process];
	size_t limit = CT_HTML_RANGE_NAMES / from->html->export->processes;
	int r = 0;

	if (limit < CT_HTML_RANGE_NAMES_LEAST)
		limit = CT_HTML_RANGE_NAMES_LEAST;
	if (!ct_nvtx_any(sums))
		return 0;
	process->range_names = sums->all.count;
	for (size_t i = 0; r == 0 && i < sums->all.count; i++)
		if (i < limit || sums->all.at[i]->key.name == CT_NONE)
			r = add_sum(from, sums->all.at[i]);
	return r;
}
