/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/handoff.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analyze/sort.h"

#define NO_STACK 0x80000000u /* the place of a call without a stack, with its enum ct_api */

/* A pause of a thread, and the last call of another that returned in it. */
struct pause {
	uint64_t key; /* thread and place of the call that ended it */
	uint32_t from; /* place of the other's call */
	uint32_t call, after;
	uint64_t pause_ns, delay_ns;
	bool close;   /* it ended soon after that return, as the time to the next one goes */
};

struct finder {
	const struct ct_model *model;
	CT_ARRAY(struct pause) pauses;
};

/* Of all threads but one: the last return before a time, and the first after it. */
struct returns {
	uint64_t before_ns, after_ns;
	uint32_t call; /* the one before; CT_NONE */
};

static uint64_t leave_of(const struct ct_model *model, uint32_t call)
{
	return model->calls.at[call].raw.leave_ns;
}

static uint32_t place_of(const struct ct_host_call *call)
{
	return call->raw.stack ? call->raw.stack : NO_STACK | (uint32_t)call->api;
}

/* How many of a thread's calls had returned by then. */
static uint32_t returned_by(const struct ct_model *model, const struct ct_thread_info *thread, uint64_t ns)
{
	uint32_t low = 0, high = thread->call_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (leave_of(model, thread->calls[middle]) <= ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct returns returns_around(const struct ct_model *model, uint32_t but, uint64_t ns)
{
	struct returns found = { 0, UINT64_MAX, CT_NONE };

	for (uint32_t t = 0; t < model->threads.count; t++) {
		const struct ct_thread_info *thread = &model->threads.at[t];
		uint32_t n = t == but ? 0 : returned_by(model, thread, ns);

		if (t == but)
			continue;
		if (n && leave_of(model, thread->calls[n - 1]) > found.before_ns) {
			found.call = thread->calls[n - 1];
			found.before_ns = leave_of(model, found.call);
		}
		if (n < thread->call_count && leave_of(model, thread->calls[n]) < found.after_ns)
			found.after_ns = leave_of(model, thread->calls[n]);
	}
	return found;
}

static int note(struct finder *f, uint32_t thread, uint32_t index)
{
	const struct ct_host_call *call = &f->model->calls.at[index];
	uint64_t since = call->previous == CT_NONE ? UINT64_MAX : leave_of(f->model, call->previous);
	struct returns around;

	if (since > call->raw.enter_ns || call->raw.enter_ns - since < CT_HANDOFF_PAUSE_NS)
		return 0;
	around = returns_around(f->model, thread, call->raw.enter_ns);
	if (around.call == CT_NONE || around.before_ns <= since)
		return 0;
	return CT_PUSH(&f->pauses, ((struct pause){
		.key = (uint64_t)thread << 32 | place_of(call), .call = index, .after = around.call,
		.from = place_of(&f->model->calls.at[around.call]),
		.pause_ns = call->raw.enter_ns - since, .delay_ns = call->raw.enter_ns - around.before_ns,
		.close = call->raw.enter_ns - around.before_ns <= (around.after_ns - around.before_ns) / 4 }));
}

static int by_place(const void *a, const void *b)
{
	const struct pause *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* Is the delay short, and does it vary less than the pause, as the mean distance from its mean says? */
static bool follows(const struct pause *pauses, size_t count)
{
	double pause = 0, delay = 0, pause_spread = 0, delay_spread = 0;

	for (size_t i = 0; i < count; i++) {
		pause += (double)pauses[i].pause_ns / (double)count;
		delay += (double)pauses[i].delay_ns / (double)count;
	}
	for (size_t i = 0; i < count; i++) {
		double p = (double)pauses[i].pause_ns - pause, d = (double)pauses[i].delay_ns - delay;

		pause_spread += p < 0 ? -p : p;
		delay_spread += d < 0 ? -d : d;
	}
	return delay * CT_HANDOFF_SHORT <= pause && delay_spread <= pause_spread;
}

/* Pauses of one thread that end in one place, after returns in one other place. */
static void judge(const struct pause *pauses, size_t count, uint32_t *ret_after)
{
	size_t close = 0;

	for (size_t i = 0; i < count; i++)
		close += pauses[i].close;
	if (close < CT_HANDOFF_LEAST || close * 5 < count * 4 || !follows(pauses, count))
		return;
	for (size_t i = 0; i < count; i++)
		if (pauses[i].close)
			ret_after[pauses[i].call] = pauses[i].after;
}

static void judge_all(const struct finder *f, uint32_t *ret_after)
{
	for (size_t i = 0, next; i < f->pauses.count; i = next) {
		const struct pause *first = &f->pauses.at[i];

		for (next = i + 1; next < f->pauses.count && f->pauses.at[next].key == first->key &&
				   f->pauses.at[next].from == first->from; next++)
			;
		judge(first, next - i, ret_after);
	}
}

int ct_handoffs_find(const struct ct_model *model, uint32_t *ret_after)
{
	struct finder f = { .model = model };
	int r = 0;

	for (size_t i = 0; i < model->calls.count; i++)
		ret_after[i] = CT_NONE;
	if (model->threads.count > CT_HANDOFF_THREADS)
		return 0;
	for (uint32_t t = 0; t < model->threads.count; t++)
		for (uint32_t i = 0; r == 0 && i < model->threads.at[t].call_count; i++)
			r = note(&f, t, model->threads.at[t].calls[i]);
	if (r == 0 && f.pauses.count)
		r = CT_SORT_BY(f.pauses, key, by_place);
	if (r == 0)
		judge_all(&f, ret_after);
	free(f.pauses.at);
	return r;
}
