/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the changes of CUTRACE_FIX did in a program: a page that the preloaded library and
 * `cutrace prove` share through the file that CUTRACE_FIX_COUNTS names, so that it survives
 * whatever death of the program. The first process of a run that uses CUDA has it.
 */
#ifndef CT_TRACE_FIX_H
#define CT_TRACE_FIX_H

#include <stdint.h>

#include "trace/pin.h"

/* Why frees were deferred no more before the program ended: they are the driver's from then on. */
enum ct_fix_stop {
	CT_FIX_GOES_ON = 0,
	CT_FIX_STOP_OLD_DRIVER = 1, /* it lacks cuCtxRecordEvent() (CUDA 12.5) */
	CT_FIX_STOP_CONTEXTS = 2,   /* a second context was used: its work may touch any memory */
	CT_FIX_STOP_PEERS = 3,      /* another device was given access, or copied from */
	CT_FIX_STOPS
};

struct ct_fix_counts {
	uint32_t pid;    /* of the process that counts here; 0 = no CUDA was used */
	uint32_t others; /* further processes that used CUDA and are not counted */
	uint32_t stopped; /* enum ct_fix_stop */
	uint32_t pad;
	uint64_t mallocs;  /* cuMemAlloc() that succeeded, whoever served it */
	uint64_t reused;   /* of these, by a block that was freed before */
	uint64_t frees;    /* cuMemFree() of such memory that succeeded */
	uint64_t deferred; /* of these, without waiting */
	uint64_t captured; /* frees left alone as a stream was being captured */
	uint64_t shared;   /* frees left alone as the memory was given to other processes */
	uint64_t foreign;  /* frees of other memory (managed, pools, pitched), left alone */
	uint64_t pressed;  /* times that everything deferred was freed for want of memory */
	uint64_t untracked; /* mallocs beyond what can be followed, left alone */
	uint64_t live_bytes, held_bytes; /* now: allocated; freed by the program only */
	uint64_t peak_bytes;             /* most of both at a time */
	struct ct_pin_counts pin;        /* stays last */
};

#endif
