/* SPDX-License-Identifier: Apache-2.0 */
#include "cupti/window.h"

#define WINDOWS 16 /* that are remembered */
#define FROM_START 0 /* of them the only one that may have been open from the start */

struct window {
	uint32_t first, last;    /* correlation ids; 0 = none yet */
	bool ever;               /* from the start, so from id 1 on; last = 0: to an id not known yet */
	uint64_t from_ns, to_ns; /* 0 = open */
};

/* The windows in which one sort of kinds is stored. */
static struct windows {
	struct window at[WINDOWS];
	uint32_t current;                  /* of them */
	uint32_t forgotten;                /* the last id of those before; 0 = there were none */
	enum { EVER, OPEN, CLOSED } state; /* EVER: all, from the start; nobody looks at ids */
} sorts[CT_WHEN_FULL + 1];

static enum ct_mode least(enum ct_when when)
{
	return when == CT_WHEN_FULL ? CT_MODE_FULL : CT_MODE_LIGHT;
}

static int state_of(const struct windows *w)
{
	return (int)__atomic_load_n(&w->state, __ATOMIC_RELAXED);
}

static bool is_ever(const struct window *at)
{
	return __atomic_load_n(&at->ever, __ATOMIC_RELAXED);
}

static bool before(uint32_t id, uint32_t other)
{
	return (int32_t)(id - other) < 0;
}

/* Have *edge be this id, if it is none yet or lies to the wrong side. */
static void extend(uint32_t *edge, uint32_t id, bool down)
{
	uint32_t old = __atomic_load_n(edge, __ATOMIC_RELAXED);

	while ((!old || (down ? before(id, old) : before(old, id))) &&
	       !__atomic_compare_exchange_n(edge, &old, id, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* The first call that is seen after a window from the start: what came before was of it. */
static void settle(struct window *at, uint32_t id)
{
	uint32_t none = 0;

	if (is_ever(at) && !__atomic_load_n(&at->last, __ATOMIC_RELAXED))
		__atomic_compare_exchange_n(&at->last, &none, id - 1, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}

static void called(struct windows *w, uint32_t id)
{
	struct window *at = &w->at[__atomic_load_n(&w->current, __ATOMIC_RELAXED)];
	int state = state_of(w);

	if (state == EVER)
		return;
	settle(&w->at[FROM_START], id); /* the next window may have begun already */
	if (state == OPEN) {
		extend(&at->first, id, true);
		extend(&at->last, id, false);
	}
}

void ct_windows_called(uint32_t correlation)
{
	called(&sorts[CT_WHEN_LIGHT], correlation);
	called(&sorts[CT_WHEN_FULL], correlation);
}

static bool holds(const struct window *at, uint32_t id)
{
	uint32_t first = __atomic_load_n(&at->first, __ATOMIC_RELAXED);
	uint32_t last = __atomic_load_n(&at->last, __ATOMIC_RELAXED);

	if (is_ever(at) && !last)
		return true;
	if (is_ever(at)) /* or as far back as ids can be told from later ones */
		first = last > INT32_MAX ? last - INT32_MAX : 1;
	return first && last && !before(id, first) && !before(last, id);
}

bool ct_windows_drop(enum ct_when when, uint32_t correlation)
{
	const struct windows *w = &sorts[when];

	if (when == CT_WHEN_ALWAYS || state_of(w) == EVER)
		return false;
	for (int i = 0; i < WINDOWS; i++)
		if (holds(&w->at[i], correlation))
			return false;
	return true;
}

bool ct_windows_forgot(enum ct_when when, uint32_t correlation)
{
	uint32_t forgotten = __atomic_load_n(&sorts[when].forgotten, __ATOMIC_RELAXED);

	return forgotten && !before(forgotten, correlation);
}

bool ct_windows_drop_time(uint64_t start_ns, uint64_t end_ns)
{
	const struct windows *w = &sorts[CT_WHEN_LIGHT];

	if (state_of(w) == EVER)
		return false;
	for (int i = 0; i < WINDOWS; i++) {
		uint64_t from_ns = __atomic_load_n(&w->at[i].from_ns, __ATOMIC_RELAXED);
		uint64_t to_ns = __atomic_load_n(&w->at[i].to_ns, __ATOMIC_RELAXED);

		if ((from_ns || is_ever(&w->at[i])) && end_ns >= from_ns && (!to_ns || start_ns <= to_ns))
			return false;
	}
	return true;
}

bool ct_windows_settled(void)
{
	for (int when = CT_WHEN_LIGHT; when <= CT_WHEN_FULL; when++) {
		const struct window *at = &sorts[when].at[FROM_START];

		if (state_of(&sorts[when]) == CLOSED && is_ever(at) &&
		    !__atomic_load_n(&at->last, __ATOMIC_RELAXED))
			return false;
	}
	return true;
}

void ct_windows_begin(enum ct_mode mode)
{
	for (int when = CT_WHEN_LIGHT; when <= CT_WHEN_FULL; when++) {
		struct windows *w = &sorts[when];

		*w = (struct windows){ 0 };
		w->at[FROM_START].ever = mode <= least((enum ct_when)when);
		__atomic_store_n(&w->state, w->at[FROM_START].ever ? EVER : CLOSED, __ATOMIC_RELAXED);
	}
}

static void open_window(struct windows *w, uint64_t now_ns)
{
	uint32_t next = (w->current + 1) % WINDOWS;

	if (w->at[next].last)
		__atomic_store_n(&w->forgotten, w->at[next].last, __ATOMIC_RELAXED);
	__atomic_store_n(&w->at[next].ever, false, __ATOMIC_RELAXED);
	__atomic_store_n(&w->at[next].first, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&w->at[next].last, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&w->at[next].to_ns, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&w->at[next].from_ns, now_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&w->current, next, __ATOMIC_RELEASE);
	__atomic_store_n(&w->state, OPEN, __ATOMIC_RELEASE);
}

void ct_windows_switch(enum ct_mode mode, uint64_t now_ns)
{
	for (int when = CT_WHEN_LIGHT; when <= CT_WHEN_FULL; when++) {
		struct windows *w = &sorts[when];
		bool open = mode <= least((enum ct_when)when);

		if (open && w->state == CLOSED) {
			open_window(w, now_ns);
		} else if (!open && w->state != CLOSED) {
			__atomic_store_n(&w->at[w->current].to_ns, now_ns, __ATOMIC_RELAXED);
			__atomic_store_n(&w->state, CLOSED, __ATOMIC_RELEASE);
		}
	}
}
