/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/handoff.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analyze/sort.h"

#define NO_STACK 0x80000000u /* the place of a call without a stack, with its enum ct_api */
#define BACK 4     /* returns of each other thread that are looked at */
#define FORWARD 64 /* calls until the next of the same place */

/* A call: what every other thread's pauses are compared with lies close together. */
struct moment {
	uint64_t enter_ns, leave_ns;
	uint64_t close_ns; /* a pause that ends so soon after the return is close to it */
	uint64_t pause_ns; /* before it; 0: too short, or there are too few */
	uint32_t place, call;
};

/* A thread that calls. */
struct caller {
	uint32_t count;
	struct moment *moments; /* in order of time */
};

/* The pauses of one thread that end in one place. */
struct kind {
	uint64_t place;
	size_t first, count; /* of `pauses` */
	double least;        /* how much the delay varies behind what they were put down to; below 0: nothing */
};

/* A call of another thread that returned during a pause: of one pause of a thread, at most. */
struct turn {
	uint64_t places; /* where the pause ended << 32 | of the other call */
	uint32_t call, after;
	uint64_t pause_ns, delay_ns; /* delay: from the other's return to the pause's end */
	uint64_t since_ns;           /* the same from where the other was called */
	bool close;
	bool late; /* it returned shortly after the pause instead, which did not wait for it */
};

struct finder {
	const struct ct_model *model;
	struct caller callers[CT_HANDOFF_THREADS];
	size_t caller_count;
	struct moment *moments;
	/* of one thread: */
	CT_ARRAY(struct ct_ranked) pauses; /* moments by place, then time */
	CT_ARRAY(struct kind) kinds;       /* by place */
	CT_ARRAY(struct turn) turns;       /* with one other thread; by places */
};

static uint32_t place_of(const struct ct_host_call *call)
{
	return call->raw.stack ? call->raw.stack : NO_STACK | (uint32_t)call->api;
}

/* From a return to the next of a call of its thread and place, as far as that is looked for. */
static uint64_t until_next(const struct ct_model *model, const struct ct_thread_info *thread, uint32_t n)
{
	const struct ct_host_call *from = &model->calls.at[thread->calls[n]];

	for (uint32_t ahead = 1; n + ahead < thread->call_count; ahead++) {
		const struct ct_host_call *call = &model->calls.at[thread->calls[n + ahead]];

		if (place_of(call) == place_of(from) || ahead == FORWARD)
			return call->raw.leave_ns - from->raw.leave_ns;
	}
	return model->end_ns - from->raw.leave_ns;
}

static uint64_t pause_before(const struct ct_model *model, const struct ct_host_call *call)
{
	uint64_t since = call->previous == CT_NONE ? UINT64_MAX : model->calls.at[call->previous].raw.leave_ns;
	uint64_t pause_ns = since > call->raw.enter_ns ? 0 : call->raw.enter_ns - since;

	return pause_ns >= CT_HANDOFF_PAUSE_NS ? pause_ns : 0;
}

static void list_moments(const struct ct_model *model, const struct ct_thread_info *thread,
			 struct moment *to)
{
	for (uint32_t n = 0; n < thread->call_count; n++) {
		const struct ct_host_call *call = &model->calls.at[thread->calls[n]];

		to[n] = (struct moment){
			.enter_ns = call->raw.enter_ns, .leave_ns = call->raw.leave_ns,
			.close_ns = until_next(model, thread, n) / CT_HANDOFF_CLOSE,
			.pause_ns = pause_before(model, call),
			.place = place_of(call), .call = thread->calls[n],
		};
	}
}

size_t ct_handoffs_callers(const struct ct_model *model)
{
	size_t count = 0;

	for (size_t t = 0; t < model->threads.count; t++)
		count += model->threads.at[t].call_count > 0;
	return count;
}

static int list_callers(struct finder *f)
{
	const struct ct_model *model = f->model;
	struct moment *next = f->moments = malloc((model->calls.count + 1) * sizeof(*f->moments));

	if (!next)
		return -ENOMEM;
	for (size_t t = 0; t < model->threads.count; t++) {
		const struct ct_thread_info *thread = &model->threads.at[t];

		if (!thread->call_count)
			continue;
		f->callers[f->caller_count++] = (struct caller){ thread->call_count, next };
		list_moments(model, thread, next);
		next += thread->call_count;
	}
	return 0;
}

