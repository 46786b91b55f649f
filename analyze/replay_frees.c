/* SPDX-License-Identifier: Apache-2.0 */
/* What frees hold up in a replay, beside their own thread. */
#include "analyze/replay.h"

#include "analyze/device.h"

/* How many frees had been entered by then. */
static size_t frees_until(const struct ct_replay *r, uint64_t ns)
{
	size_t low = 0, high = r->free_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->calls[r->frees[middle]].enter_ns < ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t ct_replay_held_by_frees(const struct ct_replay *r, uint32_t device, uint64_t ready_ns,
				 uint64_t start_ns)
{
	size_t n = frees_until(r, start_ns), place = ct_device_place(r->model, device);
	uint64_t held = 0;

	for (int back = 0; back < CT_REPLAY_FREES && n > 0 && ready_ns < start_ns; back++) {
		const struct ct_replay_call *call = &r->calls[r->frees[--n]];
		uint64_t leave_ns = call->enter_ns + call->took_ns;
		uint64_t from = call->enter_ns > ready_ns ? call->enter_ns : ready_ns, to = leave_ns < start_ns ? leave_ns : start_ns;

		if (!(r->removed[r->frees[n]] & CT_REMOVE_WORK) || call->place != place || to <= from)
			continue;
		held += to - from;
		start_ns = from;
	}
	return held;
}
