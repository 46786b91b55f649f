/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of calls, operations, waits, pairs and sites, as CSV files. */
#include <inttypes.h>
#include <string.h>

#include "analyze/analysis.h"
#include "analyze/copies.h"
#include "analyze/csv.h"
#include "analyze/device.h"
#include "analyze/report.h"
#include "analyze/whatif.h"
#include "analyze/seen.h"

/* Waits of these kinds are listed from here on; the others whatever their length. */
#define LISTED_NS 20000
#define STACK_BYTES 32768

#define NAME_IN(table, index)                                                                      \
	((index) < sizeof(table) / sizeof((table)[0]) ? (table)[index] : "?")

static const char *const origins[] = { "", "wrapper", "runtime", "driver", "driver-entry" };

static void stream_field(struct ct_csv *csv, const struct ct_model *model, uint32_t stream)
{
	if (stream == CT_NONE)
		ct_csv_none(csv);
	else
		ct_csv_number(csv, model->streams.at[stream].id);
}

static const char *site_of(const struct ct_analysis *a, uint32_t call)
{
	return a->sites->all.at[a->sites->of_call[call]].where;
}

static void write_calls(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };
	char range[CT_NVTX_TEXT_BYTES];

	for (uint32_t i = a->model->core.first_call; i < a->model->core.end_call; i++) {
		const struct ct_host_call *call = &a->model->calls.at[i];

		if (call->left_out)
			continue;
		ct_csv_number(&csv, call->raw.enter_ns);
		ct_csv_number(&csv, call->raw.leave_ns - call->raw.enter_ns);
		ct_csv_text(&csv, call->name);
		ct_csv_format(&csv, "%d", call->raw.error);
		ct_csv_number(&csv, call->tid);
		ct_csv_number(&csv, call->raw.correlation);
		ct_csv_number(&csv, call->raw.context);
		stream_field(&csv, a->model, call->stream);
		ct_csv_number(&csv, call->raw.bytes);
		ct_csv_format(&csv, "0x%" PRIx64, call->raw.addr);
		ct_csv_text(&csv, NAME_IN(origins, call->raw.origin));
		for (int part = 0; part < CT_PART_COUNT; part++)
			ct_csv_number(&csv, call->parts[part]);
		ct_csv_text(&csv, site_of(a, i));
		ct_csv_text(&csv, call->raw.flags & CT_CALL_CAPTURING ? "yes" : "");
		ct_csv_text(&csv, ct_nvtx_of_call(a->model, call, range));
		ct_csv_end_row(&csv);
	}
}

static const char *const device_kinds[] = { "", "kernel", "copy", "memset", "graph" };

static void place_field(struct ct_csv *csv, uint32_t device)
{
	if (device != CT_NONE)
		ct_csv_number(csv, device);
	else
		ct_csv_none(csv);
}

static void copy_fields(struct ct_csv *csv, const struct ct_device_op *op)
{
	ct_csv_number(csv, op->u.copy.bytes);
	ct_csv_text(csv, op->kind == CT_DEVICE_COPY ? ct_direction_name(op->u.copy.direction) : "");
	ct_csv_text(csv, op->kind == CT_DEVICE_COPY ? ct_memory_name(op->u.copy.source) : "");
	ct_csv_text(csv, ct_memory_name(op->u.copy.target));
	for (int i = 0; i < 4; i++)
		ct_csv_none(csv);
}

static void kernel_fields(struct ct_csv *csv, const struct ct_device_op *op)
{
	for (int i = 0; i < 4; i++)
		ct_csv_none(csv);
	if (op->kind != CT_DEVICE_KERNEL) {
		for (int i = 0; i < 4; i++)
			ct_csv_none(csv);
		return;
	}
	ct_csv_format(csv, "%ux%ux%u", op->u.kernel.grid_x, op->u.kernel.grid_y, op->u.kernel.grid_z);
	ct_csv_format(csv, "%ux%ux%u", op->u.kernel.block_x, op->u.kernel.block_y,
		      op->u.kernel.block_z);
	ct_csv_number(csv, op->u.kernel.registers);
	ct_csv_number(csv, op->shared_bytes);
}