/* The pauses of a thread, but where there are too few to tell. Returns 0 or -ENOMEM. */
static int list_kinds(struct finder *f, const struct caller *own)
{
	int r = 0;

	f->pauses.count = f->kinds.count = 0;
	for (uint32_t i = 0; r == 0 && i < own->count; i++) {
		struct ct_ranked pause = { own->moments[i].place, i };

		r = own->moments[i].pause_ns ? CT_PUSH(&f->pauses, pause) : 0;
	}
	if (r == 0)
		r = ct_sort_ranked(f->pauses.at, f->pauses.count);
	for (size_t i = 0, n; r == 0 && i < f->pauses.count; i += n) {
		struct kind kind = { f->pauses.at[i].key, i, 0, -1 };

		for (n = 1; i + n < f->pauses.count && f->pauses.at[i + n].key == kind.place; n++)
			;
		kind.count = n;
		r = n < CT_HANDOFF_LEAST ? 0 : CT_PUSH(&f->kinds, kind);
		for (size_t p = i; n < CT_HANDOFF_LEAST && p < i + n; p++)
			own->moments[f->pauses.at[p].index].pause_ns = 0;
	}
	return r;
}

/* Of another thread's n calls so far the last that returned during a pause; of a place the last. */
static int note_turns(struct finder *f, const struct moment *end, const struct moment *others, uint32_t n)
{
	size_t first = f->turns.count;
	int r = 0;

	for (int back = 0; r == 0 && back < BACK && n > 0; back++) {
		const struct moment *other = &others[--n];
		uint64_t delay_ns = end->enter_ns - other->leave_ns;
		struct turn turn = { (uint64_t)end->place << 32 | other->place, end->call, other->call,
				     end->pause_ns, delay_ns, end->enter_ns - other->enter_ns,
				     delay_ns <= other->close_ns, false };
		bool known = false;

		if (delay_ns >= end->pause_ns)
			break;
		for (size_t i = first; i < f->turns.count; i++)
			known |= f->turns.at[i].places == turn.places;
		r = known ? 0 : CT_PUSH(&f->turns, turn);
	}
	return r;
}

/* And those that returned shortly after it; not where one of that place was close before it. */
static int note_late(struct finder *f, const struct moment *end, const struct caller *other, uint32_t n,
		     size_t first)
{
	int r = 0;

	for (uint32_t i = n; r == 0 && i < other->count && i < n + BACK; i++) {
		const struct moment *next = &other->moments[i];
		struct turn turn = { (uint64_t)end->place << 32 | next->place, end->call, next->call,
				     end->pause_ns, 0, 0, false, true };
		bool known = false;

		if (next->leave_ns - end->enter_ns >= end->pause_ns / CT_HANDOFF_SHORT)
			break;
		for (size_t t = first; t < f->turns.count; t++)
			known |= f->turns.at[t].places == turn.places &&
				 (f->turns.at[t].close || f->turns.at[t].late);
		r = known ? 0 : CT_PUSH(&f->turns, turn);
	}
	return r;
}

/* What returned of another thread during a thread's pauses. Returns 0 or -ENOMEM. */
static int list_turns(struct finder *f, const struct caller *own, const struct caller *other)
{
	uint32_t n = 0;
	int r = 0;

	f->turns.count = 0;
	for (uint32_t i = 0; r == 0 && i < own->count; i++) {
		size_t first = f->turns.count;

		if (!own->moments[i].pause_ns)
			continue;
		while (n < other->count && other->moments[n].leave_ns <= own->moments[i].enter_ns)
			n++;
		r = note_turns(f, &own->moments[i], other->moments, n);
		if (r == 0)
			r = note_late(f, &own->moments[i], other, n, first);
	}
	return r < 0 || !f->turns.count ? r : CT_SORT_BY(f->turns, places, NULL);
}

static double distance(uint64_t a, double b)
{
	return (double)a > b ? (double)a - b : b - (double)a;
}

static int sign(double a)
{
	return (a > 0) - (a < 0);
}

/*
 * Does the delay vary less than the pause, beyond chance? Then their sum goes with their
 * difference (the test of Pitman and Morgan for paired samples; here of ranks, Kendall's tau, so
 * that a few odd ones count for little): the normal deviate of that.
 */
static double regularity(const struct turn *turns, size_t close)
{
	size_t sample = close < CT_HANDOFF_SAMPLE ? close : CT_HANDOFF_SAMPLE;
	double n = (double)sample;
	int64_t agree = 0;

	for (size_t i = 0; i < sample; i++)
		for (size_t j = 0; j < i; j++) {
			const struct turn *a = &turns[i * close / sample], *b = &turns[j * close / sample];
			/* of a damaged trace they may be of centuries */
			double pause = (double)a->pause_ns - (double)b->pause_ns;
			double delay = (double)a->delay_ns - (double)b->delay_ns;

			agree += sign(pause - delay) * sign(pause + delay);
		}
	return 6 * (double)agree / sqrt(2 * n * (n - 1) * (2 * n + 5));
}

static size_t count_late(const struct turn *turns, size_t count)
{
	size_t late = 0;

	for (size_t i = 0; i < count; i++)
		late += turns[i].late;
	return late;
}

/* Only those that are close are left, in front. Returns their number. */
static size_t keep_close(struct turn *turns, size_t count)
{
	size_t close = 0;

	for (size_t i = 0; i < count; i++)
		if (turns[i].close)
			turns[close++] = turns[i];
	return close;
}

