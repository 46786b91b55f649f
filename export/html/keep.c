/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and operations of a model as a page has them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/blocking.h"
#include "analyze/report.h"
#include "export/html/page.h"

uint64_t ct_html_time(const struct ct_html_source *from, uint64_t ns)
{
	int64_t time = ct_export_time(from->html->export, from->analysis->model, ns);

	return time < 0 ? 0 : (uint64_t)time;
}

struct ct_lane *ct_html_thread_lane(const struct ct_html_source *from, uint32_t tid)
{
	const struct ct_lane_key key = { from->process, CT_LANE_THREAD, 0, tid };
	struct ct_lane *lane = ct_lanes_get(&from->html->lanes, &key);

	if (lane && !*lane->name)
		snprintf(lane->name, sizeof(lane->name), lane->key.id == CT_LANE_SHARED ?
			 "other threads" : "thread %u", tid);
	return lane;
}

struct ct_lane *ct_html_stream_lane(const struct ct_html_source *from, const struct ct_op *op)
{
	const struct ct_model *model = from->analysis->model;
	const struct ct_lane_key key = { from->process, CT_LANE_STREAM, op->raw.context,
					 op->raw.stream };
	struct ct_lane *lane = ct_lanes_get(&from->html->lanes, &key);
	int n;

	if (!lane || *lane->name)
		return lane;
	n = snprintf(lane->name, sizeof(lane->name), lane->key.id == CT_LANE_SHARED ?
		     "other streams" : "stream %u", op->raw.stream);
	lane->device = lane->key.id == CT_LANE_SHARED ? CT_NONE : op->raw.device;
	if (model->contexts.count > 1 || model->gpus.count > 1)
		snprintf(lane->name + n, sizeof(lane->name) - (size_t)n, ", GPU %u, context %u",
			 op->raw.device, op->raw.context);
	return lane;
}

enum ct_html_kind ct_html_kind_of(const struct ct_device_op *op)
{
	if (op->kind == CT_DEVICE_FILL)
		return CT_HTML_FILL;
	if (op->kind == CT_DEVICE_GRAPH)
		return CT_HTML_GRAPH;
	if (op->kind != CT_DEVICE_COPY)
		return CT_HTML_KERNEL;
	switch (op->u.copy.direction) {
	case CT_DIRECTION_H2D:
	case CT_DIRECTION_H2A:
		return CT_HTML_H2D;
	case CT_DIRECTION_D2H:
	case CT_DIRECTION_A2H:
		return CT_HTML_D2H;
	default:
		return CT_HTML_COPY;
	}
}

struct ct_lane *ct_html_copies_lane(const struct ct_html_source *from, const struct ct_op *op)
{
	enum ct_html_kind kind = ct_html_kind_of(&op->raw);
	const struct ct_lane_key key = { from->process, CT_LANE_COPIES, op->raw.device, kind };
	struct ct_lane *lane = ct_lanes_get(&from->html->lanes, &key);
	int n;

	if (!lane || *lane->name)
		return lane;
	lane->device = lane->key.id == CT_LANE_SHARED ? CT_NONE : op->raw.device;
	n = snprintf(lane->name, sizeof(lane->name), "copies %s",
		     lane->key.id == CT_LANE_SHARED ? "of several kinds" : kind == CT_HTML_H2D ? "H2D" :
		     kind == CT_HTML_D2H ? "D2H" : "other");
	if (from->analysis->model->gpus.count > 1)
		snprintf(lane->name + n, sizeof(lane->name) - (size_t)n, ", GPU %u", op->raw.device);
	return lane;
}

uint32_t ct_html_op_name(const struct ct_html_source *from, uint32_t op)
{
	char name[CT_NAME_BYTES];

	ct_model_op_name(from->analysis->model, op, name, sizeof(name));
	return ct_html_name(&from->html->names,
			    ct_html_kind_of(&from->analysis->model->ops.at[op].raw), name);
}

