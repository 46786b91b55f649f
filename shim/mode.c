/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/mode.h"

#include <errno.h>
#include <string.h>

#include "cupti/session.h"
#include "shim/clock.h"
#include "shim/flusher.h"
#include "shim/inject.h"
#include "shim/shim.h"

uint32_t ct_mode_now;
uint64_t ct_mode_threshold_ns = UINT64_MAX;
uint64_t ct_mode_switched_ns;
uint64_t ct_mode_off_ns;

static uint64_t alarm_ns; /* when the last long call ended; 0 = there was none */
static bool refused;      /* there is no way back to full: CUPTI's refusal, or no room to say so */

static void set(enum ct_mode mode)
{
	__atomic_store_n(&ct_mode_now, mode, __ATOMIC_RELAXED);
}

static bool note(enum ct_mode mode)
{
	static const char *const names[] = {
		[CT_MODE_FULL] = "full", [CT_MODE_LIGHT] = "light", [CT_MODE_OFF] = "off",
	};

	return ct_shim_note(CT_NOTE_MODE, mode, "%s", names[mode]);
}

/* The mode in which a window begins. */
static enum ct_mode calm(void)
{
	return ct_shim.options.mode == CT_LEVEL_FULL ? CT_MODE_FULL : CT_MODE_LIGHT;
}

void ct_mode_start(void)
{
	enum ct_mode mode = ct_shim.options.start.by == CT_START_NOW ? calm() : CT_MODE_OFF;

	if (mode == CT_MODE_FULL || !note(mode)) /* without a note nothing may be left out */
		return;
	ct_shim.file.header->mode = mode;
	set(mode);
	if (ct_shim.options.mode == CT_LEVEL_AUTO)
		ct_mode_threshold_ns = 0; /* until the first use has passed */
}

/* Has CUDA been used before? Calls are held to the threshold from then on. */
static bool used_before(void)
{
	static uint32_t used;

	__atomic_store_n(&ct_mode_threshold_ns, ct_shim.options.auto_threshold_ns, __ATOMIC_RELAXED);
	return __atomic_exchange_n(&used, 1, __ATOMIC_RELAXED);
}

void ct_mode_alarm(const struct ct_call *call, bool sets_up)
{
	if (sets_up || !used_before() ||
	    call->leave_ns - call->enter_ns <= ct_shim.options.auto_threshold_ns)
		return;
	__atomic_store_n(&alarm_ns, call->leave_ns, __ATOMIC_RELAXED);
	if (ct_mode() == CT_MODE_LIGHT)
		ct_flusher_ring();
}

static void stamp(void)
{
	__atomic_store_n(&ct_mode_switched_ns, ct_now_ns(), __ATOMIC_RELAXED);
}

static void leave(enum ct_mode to)
{
	if (to == CT_MODE_OFF)
		__atomic_store_n(&ct_mode_off_ns, ct_now_ns(), __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* who sees the mode sees since when */
	set(to);
	ct_cupti_switch(to);
	stamp();
}

/*
 * To a mode that records less. The note comes first: from then on something may be missing. No
 * room for it, as when half of CUTRACE_LIMIT is used: a report would take what is missing for
 * what never was, so nothing is.
 */
static int lower(enum ct_mode to)
{
	if (!note(to))
		return -ENOSPC;
	leave(to);
	return 0;
}

/* CUPTI records all, or 0 is not returned. */
static int raise_cupti(void)
{
	int r;

	if (ct_inject_pending())
		ct_inject_late();
	r = ct_cupti_switch(CT_MODE_FULL);
	if (r == 0 || r == -ENODEV) /* it did not start, or was given up this very moment */
		return r;
	refused = true;
	ct_shim_note(CT_NOTE_PARTIAL_CUPTI, 0, "kernels: CUPTI would not record them again "
		     "(%s), the mode stays light", strerror(-r));
	return r;
}

/* To one that records more: the note says that from then on everything is there, and comes last. */
static int enter(enum ct_mode to, enum ct_mode back)
{
	stamp();
	set(to);
	if (note(to))
		return 0;
	leave(back); /* else a window that nobody will know of */
	return -ENOSPC;
}

static void go_full(void)
{
	if (raise_cupti() == 0 && enter(CT_MODE_FULL, CT_MODE_LIGHT) < 0)
		refused = true;
}

/* Without CUPTI, full is what the wrappers see. */
static int begin_window(void)
{
	enum ct_mode mode = refused ? CT_MODE_LIGHT : calm();

	if (mode == CT_MODE_FULL && raise_cupti() == -EIO)
		mode = CT_MODE_LIGHT;
	if (mode == CT_MODE_LIGHT)
		ct_cupti_switch(mode);
	return enter(mode, CT_MODE_OFF);
}

int ct_mode_record(bool on)
{
	if (on == (ct_mode() != CT_MODE_OFF))
		return -EALREADY;
	return on ? begin_window() : lower(CT_MODE_OFF);
}

uint64_t ct_mode_turn(void)
{
	uint64_t last = __atomic_load_n(&alarm_ns, __ATOMIC_RELAXED), now = ct_now_ns();
	uint64_t window = ct_shim.options.auto_window_ns, past = now > last ? now - last : 0;
	bool full;

	if (ct_shim.options.mode == CT_LEVEL_FULL && ct_mode() == CT_MODE_FULL &&
	    ct_inject_pending()) /* a window that began before the driver had loaded us */
		raise_cupti();
	if (ct_shim.options.mode != CT_LEVEL_AUTO || refused || ct_mode() == CT_MODE_OFF)
		return UINT64_MAX;
	/* without CUPTI there are no device records that a window could complete */
	full = last && past < window && (ct_cupti_in_use() || ct_inject_pending());
	if (full && ct_mode() == CT_MODE_LIGHT)
		go_full();
	else if (!full && ct_mode() == CT_MODE_FULL)
		lower(CT_MODE_LIGHT);
	return full ? window - past : UINT64_MAX;
}
