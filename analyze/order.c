/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/order.h"

#include <errno.h>
#include <stdlib.h>

/* When the call with a correlation id began; UINT64_MAX if it was not recorded. */
static uint64_t call_time(const struct ct_model *model, uint32_t correlation)
{
	uint32_t call = ct_model_call_of(model, correlation);

	return call == CT_NONE ? UINT64_MAX : model->calls.at[call].raw.enter_ns;
}

static const struct ct_event *event_by_sync(const struct ct_model *model, uint64_t event_sync)
{
	size_t low = 0, high = model->events.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (model->events.at[middle].event_sync < event_sync)
			low = middle + 1;
		else
			high = middle;
	}
	return low < model->events.count && model->events.at[low].event_sync == event_sync
		       ? &model->events.at[low]
		       : NULL;
}

/*
 * The EVENT record a synchronisation refers to: by its unique id where CUPTI has one
 * (since CUDA 12.8), else the latest record of the event before the wait.
 */
static const struct ct_event *event_of(const struct ct_model *model, const struct ct_sync *sync)
{
	const struct ct_event *best = NULL;

	if (sync->event_sync)
		return event_by_sync(model, sync->event_sync);
	for (size_t i = 0; i < model->events.count; i++) {
		const struct ct_event *e = &model->events.at[i];

		if (e->event == sync->event && e->correlation < sync->correlation &&
		    (!best || e->correlation > best->correlation))
			best = e;
	}
	return best;
}

uint32_t ct_order_event(const struct ct_model *model, const struct ct_sync *sync)
{
	const struct ct_event *event = event_of(model, sync);
	uint32_t stream;
	uint64_t recorded;

	if (!event)
		return CT_NONE;
	stream = ct_stream_index((struct ct_model *)(uintptr_t)model, event->context, event->stream,
				 false);
	recorded = call_time(model, event->correlation);
	if (stream == CT_NONE || recorded == UINT64_MAX)
		return CT_NONE;
	return ct_model_last_before(model, stream, recorded, CT_NONE);
}

/* Remember the later-ending of the operations that `op` had to follow. */
static void follow(struct ct_model *model, uint32_t op, uint32_t earlier)
{
	uint32_t *awaited = &model->ops.at[op].awaited;

	if (earlier == CT_NONE || earlier == op)
		return;
	if (*awaited == CT_NONE ||
	    model->ops.at[earlier].raw.end_ns > model->ops.at[*awaited].raw.end_ns)
		*awaited = earlier;
}

/* First operation of a stream submitted after a time; CT_NONE if there is none. */
static uint32_t first_after(const struct ct_model *model, uint32_t stream, uint64_t time_ns)
{
	const struct ct_stream_info *s = &model->streams.at[stream];
	uint32_t low = 0, high = s->op_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (model->ops.at[s->ops[middle]].submit_ns > time_ns)
			high = middle;
		else
			low = middle + 1;
	}
	return low < s->op_count ? s->ops[low] : CT_NONE;
}

static void order_by_events(struct ct_model *model)
{
	for (size_t i = 0; i < model->syncs.count; i++) {
		const struct ct_sync *sync = &model->syncs.at[i];
		uint64_t waited;
		uint32_t stream, op;

		if (sync->kind != CT_SYNC_STREAM_WAIT)
			continue;
		stream = ct_stream_index(model, sync->context, sync->stream, false);
		waited = call_time(model, sync->correlation);
		if (stream == CT_NONE || waited == UINT64_MAX)
			continue;
		op = first_after(model, stream, waited);
		if (op != CT_NONE)
			follow(model, op, ct_order_event(model, sync));
	}
}

static bool blocking(const struct ct_stream_info *stream)
{
	return stream->flag == CT_STREAM_FLAG_BLOCKING || stream->flag == CT_STREAM_FLAG_UNKNOWN;
}

/* Both directions of the legacy default stream's rule, in one context. */
static void order_by_default_stream(struct ct_model *model, uint32_t legacy)
{
	const struct ct_stream_info *null_stream = &model->streams.at[legacy];

	for (uint32_t s = 0; s < model->streams.count; s++) {
		const struct ct_stream_info *other = &model->streams.at[s];

		if (s == legacy || other->context != null_stream->context || !blocking(other))
			continue;
		for (uint32_t n = 0; n < null_stream->op_count; n++) {
			uint32_t op = null_stream->ops[n];

			follow(model, op, ct_model_last_before(model, s, model->ops.at[op].submit_ns,
							       CT_NONE));
		}
		for (uint32_t n = 0; n < other->op_count; n++) {
			uint32_t op = other->ops[n];

			follow(model, op, ct_model_last_before(
				model, legacy, model->ops.at[op].submit_ns, CT_NONE));
		}
	}
}

int ct_order_streams(struct ct_model *model)
{
	order_by_events(model);
	for (size_t i = 0; i < model->contexts.count; i++) {
		const struct ct_context *c = &model->contexts.at[i];
		uint32_t legacy;

		if (c->null_stream == CT_ID_NONE)
			continue;
		legacy = ct_stream_index(model, c->context, c->null_stream, false);
		if (legacy != CT_NONE && model->streams.at[legacy].op_count)
			order_by_default_stream(model, legacy);
	}
	return 0;
}
