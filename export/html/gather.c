/* SPDX-License-Identifier: Apache-2.0 */
/* From a part of a run to lanes, exact calls and operations, and memory. */
#include <errno.h>
#include <stdlib.h>

#include "export/html/page.h"

static int add_blocked(const struct ct_html_source *from, struct ct_lane *lane,
		       const struct ct_host_call *call)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < call->wait_count; i++) {
		const struct ct_wait *wait = &from->analysis->model->waits.at[call->first_wait + i];

		if (wait->part != CT_PART_DRIVER_WORK && wait->part != CT_PART_TOOL)
			r = ct_lane_block(&from->html->lanes, lane, ct_html_time(from, wait->start_ns),
					  ct_html_time(from, wait->end_ns), wait->part);
	}
	return r;
}

static int add_call(const struct ct_html_source *from, uint32_t index)
{
	const struct ct_host_call *call = &from->analysis->model->calls.at[index];
	struct ct_html *html = from->html;
	uint32_t name = ct_html_name(&html->names, CT_HTML_CALL, call->name);
	struct ct_lane *lane = ct_html_thread_lane(from, call->tid);
	uint64_t end_ns = ct_html_time(from, call->raw.leave_ns);
	int r;

	if (name == CT_NONE || !lane)
		return -ENOMEM;
	r = ct_lane_add(&html->lanes, lane, ct_html_time(from, call->raw.enter_ns), end_ns, name);
	if (r == 0)
		r = add_blocked(from, lane, call);
	if (r == 0)
		r = ct_html_memory_see(&html->processes.at[from->process].memory, from->analysis->model,
				       call);
	return r < 0 ? r : ct_html_keep_call(from, index, 0);
}

static int add_op(const struct ct_html_source *from, uint32_t index)
{
	const struct ct_op *op = &from->analysis->model->ops.at[index];
	struct ct_lanes *lanes = &from->html->lanes;
	uint64_t start_ns = ct_html_time(from, op->raw.start_ns);
	uint64_t end_ns = ct_html_time(from, op->raw.end_ns);
	uint32_t name = ct_html_op_name(from, index);
	struct ct_lane *lane = ct_html_stream_lane(from, op);
	int r;

	if (name == CT_NONE || !lane)
		return -ENOMEM;
	r = ct_lane_add(lanes, lane, start_ns, end_ns, name);
	if (r == 0 && op->raw.kind == CT_DEVICE_COPY) {
		lane = ct_html_copies_lane(from, op);
		r = lane ? ct_lane_add(lanes, lane, start_ns, end_ns, name) : -ENOMEM;
	}
	return r < 0 ? r : ct_html_keep_op(from, index, 0);
}

static void raise(uint64_t *most, uint64_t ns)
{
	*most = ns > *most ? ns : *most;
}

/* How long each operation was waited for or delayed at most, and each call delayed another. */
static int find_weights(struct ct_html_source *from)
{
	const struct ct_model *model = from->analysis->model;
	const struct ct_serialization *s = from->analysis->serialization;

	from->op_ns = calloc(model->ops.count + 1, sizeof(*from->op_ns));
	from->call_ns = calloc(model->calls.count + 1, sizeof(*from->call_ns));
	if (!from->op_ns || !from->call_ns)
		return -ENOMEM;
	for (size_t i = 0; i < model->waits.count; i++) {
		const struct ct_wait *wait = &model->waits.at[i];

		if (wait->op != CT_NONE)
			raise(&from->op_ns[wait->op], wait->end_ns - wait->start_ns);
	}
	for (size_t i = 0; i < s->pairs.count; i++) {
		raise(&from->op_ns[s->pairs.at[i].victim], s->pairs.at[i].delay_ns);
		raise(&from->call_ns[s->pairs.at[i].culprit], s->pairs.at[i].delay_ns);
	}
	return 0;
}

static int find_polls(struct ct_html_source *from)
{
	const struct ct_model *model = from->analysis->model;

	if (!model->polls.count)
		return 0;
	from->polls = malloc((model->calls.count + 1) * sizeof(*from->polls));
	if (!from->polls)
		return -ENOMEM;
	for (size_t i = 0; i < model->calls.count; i++)
		from->polls[i] = CT_NONE;
	for (size_t i = 0; i < model->polls.count; i++) {
		const struct ct_poll *poll = &model->polls.at[i];

		from->polls[poll->call] = (uint32_t)i;
		if (poll->op != CT_NONE)
			raise(&from->op_ns[poll->op], poll->end_ns - poll->start_ns);
	}
	return 0;
}

int ct_html_source_open(struct ct_html_source *from)
{
	int r = find_weights(from);

	return r < 0 ? r : find_polls(from);
}

void ct_html_source_close(struct ct_html_source *from)
{
	free(from->op_ns);
	free(from->call_ns);
	free(from->polls);
}

/*
 * Of a short run every call and operation is exact, and sums need not be finer than these: fewer
 * buckets take less time. How long it is, is known of one process in one piece only.
 */
static void choose_buckets(struct ct_html *html, const struct ct_model *model)
{
	size_t most = 16 * (model->calls.count + model->ops.count);

	if (model->facts || html->export->processes > 1 || html->lanes.all.count)
		return;
	while (html->lanes.limit > CT_LANE_BUCKETS_FEW && html->lanes.limit > most)
		html->lanes.limit /= 2;
}

int ct_html_gather(struct ct_html *html, uint32_t process, const struct ct_analysis *part)
{
	struct ct_html_source from = { .html = html, .process = process, .analysis = part };
	const struct ct_core *core = &part->model->core;
	int r = ct_html_source_open(&from);

	choose_buckets(html, part->model);
	if (r == 0)
		r = ct_html_gather_ranges(&from);
	for (uint32_t i = core->first_call; r == 0 && i < core->end_call; i++)
		r = add_call(&from, i);
	for (uint32_t i = core->first_op; r == 0 && i < core->end_op; i++)
		r = add_op(&from, i);
	ct_html_memory_widen(&html->processes.at[process].memory, html->lanes.shift);
	ct_html_source_close(&from);
	return r;
}
