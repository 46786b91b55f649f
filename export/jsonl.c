/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines: an object for each thing that happened, and for each sum (docs/exports.md). */
#include <errno.h>
#include <stdlib.h>

#include "analyze/device.h"
#include "analyze/identity.h"
#include "analyze/report.h"
#include "analyze/seen.h"
#include "export/events.h"
#include "export/export.h"
#include "export/json.h"

#define FORMAT_VERSION 3

struct jsonl {
	const struct ct_export *export;
	const struct ct_export_process *process; /* at hand */
	struct ct_json json;
	uint64_t lines;
};

static struct ct_json *begin(struct jsonl *j, const char *type)
{
	j->lines++;
	ct_json_begin(&j->json, NULL);
	ct_json_text(&j->json, "type", type);
	if (j->process)
		ct_json_number(&j->json, "process", j->process->index);
	return &j->json;
}

static void put_time(const struct jsonl *j, struct ct_json *json, const struct ct_model *model,
		     const char *key, uint64_t ns)
{
	ct_json_signed(json, key, ct_export_time(j->export, model, ns));
}

static void put_span(const struct jsonl *j, struct ct_json *json, const struct ct_model *model,
		     uint64_t start_ns, uint64_t end_ns)
{
	put_time(j, json, model, "start_ns", start_ns);
	ct_json_number(json, "duration_ns", end_ns - start_ns);
}

static int open_jsonl(const struct ct_export *export, void **ret)
{
	struct jsonl *j = calloc(1, sizeof(*j));
	struct ct_json *json;

	if (!j)
		return -ENOMEM;
	j->export = export;
	j->json.to = export->to;
	*ret = j;
	json = begin(j, "session");
	ct_json_number(json, "version", FORMAT_VERSION);
	ct_json_text(json, "tool", "cutrace " CT_VERSION);
	ct_json_number(json, "begin_utc_ns", export->begin_ns);
	ct_json_number(json, "processes", export->processes);
	ct_json_number(json, "left_out", export->left_out);
	ct_json_end_line(json);
	return 0;
}

static void write_thread(struct jsonl *j, const struct ct_thread_info *thread)
{
	struct ct_json *json = begin(j, "thread");

	ct_json_number(json, "tid", thread->tid);
	ct_json_text(json, "name", thread->name);
	ct_json_end_line(json);
}

static int begin_process(void *writer, const struct ct_export_process *process,
			 const struct ct_model *model)
{
	struct jsonl *j = writer;
	struct ct_identity id = ct_identity_of(model);
	struct ct_json *json;

	j->process = process;
	json = begin(j, "process");
	ct_json_number(json, "pid", model->header->pid);
	ct_json_text(json, "program", model->header->program);
	ct_json_text(json, "host", id.host);
	ct_json_id(json, "rank", id.rank);
	ct_json_id(json, "local_rank", id.local_rank);
	ct_json_id(json, "size", id.size);
	ct_json_text(json, "directory", process->directory);
	put_time(j, json, model, "csv_offset_ns", 0); /* add it to a time of the CSV files */
	ct_json_end_line(json);
	for (size_t i = 0; i < model->threads.count; i++)
		write_thread(j, &model->threads.at[i]);
	return 0;
}

static uint32_t stream_id(const struct ct_model *model, uint32_t stream)
{
	return stream == CT_NONE ? CT_NONE : model->streams.at[stream].id;
}

static void put_parts(struct ct_json *json, const uint64_t parts[CT_PART_COUNT])
{
	ct_json_begin(json, "parts_ns");
	for (int part = 0; part < CT_PART_COUNT; part++)
		if (parts[part])
			ct_json_number(json, ct_part_names[part], parts[part]);
	ct_json_end(json);
}

/* The innermost range of a call, if it was made in any. */
static void put_range(struct ct_json *json, const struct ct_model *model,
		      const struct ct_host_call *call)
{
	char text[CT_NVTX_TEXT_BYTES];

	if (*ct_nvtx_of_call(model, call, text))
		ct_json_text(json, "nvtx_range", text);
}