static uint32_t add_site(struct ct_html *html, const struct ct_html_site_key *key)
{
	struct ct_html_site *site = calloc(1, sizeof(*site));

	if (!site)
		return CT_NONE;
	site->key = *key;
	site->index = (uint32_t)html->sites.count;
	site->longest_lane = CT_NONE;
	if (ct_lookup_add(&html->site_keys, site, &site->key, sizeof(site->key)) < 0) {
		free(site);
		return CT_NONE;
	}
	return CT_PUSH(&html->sites, site) < 0 ? CT_NONE : site->index;
}

uint32_t ct_html_site_of(const struct ct_html_source *from, uint32_t call)
{
	const struct ct_sites *sites = from->analysis->sites;
	const struct ct_site *site = &sites->all.at[sites->of_call[call]];
	const struct ct_html_site_key key = {
		.where = site->where,
		.process = from->process,
		.name = ct_html_name(&from->html->names, CT_HTML_CALL, site->name),
	};
	const struct ct_html_site *known =
		ct_lookup_find(&from->html->site_keys, &key, sizeof(key));

	if (key.name == CT_NONE)
		return CT_NONE;
	return known ? known->index : add_site(from->html, &key);
}

/* What a wait was for; the operation or call may be another part's. */
static int describe(const struct ct_html_source *from, const struct ct_wait *wait,
		    struct ct_html_wait *ret)
{
	const struct ct_model *model = from->analysis->model;
	struct ct_lane *lane = NULL;
	char name[CT_NAME_BYTES];

	ct_report_waited_for(model, wait, name, sizeof(name));
	*ret = (struct ct_html_wait){
		.start_ns = ct_html_time(from, wait->start_ns),
		.end_ns = ct_html_time(from, wait->end_ns),
		.other_lane = CT_NONE,
		.why = ct_html_name(&from->html->names, CT_HTML_OTHER, wait->why ? wait->why : ""),
		.part = (uint8_t)wait->part,
	};
	if (wait->op != CT_NONE) {
		const struct ct_op *op = &model->ops.at[wait->op];

		lane = ct_html_stream_lane(from, op);
		ret->other_start_ns = ct_html_time(from, op->raw.start_ns);
		ret->other_end_ns = ct_html_time(from, op->raw.end_ns);
		ret->name = ct_html_op_name(from, wait->op);
	} else {
		ret->name = *name ? ct_html_name(&from->html->names, CT_HTML_OTHER, name) : 0;
		if (wait->other == CT_NONE)
			return ret->name == CT_NONE || ret->why == CT_NONE ? -ENOMEM : 0;
		lane = ct_html_thread_lane(from, model->calls.at[wait->other].tid);
		ret->other_start_ns = ct_html_time(from, model->calls.at[wait->other].raw.enter_ns);
		ret->other_end_ns = ct_html_time(from, model->calls.at[wait->other].raw.leave_ns);
	}
	ret->other_lane = lane ? lane->index : CT_NONE;
	return !lane || ret->name == CT_NONE || ret->why == CT_NONE ? -ENOMEM : 0;
}

static int describe_all(const struct ct_html_source *from, const struct ct_host_call *call,
			const struct ct_poll *poll, struct ct_html_wait *waits, uint32_t *ret_count)
{
	int r = 0;

	*ret_count = 0;
	for (uint32_t i = 0; r == 0 && i < call->wait_count; i++) {
		const struct ct_wait *wait = &from->analysis->model->waits.at[call->first_wait + i];

		if (wait->part != CT_PART_DRIVER_WORK && wait->part != CT_PART_TOOL)
			r = describe(from, wait, &waits[(*ret_count)++]);
	}
	if (r == 0 && poll) {
		const struct ct_wait wait = { poll->call, CT_PART_COUNT, poll->start_ns, poll->end_ns,
					      poll->op, CT_NONE,
					      "asked again and again until it was done" };

		r = describe(from, &wait, &waits[(*ret_count)++]);
	}
	return r;
}

