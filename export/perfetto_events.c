/* SPDX-License-Identifier: Apache-2.0 */
/* The slices, flows and counters of a Perfetto trace. */
#include <errno.h>
#include <stdlib.h>

#include "analyze/device.h"
#include "analyze/report.h"
#include "export/perfetto_int.h"

/* What flows are about, in their ids. */
enum flow { SUBMITTED = 16, RELEASED, UNLOCKED };

/* From a call to the operation that it submitted; from an operation to who waited for it. */
static uint64_t flow_of_op(const struct ct_pf *pf, enum flow flow, const struct ct_device_op *op)
{
	return ct_pf_id(pf->process->index, flow, op->correlation, op->start_ns,
			(uint64_t)op->context << 32 | op->stream);
}

/* From a call that held the driver's lock to who waited for it. */
static uint64_t flow_of_call(const struct ct_pf *pf, const struct ct_host_call *call)
{
	return ct_pf_id(pf->process->index, UNLOCKED, call->tid, call->raw.enter_ns, 0);
}

static int result(const struct ct_pf *pf)
{
	return pf->no_memory ? -ENOMEM : 0;
}

static int write_memory(void *arg, const struct ct_memory_event *event)
{
	struct ct_pf *pf = arg;
	uint64_t track = ct_pf_track(pf, CT_PF_MEMORY, event->kind, event->device);

	ct_pf_counter(pf, track, event->time_ns, event->now_bytes);
	return result(pf);
}

static void annotate_call(struct ct_pf *pf, const struct ct_analysis *a, uint32_t index)
{
	const struct ct_host_call *call = &a->model->calls.at[index];
	char range[CT_NVTX_TEXT_BYTES];

	ct_pf_number(pf, "correlation", call->raw.correlation);
	if (call->stream != CT_NONE)
		ct_pf_number(pf, "stream", a->model->streams.at[call->stream].id);
	if (call->raw.bytes)
		ct_pf_number(pf, "bytes", call->raw.bytes);
	if (call->raw.error)
		ct_pf_signed(pf, "result", call->raw.error);
	if (call->raw.flags & CT_CALL_CAPTURING)
		ct_pf_text(pf, "captured", "yes");
	ct_pf_text(pf, "site", ct_export_site(a, index));
	if (*ct_nvtx_of_call(a->model, call, range))
		ct_pf_text(pf, "nvtx range", range);
}

static void put_wait(struct ct_pf *pf, const struct ct_wait *wait, uint64_t lane)
{
	const struct ct_model *model = pf->model;
	char name[CT_NAME_BYTES];

	ct_report_waited_for(model, wait, name, sizeof(name));
	ct_pf_begin_slice(pf, lane, wait->start_ns, "wait", ct_part_names[wait->part]);
	if (wait->op != CT_NONE)
		ct_pf_text(pf, "waited for", ct_export_op_name(model, wait->op));
	else if (*name)
		ct_pf_text(pf, "waited for", name);
	if (wait->why)
		ct_pf_text(pf, "why", wait->why);
	ct_pf_end_event(pf);
	ct_pf_end_slice(pf, lane, wait->end_ns);
	if (wait->op != CT_NONE && wait->part == CT_PART_DEVICE_WAIT)
		ct_pf_flow(pf, flow_of_op(pf, RELEASED, &model->ops.at[wait->op].raw));
	else if (wait->other != CT_NONE)
		ct_pf_flow(pf, flow_of_call(pf, &model->calls.at[wait->other]));
	ct_pf_end_event(pf);
}

/* A call whose end is due when its waits, which are nested in it, have been written. */
struct slices {
	struct ct_pf *pf;
	uint64_t lane, end_ns;
	bool open;
};

static void close_call(struct slices *s)
{
	if (!s->open)
		return;
	ct_pf_end_slice(s->pf, s->lane, s->end_ns);
	ct_pf_end_event(s->pf);
	s->open = false;
}

static int write_call(void *arg, const struct ct_analysis *a, uint32_t index)
{
	struct slices *s = arg;
	struct ct_pf *pf = s->pf;
	const struct ct_host_call *call = &a->model->calls.at[index];

	close_call(s);
	s->lane = ct_pf_lane(pf, CT_PF_THREAD, call->tid, 0, call->raw.enter_ns,
			     call->raw.leave_ns);
	s->end_ns = call->raw.leave_ns;
	s->open = true;
	ct_pf_begin_slice(pf, s->lane, call->raw.enter_ns, "call", call->name);
	annotate_call(pf, a, index);
	ct_pf_flow(pf, flow_of_call(pf, call));
	for (uint32_t i = 0; i < call->op_count; i++) {
		uint32_t op = ct_model_op_of(a->model, call, i);

		ct_pf_flow(pf, flow_of_op(pf, SUBMITTED, &a->model->ops.at[op].raw));
	}
	ct_pf_end_event(pf);
	if (pf->no_memory)
		return -ENOMEM;
	return ct_memory_take(pf->memory, a->model, call, write_memory, pf);
}