static int write_range(void *arg, const struct ct_analysis *a, const struct ct_range_info *range)
{
	const struct ct_nvtx_range *raw = &range->raw;
	char text[CT_NVTX_TEXT_BYTES];
	struct jsonl *j = arg;
	struct ct_json *json = begin(j, "nvtx_range");

	put_span(j, json, a->model, raw->begin_ns, ct_export_range_end(a->model, raw));
	ct_json_text(json, "kind", raw->kind == CT_NVTX_STARTED ? "started" : "pushed");
	ct_json_text(json, "name", ct_nvtx_text(a->model, 0, raw->name, text));
	ct_json_text(json, "domain", raw->domain ? ct_nvtx_text(a->model, 0, raw->domain, text) : "");
	ct_json_number(json, "tid", raw->tid);
	ct_json_number(json, "category", raw->category);
	ct_json_bool(json, "ended", raw->end_ns != UINT64_MAX && !raw->cut);
	ct_json_end_line(json);
	return 0;
}

static int write_call(void *arg, const struct ct_analysis *a, uint32_t index)
{
	struct jsonl *j = arg;
	const struct ct_host_call *call = &a->model->calls.at[index];
	struct ct_json *json = begin(j, "call");

	put_span(j, json, a->model, call->raw.enter_ns, call->raw.leave_ns);
	ct_json_text(json, "name", call->name);
	ct_json_signed(json, "result", call->raw.error);
	ct_json_number(json, "tid", call->tid);
	ct_json_number(json, "correlation", call->raw.correlation);
	ct_json_number(json, "context", call->raw.context);
	ct_json_id(json, "stream", stream_id(a->model, call->stream));
	ct_json_number(json, "bytes", call->raw.bytes);
	ct_json_address(json, "address", call->raw.addr);
	ct_json_text(json, "origin", ct_export_origin(call->raw.origin));
	put_parts(json, call->parts);
	ct_json_text(json, "site", ct_export_site(a, index));
	ct_json_bool(json, "captured", call->raw.flags & CT_CALL_CAPTURING);
	put_range(json, a->model, call);
	ct_json_end_line(json);
	return 0;
}

/* The operation or call that a wait was for. */
static void put_cause(const struct jsonl *j, struct ct_json *json, const struct ct_model *model,
		      const struct ct_wait *wait)
{
	char name[CT_NAME_BYTES];

	ct_report_waited_for(model, wait, name, sizeof(name));
	if (!*name) {
		ct_json_null(json, "waited_for");
		return;
	}
	ct_json_begin(json, "waited_for");
	ct_json_text(json, "name", name);
	ct_json_id(json, "stream", ct_report_wait_stream(model, wait));
	ct_json_id(json, "device", ct_report_wait_device(model, wait));
	if (wait->op != CT_NONE) {
		const struct ct_device_op *op = &model->ops.at[wait->op].raw;

		put_span(j, json, model, op->start_ns, op->end_ns);
		ct_json_number(json, "correlation", op->correlation);
	} else if (wait->other != CT_NONE) {
		const struct ct_host_call *other = &model->calls.at[wait->other];

		put_span(j, json, model, other->raw.enter_ns, other->raw.leave_ns);
		ct_json_number(json, "correlation", other->raw.correlation);
		ct_json_number(json, "tid", other->tid);
	}
	ct_json_end(json);
}

static void put_wait(struct jsonl *j, const struct ct_analysis *a, const struct ct_wait *wait,
		     const char *class)
{
	const struct ct_host_call *call = &a->model->calls.at[wait->call];
	struct ct_json *json = begin(j, "wait");

	put_span(j, json, a->model, wait->start_ns, wait->end_ns);
	ct_json_text(json, "class", class);
	ct_json_number(json, "tid", call->tid);
	ct_json_text(json, "call", call->name);
	ct_json_number(json, "correlation", call->raw.correlation);
	put_cause(j, json, a->model, wait);
	ct_json_text(json, "why", wait->why ? wait->why : "");
	ct_json_text(json, "site", ct_export_site(a, wait->call));
	put_range(json, a->model, call);
	ct_json_end_line(json);
}

static int write_wait(void *arg, const struct ct_analysis *a, const struct ct_wait *wait)
{
	put_wait(arg, a, wait, ct_part_names[wait->part]);
	return 0;
}

