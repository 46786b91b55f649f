/* SPDX-License-Identifier: Apache-2.0 */
/* From the records of a file to the arrays of a model, unsorted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/demangle.h"
#include "analyze/load.h"
#include "analyze/nvtx.h"
#include "analyze/unite.h"
#include "trace/tame.h"

#define API_IDS 65536 /* as many as a record can name */
#define ID_LIMIT (1u << 20) /* no string or stack id of a sound file is larger */

static int load_api(struct ct_model *model, const struct ct_api_record *record)
{
	char name[256];
	size_t length = record->name_length;

	if (length >= sizeof(name))
		length = sizeof(name) - 1;
	memcpy(name, record->name, length);
	name[length] = '\0';
	model->apis[record->id] = ct_api_find(name);
	model->api_names[record->id] = true;
	model->effects[record->id] = record->effects;
	return 0;
}

static void name_call(const struct ct_model *model, struct ct_host_call *call)
{
	call->api = model->apis[call->raw.api];
	call->nameless = !model->api_names[call->raw.api];
	call->effects = call->api ? ct_apis[call->api].effects : model->effects[call->raw.api];
	call->name = call->api ? ct_apis[call->api].name : CT_UNKNOWN_CALL;
}

static int load_call(struct ct_model *model, const struct ct_item *item)
{
	struct ct_host_call *call;
	struct ct_call raw;

	memcpy(&raw, item->record, sizeof(raw));
	if (raw.enter_ns < model->kept_from_ns) {
		model->early_calls++;
		return 0;
	}
	if (raw.leave_ns < raw.enter_ns) /* never written so: a damaged record */
		raw.leave_ns = raw.enter_ns;
	if (ct_grow(&model->calls.at, model->calls.count, &model->calls.room, sizeof(*call)))
		return -ENOMEM;
	call = &model->calls.at[model->calls.count++];
	*call = (struct ct_host_call){ .raw = raw, .tid = item->tid, .stream = CT_NONE,
				       .sync = CT_NONE };
	name_call(model, call);
	return 0;
}

static int load_op(struct ct_model *model, const struct ct_device_op *record)
{
	struct ct_op *op;

	if (record->start_ns == 0 || record->end_ns < record->start_ns) {
		model->untimed_ops++;
		return 0;
	}
	if (record->end_ns <= model->kept_from_ns) {
		model->early_ops += model->kept_from_ns > 0;
		return 0;
	}
	if (ct_grow(&model->ops.at, model->ops.count, &model->ops.room, sizeof(*op)))
		return -ENOMEM;
	op = &model->ops.at[model->ops.count++];
	*op = (struct ct_op){ .raw = *record, .call = CT_NONE, .stream = CT_NONE,
			      .previous = CT_NONE };
	for (int kind = 0; kind < CT_EDGES; kind++)
		op->edges[kind] = (struct ct_edge){ CT_NONE, CT_NONE };
	return 0;
}

static int load_sync(struct ct_model *model, const struct ct_sync *record)
{
	if (model->kept_from_ns && record->end_ns <= model->kept_from_ns)
		return 0;
	return CT_PUSH(&model->syncs, *record);
}

static void name_total(const struct ct_model *model, struct ct_total_info *total)
{
	enum ct_api api = model->apis[total->raw.api];

	total->name = api ? ct_apis[api].name : CT_UNKNOWN_CALL;
}

static int load_total(struct ct_model *model, const struct ct_total *record)
{
	struct ct_total_info info = { .raw = *record };

	name_total(model, &info);
	return CT_PUSH(&model->totals, info);
}

/* Put a value at an id of an array by id, growing it with zeros. */
static int reach(void *at, size_t *count, size_t *room, size_t bytes, uint32_t id)
{
	char **array = at;

	if (id >= ID_LIMIT)
		return -EBADMSG;
	while (*room <= id)
		if (ct_grow(at, *room, room, bytes))
			return -ENOMEM;
	if (*count > id)
		return 0;
	memset(*array + *count * bytes, 0, (id + 1 - *count) * bytes);
	*count = id + 1;
	return 0;
}

