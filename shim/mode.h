/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much is recorded: CUTRACE_MODE. The light mode leaves the calls that CT_LEFT_BY_LIGHT()
 * names alone, and CUPTI records no kernels. Under `auto`, a call that takes longer than the
 * threshold wakes the cutrace thread, which has everything recorded until there was no
 * such call for the length of a window. CUPTI is not started before the first window, unless
 * CUTRACE_CUPTI=on. Each change is a note in the trace.
 *
 * Around that, recording as a whole may be off (control.h): then every wrapper passes its call
 * on after one load and a comparison.
 */
#ifndef CT_SHIM_MODE_H
#define CT_SHIM_MODE_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/apis.h"
#include "trace/record.h"

extern uint32_t ct_mode_now;           /* enum ct_mode; only the cutrace thread changes it */
extern uint64_t ct_mode_threshold_ns;  /* UINT64_MAX: no call is that long; 0: every one */
extern uint64_t ct_mode_switched_ns;   /* when the callbacks were last changed; 0 = never */
extern uint64_t ct_mode_off_ns;        /* when the last window ended; 0 = none has */

static inline enum ct_mode ct_mode(void)
{
	return (enum ct_mode)__atomic_load_n(&ct_mode_now, __ATOMIC_RELAXED);
}

/* Is there no window now, and was there none since then? */
static inline bool ct_mode_outside(uint64_t since_ns)
{
	if (ct_mode() != CT_MODE_OFF)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return since_ns >= __atomic_load_n(&ct_mode_off_ns, __ATOMIC_RELAXED);
}

/* Is a call with these effects to be passed on at once? */
static inline bool ct_mode_leaves(uint32_t effects)
{
	return CT_LEFT_BY(ct_mode(), effects);
}

/*
 * A call that a callback opened: is it from before the last change of callbacks, so that
 * nobody may have come to close it?
 */
static inline bool ct_mode_cut(const struct ct_call *call)
{
	return CT_LEFT_BY_LIGHT(ct_apis[call->api].effects) &&
	       call->enter_ns < __atomic_load_n(&ct_mode_switched_ns, __ATOMIC_RELAXED);
}

/*
 * A call of more than the threshold has ended. It begins a window, or makes one longer, unless
 * it set something up, or was the first of the process that did more than that: the first use
 * of CUDA is always long, and what it took comes but once.
 */
void ct_mode_alarm(const struct ct_call *call, bool sets_up);

/* A call has ended. sets_up: it, or what it called, is one that CT_SETS_UP() names. */
static inline void ct_mode_watch(const struct ct_call *call, bool sets_up)
{
	uint64_t threshold_ns = __atomic_load_n(&ct_mode_threshold_ns, __ATOMIC_RELAXED);

	if (__builtin_expect(call->leave_ns - call->enter_ns > threshold_ns, 0))
		ct_mode_alarm(call, sets_up);
}

/* Begin as the options say. Call once, before any call is recorded. */
void ct_mode_start(void);

/*
 * Begin a window, in the mode that CUTRACE_MODE says, or end it; for the cutrace thread alone.
 * Returns 0, -EALREADY if there is one, or none, or -ENOSPC if there is no room in the trace to
 * say so: then nothing changes.
 */
int ct_mode_record(bool on);

/*
 * Change the mode if it is time to; for the cutrace thread alone. Returns in how many
 * nanoseconds it may be time again; UINT64_MAX: not before an alarm.
 */
uint64_t ct_mode_turn(void);

#endif