static int write_poll(void *arg, const struct ct_analysis *a, const struct ct_poll *poll)
{
	const struct ct_wait wait = { .call = poll->call, .op = poll->op, .other = CT_NONE,
				      .start_ns = poll->start_ns, .end_ns = poll->end_ns,
				      .why = "asked again and again until it was done" };

	put_wait(arg, a, &wait, "polling");
	return 0;
}

static void put_copy(struct ct_json *json, const struct ct_device_op *op)
{
	ct_json_number(json, "bytes", op->u.copy.bytes);
	if (op->kind == CT_DEVICE_COPY) {
		ct_json_text(json, "direction", ct_export_direction(op->u.copy.direction));
		ct_json_text(json, "source", ct_export_memory(op->u.copy.source));
	}
	ct_json_text(json, "target", ct_export_memory(op->u.copy.target));
	if (ct_device_source(op) != CT_NONE)
		ct_json_number(json, "source_device", ct_device_source(op));
	if (ct_device_target(op) != CT_NONE)
		ct_json_number(json, "target_device", ct_device_target(op));
}

static void put_kernel(struct ct_json *json, const struct ct_device_op *op)
{
	char grid[48], block[48];

	snprintf(grid, sizeof(grid), "%ux%ux%u", op->u.kernel.grid_x, op->u.kernel.grid_y,
		 op->u.kernel.grid_z);
	snprintf(block, sizeof(block), "%ux%ux%u", op->u.kernel.block_x, op->u.kernel.block_y,
		 op->u.kernel.block_z);
	ct_json_text(json, "grid", grid);
	ct_json_text(json, "block", block);
	ct_json_number(json, "registers", op->u.kernel.registers);
	ct_json_number(json, "shared_bytes", op->shared_bytes);
}

static int write_op(void *arg, const struct ct_analysis *a, uint32_t index)
{
	struct jsonl *j = arg;
	const struct ct_device_op *op = &a->model->ops.at[index].raw;
	struct ct_json *json = begin(j, "operation");

	put_span(j, json, a->model, op->start_ns, op->end_ns);
	ct_json_text(json, "kind", ct_export_kind(op));
	ct_json_text(json, "name", ct_export_op_name(a->model, index));
	ct_json_number(json, "device", op->device);
	ct_json_number(json, "context", op->context);
	ct_json_number(json, "stream", op->stream);
	ct_json_number(json, "correlation", op->correlation);
	if (op->kind == CT_DEVICE_COPY || op->kind == CT_DEVICE_FILL)
		put_copy(json, op);
	else if (op->kind == CT_DEVICE_KERNEL)
		put_kernel(json, op);
	if (op->graph)
		ct_json_number(json, "graph", op->graph);
	ct_json_end_line(json);
	return 0;
}

static int write_sync(void *arg, const struct ct_analysis *a, const struct ct_sync *sync)
{
	struct jsonl *j = arg;
	struct ct_json *json = begin(j, "synchronization");

	put_span(j, json, a->model, sync->start_ns, sync->end_ns);
	ct_json_text(json, "kind", ct_export_sync(sync->kind));
	ct_json_number(json, "correlation", sync->correlation);
	ct_json_id(json, "context", sync->context);
	ct_json_id(json, "stream", sync->stream);
	ct_json_id(json, "event", sync->event);
	ct_json_end_line(json);
	return 0;
}

static int write_part(void *writer, const struct ct_export_process *process,
		      const struct ct_analysis *part)
{
	static const struct ct_export_events events = { .call = write_call, .wait = write_wait,
							.poll = write_poll, .op = write_op,
							.sync = write_sync, .range = write_range };

	(void)process;
	return ct_export_visit(part, &events, writer);
}