static void write_device(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };
	char name[CT_NAME_BYTES];

	for (uint32_t i = a->model->core.first_op; i < a->model->core.end_op; i++) {
		const struct ct_device_op *op = &a->model->ops.at[i].raw;

		if (ct_model_op_left_out(a->model, i))
			continue;
		ct_model_op_name(a->model, i, name, sizeof(name));
		ct_csv_number(&csv, op->start_ns);
		ct_csv_number(&csv, op->end_ns - op->start_ns);
		ct_csv_text(&csv, NAME_IN(device_kinds, op->kind));
		ct_csv_text(&csv, name);
		ct_csv_number(&csv, op->device);
		ct_csv_number(&csv, op->context);
		ct_csv_number(&csv, op->stream);
		ct_csv_number(&csv, op->correlation);
		if (op->kind == CT_DEVICE_COPY || op->kind == CT_DEVICE_FILL)
			copy_fields(&csv, op);
		else
			kernel_fields(&csv, op);
		if (op->graph)
			ct_csv_number(&csv, op->graph);
		else
			ct_csv_none(&csv);
		place_field(&csv, ct_device_source(op));
		place_field(&csv, ct_device_target(op));
		ct_csv_end_row(&csv);
	}
}

/* Of work that was not recorded: what the call and CUPTI's record of it still tell. */
static void unrecorded_name(const struct ct_model *model, const struct ct_host_call *call, char *ret,
			    size_t size)
{
	const struct ct_sync *sync = call->sync == CT_NONE ? NULL : &model->syncs.at[call->sync];
	int n = snprintf(ret, size, "device work not recorded (%s)", ct_seen_lack(model));

	if (sync && sync->kind == CT_SYNC_EVENT && sync->event != CT_ID_NONE)
		snprintf(ret + n, size - (size_t)n, ", up to event %u", sync->event);
}

uint32_t ct_report_wait_stream(const struct ct_model *model, const struct ct_wait *wait)
{
	const struct ct_host_call *call = &model->calls.at[wait->call];

	if (wait->op != CT_NONE)
		return model->ops.at[wait->op].raw.stream;
	if (!ct_seen_unrecorded(model, wait))
		return CT_NONE;
	if (call->sync != CT_NONE && model->syncs.at[call->sync].stream != CT_ID_NONE)
		return model->syncs.at[call->sync].stream;
	return call->stream == CT_NONE ? CT_NONE : model->streams.at[call->stream].id;
}

/* What a wait was for, in a few words. */
void ct_report_waited_for(const struct ct_model *model, const struct ct_wait *wait, char *ret,
			  size_t size)
{
	*ret = '\0';
	if (wait->op != CT_NONE)
		ct_model_op_name(model, wait->op, ret, size);
	else if (wait->other != CT_NONE)
		snprintf(ret, size, "%s in thread %u", model->calls.at[wait->other].name,
			 model->calls.at[wait->other].tid);
	else if (ct_seen_unrecorded(model, wait))
		unrecorded_name(model, &model->calls.at[wait->call], ret, size);
}

static void waited_fields(struct ct_csv *csv, const struct ct_model *model,
			  const struct ct_wait *wait)
{
	const struct ct_device_op *op = wait->op == CT_NONE ? NULL : &model->ops.at[wait->op].raw;
	const struct ct_call *other =
		wait->other == CT_NONE ? NULL : &model->calls.at[wait->other].raw;
	uint32_t stream = ct_report_wait_stream(model, wait);
	char name[CT_NAME_BYTES];

	ct_report_waited_for(model, wait, name, sizeof(name));
	ct_csv_text(csv, name);
	if (stream != CT_NONE)
		ct_csv_number(csv, stream);
	else
		ct_csv_none(csv);
	if (op || other) {
		ct_csv_number(csv, op ? op->start_ns : other->enter_ns);
		ct_csv_number(csv, op ? op->end_ns : other->leave_ns);
	} else {
		ct_csv_none(csv);
		ct_csv_none(csv);
	}
	ct_csv_text(csv, wait->why);
}

