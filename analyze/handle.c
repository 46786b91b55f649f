/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/handle.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/lookup.h"

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b))

static int by_handle(const void *a, const void *b)
{
	const struct ct_handle *x = a, *y = b;

	return COMPARE(x->handle, y->handle) ?: COMPARE(x->since_ns, y->since_ns);
}

void ct_handles_sort(struct ct_model *model)
{
	if (model->handles.count)
		qsort(model->handles.at, model->handles.count, sizeof(*model->handles.at), by_handle);
}

/* What a handle named at a time: the latest stream created until then, or else the first after. */
static const struct ct_handle *handle_at(const struct ct_model *model, uint64_t handle,
					 uint64_t time_ns)
{
	const struct ct_handle want = { .handle = handle, .since_ns = time_ns }, *at = model->handles.at;
	size_t low = 0, high = model->handles.count;

	while (low < high) { /* the first that comes after it */
		size_t middle = low + (high - low) / 2;

		if (by_handle(&at[middle], &want) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low && at[low - 1].handle == handle)
		return &at[low - 1];
	return low < model->handles.count && at[low].handle == handle ? &at[low] : NULL;
}

static uint32_t stream_of_handle(const struct ct_model *model, uint64_t handle, uint64_t time_ns)
{
	const struct ct_handle *found = handle_at(model, handle, time_ns);

	return found ? ct_stream_index((struct ct_model *)(uintptr_t)model, found->context,
				       found->stream, false)
		     : CT_NONE;
}

/* Of the current context; where that is not known, of the only one there can be. */
static uint32_t default_stream(const struct ct_model *model, const struct ct_host_call *call)
{
	const struct ct_context *found = NULL;

	for (size_t i = 0; i < model->contexts.count; i++) {
		const struct ct_context *c = &model->contexts.at[i];

		if ((call->raw.context && c->context != call->raw.context) ||
		    c->null_stream == CT_ID_NONE)
			continue;
		if (found && found->device != c->device)
			return CT_NONE;
		found = found ? found : c;
	}
	return found ? ct_stream_index((struct ct_model *)(uintptr_t)model, found->context,
				       found->null_stream, false)
		     : CT_NONE;
}

#define STREAM_LEGACY 1     /* cudaStreamLegacy */
#define STREAM_PER_THREAD 2 /* cudaStreamPerThread */

static bool names_thread_default(const struct ct_host_call *call)
{
	return call->raw.stream == STREAM_PER_THREAD ||
	       (call->raw.stream == 0 && call->effects & CT_PER_THREAD);
}

/* Did the call put one operation, and nothing else, into the stream that it names? */
static bool shows_stream(const struct ct_model *model, const struct ct_host_call *call)
{
	return call->op_count == 1 && call->effects & (CT_LAUNCH | CT_COPY | CT_FILL) &&
	       call->raw.stream != CT_STREAM_NONE && !names_thread_default(call) &&
	       !model->ops.at[ct_model_op_of(model, call, 0)].raw.graph;
}

/* A handle that was learnt: from the beginning, so once. */
struct learnt {
	struct ct_link link;
	struct ct_handle handle;
};

static int learn_handle(const struct ct_model *model, struct ct_lookup *learnt,
			const struct ct_host_call *call, const struct ct_device_op *op)
{
	const struct ct_handle *known = handle_at(model, call->raw.stream, call->raw.leave_ns);
	struct learnt *fresh;

	if ((known && known->since_ns <= call->raw.leave_ns) ||
	    ct_lookup_find(learnt, &call->raw.stream, sizeof(call->raw.stream)))
		return 0;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	fresh->handle = (struct ct_handle){ .handle = call->raw.stream, .context = op->context,
					    .stream = op->stream };
	if (ct_lookup_add(learnt, fresh, &fresh->handle.handle, sizeof(fresh->handle.handle)) < 0) {
		free(fresh);
		return -ENOMEM;
	}
	return 0;
}

/* Among the others, all at once: they stay in order. */
static int add_learnt(struct ct_model *model, const struct ct_lookup *learnt)
{
	int r = 0;

	for (const struct ct_link *link = learnt->first; r == 0 && link; link = link->hh.next)
		r = CT_PUSH(&model->handles, ((const struct learnt *)link)->handle);
	if (learnt->first)
		ct_handles_sort(model);
	return r;
}

static int learn_default(struct ct_model *model, const struct ct_device_op *op)
{
	struct ct_context fresh = { .context = op->context, .device = op->device,
				    .null_stream = op->stream };
	uint32_t stream = ct_stream_index(model, op->context, op->stream, false);
	size_t i = 0;

	while (i < model->contexts.count && model->contexts.at[i].context != op->context)
		i++;
	if (i < model->contexts.count && model->contexts.at[i].null_stream != CT_ID_NONE)
		return 0;
	if (model->streams.at[stream].flag == CT_STREAM_FLAG_UNKNOWN)
		model->streams.at[stream].flag = CT_STREAM_FLAG_LEGACY;
	if (i < model->contexts.count) {
		model->contexts.at[i].null_stream = op->stream;
		return 0;
	}
	if (CT_PUSH(&model->context_tids, 0) < 0)
		return -ENOMEM;
	return CT_PUSH(&model->contexts, fresh);
}

int ct_handles_learn(struct ct_model *model)
{
	struct ct_lookup learnt = { 0 };
	int r = 0;

	if (model->facts) /* runs whose mode changed, and with them such streams, have no parts */
		return 0;
	for (size_t i = 0; r == 0 && i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		const struct ct_device_op *op;

		if (!shows_stream(model, call))
			continue;
		op = &model->ops.at[ct_model_op_of(model, call, 0)].raw;
		r = call->raw.stream == 0 || call->raw.stream == STREAM_LEGACY
			    ? learn_default(model, op)
			    : learn_handle(model, &learnt, call, op);
	}
	if (r == 0)
		r = add_learnt(model, &learnt);
	ct_lookup_free(&learnt);
	return r;
}

/* A thread's own default stream in a context. */
struct own_stream {
	struct ct_link link;
	struct own_key {
		uint32_t thread, context;
	} key;
	uint32_t stream;
};

static int note_own(struct ct_lookup *owned, uint32_t thread, uint32_t context, uint32_t stream)
{
	const struct own_key key = { thread, context };
	struct own_stream *own = ct_lookup_find(owned, &key, sizeof(key));

	if (!own) {
		own = calloc(1, sizeof(*own));
		if (!own)
			return -ENOMEM;
		own->key = key;
		if (ct_lookup_add(owned, own, &own->key, sizeof(own->key)) < 0) {
			free(own);
			return -ENOMEM;
		}
	}
	own->stream = stream;
	return 0;
}

/* No record says which stream is a thread's own: what it submitted there does. One a context. */
static int find_thread_defaults(struct ct_model *model, struct ct_lookup *owned)
{
	int r = 0;

	for (size_t t = 0; t < model->threads.count; t++)
		model->threads.at[t].default_stream = CT_NONE;
	for (size_t i = 0; r == 0 && i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		uint32_t stream;

		if (!call->op_count || !names_thread_default(call))
			continue;
		stream = model->ops.at[ct_model_op_of(model, call, 0)].stream;
		model->threads.at[call->thread].default_stream = stream;
		model->streams.at[stream].per_thread = true;
		r = note_own(owned, call->thread, model->streams.at[stream].context, stream);
	}
	return r;
}

static uint32_t thread_default(const struct ct_model *model, const struct ct_lookup *owned,
			       const struct ct_host_call *call)
{
	const struct own_key key = { call->thread, call->raw.context };
	const struct own_stream *own;

	if (!call->raw.context)
		return model->threads.at[call->thread].default_stream;
	own = ct_lookup_find(owned, &key, sizeof(key));
	return own ? own->stream : CT_NONE;
}

/*
 * The stream that CUPTI's record of a synchronisation names, unless the handle names one of the same
 * number in another context, which was not current.
 */
static uint32_t stream_of_sync(const struct ct_model *model, const struct ct_host_call *call)
{
	const struct ct_sync *sync = &model->syncs.at[call->sync];
	uint64_t handle = call->raw.stream;
	uint32_t named = handle == CT_STREAM_NONE || handle == 0 || handle == STREAM_LEGACY
				 ? CT_NONE
				 : stream_of_handle(model, handle, call->raw.leave_ns);

	if (named != CT_NONE && model->streams.at[named].id == sync->stream)
		return named;
	return ct_stream_index((struct ct_model *)(uintptr_t)model, sync->context, sync->stream,
			       false);
}

static uint32_t stream_of_call(const struct ct_model *model, const struct ct_lookup *owned,
			       const struct ct_host_call *call)
{
	uint64_t handle = call->raw.stream;

	if (call->op_count)
		return model->ops.at[ct_model_op_of(model, call, 0)].stream;
	if (names_thread_default(call)) /* CUPTI's record names the legacy stream instead */
		return thread_default(model, owned, call);
	if (call->sync != CT_NONE && model->syncs.at[call->sync].stream != CT_ID_NONE)
		return stream_of_sync(model, call);
	if (handle == CT_STREAM_NONE)
		return CT_NONE;
	if (handle == 0 || handle == STREAM_LEGACY)
		return default_stream(model, call);
	return stream_of_handle(model, handle, call->raw.leave_ns);
}

int ct_handles_resolve(struct ct_model *model)
{
	struct ct_lookup owned = { 0 };
	int r = find_thread_defaults(model, &owned);

	for (size_t i = 0; r == 0 && i < model->calls.count; i++)
		model->calls.at[i].stream = stream_of_call(model, &owned, &model->calls.at[i]);
	ct_lookup_free(&owned);
	return r;
}