static int load_string(struct ct_model *model, const struct ct_string *record)
{
	char *copy, *readable;
	int r = reach(&model->strings.at, &model->strings.count, &model->strings.room,
		      sizeof(*model->strings.at), record->id);

	if (r == -EBADMSG)
		return 0;
	if (r < 0)
		return r;
	copy = strndup(record->text, record->length);
	if (!copy)
		return -ENOMEM;
	ct_tame(copy, '?');
	ct_demangle(copy, &readable);
	if (readable)
		free(copy);
	free(model->strings.at[record->id]);
	model->strings.at[record->id] = readable ? readable : copy;
	return 0;
}

static int load_stack(struct ct_model *model, const struct ct_stack *record)
{
	int r = reach(&model->stacks.at, &model->stacks.count, &model->stacks.room,
		      sizeof(*model->stacks.at), record->id);
	uint64_t *pc;

	if (r == -EBADMSG)
		return 0;
	if (r < 0)
		return r;
	pc = malloc(record->count * sizeof(*pc) + 1); /* a stack may be empty */
	if (!pc)
		return -ENOMEM;
	memcpy(pc, record->pc, record->count * sizeof(*pc));
	free((void *)(uintptr_t)model->stacks.at[record->id].pc);
	model->stacks.at[record->id] = (struct ct_stack_info){
		.count = record->count, .script = record->script, .pc = pc };
	return 0;
}

static int load_module(struct ct_model *model, const struct ct_module *record)
{
	size_t bytes = sizeof(*record) + record->path_length;
	struct ct_module *copy = malloc(bytes);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, record, bytes);
	if (CT_PUSH(&model->modules, copy) < 0) {
		free(copy);
		return -ENOMEM;
	}
	return 0;
}

static int load_script(struct ct_model *model, const struct ct_script *record)
{
	int r = reach(&model->scripts.at, &model->scripts.count, &model->scripts.room,
		      sizeof(*model->scripts.at), record->id);
	struct ct_script_info *info;

	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	info = &model->scripts.at[record->id];
	if (info->file)
		return 0;
	info->file = strndup(record->text, record->file_length);
	info->function = strndup(record->text + record->file_length, record->function_length);
	if (!info->file || !info->function)
		return -ENOMEM;
	ct_tame(info->file, '?');
	ct_tame(info->function, '?');
	info->line = record->line;
	return 0;
}

static int load_note(struct ct_model *model, const struct ct_note *record)
{
	struct ct_note_info note = { .code = record->code, .value = record->value };
	struct ct_mode_change change = { record->seen_ns, (enum ct_mode)record->value };

	note.text = strndup(record->text, record->length);
	if (!note.text)
		return -ENOMEM;
	ct_tame(note.text, '?');
	if (note.code == CT_NOTE_CUPTI_VERSION)
		model->cupti_begin_ns = record->seen_ns;
	model->has_cupti |= note.code == CT_NOTE_CUPTI_VERSION;
	model->has_no_cupti |= note.code == CT_NOTE_NO_CUPTI;
	if (note.code == CT_NOTE_YIELDED && record->seen_ns < model->cupti_end_ns)
		model->cupti_end_ns = record->seen_ns;
	if (note.code == CT_NOTE_MODE && CT_PUSH(&model->mode_changes, change) < 0) {
		free(note.text);
		return -ENOMEM;
	}
	if (CT_PUSH(&model->notes, note) < 0) {
		free(note.text);
		return -ENOMEM;
	}
	return 0;
}