static int write_wait(void *arg, const struct ct_analysis *a, const struct ct_wait *wait)
{
	struct slices *s = arg;

	(void)a;
	put_wait(s->pf, wait, s->lane);
	return result(s->pf);
}

/* Its queries are slices of the thread's own track. */
static int write_poll(void *arg, const struct ct_analysis *a, const struct ct_poll *poll)
{
	struct slices *s = arg;
	struct ct_pf *pf = s->pf;
	uint64_t lane = ct_pf_lane(pf, CT_PF_POLLS, a->model->calls.at[poll->call].tid, 0,
				   poll->start_ns, poll->end_ns);

	close_call(s);
	ct_pf_begin_slice(pf, lane, poll->start_ns, "wait", "polling");
	ct_pf_number(pf, "queries", poll->queries);
	if (poll->op != CT_NONE)
		ct_pf_text(pf, "waited for", ct_export_op_name(a->model, poll->op));
	ct_pf_text(pf, "site", ct_export_site(a, poll->call));
	ct_pf_end_event(pf);
	ct_pf_end_slice(pf, lane, poll->end_ns);
	if (poll->op != CT_NONE)
		ct_pf_flow(pf, flow_of_op(pf, RELEASED, &a->model->ops.at[poll->op].raw));
	ct_pf_end_event(pf);
	return result(pf);
}

static void annotate_kernel(struct ct_pf *pf, const struct ct_device_op *op)
{
	char text[48];

	snprintf(text, sizeof(text), "%ux%ux%u", op->u.kernel.grid_x, op->u.kernel.grid_y,
		 op->u.kernel.grid_z);
	ct_pf_text(pf, "grid", text);
	snprintf(text, sizeof(text), "%ux%ux%u", op->u.kernel.block_x, op->u.kernel.block_y,
		 op->u.kernel.block_z);
	ct_pf_text(pf, "block", text);
	ct_pf_number(pf, "registers", op->u.kernel.registers);
	ct_pf_number(pf, "shared bytes", op->shared_bytes);
}

static void annotate_op(struct ct_pf *pf, const struct ct_device_op *op)
{
	ct_pf_number(pf, "correlation", op->correlation);
	ct_pf_number(pf, "device", op->device);
	if (op->graph)
		ct_pf_number(pf, "graph", op->graph);
	if (op->kind == CT_DEVICE_KERNEL)
		annotate_kernel(pf, op);
	if (op->kind != CT_DEVICE_COPY && op->kind != CT_DEVICE_FILL)
		return;
	ct_pf_number(pf, "bytes", op->u.copy.bytes);
	if (op->kind == CT_DEVICE_COPY)
		ct_pf_text(pf, "source", ct_export_memory(op->u.copy.source));
	ct_pf_text(pf, "target", ct_export_memory(op->u.copy.target));
	if (ct_device_source(op) != CT_NONE)
		ct_pf_number(pf, "source device", ct_device_source(op));
	if (ct_device_target(op) != CT_NONE)
		ct_pf_number(pf, "target device", ct_device_target(op));
}

static struct ct_pf_running *running_on(struct ct_pf *pf, uint32_t device)
{
	const struct ct_pf_running fresh = { .device = device };

	for (size_t i = 0; i < pf->running.count; i++)
		if (pf->running.at[i].device == device)
			return &pf->running.at[i];
	if (CT_PUSH(&pf->running, fresh) == 0)
		return &pf->running.at[pf->running.count - 1];
	pf->no_memory = true;
	return NULL;
}

/* A heap: no end is later than those at twice its place and one and two behind that. */
static void sift_up(uint64_t *at, size_t i)
{
	while (i && at[(i - 1) / 2] > at[i]) {
		uint64_t swap = at[i];

		at[i] = at[(i - 1) / 2];
		at[(i - 1) / 2] = swap;
		i = (i - 1) / 2;
	}
}