/*
 * How far from chance that must be. With each further thread that a pause is compared with chance has
 * another try: the tail of the normal distribution falls as exp(-z^2 / 2).
 */
static double sure(size_t callers)
{
	return sqrt(CT_HANDOFF_SURE * CT_HANDOFF_SURE + 2 * log((double)(callers - 1)));
}

/*
 * Two thirds; of few pauses less, so that it is no chance: of normal deviates the logarithm of the ratio of
 * two mean deviations deviates by sqrt(pi - 2) / sqrt(n).
 */
static double least_part(size_t close, double sure)
{
	double part = exp(-1.07 * sure / sqrt((double)close));

	return part < 2 / 3. ? part : 2 / 3.;
}

/*
 * Is the pause so many times as long as the delay, which varies such a part as much, for a reason? Of a
 * quarter of the pause that takes more to believe than of an eighth.
 */
static bool stands_out(const struct turn *turns, size_t close, double times, double varies, double sure)
{
	if (times >= CT_HANDOFF_SHORT && varies <= least_part(close, sure))
		return true;
	if (times >= CT_HANDOFF_SHORT)
		return regularity(turns, close) >= sure;
	return times >= CT_HANDOFF_LONG && regularity(turns, close) >= 2 * sure;
}

/*
 * By how much the delay varies where the pause's end follows those returns; below 0: it does not. What
 * follows the calls themselves more closely, however long they take, waited for no return.
 */
static double follows(const struct turn *turns, size_t close, size_t late, size_t all, double sure)
{
	double pause = 0, delay = 0, since = 0, pause_spread = 0, spread = 0, since_spread = 0;

	if (close < CT_HANDOFF_LEAST || close * 4 < all * 3 || late * CT_HANDOFF_SHORT > close)
		return -1;
	for (size_t i = 0; i < close; i++) {
		pause += (double)turns[i].pause_ns / (double)close;
		delay += (double)turns[i].delay_ns / (double)close;
		since += (double)turns[i].since_ns / (double)close;
	}
	for (size_t i = 0; i < close; i++) {
		pause_spread += distance(turns[i].pause_ns, pause) / (double)close;
		spread += distance(turns[i].delay_ns, delay) / (double)close;
		since_spread += distance(turns[i].since_ns, since) / (double)close;
	}
	if (since_spread * 3 < spread * 2)
		return -1;
	return stands_out(turns, close, pause / delay, spread / pause_spread, sure) ? spread : -1;
}

/* Put the pauses of a kind down to these turns. */
static void settle(const struct finder *f, const struct caller *own, const struct kind *kind,
		   const struct turn *turns, size_t count, uint32_t *ret_after)
{
	for (size_t i = kind->first; i < kind->first + kind->count; i++)
		ret_after[own->moments[f->pauses.at[i].index].call] = CT_NONE;
	for (size_t i = 0; i < count; i++)
		ret_after[turns[i].call] = turns[i].after;
}

/* After which returns of the other thread do pauses end more regularly than after any before, if any? */
static void judge(const struct finder *f, const struct caller *own, uint32_t *ret_after)
{
	struct turn *turns = f->turns.at;
	struct kind *kind = f->kinds.at;

	for (size_t i = 0, n; i < f->turns.count; i += n) {
		double spread;
		size_t close, late;

		for (n = 1; i + n < f->turns.count && turns[i + n].places == turns[i].places; n++)
			;
		while (kind->place != turns[i].places >> 32)
			kind++;
		late = count_late(&turns[i], n);
		close = keep_close(&turns[i], n);
		spread = follows(&turns[i], close, late, kind->count, sure(f->caller_count));
		if (spread < 0 || (kind->least >= 0 && spread >= kind->least))
			continue;
		kind->least = spread;
		settle(f, own, kind, &turns[i], close, ret_after);
	}
}

/* What the pauses of one thread waited for. Returns 0 or -ENOMEM. */
static int find_of(struct finder *f, const struct caller *own, uint32_t *ret_after)
{
	int r = list_kinds(f, own);

	for (size_t i = 0; r == 0 && f->kinds.count && i < f->caller_count; i++) {
		if (&f->callers[i] == own)
			continue;
		r = list_turns(f, own, &f->callers[i]);
		if (r == 0)
			judge(f, own, ret_after);
	}
	return r;
}

int ct_handoffs_find(const struct ct_model *model, uint32_t *ret_after)
{
	struct finder f = { .model = model };
	size_t callers = ct_handoffs_callers(model);
	int r;

	for (size_t i = 0; i < model->calls.count; i++)
		ret_after[i] = CT_NONE;
	if (callers < 2 || callers > CT_HANDOFF_THREADS)
		return 0;
	r = list_callers(&f);
	for (size_t i = 0; r == 0 && i < callers; i++)
		r = find_of(&f, &f.callers[i], ret_after);
	free(f.moments);
	free(f.pauses.at);
	free(f.kinds.at);
	free(f.turns.at);
	return r;
}