static int load_stream(struct ct_model *model, const struct ct_stream *record)
{
	const struct ct_stream_info stream = {
		.context = record->context,
		.id = record->stream,
		.flag = record->flag,
		.priority = record->flag ? record->priority : 0,
	};
	const struct ct_handle handle = {
		.handle = record->handle,
		.since_ns = record->seen_ns,
		.context = record->context,
		.stream = record->stream,
	};

	if (CT_PUSH(&model->streams, stream) < 0)
		return -ENOMEM;
	if (record->handle && !record->destroyed)
		return CT_PUSH(&model->handles, handle);
	return 0;
}

static int load_context(struct ct_model *model, const struct ct_context *record, uint32_t tid)
{
	if (CT_PUSH(&model->context_tids, tid) < 0)
		return -ENOMEM;
	return CT_PUSH(&model->contexts, *record);
}

static int load_thread(struct ct_model *model, const struct ct_thread_record *record)
{
	struct ct_thread_info fresh = { .tid = record->tid };
	size_t n = model->threads.count;

	if (n && model->threads.at[n - 1].tid == record->tid) /* each of its chunks has one */
		return 0;
	memcpy(fresh.name, record->name, sizeof(record->name));
	ct_tame(fresh.name, '?');
	return CT_PUSH(&model->threads, fresh);
}

/* A record that is about the run: as true in one part of it as in another. */
static int load_fact(struct ct_model *model, const struct ct_item *item)
{
	switch (item->type) {
	case CT_RECORD_API:
		return load_api(model, item->record);
	case CT_RECORD_THREAD:
		return load_thread(model, item->record);
	case CT_RECORD_STREAM:
		return load_stream(model, item->record);
	case CT_RECORD_CONTEXT:
		return load_context(model, item->record, item->tid);
	case CT_RECORD_GPU:
		return CT_PUSH(&model->gpus, *(const struct ct_gpu *)item->record);
	case CT_RECORD_STRING:
		return load_string(model, item->record);
	case CT_RECORD_STACK:
		return load_stack(model, item->record);
	case CT_RECORD_SCRIPT:
		return load_script(model, item->record);
	case CT_RECORD_MODULE:
		return load_module(model, item->record);
	case CT_RECORD_TOTAL:
		return load_total(model, item->record);
	case CT_RECORD_NVTX_NAME:
	case CT_RECORD_NVTX_OPEN:
		return ct_nvtx_load(model, item);
	case CT_RECORD_NOTE:
		return load_note(model, item->record);
	default:
		return 0;
	}
}

/* A record of a moment of the run. */
static int load_moment(struct ct_model *model, const struct ct_item *item)
{
	switch (item->type) {
	case CT_RECORD_CALL:
		return load_call(model, item);
	case CT_RECORD_DEVICE:
		return load_op(model, item->record);
	case CT_RECORD_SYNC:
		return load_sync(model, item->record);
	case CT_RECORD_EVENT:
		return CT_PUSH(&model->events, *(const struct ct_event *)item->record);
	case CT_RECORD_NVTX_RANGE:
		return ct_nvtx_load(model, item);
	case CT_RECORD_OVERHEAD:
		return CT_PUSH(&model->overheads, *(const struct ct_overhead *)item->record);
	default:
		return 0;
	}
}

static int begin_facts(struct ct_model *model)
{
	const struct ct_mode_change first = { .mode = (enum ct_mode)model->header->mode };

	model->cupti_end_ns = UINT64_MAX;
	model->kept_from_ns = model->header->kept_from_ns;
	model->apis = calloc(API_IDS, sizeof(*model->apis));
	model->effects = calloc(API_IDS, sizeof(*model->effects));
	model->api_names = calloc(API_IDS, sizeof(*model->api_names));
	if (!model->apis || !model->effects || !model->api_names)
		return -ENOMEM;
	/* light or off from the beginning: no note need say so */
	return first.mode == CT_MODE_FULL ? 0 : CT_PUSH(&model->mode_changes, first);
}

/* What came before its name in the file. */
static void name_late(struct ct_model *model)
{
	for (size_t i = 0; i < model->calls.count; i++)
		if (model->calls.at[i].nameless)
			name_call(model, &model->calls.at[i]);
	for (size_t i = 0; i < model->totals.count; i++)
		name_total(model, &model->totals.at[i]);
}

