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

uint64_t ct_replay_taken_over(const struct ct_replay *r, uint32_t index)
{
	const struct ct_replay_call *call = &r->calls[index];
	const struct ct_replay_latest *latest = &r->latest[call->place];
	/* work that then ran on, of another context, it did not wait for */
	uint64_t until_ns = call->enter_ns + (call->plain ? 0 : call->took_ns + CT_TOUCH_NS), end_ns = 0;

	if (!r->take_over || r->removed[index] & CT_REMOVE_WAIT)
		return 0;
	if (call->drains && latest->was_ns <= until_ns)
		end_ns = latest->end_ns;
	else if (call->awaits != CT_NONE && call->plain)
		end_ns = r->end_ns[call->awaits];
	return end_ns > r->enter_ns[index] ? end_ns - r->enter_ns[index] : 0;
}
