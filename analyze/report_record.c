/* SPDX-License-Identifier: Apache-2.0 */
/* Records as text, one line each: what the file says, nothing concluded from it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/analysis.h"
#include "trace/tame.h"

static void put_text(const char *text, size_t length, FILE *to)
{
	char *copy = strndup(text, length);

	if (copy)
		ct_tame(copy, '?');
	fprintf(to, "%s\n", copy ? copy : "(no memory for it)");
	free(copy);
}

static void call_line(const struct ct_call *c, FILE *to)
{
	fprintf(to, "call api=%u origin=%u error=%d enter=%" PRIu64 " ns=%" PRIu64 " bytes=%" PRIu64
		" addr=0x%" PRIx64 " stream=0x%" PRIx64 " context=%u correlation=%u stack=%u "
		"flags=0x%x\n", c->api, c->origin, c->error, c->enter_ns, c->leave_ns - c->enter_ns,
		c->bytes, c->addr, c->stream, c->context, c->correlation, c->stack, c->flags);
}

static void device_line(const struct ct_device_op *op, FILE *to)
{
	fprintf(to, "device kind=%u start=%" PRIu64 " ns=%" PRIu64 " device=%u context=%u stream=%u "
		"correlation=%u name=%u graph=%u channel=%u", op->kind, op->start_ns, op->end_ns - op->start_ns,
		op->device, op->context, op->stream, op->correlation, op->name, op->graph, op->channel);
	if (op->kind == CT_DEVICE_KERNEL)
		fprintf(to, " grid=%ux%ux%u block=%ux%ux%u registers=%u shared=%u\n",
			op->u.kernel.grid_x, op->u.kernel.grid_y, op->u.kernel.grid_z,
			op->u.kernel.block_x, op->u.kernel.block_y, op->u.kernel.block_z,
			op->u.kernel.registers, op->shared_bytes);
	else
		fprintf(to, " bytes=%" PRIu64 " direction=%u source=%u target=%u async=%u",
			op->u.copy.bytes, op->u.copy.direction, op->u.copy.source, op->u.copy.target,
			op->u.copy.async);
	if (op->kind == CT_DEVICE_COPY && op->u.copy.direction == CT_DIRECTION_P2P) /* -1: not known */
		fprintf(to, " source_device=%d target_device=%d", op->u.copy.peer.source - 1,
			op->u.copy.peer.target - 1);
	if (op->kind != CT_DEVICE_KERNEL)
		fputc('\n', to);
}

static void stack_line(const struct ct_stack *stack, FILE *to)
{
	fprintf(to, "stack id=%u script=%u", stack->id, stack->script);
	for (uint32_t i = 0; i < stack->count; i++)
		if (CT_PC_IS_SCRIPT(stack->pc[i]))
			fprintf(to, " script:%u", CT_PC_SCRIPT_ID(stack->pc[i]));
		else
			fprintf(to, " 0x%" PRIx64, stack->pc[i]);
	fputc('\n', to);
}

static void script_line(const struct ct_script *script, FILE *to)
{
	char text[2 * UINT16_MAX + 2];
	size_t file = script->file_length, function = script->function_length;

	memcpy(text, script->text, file);
	text[file] = ' ';
	memcpy(text + file + 1, script->text + file, function);
	fprintf(to, "script id=%u language=%u line=%u file_bytes=%zu ", script->id,
		script->language, script->line, file); /* either text may have spaces */
	put_text(text, file + 1 + function, to);
}

static void sync_line(const struct ct_sync *s, FILE *to)
{
	fprintf(to, "sync kind=%u start=%" PRIu64 " ns=%" PRIu64 " context=%u stream=%u event=%u "
		"event_sync=%" PRIu64 " correlation=%u\n", s->kind, s->start_ns,
		s->end_ns - s->start_ns, s->context, s->stream, s->event, s->event_sync,
		s->correlation);
}