static bool listed(const struct ct_wait *wait)
{
	switch (wait->part) {
	case CT_PART_DEVICE_WAIT:
	case CT_PART_LOCK_WAIT:
	case CT_PART_QUEUE_FULL:
	case CT_PART_FIRST_USE:
		return true;
	default:
		return wait->end_ns - wait->start_ns >= LISTED_NS;
	}
}

/* The other operations a call had to wait for: those that ended before the last. */
static void also_field(struct ct_csv *csv, const struct ct_model *model, const struct ct_wait *wait)
{
	const struct ct_host_call *call = &model->calls.at[wait->call];
	char text[CT_NAME_BYTES], name[CT_NAME_BYTES], device[32];
	size_t n = 0;

	*text = '\0';
	for (uint32_t i = 0; wait->part == CT_PART_DEVICE_WAIT && i < call->pending_count; i++) {
		uint32_t op = model->pending.at[call->first_pending + i];

		if (op == wait->op || n + 96 > sizeof(text))
			continue;
		ct_model_op_name(model, op, name, sizeof(name));
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s on stream %u%s",
				      n ? "; " : "", 256, name, model->ops.at[op].raw.stream,
				      ct_report_device(model, model->ops.at[op].raw.device, device));
	}
	ct_csv_text(csv, text);
}

static void device_field(struct ct_csv *csv, const struct ct_model *model, const struct ct_wait *wait)
{
	place_field(csv, ct_report_wait_device(model, wait));
}

/* Loops of queries: the time between the calls counts as well, so they have rows of their own. */
static void write_polls(const struct ct_analysis *a, struct ct_csv *csv)
{
	char range[CT_NVTX_TEXT_BYTES];

	for (size_t i = 0; i < a->model->polls.count; i++) {
		const struct ct_poll *poll = &a->model->polls.at[i];
		const struct ct_wait wait = { .call = poll->call, .op = poll->op, .other = CT_NONE,
					      .why = "asked again and again until it was done" };

		if (!ct_model_in_core(a->model, poll->call) || poll->left_out)
			continue;
		ct_csv_number(csv, poll->start_ns);
		ct_csv_number(csv, a->model->calls.at[poll->call].tid);
		ct_csv_text(csv, a->model->calls.at[poll->call].name);
		ct_csv_text(csv, "polling");
		ct_csv_number(csv, poll->end_ns - poll->start_ns);
		waited_fields(csv, a->model, &wait);
		ct_csv_text(csv, site_of(a, poll->call));
		ct_csv_none(csv);
		ct_csv_text(csv, ct_nvtx_of_call(a->model, &a->model->calls.at[poll->call], range));
		device_field(csv, a->model, &wait);
		ct_csv_end_row(csv);
	}
}

static void write_blocked(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };
	char range[CT_NVTX_TEXT_BYTES];

	for (size_t i = 0; i < a->model->waits.count; i++) {
		const struct ct_wait *wait = &a->model->waits.at[i];
		const struct ct_host_call *call = &a->model->calls.at[wait->call];

		if (!listed(wait) || !ct_model_in_core(a->model, wait->call) || call->left_out)
			continue;
		ct_csv_number(&csv, wait->start_ns);
		ct_csv_number(&csv, call->tid);
		ct_csv_text(&csv, call->name);
		ct_csv_text(&csv, ct_part_names[wait->part]);
		ct_csv_number(&csv, wait->end_ns - wait->start_ns);
		waited_fields(&csv, a->model, wait);
		ct_csv_text(&csv, site_of(a, wait->call));
		also_field(&csv, a->model, wait);
		ct_csv_text(&csv, ct_nvtx_of_call(a->model, call, range));
		device_field(&csv, a->model, wait);
		ct_csv_end_row(&csv);
	}
	write_polls(a, &csv);
}

