/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/handoff.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analyze/sort.h"

#define NO_STACK 0x80000000u /* the place of a call without a stack, with its enum ct_api */
#define BACK 4     /* returns of each other thread that are looked at */
#define FORWARD 64 /* calls until the next of the same place */

/* A call that returned during a pause of another thread, or (from NOBODY) the pause itself. */
struct pause {
	uint64_t key;  /* thread and place of the call that ended the pause */
	uint64_t from; /* thread and place of the other call */
	uint32_t call, after;
	uint64_t pause_ns, delay_ns; /* delay: from the other's return to the pause's end */
	bool close;    /* it is a small part of the time to the like call's next return */
};

#define NOBODY UINT64_MAX

struct finder {
	const struct ct_model *model;
	CT_ARRAY(struct pause) pauses;
};

static uint64_t leave_of(const struct ct_model *model, uint32_t call)
{
	return model->calls.at[call].raw.leave_ns;
}

/* Thread and place of a call. */
static uint64_t key_of(const struct ct_host_call *call)
{
	uint32_t place = call->raw.stack ? call->raw.stack : NO_STACK | (uint32_t)call->api;

	return (uint64_t)call->thread << 32 | place;
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

/* From a return to the next of a call of its thread and place, as far as that is looked for. */
static uint64_t until_next(const struct ct_model *model, const struct ct_thread_info *thread, uint32_t n)
{
	const struct ct_host_call *from = &model->calls.at[thread->calls[n]];

	for (uint32_t ahead = 1; n + ahead < thread->call_count; ahead++) {
		const struct ct_host_call *call = &model->calls.at[thread->calls[n + ahead]];

		if (key_of(call) == key_of(from) || ahead == FORWARD)
			return call->raw.leave_ns - from->raw.leave_ns;
	}
	return model->end_ns - from->raw.leave_ns;
}

/* The last calls of another thread that returned during the pause; of one place the last only. */
static int note_returns(struct finder *f, const struct ct_thread_info *thread, struct pause pause)
{
	uint64_t end_ns = f->model->calls.at[pause.call].raw.enter_ns;
	uint32_t n = returned_by(f->model, thread, end_ns);
	size_t first = f->pauses.count;
	int r = 0;

	for (int back = 0; r == 0 && back < BACK && n > 0; back++) {
		bool known = false;

		pause.after = thread->calls[--n];
		pause.from = key_of(&f->model->calls.at[pause.after]);
		pause.delay_ns = end_ns - leave_of(f->model, pause.after);
		if (pause.delay_ns >= pause.pause_ns)
			break;
		for (size_t i = first; i < f->pauses.count; i++)
			known |= f->pauses.at[i].from == pause.from;
		pause.close = pause.delay_ns <= until_next(f->model, thread, n) / CT_HANDOFF_CLOSE;
		r = known ? 0 : CT_PUSH(&f->pauses, pause);
	}
	return r;
}

static int note(struct finder *f, uint32_t index)
{
	const struct ct_host_call *call = &f->model->calls.at[index];
	uint64_t since = call->previous == CT_NONE ? UINT64_MAX : leave_of(f->model, call->previous);
	struct pause pause = { .key = key_of(call), .from = NOBODY, .call = index };
	int r;

	if (since > call->raw.enter_ns || call->raw.enter_ns - since < CT_HANDOFF_PAUSE_NS)
		return 0;
	pause.pause_ns = call->raw.enter_ns - since;
	r = CT_PUSH(&f->pauses, pause);
	for (uint32_t t = 0; r == 0 && t < f->model->threads.count; t++)
		if (t != call->thread)
			r = note_returns(f, &f->model->threads.at[t], pause);
	return r;
}

static int by_from(const void *a, const void *b)
{
	const struct pause *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* How many pauses from here on are alike, up to `count`. */
static size_t alike(const struct pause *pauses, size_t count, bool from)
{
	size_t n = 1;

	while (n < count && pauses[n].key == pauses->key && (!from || pauses[n].from == pauses->from))
		n++;
	return n;
}

static double distance(uint64_t a, double b)
{
	return (double)a > b ? (double)a - b : b - (double)a;
}

/*
 * How much the delay varies where the pause's end follows those returns; below 0: it does not.
 * The mean distance from the mean says how much something varies.
 */
static double follows(const struct pause *pauses, size_t count, size_t all)
{
	double pause = 0, delay = 0, pause_spread = 0, delay_spread = 0;
	size_t close = 0;

	for (size_t i = 0; i < count; i++) {
		close += pauses[i].close;
		pause += pauses[i].close ? (double)pauses[i].pause_ns : 0;
		delay += pauses[i].close ? (double)pauses[i].delay_ns : 0;
	}
	if (close < CT_HANDOFF_LEAST || close * 4 < all * 3)
		return -1;
	pause /= (double)close;
	delay /= (double)close;
	for (size_t i = 0; i < count; i++) {
		pause_spread += pauses[i].close ? distance(pauses[i].pause_ns, pause) : 0;
		delay_spread += pauses[i].close ? distance(pauses[i].delay_ns, delay) : 0;
	}
	if (delay * CT_HANDOFF_SHORT > pause || delay_spread * 3 > pause_spread * 2)
		return -1;
	return delay_spread;
}

/* Pauses that end in one thread and place: after which returns is it most regularly, if any? */
static void judge(const struct pause *pauses, size_t count, uint32_t *ret_after)
{
	size_t n, all = 0, best = 0, best_count = 0;
	double least = -1;

	for (size_t i = 0; i < count; i++)
		all += pauses[i].from == NOBODY;
	for (size_t i = 0; i < count; i += n) {
		double spread;

		n = alike(&pauses[i], count - i, true);
		spread = follows(&pauses[i], n, all); /* of the pauses themselves none is close */
		if (spread < 0 || (least >= 0 && spread >= least))
			continue;
		least = spread;
		best = i;
		best_count = n;
	}
	for (size_t i = best; i < best + best_count; i++)
		if (pauses[i].close)
			ret_after[pauses[i].call] = pauses[i].after;
}

int ct_handoffs_find(const struct ct_model *model, uint32_t *ret_after)
{
	struct finder f = { .model = model };
	int r = 0;

	for (size_t i = 0; i < model->calls.count; i++)
		ret_after[i] = CT_NONE;
	if (model->threads.count < 2 || model->threads.count > CT_HANDOFF_THREADS)
		return 0;
	for (uint32_t i = 0; r == 0 && i < model->calls.count; i++)
		r = note(&f, i);
	if (r == 0 && f.pauses.count)
		r = CT_SORT_BY(f.pauses, key, by_from);
	for (size_t i = 0, n; r == 0 && i < f.pauses.count; i += n) {
		n = alike(&f.pauses.at[i], f.pauses.count - i, false);
		judge(&f.pauses.at[i], n, ret_after);
	}
	free(f.pauses.at);
	return r;
}
