/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that found done what they would have waited for: without the waits before them they may not. */
#include "analyze/replay.h"

#include "analyze/scope.h"

void ct_replay_note_found(struct ct_replay *r, uint32_t index)
{
	const struct ct_host_call *call = &r->model->calls.at[index];
	struct ct_replay_call *c = &r->calls[index];

	c->awaits = CT_NONE;
	if (call->raw.flags & CT_CALL_CAPTURING || call->raw.error)
		return;
	if (call->effects & CT_SYNC)
		c->awaits = ct_scope_asked(r->model, call, &c->drains);
	else
		c->drains = c->plain && call->effects & CT_DRAINS && call->effects & CT_FREE &&
			    ct_scope_may_wait(call);
}

void ct_replay_note_polls(struct ct_replay *r)
{
	for (size_t i = 0; i < r->model->polls.count; i++) {
		const struct ct_poll *poll = &r->model->polls.at[i];
		const struct ct_call *last = &r->model->calls.at[poll->last].raw;

		/* what begins later has not been replayed by then */
		if (!last->error && poll->op != CT_NONE &&
		    r->model->ops.at[poll->op].raw.start_ns < last->enter_ns)
			r->calls[poll->last].awaits = poll->op;
	}
}

/* A query may have found done what, by CUPTI's clock, was not for a moment yet. */
static uint64_t end_of(const struct ct_replay *r, const struct ct_replay_call *call)
{
	uint64_t was_ns = r->was_end_ns[call->awaits];

	return r->end_ns[call->awaits] - (was_ns > call->enter_ns ? was_ns - call->enter_ns : 0);
}

uint64_t ct_replay_taken_over(const struct ct_replay *r, uint32_t index)
{
	const struct ct_replay_call *call = &r->calls[index];
	const struct ct_replay_latest *latest = &r->latest[call->place];
	bool asked = r->model->calls.at[index].effects & (CT_SYNC | CT_POLL);
	/* work that then ran on, of another context, it did not wait for */
	uint64_t until_ns = call->enter_ns + (call->plain ? 0 : call->took_ns + CT_TOUCH_NS), end_ns = 0;

	if (r->removed[index] & CT_REMOVE_WAIT || !(asked || r->take_over))
		return 0;
	if (call->drains && latest->was_ns <= until_ns)
		end_ns = latest->end_ns;
	else if (call->awaits != CT_NONE && call->plain)
		end_ns = end_of(r, call);
	return end_ns > r->enter_ns[index] ? end_ns - r->enter_ns[index] : 0;
}