/* The evidence for a pair, in a sentence. */
static void evidence_field(struct ct_csv *csv, const struct ct_analysis *a,
			   const struct ct_pair *pair)
{
	const struct ct_host_call *culprit = &a->model->calls.at[pair->culprit];
	const struct ct_op *victim = &a->model->ops.at[pair->victim];
	uint64_t waited = culprit->parts[CT_PART_DEVICE_WAIT] + culprit->parts[CT_PART_QUEUE_FULL];

	if (pair->edge != CT_EDGES)
		ct_csv_format(csv, "no host wait: %s", ct_report_edge(pair->edge));
	else if (pair->through != CT_NONE)
		ct_csv_format(csv, "%s of thread %u waited for the lock until %s returned",
			      a->model->calls.at[pair->through].name,
			      a->model->calls.at[pair->through].tid, culprit->name);
	else
		ct_csv_format(csv, "%s waited %" PRIu64 " ns; submitted %" PRIu64
			      " ns after it returned",
			      culprit->name, waited,
			      victim->submit_ns > culprit->raw.leave_ns
				      ? victim->submit_ns - culprit->raw.leave_ns
				      : 0);
}

static void write_serialized(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };
	char name[CT_NAME_BYTES];

	for (size_t i = 0; i < a->serialization->pairs.count; i++) {
		const struct ct_pair *pair = &a->serialization->pairs.at[i];
		const struct ct_host_call *culprit = &a->model->calls.at[pair->culprit];

		if (culprit->left_out)
			continue;
		ct_csv_text(&csv, culprit->name);
		ct_csv_number(&csv, culprit->raw.enter_ns);
		ct_csv_number(&csv, culprit->tid);
		ct_csv_text(&csv, site_of(a, pair->culprit));
		if (pair->waited_op != CT_NONE)
			ct_model_op_name(a->model, pair->waited_op, name, sizeof(name));
		ct_csv_text(&csv, pair->waited_op != CT_NONE ? name : "room in the launch queue");
		ct_model_op_name(a->model, pair->victim, name, sizeof(name));
		ct_csv_text(&csv, name);
		ct_csv_number(&csv, a->model->ops.at[pair->victim].raw.stream);
		ct_csv_number(&csv, a->model->ops.at[pair->victim].raw.start_ns);
		ct_csv_number(&csv, pair->delay_ns);
		ct_csv_number(&csv, pair->lost_ns);
		evidence_field(&csv, a, pair);
		ct_csv_number(&csv, a->model->ops.at[pair->victim].raw.device);
		ct_csv_end_row(&csv);
	}
}

static void write_callsites(const struct ct_analysis *a, FILE *to)
{
	struct ct_csv csv = { .to = to };
	char text[STACK_BYTES];

	for (size_t i = 0; i < a->sites->all.count; i++) {
		const struct ct_site *site = &a->sites->all.at[a->sites->ranked[i]];

		if (a->filter && !site->calls)
			continue;
		ct_csv_text(&csv, site->where);
		ct_csv_text(&csv, site->name);
		ct_csv_number(&csv, site->calls);
		ct_csv_number(&csv, site->total_ns);
		ct_csv_number(&csv, site->blocked_ns);
		ct_csv_text(&csv, ct_part_names[site->worst]);
		*text = '\0';
		if (site->worst_wait != CT_NONE)
			ct_report_waited_for(a->model, &a->model->waits.at[site->worst_wait], text,
					     sizeof(text));
		ct_csv_text(&csv, text);
		ct_csv_number(&csv, site->lost_ns);
		ct_csv_text(&csv, ct_site_remedy(a->model, site));
		ct_places_stack_text(a->model, a->sites->places, site->stack, text, sizeof(text));
		ct_csv_text(&csv, text);
		ct_csv_text(&csv, ct_site_certainty(a->model, site));
		ct_csv_number(&csv, site->idle[CT_IDLE_CALL].ns);
		ct_csv_end_row(&csv);
	}
}