static int end_facts(struct ct_model *model)
{
	int r = ct_unite_threads(model);

	if (r == 0)
		r = ct_unite_contexts(model);
	if (r == 0)
		r = ct_unite_streams(model);
	name_late(model);
	model->has_device = model->has_cupti && !model->has_no_cupti;
	if (!model->has_device)
		model->cupti_end_ns = 0;
	return r;
}

int ct_load_records(struct ct_model *model)
{
	struct ct_item item;
	int r = begin_facts(model), got = 0;

	while (r == 0) {
		got = ct_reader_next(model->reader, &item);
		if (got != 1)
			break;
		r = load_fact(model, &item);
		if (r == 0)
			r = load_moment(model, &item);
	}
	if (r == 0)
		r = got;
	if (r == 0)
		r = end_facts(model);
	model->unknown_records = ct_reader_unknown(model->reader);
	model->damaged_bytes = ct_reader_damage(model->reader, &model->damaged_at);
	return r;
}

/* Load by a function what it takes of one block. */
static int load_block(struct ct_model *model, size_t block,
		      int (*load)(struct ct_model *model, const struct ct_item *item))
{
	struct ct_cursor *cursor;
	struct ct_item item;
	int r = ct_cursor_open(model->reader, block, &cursor);

	if (r < 0)
		return r;
	while (r == 0 && ct_cursor_next(cursor, &item) == 1)
		r = load(model, &item);
	ct_cursor_close(cursor);
	return r;
}

int ct_load_facts(struct ct_model *model, const struct ct_survey *survey)
{
	int r = begin_facts(model);

	for (size_t i = 0; r == 0 && i < survey->block_count; i++)
		if (survey->blocks[i].facts)
			r = load_block(model, i, load_fact);
	if (r == 0)
		r = end_facts(model);
	model->damaged_bytes = survey->damaged_bytes;
	model->damaged_at = survey->damaged_at;
	model->untimed_ops = survey->untimed_ops;
	model->unknown_records = survey->unknown_records;
	model->begin_ns = survey->begin_ns;
	model->end_ns = survey->end_ns;
	return r;
}

/* Is the record of any use to the model's part of the run? EVENT records do not say when. */
static bool within(const struct ct_core *core, const struct ct_item *item)
{
	const struct ct_call *call = item->record;
	const struct ct_device_op *op = item->record;
	const struct ct_sync *sync = item->record;
	const struct ct_overhead *overhead = item->record;
	const struct ct_nvtx_range *range = item->record;

	switch (item->type) {
	case CT_RECORD_NVTX_RANGE:
		return range->begin_ns < core->to_ns && range->end_ns >= core->from_ns;
	case CT_RECORD_CALL:
		return call->enter_ns < core->to_ns &&
		       (call->leave_ns >= core->from_ns || call->enter_ns >= core->from_ns);
	case CT_RECORD_DEVICE:
		return op->start_ns < core->to_ns && op->end_ns >= core->from_ns;
	case CT_RECORD_SYNC:
		return sync->start_ns < core->to_ns && sync->end_ns >= core->from_ns;
	case CT_RECORD_OVERHEAD:
		return overhead->start_ns < core->to_ns && overhead->end_ns >= core->from_ns;
	default:
		return true;
	}
}

static int load_within(struct ct_model *model, const struct ct_item *item)
{
	return within(&model->core, item) ? load_moment(model, item) : 0;
}

int ct_load_moments(struct ct_model *model, const struct ct_survey *survey)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < survey->block_count; i++) {
		const struct ct_block_span *block = &survey->blocks[i];

		if (block->first_ns > block->last_ns ? block->timeless
						     : block->first_ns < model->core.to_ns &&
							       block->last_ns >= model->core.from_ns)
			r = load_block(model, i, load_within);
	}
	return r;
}