int ct_html_keep_call(const struct ct_html_source *from, uint32_t index, uint64_t score)
{
	const struct ct_host_call *call = &from->analysis->model->calls.at[index];
	const struct ct_poll *poll = from->polls && from->polls[index] != CT_NONE ?
		&from->analysis->model->polls.at[from->polls[index]] : NULL;
	uint64_t blocked_ns = ct_blocking_blocked(call) + (poll ? poll->end_ns - poll->start_ns : 0);
	uint64_t own = ct_html_score(call->raw.leave_ns - call->raw.enter_ns,
				     blocked_ns + from->call_ns[index]);
	struct ct_html_item item = {
		.start_ns = ct_html_time(from, call->raw.enter_ns),
		.end_ns = ct_html_time(from, call->raw.leave_ns),
		.score = score > own ? score : own,
		.bytes = call->raw.bytes,
		.tool_ns = call->parts[CT_PART_TOOL],
		.copies_lane = CT_NONE,
		.by_lane = CT_NONE,
		.error = call->raw.error,
	};
	struct ct_html_wait *waits;
	struct ct_lane *lane;
	int r = -ENOMEM;

	if (!ct_html_items_want(&from->html->items, item.score))
		return 0;
	waits = malloc((call->wait_count + 1) * sizeof(*waits));
	lane = ct_html_thread_lane(from, call->tid);
	item.name = ct_html_name(&from->html->names, CT_HTML_CALL, call->name);
	item.site = ct_html_site_of(from, index);
	item.range = ct_html_range_of(from, call);
	if (waits && lane && item.name != CT_NONE && item.site != CT_NONE && item.range != CT_NONE)
		r = describe_all(from, call, poll, waits, &item.wait_count);
	if (r == 0) {
		item.lane = lane->index;
		r = ct_html_items_add(&from->html->items, &item, waits);
	}
	free(waits);
	return r;
}

int ct_html_keep_op(const struct ct_html_source *from, uint32_t index, uint64_t score)
{
	const struct ct_model *model = from->analysis->model;
	const struct ct_op *op = &model->ops.at[index];
	uint64_t own = ct_html_score(op->raw.end_ns - op->raw.start_ns,
				     from->op_ns[index]);
	bool copy = op->raw.kind == CT_DEVICE_COPY;
	struct ct_html_item item = {
		.start_ns = ct_html_time(from, op->raw.start_ns),
		.end_ns = ct_html_time(from, op->raw.end_ns),
		.score = score > own ? score : own,
		.bytes = copy || op->raw.kind == CT_DEVICE_FILL ? op->raw.u.copy.bytes : 0,
		.submit_ns = ct_html_time(from, op->submit_ns),
		.copies_lane = CT_NONE, .by_lane = CT_NONE, .site = CT_NONE,
	};
	struct ct_lane *lane, *copies;

	if (!ct_html_items_want(&from->html->items, item.score))
		return 0;
	lane = ct_html_stream_lane(from, op);
	copies = copy ? ct_html_copies_lane(from, op) : NULL;
	item.name = ct_html_op_name(from, index);
	if (!lane || (copy && !copies) || item.name == CT_NONE)
		return -ENOMEM;
	item.lane = lane->index;
	item.copies_lane = copies ? copies->index : CT_NONE;
	if (op->call != CT_NONE) {
		lane = ct_html_thread_lane(from, model->calls.at[op->call].tid);
		item.site = ct_html_site_of(from, op->call);
		item.range = ct_html_range_of(from, &model->calls.at[op->call]);
		if (!lane || item.site == CT_NONE || item.range == CT_NONE)
			return -ENOMEM;
		item.by_lane = lane->index;
	}
	return ct_html_items_add(&from->html->items, &item, NULL);
}