#define CT_NSYS_HEADER(counted)                                                                    \
	"Time (%),Total Time (ns)," counted ",Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Name"

const struct ct_table ct_tables[] = {
	{ "calls.csv",
	  "Start (ns),Duration (ns),Name,Result,Thread,Correlation,Context,Stream,"
	  "Bytes,Address,Origin,Device Wait (ns),Lock Wait (ns),Queue Full (ns),"
	  "Transfer (ns),First Use (ns),Tool (ns),Driver Work (ns),Unexplained (ns),"
	  "Call Site,Captured,NVTX Range",
	  .write = write_calls, .by_event = true },
	{ "device.csv",
	  "Start (ns),Duration (ns),Kind,Name,Device,Context,Stream,Correlation,"
	  "Bytes,Direction,Source Memory,Target Memory,Grid,Block,Registers,"
	  "Shared (bytes),Graph,Source Device,Target Device",
	  .write = write_device, .by_event = true },
	{ "blocked.csv",
	  "Start (ns),Thread,Call,Class,Blocked (ns),Waited For,Waited For Stream,"
	  "Waited For Start (ns),Waited For End (ns),Why,Call Site,Also Waited For,NVTX Range,"
	  "Waited For Device",
	  .write = write_blocked, .by_event = true },
	{ "serialized.csv",
	  "Culprit,Culprit Start (ns),Culprit Thread,Culprit Call Site,Waited For,"
	  "Victim,Victim Stream,Victim Start (ns),Delay (ns),Lost (ns),Evidence,Victim Device",
	  .write = write_serialized },
	{ "callsites.csv",
	  "Call Site,Call,Calls,Total (ns),Blocked (ns),Class,Waited For,Lost (ns),"
	  "Remedy,Stack,Certainty,Device Idle (ns)",
	  .write = write_callsites },
	{ "nvtx.csv",
	  "NVTX Range,Ranges,Calls,Total (ns),Blocked (ns),Device Wait (ns),Lock Wait (ns),"
	  "Queue Full (ns),Transfer (ns),First Use (ns),Tool (ns),Driver Work (ns),Unexplained (ns),"
	  "Lost (ns),Calls At Any Depth,Blocked At Any Depth (ns),Lost At Any Depth (ns),"
	  "Never Ended",
	  .write = ct_report_nvtx_csv, .of_nvtx = true },
	{ "ledger.csv",
	  "Call,Calls,With Work In Flight,Waited For Device,Waited For Lock,"
	  "Longest (ns),Longest Wait (ns),Documented,Source,"
	  "With Work On Other Devices Only,Waited For Other Device",
	  .write = ct_report_ledger_csv },
	{ "idle.csv",
	  "Start (ns),Duration (ns),Cause,Call,Call Site,Next Operation,Next Stream,Next Device,"
	  "Idle Device",
	  .write = ct_report_idle_csv },
	{ "whatif.csv",
	  "Rank,Change,Call,Call Site,Calls,Low (ns),Likely (ns),High (ns),Likely Alone (ns),"
	  "Fix,Warning",
	  .write = ct_report_whatif_csv, .predicted = true, .of_run = true },
	{ "streams.csv",
	  "Device,Context,Stream,Kind,Priority,Operations,Work (ns)",
	  .write = ct_report_streams_csv, .of_run = true },
	{ "cuda_api_sum.csv",
	  CT_NSYS_HEADER("Num Calls"),
	  .write = ct_report_api_sum },
	{ "cuda_gpu_kern_sum.csv",
	  CT_NSYS_HEADER("Instances"),
	  .write = ct_report_kernel_sum },
	{ "totals.csv",
	  "Call Site,Call,Calls,Total (ns),Longest (ns),Of 1 ms And More,Bytes,Failed,Stack",
	  .write = ct_report_totals_csv, .of_limit = true, .of_run = true },
	{ .file = NULL },
};