static void small_line(const struct ct_item *item, FILE *to)
{
	const struct ct_event *e = item->record;
	const struct ct_overhead *o = item->record;
	const struct ct_stream *s = item->record;
	const struct ct_context *c = item->record;
	const struct ct_gpu *g = item->record;

	if (item->type == CT_RECORD_EVENT)
		fprintf(to, "event context=%u stream=%u event=%u event_sync=%" PRIu64
			" correlation=%u\n", e->context, e->stream, e->event, e->event_sync,
			e->correlation);
	else if (item->type == CT_RECORD_OVERHEAD)
		fprintf(to, "overhead kind=%u start=%" PRIu64 " ns=%" PRIu64 " tid=%u correlation=%u\n",
			o->kind, o->start_ns, o->end_ns - o->start_ns, o->tid, o->correlation);
	else if (item->type == CT_RECORD_STREAM)
		fprintf(to, "stream context=%u id=%u handle=0x%" PRIx64 " flag=%u priority=%d "
			"destroyed=%u seen=%" PRIu64 "\n", s->context, s->stream, s->handle, s->flag,
			s->priority, s->destroyed, s->seen_ns);
	else if (item->type == CT_RECORD_CONTEXT)
		fprintf(to, "context id=%u device=%d null_stream=%d destroyed=%u seen=%" PRIu64 "\n",
			c->context, (int)c->device, (int)c->null_stream, c->destroyed, c->seen_ns);
	else if (item->type == CT_RECORD_GPU)
		fprintf(to, "gpu id=%u name=%u multiprocessors=%u memory=%" PRIu64 "\n", g->device,
			g->name, g->multiprocessors, g->memory_bytes);
}

static void total_line(const struct ct_total *t, FILE *to)
{
	fprintf(to, "total api=%u stack=%u rest=%u calls=%" PRIu64 " ns=%" PRIu64 " longest=%" PRIu64
		" bytes=%" PRIu64 " long=%" PRIu64 " failed=%" PRIu64 "\n", t->api, t->stack, t->rest,
		t->calls, t->total_ns, t->longest_ns, t->bytes, t->long_calls, t->failed);
}

static void nvtx_line(const struct ct_item *item, FILE *to)
{
	const struct ct_nvtx_range *r = item->record;

	fprintf(to, "nvtx_%s kind=%u begin=%" PRIu64 " end=%" PRIu64 " tid=%u end_tid=%u name=%u "
		"domain=%u category=%u color=0x%x cut=%u\n",
		item->type == CT_RECORD_NVTX_OPEN ? "open" : "range", r->kind, r->begin_ns, r->end_ns,
		r->tid, r->end_tid, r->name, r->domain, r->category, r->color, r->cut);
}

static void text_line(const struct ct_item *item, FILE *to)
{
	const struct ct_string *string = item->record;
	const struct ct_module *module = item->record;
	const struct ct_api_record *api = item->record;
	const struct ct_note *note = item->record;
	const struct ct_nvtx_name *name = item->record;

	if (item->type == CT_RECORD_STRING) {
		fprintf(to, "string id=%u ", string->id);
		put_text(string->text, string->length, to);
	} else if (item->type == CT_RECORD_MODULE) {
		fprintf(to, "module start=0x%" PRIx64 " end=0x%" PRIx64 " bias=0x%" PRIx64 " ",
			module->start, module->end, module->bias);
		put_text(module->path, module->path_length, to);
	} else if (item->type == CT_RECORD_API) {
		fprintf(to, "api id=%u effects=0x%x ", api->id, api->effects);
		put_text(api->name, api->name_length, to);
	} else if (item->type == CT_RECORD_NVTX_NAME) {
		fprintf(to, "nvtx_name id=%u ", name->id);
		put_text(name->text, name->length, to);
	} else {
		fprintf(to, "seen=%" PRIu64 " note code=%u value=%" PRIu64 " ", note->seen_ns, note->code,
			note->value);
		put_text(note->text, note->length, to);
	}
}

void ct_report_record(const struct ct_item *item, FILE *to)
{
	const struct ct_thread_record *thread = item->record;

	fprintf(to, "%" PRIu64 " [%u] ", item->offset, item->tid);
	switch (item->type) {
	case CT_RECORD_THREAD:
		fprintf(to, "thread tid=%u ", thread->tid);
		put_text(thread->name, sizeof(thread->name), to);
		break;
	case CT_RECORD_CALL:
		call_line(item->record, to);
		break;
	case CT_RECORD_DEVICE:
		device_line(item->record, to);
		break;
	case CT_RECORD_SYNC:
		sync_line(item->record, to);
		break;
	case CT_RECORD_NVTX_RANGE:
	case CT_RECORD_NVTX_OPEN:
		nvtx_line(item, to);
		break;
	case CT_RECORD_TOTAL:
		total_line(item->record, to);
		break;
	case CT_RECORD_STACK:
		stack_line(item->record, to);
		break;
	case CT_RECORD_SCRIPT:
		script_line(item->record, to);
		break;
	case CT_RECORD_STRING:
	case CT_RECORD_MODULE:
	case CT_RECORD_API:
	case CT_RECORD_NOTE:
	case CT_RECORD_NVTX_NAME:
		text_line(item, to);
		break;
	default:
		small_line(item, to);
		break;
	}
}