static void sift_down(uint64_t *at, size_t count)
{
	size_t i = 0, child;

	while ((child = 2 * i + 1) < count) {
		uint64_t swap = at[i];

		if (child + 1 < count && at[child + 1] < at[child])
			child++;
		if (at[child] >= swap)
			break;
		at[i] = at[child];
		at[child] = swap;
		i = child;
	}
}

/* What has ended by a time. */
static void end_until(struct ct_pf *pf, struct ct_pf_running *running, uint64_t ns)
{
	while (running->ends_ns.count && running->ends_ns.at[0] <= ns) {
		uint64_t end = running->ends_ns.at[0];

		running->ends_ns.at[0] = running->ends_ns.at[--running->ends_ns.count];
		sift_down(running->ends_ns.at, running->ends_ns.count);
		ct_pf_counter(pf, ct_pf_track(pf, CT_PF_RUNNING, running->device, 0), end,
			      running->ends_ns.count);
	}
}

static void count_running(struct ct_pf *pf, const struct ct_device_op *op)
{
	struct ct_pf_running *running = running_on(pf, op->device);

	if (!running)
		return;
	end_until(pf, running, op->start_ns);
	if (CT_PUSH(&running->ends_ns, op->end_ns) < 0) {
		pf->no_memory = true;
		return;
	}
	sift_up(running->ends_ns.at, running->ends_ns.count - 1);
	ct_pf_counter(pf, ct_pf_track(pf, CT_PF_RUNNING, op->device, 0), op->start_ns,
		      running->ends_ns.count);
}

int ct_pf_end_counters(struct ct_pf *pf)
{
	int r = ct_memory_finish(pf->memory, write_memory, pf);

	for (size_t i = 0; i < pf->running.count; i++) {
		end_until(pf, &pf->running.at[i], UINT64_MAX);
		free(pf->running.at[i].ends_ns.at);
	}
	pf->running.count = 0;
	return r;
}

static int write_op(void *arg, const struct ct_analysis *a, uint32_t index)
{
	struct slices *s = arg;
	struct ct_pf *pf = s->pf;
	const struct ct_op *op = &a->model->ops.at[index];
	uint64_t lane = ct_pf_lane(pf, CT_PF_STREAM, op->raw.context, op->raw.stream,
				   op->raw.start_ns, op->raw.end_ns);

	close_call(s);
	ct_pf_begin_slice(pf, lane, op->raw.start_ns, ct_export_kind(&op->raw),
			  ct_export_op_name(a->model, index));
	annotate_op(pf, &op->raw);
	if (op->call != CT_NONE)
		ct_pf_last_flow(pf, flow_of_op(pf, SUBMITTED, &op->raw));
	ct_pf_flow(pf, flow_of_op(pf, RELEASED, &op->raw));
	ct_pf_end_event(pf);
	ct_pf_end_slice(pf, lane, op->raw.end_ns);
	ct_pf_end_event(pf);
	count_running(pf, &op->raw);
	return result(pf);
}

/* One that never ended lasts as long as the run. */
static int write_range(void *arg, const struct ct_analysis *a, const struct ct_range_info *range)
{
	struct ct_pf *pf = ((struct slices *)arg)->pf;
	const struct ct_nvtx_range *raw = &range->raw;
	uint64_t end_ns = ct_export_range_end(a->model, raw);
	uint64_t lane = ct_pf_lane(pf, CT_PF_RANGES, raw->tid, 0, raw->begin_ns, end_ns);
	char text[CT_NVTX_TEXT_BYTES];

	ct_pf_begin_slice(pf, lane, raw->begin_ns, "nvtx", ct_nvtx_text(a->model, 0, raw->name, text));
	if (raw->domain)
		ct_pf_text(pf, "domain", ct_nvtx_text(a->model, 0, raw->domain, text));
	if (raw->category)
		ct_pf_number(pf, "category", raw->category);
	if (raw->end_ns == UINT64_MAX)
		ct_pf_text(pf, "ended", "no");
	ct_pf_end_event(pf);
	ct_pf_end_slice(pf, lane, end_ns);
	ct_pf_end_event(pf);
	return result(pf);
}

int ct_pf_part(struct ct_pf *pf, const struct ct_analysis *part)
{
	static const struct ct_export_events events = { .call = write_call, .wait = write_wait,
							.poll = write_poll, .op = write_op,
							.range = write_range };
	struct slices slices = { .pf = pf };
	int r = ct_export_visit(part, &events, &slices);

	close_call(&slices);
	return r;
}
