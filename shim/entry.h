/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's functions as a way to see calls, where CUPTI does not give them to us all the
 * time: programs with a static runtime, a runtime that was loaded by dlopen, and users of
 * the driver API all end here. How they come by our wrappers: dlsym.c and
 * cuGetProcAddress.
 */
#ifndef CT_SHIM_ENTRY_H
#define CT_SHIM_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/hook.h"

/* The driver functions with wrappers written by hand, first in ct_real_driver. */
enum {
	CT_ENTRY_INIT,
	CT_ENTRY_GET,
	CT_ENTRY_GET_V2,
	CT_ENTRY_IPC, /* from here on for fix_extra.c alone: nothing of them is recorded */
	CT_ENTRY_RANGE,
	CT_ENTRY_PEER,
	CT_ENTRY_CAPTURE,
	CT_ENTRY_CAPTURE_PTSZ,
	CT_ENTRY_PROFILER_START, /* for control.h, in entry.c */
	CT_ENTRY_PROFILER_STOP,
	CT_ENTRY_BY_HAND
};

enum ct_entry_state {
	CT_ENTRY_UNDECIDED = 0, /* the driver may still load us, and CUPTI then sees every call */
	CT_ENTRY_RECORDS = 1,   /* CUPTI does not show us all calls: the driver wrappers do */
	CT_ENTRY_QUIET = 2      /* it does, or nothing is recorded: they only pass calls on */
};

extern uint32_t ct_entry_state;

/* From now on the driver wrappers record (CT_ENTRY_RECORDS) or do not. */
void ct_entry_decide(enum ct_entry_state state);

/*
 * A driver call was made that needs an initialised driver, or cuInit() has returned: if the
 * driver did not load us by now it never will, and the wrappers record.
 */
void ct_entry_settle(void);

/* As ct_hook_open(), for a driver wrapper. Returns NULL where the wrappers do not record. */
struct ct_call *ct_entry_open(enum ct_api api);

/* Is there nothing to do but to pass a call on? */
static inline bool ct_entry_quiet(void)
{
	return __builtin_expect(__atomic_load_n(&ct_entry_state, __ATOMIC_RELAXED) == CT_ENTRY_QUIET,
				1);
}

#endif
