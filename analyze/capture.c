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
	uint32_t capture;
	bool event;
};

/* What a call is to captures, by its name. */
enum role { OTHER, BEGINS, ENDS, RECORDS, WAITS };

struct ct_captures {
	CT_ARRAY(struct member) members;
	uint32_t last; /* how many there were */
	uint8_t roles[CT_API_COUNT]; /* enum role */
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
static uint32_t capture_of(const struct ct_captures *c, struct member what)
{
	for (size_t i = 0; i < c->members.count; i++) {
		const struct member *m = &c->members.at[i];

		if (m->handle == what.handle && m->tid == what.tid && m->event == what.event)
			return m->capture;
	}
	return CT_NONE;
}

static void forget(struct ct_captures *c, struct member what)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->members.count; i++) {
		const struct member *m = &c->members.at[i];

		if (m->handle != what.handle || m->tid != what.tid || m->event != what.event)
			c->members.at[kept++] = *m;
	}
	c->members.count = kept;
}

static int add(struct ct_captures *c, struct member what, uint32_t capture)
{
	forget(c, what);
	what.capture = capture;
	return CT_PUSH(&c->members, what);
}

static void leave(struct ct_captures *c, uint32_t capture)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->members.count; i++)
		if (c->members.at[i].capture != capture)
			c->members.at[kept++] = c->members.at[i];
	c->members.count = kept;
}

static enum role role_of(const char *name)
{
	if (strstr(name, "StreamBeginCapture"))
		return BEGINS;
	if (strstr(name, "StreamEndCapture") || strstr(name, "StreamDestroy"))
		return ENDS;
	if (strstr(name, "EventRecord"))
		return RECORDS;
	return strstr(name, "WaitEvent") ? WAITS : OTHER;
}

/* An event recorded in a capture belongs to it, and so does a stream that waits for that. */
static int order(struct ct_captures *c, const struct ct_host_call *call)
{
	uint32_t stream = capture_of(c, stream_of(call)), event = capture_of(c, event_of(call));

	if (c->roles[call->api] == RECORDS) {
		forget(c, event_of(call)); /* what it was recorded in before counts no more */
		return stream != CT_NONE ? add(c, event_of(call), stream) : 0;
	}
	if (c->roles[call->api] == WAITS && event != CT_NONE)
		return add(c, stream_of(call), event);
	return 0;
}

/* What the call does to captures. */
static int note(struct ct_captures *c, const struct ct_host_call *call)
{
	enum role role = (enum role)c->roles[call->api];
	uint32_t capture;

	if (role == BEGINS)
		return call->raw.error ? 0 : add(c, stream_of(call), ++c->last);
	if (!c->members.count)
		return 0;
	if (role == ENDS) {
		capture = capture_of(c, stream_of(call));
		if (capture != CT_NONE)
			leave(c, capture); /* a capture that is found invalid ends as well */
		return 0;
	}
	if (call->raw.error || call->op_count || !(call->effects & CT_ORDER))
		return 0;
	return order(c, call);
}

/*
 * In the light mode the events are not recorded by which a stream joins a capture. A copy
 * without a record of its work, made while there is a capture, is taken for a part of it.
 */
static bool may_have_joined(const struct ct_model *model, const struct ct_host_call *call)
{
	return call->effects & CT_COPY && call->effects & CT_ASYNC && ct_seen_partly(model) &&
	       !ct_sight_at(model, call->raw.enter_ns);
}

/* Is the call captured, as things stand when it has done what it does to captures? */
static bool captured(const struct ct_captures *c, const struct ct_model *model,
		     const struct ct_host_call *call)
{
	return c->members.count && c->roles[call->api] != BEGINS && c->roles[call->api] != ENDS &&
	       !call->raw.error && !call->op_count && !(call->effects & CT_SYNC) &&
	       (capture_of(c, stream_of(call)) != CT_NONE || may_have_joined(model, call));
}

int ct_captures_create(struct ct_captures **ret)
{
	struct ct_captures *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	for (int api = 1; api < CT_API_COUNT; api++)
		c->roles[api] = (uint8_t)role_of(ct_apis[api].name);
	*ret = c;
	return 0;
}

void ct_captures_destroy(struct ct_captures *captures)
{
	if (!captures)
		return;
	free(captures->members.at);
	free(captures);
}

int ct_captures_mark(struct ct_captures *captures, struct ct_model *model)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < model->calls.count; i++) {
		struct ct_host_call *call = &model->calls.at[i];

		if (call->raw.stream == CT_STREAM_NONE)
			continue;
		if (ct_model_in_core(model, i))
			r = note(captures, call);
		if (captured(captures, model, call))
			call->raw.flags |= CT_CALL_CAPTURING;
	}
	return r;
}
