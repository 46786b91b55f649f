/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an intercepted call to its record. A wrapper or a CUPTI callback opens a
 * call, fills in what it knows, stamps its begin, and closes it after the real
 * call. Thread-local state joins the two ways of seeing one call: a call has one
 * record, opened by whoever saw it first.
 */
#ifndef CT_SHIM_HOOK_H
#define CT_SHIM_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/apis.h"
#include "trace/record.h"

/*
 * Open the calling thread's call. Returns it, to be passed to ct_hook_begin() and
 * ct_hook_end(), or NULL when it must not be recorded: cutrace is inert, or the
 * thread is inside another call already.
 */
struct ct_call *ct_hook_open(enum ct_api api, enum ct_origin origin);

/*
 * CUPTI is being given up, in two steps. Leaving: its callbacks open no more calls, so that
 * the wrappers do, and close those they have opened. Gone: they may no longer come, and a
 * call that one of them opened is counted as lost when its thread next makes a call.
 */
void ct_hook_cupti_leaving(void);
void ct_hook_cupti_gone(void);

/* Stamp the begin: right before the real call. */
void ct_hook_begin(struct ct_call *call);

/* Stamp the end: right after the real call, before anything else. */
void ct_hook_end(struct ct_call *call);

/*
 * Store the record. error as the program receives it. site: where the wrapper was called
 * from; NULL for a callback.
 */
void ct_hook_close(struct ct_call *call, int error, const void *site);

/*
 * CUPTI saw an outermost or nested call begin on this thread. Returns a call to
 * fill in and begin if it is the outermost of an untraced thread; NULL if it
 * belongs to the call that is open already (whose ids are completed) or is ours.
 */
struct ct_call *ct_hook_cupti_enter(enum ct_api api, enum ct_origin origin, uint32_t correlation,
				    uint32_t context);

/*
 * CUPTI saw a call end. Returns the call if CUPTI opened it (its end is stamped);
 * else NULL. The first call of a program may end without having been seen to
 * begin, since cutrace was loaded inside it: it is returned too, marked so.
 */
struct ct_call *ct_hook_cupti_exit(enum ct_api api, enum ct_origin origin, uint32_t correlation,
				   uint32_t context);

/*
 * Write a note of what recording took, of the calls that were timed since the last one: one in
 * 64. Unless it is the last, only once there are as many as in all notes before, so that notes
 * become rarer as the run gets longer.
 */
void ct_hook_note_cost(bool last);

#endif
