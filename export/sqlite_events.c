/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of an SQLite export that are one each for a call, wait or operation. */
#include <errno.h>
#include <string.h>

#include "analyze/device.h"
#include "analyze/report.h"
#include "analyze/seen.h"
#include "export/sqlite_int.h"

static void put_span(struct ct_row *row, const struct ct_sqlite *s, const struct ct_model *model,
		     uint64_t start_ns, uint64_t end_ns)
{
	ct_row_number(row, ct_sqlite_time(s, model, start_ns));
	ct_row_number(row, ct_sqlite_time(s, model, end_ns));
}

/* Whose memory it is. */
struct scene {
	struct ct_sqlite *s;
	const struct ct_model *model;
};

static int write_memory(void *arg, const struct ct_memory_event *event)
{
	const struct scene *scene = arg;
	struct ct_sqlite *s = scene->s;
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_MEMORY);

	ct_row_number(&row, ct_sqlite_time(s, scene->model, event->time_ns));
	ct_row_number(&row, ct_sqlite_pid(s, scene->model));
	ct_row_id(&row, event->device);
	ct_row_number(&row, event->context);
	ct_row_number(&row, (int64_t)event->address);
	ct_row_number(&row, (int64_t)event->bytes);
	ct_row_number(&row, ct_sqlite_memory((uint8_t)event->kind));
	ct_row_number(&row, event->freed);
	ct_row_number(&row, event->correlation);
	ct_row_number(&row, (int64_t)event->now_bytes);
	return ct_row_end(&row);
}

/* The innermost range of a call, as the report names it. */
static void put_range(struct ct_row *row, const struct ct_model *model,
		      const struct ct_host_call *call)
{
	char text[CT_NVTX_TEXT_BYTES];

	ct_nvtx_of_call(model, call, text);
	ct_row_string(row, *text ? text : NULL);
}

static int write_call(void *arg, const struct ct_analysis *a, uint32_t index)
{
	struct ct_sqlite *s = arg;
	const struct ct_model *model = a->model;
	const struct ct_host_call *call = &model->calls.at[index];
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_CALLS);

	put_span(&row, s, model, call->raw.enter_ns, call->raw.leave_ns);
	ct_row_number(&row, (call->effects & CT_DRIVER_API) != 0);
	ct_row_number(&row, ct_sqlite_tid(s, model, call->tid));
	ct_row_number(&row, call->raw.correlation);
	ct_row_string(&row, call->name);
	ct_row_number(&row, call->raw.error);
	if (call->raw.stack)
		ct_row_number(&row, ct_sqlite_chain(s, call->raw.stack));
	else
		ct_row_null(&row);
	ct_row_number(&row, call->raw.context);
	ct_row_id(&row, call->stream == CT_NONE ? CT_NONE : model->streams.at[call->stream].id);
	ct_row_number(&row, (int64_t)call->raw.bytes);
	ct_row_number(&row, (int64_t)call->raw.addr);
	ct_row_string(&row, ct_export_origin(call->raw.origin));
	ct_row_number(&row, (call->raw.flags & CT_CALL_CAPTURING) != 0);
	ct_row_string(&row, ct_export_site(a, index));
	for (int part = 0; part < CT_PART_COUNT; part++)
		ct_row_number(&row, (int64_t)call->parts[part]);
	put_range(&row, model, call);
	if (ct_row_end(&row) < 0)
		return s->sql.error;
	return ct_memory_take(s->memory, model, call, write_memory, &(struct scene){ s, model });
}

/* What a wait was for: kind, name, stream, start, end and correlation id. */
static void put_cause(struct ct_row *row, const struct ct_sqlite *s, const struct ct_model *model,
		      const struct ct_wait *wait)
{
	const struct ct_device_op *op = wait->op == CT_NONE ? NULL : &model->ops.at[wait->op].raw;
	const struct ct_host_call *other =
		wait->other == CT_NONE ? NULL : &model->calls.at[wait->other];
	bool known = op || other;

	ct_row_text(row, op ? ct_export_kind(op) : other ? "call"
			 : ct_seen_unrecorded(model, wait) ? "not recorded" : NULL);
	ct_row_string(row, op ? ct_export_op_name(model, wait->op) : other ? other->name : NULL);
	ct_row_id(row, ct_report_wait_stream(model, wait));
	if (known) {
		put_span(row, s, model, op ? op->start_ns : other->raw.enter_ns,
			 op ? op->end_ns : other->raw.leave_ns);
		ct_row_number(row, op ? op->correlation : other->raw.correlation);
	} else {
		for (int i = 0; i < 3; i++)
			ct_row_null(row);
	}
}