static void write_pair(struct jsonl *j, const struct ct_analysis *a, const struct ct_pair *pair)
{
	const struct ct_host_call *culprit = &a->model->calls.at[pair->culprit];
	const struct ct_device_op *victim = &a->model->ops.at[pair->victim].raw;
	struct ct_json *json = begin(j, "serialized");

	ct_json_text(json, "culprit", culprit->name);
	put_time(j, json, a->model, "culprit_start_ns", culprit->raw.enter_ns);
	ct_json_number(json, "culprit_tid", culprit->tid);
	ct_json_text(json, "culprit_site", ct_export_site(a, pair->culprit));
	ct_json_text(json, "victim", ct_export_op_name(a->model, pair->victim));
	ct_json_number(json, "victim_stream", victim->stream);
	ct_json_number(json, "victim_device", victim->device);
	put_time(j, json, a->model, "victim_start_ns", victim->start_ns);
	ct_json_number(json, "delay_ns", pair->delay_ns);
	ct_json_number(json, "lost_ns", pair->lost_ns);
	ct_json_text(json, "evidence", ct_export_evidence(pair));
	ct_json_end_line(json);
}

static void write_site(struct jsonl *j, const struct ct_analysis *a, const struct ct_site *site)
{
	struct ct_json *json = begin(j, "site");

	ct_json_text(json, "site", site->where);
	ct_json_text(json, "call", site->name);
	ct_json_number(json, "calls", site->calls);
	ct_json_number(json, "total_ns", site->total_ns);
	ct_json_number(json, "blocked_ns", site->blocked_ns);
	put_parts(json, site->parts);
	ct_json_text(json, "class", ct_part_names[site->worst]);
	ct_json_text(json, "certainty", ct_site_certainty(a->model, site));
	ct_json_number(json, "lost_ns", site->lost_ns);
	ct_json_number(json, "idle_ns", site->idle[CT_IDLE_CALL].ns);
	ct_json_text(json, "remedy", ct_site_remedy(a->model, site));
	ct_json_end_line(json);
}

static void write_gap(struct jsonl *j, const struct ct_analysis *a, const struct ct_gap *gap)
{
	struct ct_json *json = begin(j, "idle");

	put_span(j, json, a->model, gap->start_ns, gap->end_ns);
	ct_json_text(json, "cause", ct_export_idle(gap->cause));
	if (gap->call != CT_NONE) {
		ct_json_text(json, "call", a->model->calls.at[gap->call].name);
		ct_json_text(json, "site", ct_export_site(a, gap->call));
	}
	ct_json_id(json, "device", ct_idle_device(a->model, gap));
	ct_json_end_line(json);
}

static int write_loss(void *arg, uint64_t count, const char *text)
{
	struct ct_json *json = begin(arg, "loss");

	if (count)
		ct_json_number(json, "count", count);
	else
		ct_json_null(json, "count");
	ct_json_text(json, "text", text);
	ct_json_end_line(json);
	return 0;
}

static int end_process(void *writer, const struct ct_export_process *process,
		       const struct ct_analysis *a)
{
	struct jsonl *j = writer;
	struct ct_json *json;
	int r;

	(void)process;
	for (size_t i = 0; i < a->serialization->pairs.count; i++)
		write_pair(j, a, &a->serialization->pairs.at[i]);
	for (size_t i = 0; i < a->sites->all.count; i++)
		write_site(j, a, &a->sites->all.at[a->sites->ranked[i]]);
	for (size_t i = 0; i < a->idle->gaps.count; i++)
		write_gap(j, a, &a->idle->gaps.at[i]);
	r = ct_export_losses(a, write_loss, j);
	json = begin(j, "totals");
	ct_json_number(json, "calls", a->totals.calls);
	ct_json_number(json, "operations", a->totals.ops);
	ct_json_number(json, "blocked_ns", a->totals.blocked_ns);
	ct_json_number(json, "serialized_ns", a->serialization->lost_ns);
	put_parts(json, a->totals.parts_ns);
	ct_json_end_line(json);
	j->process = NULL;
	return r;
}

/* Whoever does not find this line has not got all. */
static int finish(void *writer)
{
	struct jsonl *j = writer;
	struct ct_json *json;

	if (j->export->left_out)
		write_loss(j, j->export->left_out, "traces that could not be used");
	json = begin(j, "end");
	ct_json_number(json, "lines", j->lines);
	ct_json_end_line(json);
	return 0;
}

static void destroy(void *writer)
{
	free(writer);
}

const struct ct_export_format ct_export_jsonl = {
	.open = open_jsonl,
	.begin_process = begin_process,
	.part = write_part,
	.end_process = end_process,
	.finish = finish,
	.destroy = destroy,
};
