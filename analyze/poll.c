/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/poll.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/lookup.h"

/* Where an event was recorded last. */
struct recorded {
	struct ct_link link; /* by event */
	uint64_t event;
	uint64_t time_ns;
	uint32_t stream;
};

#define RUNS 8 /* events or streams that a thread may ask about in turn */

/* A run of queries of one event or stream. */
struct run {
	struct ct_poll poll;
	uint64_t event, handle;
	uint32_t stream; /* the default stream's handle names one in each context */
	uint32_t unfinished;
};

struct poller {
	struct ct_model *model;
	struct ct_lookup events;
	struct run (*runs)[RUNS]; /* by thread */
	bool *asking;             /* by thread: it may have runs that have not ended */
};

static int note_record(struct poller *p, const struct ct_host_call *call)
{
	struct recorded *one = ct_lookup_find(&p->events, &call->raw.addr, sizeof(call->raw.addr));

	if (!one) {
		one = calloc(1, sizeof(*one));
		if (!one)
			return -ENOMEM;
		one->event = call->raw.addr;
		if (ct_lookup_add(&p->events, one, &one->event, sizeof(one->event)) < 0) {
			free(one);
			return -ENOMEM;
		}
	}
	one->time_ns = call->raw.enter_ns;
	one->stream = call->stream;
	return 0;
}

static bool records_event(enum ct_api api)
{
	switch (api) {
	case CT_API_cudaEventRecord:
	case CT_API_cudaEventRecord_ptsz:
	case CT_API_cudaEventRecordWithFlags:
	case CT_API_cudaEventRecordWithFlags_ptsz:
	case CT_API_cuEventRecord:
	case CT_API_cuEventRecord_ptsz:
	case CT_API_cuEventRecordWithFlags:
	case CT_API_cuEventRecordWithFlags_ptsz:
		return true;
	default:
		return false;
	}
}

/* The operation whose end the queries wait for. */
static uint32_t awaited(const struct poller *p, const struct ct_host_call *call)
{
	const struct recorded *one;

	if (call->raw.stream != CT_STREAM_NONE)
		return call->stream == CT_NONE ? CT_NONE
					       : ct_model_last_before(p->model, call->stream,
								      call->raw.enter_ns, CT_NONE);
	one = ct_lookup_find(&p->events, &call->raw.addr, sizeof(call->raw.addr));
	return one && one->stream != CT_NONE
		       ? ct_model_last_before(p->model, one->stream, one->time_ns, CT_NONE)
		       : CT_NONE;
}

static int end_run(struct poller *p, struct run *run)
{
	int r = 0;

	if (run->poll.queries >= 2 && run->unfinished)
		r = CT_PUSH(&p->model->polls, run->poll);
	run->poll.queries = 0;
	return r;
}

static int end_runs(struct poller *p, uint32_t thread)
{
	bool asking = p->asking[thread];
	int r = 0;

	p->asking[thread] = false;
	for (int i = 0; asking && r == 0 && i < RUNS; i++)
		r = end_run(p, &p->runs[thread][i]);
	return r;
}

static bool asks_about(const struct run *run, const struct ct_host_call *call)
{
	return run->event == call->raw.addr && run->handle == call->raw.stream &&
	       run->stream == call->stream;
}

/* The run that a query belongs to: its own, a free one, or else the oldest. */
static struct run *run_of(struct poller *p, const struct ct_host_call *call)
{
	struct run *runs = p->runs[call->thread], *best = &runs[0];

	for (int i = 0; i < RUNS; i++) {
		if (runs[i].poll.queries && asks_about(&runs[i], call))
			return &runs[i];
		if (best->poll.queries &&
		    (!runs[i].poll.queries || runs[i].poll.start_ns < best->poll.start_ns))
			best = &runs[i];
	}
	return best;
}

static int query(struct poller *p, uint32_t index)
{
	const struct ct_host_call *call = &p->model->calls.at[index];
	struct run *run = run_of(p, call);
	int r = 0;

	p->asking[call->thread] = true;
	if (run->poll.queries && !asks_about(run, call))
		r = end_run(p, run);
	if (!run->poll.queries++) {
		run->poll.call = index;
		run->poll.start_ns = call->raw.enter_ns;
		run->poll.op = awaited(p, call);
		run->event = call->raw.addr;
		run->handle = call->raw.stream;
		run->stream = call->stream;
		run->unfinished = 0;
	}
	run->unfinished += call->raw.error == CT_NOT_READY;
	run->poll.last = index;
	run->poll.end_ns = call->raw.leave_ns;
	if (r == 0 && call->raw.error != CT_NOT_READY) /* done, or an error: the loop ends here */
		r = end_run(p, run);
	return r;
}

int ct_polls_find(struct ct_model *model)
{
	struct poller p = { .model = model };
	int r = 0;

	p.runs = calloc(model->threads.count + 1, sizeof(*p.runs));
	p.asking = calloc(model->threads.count + 1, sizeof(*p.asking));
	if (!p.runs || !p.asking)
		r = -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];

		if (call->effects & CT_POLL) {
			r = query(&p, i);
			continue;
		}
		r = end_runs(&p, call->thread);
		if (r == 0 && records_event(call->api))
			r = note_record(&p, call);
	}
	for (uint32_t t = 0; r == 0 && t < model->threads.count; t++)
		r = end_runs(&p, t);
	ct_lookup_free(&p.events);
	free(p.runs);
	free(p.asking);
	return r;
}