static int put_wait(struct ct_sqlite *s, const struct ct_analysis *a, const struct ct_wait *wait,
		    const char *class)
{
	const struct ct_host_call *call = &a->model->calls.at[wait->call];
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_WAITS);

	put_span(&row, s, a->model, wait->start_ns, wait->end_ns);
	ct_row_number(&row, ct_sqlite_tid(s, a->model, call->tid));
	ct_row_number(&row, call->raw.correlation);
	ct_row_string(&row, call->name);
	ct_row_string(&row, class);
	ct_row_string(&row, ct_export_site(a, wait->call));
	put_cause(&row, s, a->model, wait);
	ct_row_string(&row, wait->why);
	put_range(&row, a->model, call);
	ct_row_id(&row, ct_report_wait_device(a->model, wait));
	return ct_row_end(&row);
}

static int write_wait(void *arg, const struct ct_analysis *a, const struct ct_wait *wait)
{
	return put_wait(arg, a, wait, ct_part_names[wait->part]);
}

static int write_poll(void *arg, const struct ct_analysis *a, const struct ct_poll *poll)
{
	const struct ct_wait wait = { .call = poll->call, .op = poll->op, .other = CT_NONE,
				      .start_ns = poll->start_ns, .end_ns = poll->end_ns,
				      .why = "asked again and again until it was done" };

	return put_wait(arg, a, &wait, "polling");
}

/* A kernel's name without what it returns, its namespaces, template arguments and parameters. */
static const char *short_name(const char *name, char *ret, size_t size)
{
	static const char anonymous[] = "(anonymous namespace)";
	const size_t length = sizeof(anonymous) - 1;
	const char *begin = name, *at = name;

	while (*at && *at != '<' && (*at != '(' || !strncmp(at, anonymous, length))) {
		if (*at == '(')
			at += length - 1;
		else if (*at == ' ' || *at == ':')
			begin = at + 1;
		at++;
	}
	if (at == begin)
		return name;
	snprintf(ret, size, "%.*s", (int)(at - begin), begin);
	return ret;
}

static void put_kernel(struct ct_row *row, const struct ct_model *model, uint32_t index)
{
	const struct ct_device_op *op = &model->ops.at[index].raw;
	const char *name = ct_export_op_name(model, index);
	char text[1024];

	ct_row_string(row, name);
	ct_row_string(row, short_name(name, text, sizeof(text)));
	ct_row_number(row, op->u.kernel.registers);
	ct_row_number(row, op->u.kernel.grid_x);
	ct_row_number(row, op->u.kernel.grid_y);
	ct_row_number(row, op->u.kernel.grid_z);
	ct_row_number(row, op->u.kernel.block_x);
	ct_row_number(row, op->u.kernel.block_y);
	ct_row_number(row, op->u.kernel.block_z);
}

static void put_copy(struct ct_row *row, const struct ct_device_op *op)
{
	ct_row_number(row, (int64_t)op->u.copy.bytes);
	ct_row_number(row, op->u.copy.direction);
	ct_row_number(row, ct_sqlite_memory(op->u.copy.source));
	ct_row_number(row, ct_sqlite_memory(op->u.copy.target));
	ct_row_id(row, ct_device_source(op));
	ct_row_id(row, ct_device_target(op));
}

static enum ct_sql_table table_of(const struct ct_device_op *op)
{
	switch (op->kind) {
	case CT_DEVICE_COPY:
		return CT_SQL_COPIES;
	case CT_DEVICE_FILL:
		return CT_SQL_FILLS;
	case CT_DEVICE_GRAPH:
		return CT_SQL_GRAPHS;
	default:
		return CT_SQL_KERNELS;
	}
}

static int write_op(void *arg, const struct ct_analysis *a, uint32_t index)
{
	struct ct_sqlite *s = arg;
	const struct ct_device_op *op = &a->model->ops.at[index].raw;
	enum ct_sql_table table = table_of(op);
	struct ct_row row = ct_row_begin(&s->sql, table);

	put_span(&row, s, a->model, op->start_ns, op->end_ns);
	ct_row_number(&row, op->device);
	ct_row_number(&row, op->context);
	ct_row_number(&row, op->stream);
	ct_row_number(&row, op->correlation);
	ct_row_number(&row, ct_sqlite_pid(s, a->model));
	if (table == CT_SQL_KERNELS) {
		put_kernel(&row, a->model, index);
	} else if (table == CT_SQL_COPIES) {
		put_copy(&row, op);
	} else if (table == CT_SQL_FILLS) {
		ct_row_number(&row, op->u.copy.value);
		ct_row_number(&row, (int64_t)op->u.copy.bytes);
		ct_row_number(&row, ct_sqlite_memory(op->u.copy.target));
	}
	if (op->graph || table == CT_SQL_GRAPHS)
		ct_row_number(&row, op->graph);
	else
		ct_row_null(&row);
	if (table == CT_SQL_KERNELS)
		ct_row_number(&row, op->shared_bytes);
	return ct_row_end(&row);
}

