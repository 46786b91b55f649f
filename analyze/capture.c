/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/seen.h"

/* A stream or event that belongs to a capture, by its handle. */
struct member {
	uint64_t handle;
	uint32_t tid;     /* of a per-thread default stream, which has no handle of its own */
	uint32_t capture; /* the call that began it */
	bool event;
};

struct captures {
	const struct ct_model *model;
	CT_ARRAY(struct member) members;
};

#define PER_THREAD_HANDLE 2 /* cudaStreamPerThread */

static struct member stream_of(const struct ct_host_call *call)
{
	struct member m = { .handle = call->raw.stream };

	if (m.handle == 0 && call->effects & CT_PER_THREAD)
		m.handle = PER_THREAD_HANDLE;
	if (m.handle == PER_THREAD_HANDLE)
		m.tid = call->tid;
	return m;
}

static struct member event_of(const struct ct_host_call *call)
{
	return (struct member){ .handle = call->raw.addr, .event = true };
}

/* The capture it belongs to; CT_NONE if to none. */
static uint32_t capture_of(const struct captures *c, struct member what)
{
	for (size_t i = 0; i < c->members.count; i++) {
		const struct member *m = &c->members.at[i];

		if (m->handle == what.handle && m->tid == what.tid && m->event == what.event)
			return m->capture;
	}
	return CT_NONE;
}

static void forget(struct captures *c, struct member what)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->members.count; i++) {
		const struct member *m = &c->members.at[i];

		if (m->handle != what.handle || m->tid != what.tid || m->event != what.event)
			c->members.at[kept++] = *m;
	}
	c->members.count = kept;
}

static int add(struct captures *c, struct member what, uint32_t capture)
{
	forget(c, what);
	what.capture = capture;
	return CT_PUSH(&c->members, what);
}

static void leave(struct captures *c, uint32_t capture)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->members.count; i++)
		if (c->members.at[i].capture != capture)
			c->members.at[kept++] = c->members.at[i];
	c->members.count = kept;
}

/* An event recorded in a capture belongs to it, and so does a stream that waits for that. */
static int order(struct captures *c, struct ct_host_call *call)
{
	uint32_t stream = capture_of(c, stream_of(call)), event = capture_of(c, event_of(call));

	if (strstr(call->name, "EventRecord")) {
		forget(c, event_of(call)); /* what it was recorded in before counts no more */
		return stream != CT_NONE ? add(c, event_of(call), stream) : 0;
	}
	if (strstr(call->name, "WaitEvent") && event != CT_NONE)
		return add(c, stream_of(call), event);
	return 0;
}

/*
 * In the light mode the events are not recorded by which a stream joins a capture. A copy
 * without a record of its work, made while there is a capture, is taken for a part of it.
 */
static bool may_have_joined(const struct captures *c, const struct ct_host_call *call)
{
	return call->effects & CT_COPY && call->effects & CT_ASYNC && ct_seen_partly(c->model) &&
	       !ct_sight_at(c->model, call->raw.enter_ns);
}

static int note(struct captures *c, struct ct_host_call *call, uint32_t index)
{
	uint32_t capture;
	int r = 0;

	if (call->raw.stream == CT_STREAM_NONE)
		return 0;
	if (strstr(call->name, "StreamBeginCapture"))
		return call->raw.error ? 0 : add(c, stream_of(call), index);
	if (!c->members.count)
		return 0;
	capture = capture_of(c, stream_of(call));
	if (strstr(call->name, "StreamEndCapture") || strstr(call->name, "StreamDestroy")) {
		if (capture != CT_NONE)
			leave(c, capture); /* a capture that is found invalid ends as well */
		return 0;
	}
	if (call->raw.error || call->op_count)
		return 0;
	if (call->effects & CT_ORDER)
		r = order(c, call);
	if (!(call->effects & CT_SYNC) &&
	    (capture_of(c, stream_of(call)) != CT_NONE || may_have_joined(c, call)))
		call->raw.flags |= CT_CALL_CAPTURING;
	return r;
}

int ct_captures_mark(struct ct_model *model)
{
	struct captures c = { .model = model };
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->calls.count; i++)
		r = note(&c, &model->calls.at[i], (uint32_t)i);
	free(c.members.at);
	return r;
}
