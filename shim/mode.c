/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/mode.h"

#include <errno.h>
#include <string.h>

#include "cupti/session.h"
#include "shim/clock.h"
#include "shim/flusher.h"
#include "shim/inject.h"
#include "shim/shim.h"

uint32_t ct_mode_light;
uint64_t ct_mode_threshold_ns = UINT64_MAX;
uint64_t ct_mode_switched_ns;

static uint64_t alarm_ns; /* when the last long call ended; 0 = there was none */
static bool refused;      /* there is no way back to full: CUPTI's refusal, or no room to say so */

static void set(enum ct_mode mode)
{
	__atomic_store_n(&ct_mode_light, mode == CT_MODE_LIGHT, __ATOMIC_RELAXED);
}

static bool note(enum ct_mode mode)
{
	return ct_shim_note(CT_NOTE_MODE, mode, "%s", mode == CT_MODE_LIGHT ? "light" : "full");
}

void ct_mode_start(void)
{
	if (ct_shim.options.mode == CT_LEVEL_FULL)
		return;
	if (!note(CT_MODE_LIGHT)) /* then nothing may be left out */
		return;
	ct_shim.file.header->mode = CT_MODE_LIGHT;
	set(CT_MODE_LIGHT);
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
	if (__atomic_load_n(&ct_mode_light, __ATOMIC_RELAXED))
		ct_flusher_ring();
}

static void stamp(void)
{
	__atomic_store_n(&ct_mode_switched_ns, ct_now_ns(), __ATOMIC_RELAXED);
}

static void leave_full(void)
{
	set(CT_MODE_LIGHT);
	ct_cupti_switch(false);
	stamp();
}

/*
 * Here it comes first: from then on something may be missing. No room for it, as when half of
 * CUTRACE_LIMIT is used: a report would take what is missing for what never was, so nothing is.
 */
static void go_light(void)
{
	if (note(CT_MODE_LIGHT))
		leave_full();
}

/* The note says that from then on everything is there: it comes last. */
static void go_full(void)
{
	int r;

	if (ct_inject_pending())
		ct_inject_late();
	r = ct_cupti_switch(true);
	if (r == -ENODEV) /* it did not start, or was given up this very moment */
		return;
	if (r < 0) {
		refused = true;
		ct_shim_note(CT_NOTE_PARTIAL_CUPTI, 0, "kernels: CUPTI would not record them again "
			     "(%s), the mode stays light", strerror(-r));
		return;
	}
	stamp();
	set(CT_MODE_FULL);
	if (note(CT_MODE_FULL))
		return;
	refused = true; /* a window that nobody will know of */
	leave_full();
}

uint64_t ct_mode_turn(void)
{
	uint64_t last = __atomic_load_n(&alarm_ns, __ATOMIC_RELAXED), now = ct_now_ns();
	uint64_t window = ct_shim.options.auto_window_ns, past = now > last ? now - last : 0;
	bool full;

	if (ct_shim.options.mode != CT_LEVEL_AUTO || refused)
		return UINT64_MAX;
	/* without CUPTI there are no device records that a window could complete */
	full = last && past < window && (ct_cupti_in_use() || ct_inject_pending());
	if (full && ct_mode_light)
		go_full();
	else if (!full && !ct_mode_light)
		go_light();
	return full ? window - past : UINT64_MAX;
}
