/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/nvtx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/tame.h"

#define ID_LIMIT (1u << 20) /* no id of a sound file is larger */

static int load_name(struct ct_model *model, const struct ct_nvtx_name *record)
{
	char *copy;

	if (record->id >= ID_LIMIT)
		return 0;
	while (model->nvtx_names.count <= record->id)
		if (CT_PUSH(&model->nvtx_names, NULL) < 0)
			return -ENOMEM;
	if (model->nvtx_names.at[record->id])
		return 0;
	copy = strndup(record->text, record->length < CT_NVTX_NAME_MAX ? record->length
								       : CT_NVTX_NAME_MAX);
	if (!copy)
		return -ENOMEM;
	ct_tame(copy, '?');
	model->nvtx_names.at[record->id] = copy;
	return 0;
}

static int load_range(struct ct_model *model, const struct ct_nvtx_range *record)
{
	const struct ct_range_info range = { *record, CT_NONE };

	if (record->end_ns < record->begin_ns || /* never written so: a damaged record */
	    (model->kept_from_ns && record->end_ns <= model->kept_from_ns))
		return 0;
	return CT_PUSH(&model->ranges, range);
}

int ct_nvtx_load(struct ct_model *model, const struct ct_item *item)
{
	const struct ct_nvtx_range *range = item->record;

	if (item->type == CT_RECORD_NVTX_NAME)
		return load_name(model, item->record);
	if (item->type == CT_RECORD_NVTX_RANGE)
		return load_range(model, range);
	return range->begin_ns ? CT_PUSH(&model->open_ranges, *range) : 0;
}

/* Of those that begin together the longer one is around the others. */
static int by_thread(const void *a, const void *b)
{
	const struct ct_nvtx_range *x = &((const struct ct_range_info *)a)->raw;
	const struct ct_nvtx_range *y = &((const struct ct_range_info *)b)->raw;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->begin_ns != y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	if (x->end_ns != y->end_ns)
		return x->end_ns > y->end_ns ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static void sort(struct ct_model *model)
{
	if (model->ranges.count)
		qsort(model->ranges.at, model->ranges.count, sizeof(*model->ranges.at), by_thread);
}

/* A process may be killed when it has said that a range has ended, and not yet that it is not open. */
static bool has_ended(const struct ct_model *model, size_t count, const struct ct_nvtx_range *open)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ct_nvtx_range *raw = &model->ranges.at[middle].raw;

		if (raw->tid < open->tid || (raw->tid == open->tid && raw->begin_ns < open->begin_ns))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < count; low++) {
		const struct ct_nvtx_range *raw = &model->ranges.at[low].raw;

		if (raw->tid != open->tid || raw->begin_ns != open->begin_ns)
			return false;
		if (raw->name == open->name && raw->domain == open->domain)
			return true;
	}
	return false;
}

static int add_open(struct ct_model *model)
{
	size_t count = model->ranges.count;

	for (size_t i = 0; i < model->open_ranges.count; i++) {
		struct ct_range_info range = { model->open_ranges.at[i], CT_NONE };

		if (range.raw.begin_ns >= model->core.to_ns || has_ended(model, count, &range.raw))
			continue;
		range.raw.end_ns = UINT64_MAX;
		if (CT_PUSH(&model->ranges, range) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Out of what has ended by then, towards the outside. */
static uint32_t leave(const struct ct_model *model, uint32_t range, uint64_t time_ns)
{
	while (range != CT_NONE && model->ranges.at[range].raw.end_ns <= time_ns)
		range = model->ranges.at[range].parent;
	return range;
}

static void set_range(struct ct_model *model, uint32_t index, uint32_t range)
{
	struct ct_host_call *call = &model->calls.at[index];

	call->range = range;
	call->range_domain = range == CT_NONE ? CT_NONE : model->ranges.at[range].raw.domain;
	call->range_name = range == CT_NONE ? CT_NONE : model->ranges.at[range].raw.name;
}

/* The ranges of one thread, from `first` on, and its calls, as time goes by. Returns their end. */
static uint32_t join_thread(struct ct_model *model, uint32_t first)
{
	uint32_t tid = model->ranges.at[first].raw.tid, at = first, inner = CT_NONE, n = 0;
	const struct ct_thread_info *thread = ct_model_thread(model, tid);
	uint32_t calls = thread ? thread->call_count : 0;
	bool more = true;

	while (more || n < calls) {
		const struct ct_call *call = n < calls ? &model->calls.at[thread->calls[n]].raw : NULL;
		const struct ct_nvtx_range *raw = more ? &model->ranges.at[at].raw : NULL;

		if (raw && (!call || raw->begin_ns <= call->enter_ns)) {
			inner = leave(model, inner, raw->begin_ns);
			model->ranges.at[at].parent = inner;
			inner = at++;
			more = at < model->ranges.count && model->ranges.at[at].raw.tid == tid;
		} else {
			inner = leave(model, inner, call->enter_ns);
			set_range(model, thread->calls[n++], inner);
		}
	}
	return at;
}

int ct_nvtx_join(struct ct_model *model)
{
	for (uint32_t i = 0; i < model->calls.count; i++)
		set_range(model, i, CT_NONE);
	sort(model);
	if (add_open(model) < 0)
		return -ENOMEM;
	sort(model);
	for (uint32_t i = 0; i < model->ranges.count;)
		i = join_thread(model, i);
	return 0;
}

static const char *name_of(const struct ct_model *model, uint32_t id)
{
	const char *name = id && id < model->nvtx_names.count ? model->nvtx_names.at[id] : NULL;

	return name ? name : "(unnamed)";
}

const char *ct_nvtx_text(const struct ct_model *model, uint32_t domain, uint32_t name,
			 char ret[CT_NVTX_TEXT_BYTES])
{
	snprintf(ret, CT_NVTX_TEXT_BYTES, "%s%s%s", domain ? name_of(model, domain) : "",
		 domain ? ":" : "", name_of(model, name));
	return ret;
}

const char *ct_nvtx_of_call(const struct ct_model *model, const struct ct_host_call *call,
			    char ret[CT_NVTX_TEXT_BYTES])
{
	*ret = '\0';
	return call->range_name == CT_NONE ? ret : ct_nvtx_text(model, call->range_domain,
								call->range_name, ret);
}

uint32_t ct_nvtx_around(const struct ct_model *model, const struct ct_host_call *call, uint32_t range)
{
	return leave(model, model->ranges.at[range].parent, call->raw.enter_ns);
}