static uint32_t device_of(const struct ct_model *model, uint32_t context)
{
	for (size_t i = 0; i < model->contexts.count; i++)
		if (model->contexts.at[i].context == context)
			return model->contexts.at[i].device;
	return CT_NONE;
}

static int write_sync(void *arg, const struct ct_analysis *a, const struct ct_sync *sync)
{
	struct ct_sqlite *s = arg;
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_SYNCS);

	put_span(&row, s, a->model, sync->start_ns, sync->end_ns);
	ct_row_id(&row, device_of(a->model, sync->context));
	ct_row_id(&row, sync->context);
	ct_row_id(&row, sync->stream);
	ct_row_number(&row, sync->correlation);
	ct_row_number(&row, ct_sqlite_pid(s, a->model));
	ct_row_number(&row, sync->kind);
	ct_row_id(&row, sync->event);
	if (sync->event_sync)
		ct_row_number(&row, (int64_t)sync->event_sync);
	return ct_row_end(&row);
}

/* A domain has a row before any of its ranges has. */
static int write_domain(struct ct_sqlite *s, const struct ct_model *model, uint32_t domain,
			uint64_t ns)
{
	char text[CT_NVTX_TEXT_BYTES];
	struct ct_row row;

	for (size_t i = 0; i < s->domains.count; i++)
		if (s->domains.at[i] == domain)
			return 0;
	if (CT_PUSH(&s->domains, domain) < 0)
		return -ENOMEM;
	row = ct_row_begin(&s->sql, CT_SQL_RANGES);
	ct_row_number(&row, ct_sqlite_time(s, model, ns));
	ct_row_null(&row);
	ct_row_number(&row, CT_SQLITE_DOMAIN);
	ct_row_null(&row);
	ct_row_null(&row);
	ct_row_text(&row, ct_nvtx_text(model, 0, domain, text));
	ct_row_number(&row, ct_sqlite_pid(s, model));
	ct_row_null(&row);
	ct_row_number(&row, domain);
	return ct_row_end(&row);
}

static int write_range(void *arg, const struct ct_analysis *a, const struct ct_range_info *range)
{
	const struct ct_nvtx_range *raw = &range->raw;
	bool started = raw->kind == CT_NVTX_STARTED, ended = raw->end_ns != UINT64_MAX;
	char text[CT_NVTX_TEXT_BYTES];
	struct ct_sqlite *s = arg;
	struct ct_row row;
	int r = raw->domain ? write_domain(s, a->model, raw->domain, raw->begin_ns) : 0;

	if (r < 0)
		return r;
	row = ct_row_begin(&s->sql, CT_SQL_RANGES);
	ct_row_number(&row, ct_sqlite_time(s, a->model, raw->begin_ns));
	if (ended)
		ct_row_number(&row, ct_sqlite_time(s, a->model, raw->end_ns));
	else
		ct_row_null(&row);
	ct_row_number(&row, started ? CT_SQLITE_STARTED : CT_SQLITE_PUSHED);
	ct_row_id(&row, raw->category ? raw->category : CT_NONE);
	ct_row_id(&row, raw->color ? raw->color : CT_NONE);
	ct_row_text(&row, raw->name ? ct_nvtx_text(a->model, 0, raw->name, text) : NULL);
	ct_row_number(&row, ct_sqlite_tid(s, a->model, raw->tid));
	if (started && ended)
		ct_row_number(&row, ct_sqlite_tid(s, a->model, raw->end_tid));
	else
		ct_row_null(&row);
	ct_row_number(&row, raw->domain);
	return ct_row_end(&row);
}

int ct_sqlite_part(struct ct_sqlite *s, const struct ct_analysis *part)
{
	static const struct ct_export_events events = { .call = write_call, .wait = write_wait,
							.poll = write_poll, .op = write_op,
							.sync = write_sync, .range = write_range };

	return ct_export_visit(part, &events, s);
}

int ct_sqlite_end_memory(struct ct_sqlite *s, const struct ct_model *model)
{
	return ct_memory_finish(s->memory, write_memory, &(struct scene){ s, model });
}
