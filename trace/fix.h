/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the changes of CUTRACE_FIX did in a program: pages that the preloaded library and
 * `cutrace prove` share through the file that CUTRACE_FIX_COUNTS names, so that they survive
 * whatever death of the program. Each process of a run that uses CUDA has a part of its own.
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

/* Why a free, or another call that waits for the device alike, was left as it is. */
enum ct_fix_left {
	/* cuMemFree() of cuMemAlloc() memory: */
	CT_FIX_LEFT_CAPTURED, /* a stream was being captured */
	CT_FIX_LEFT_SHARED,   /* other processes know of the memory */
	CT_FIX_LEFT_SHARE,    /* more would have been kept than a quarter of what had been free */
	CT_FIX_LEFT_CONTEXT,  /* the caller's context was another one, or none */
	CT_FIX_LEFT_FAULT,    /* no event could be recorded, also for an error of earlier work */
	CT_FIX_LEFT_STOPPED,  /* the changes had ended */
	/* of other memory: */
	CT_FIX_LEFT_MANAGED,
	CT_FIX_LEFT_PITCHED,
	CT_FIX_LEFT_OTHER,    /* stream-ordered, of a graph, or allocated unseen */
	/* other calls: */
	CT_FIX_LEFT_ARRAY,    /* cuArrayDestroy() and its like */
	CT_FIX_LEFT_HOST,     /* cuMemFreeHost(), cuMemHostUnregister() */
	CT_FIX_LEFTS
};

/* Why blocks that were kept had to be freed for real, with the wait of old. */
enum ct_fix_give {
	CT_FIX_GIVE_WANTED,  /* a call found no memory */
	CT_FIX_GIVE_ASKED,   /* the program asked how much is free */
	CT_FIX_GIVE_CAPTURE, /* a stream was about to be captured */
	CT_FIX_GIVE_CONTEXT, /* a context was about to end */
	CT_FIX_GIVE_SHARE,   /* they were more than a quarter of what had been free */
	CT_FIX_GIVE_STOP,    /* the changes ended, see above */
	CT_FIX_GIVES
};

/*
 * What is allocated and kept together stays below the most that the program itself had at a
 * time, and as much again, or this if it is more.
 */
#define CT_FIX_KEPT_LEAST (64ull << 20)

struct ct_fix_counts {
	uint32_t pid;     /* of the process that counts here, and by which it claims this; 0 = none */
	uint32_t stopped; /* enum ct_fix_stop */
	uint32_t unreached; /* modules linked to the driver and loaded too late to be seen */
	uint64_t mallocs;  /* cuMemAlloc() that succeeded, whoever served it */
	uint64_t reused;   /* of these, by a block that was freed before */
	uint64_t frees;    /* cuMemFree() of such memory that succeeded */
	uint64_t deferred; /* of these, without waiting */
	uint64_t left[CT_FIX_LEFTS]; /* calls left alone, by reason; the first six are of `frees` */
	uint64_t given[CT_FIX_GIVES]; /* times that everything deferred was freed, by reason */
	uint64_t waited;   /* allocations at the bound that waited for a block to be used again */
	uint64_t released; /* blocks that were freed at the bound, with a wait: by an allocation that found
			    none of its size, or a free behind allocations that came at once */
	uint64_t untracked; /* mallocs beyond what can be followed, left alone */
	uint64_t live_bytes, held_bytes; /* now: allocated; freed by the program only */
	uint64_t peak_bytes;             /* most of both at a time */
	uint64_t own_peak_bytes;         /* most of what was allocated at a time */
	uint64_t began_ns; /* CLOCK_MONOTONIC before the first allocation, copy, fill or launch; 0 = none */
	uint64_t ended_ns; /* the same after the last of those, wait, poll that saw work done, or free; 0 = none */
	uint64_t pending;  /* number of the free deferred last, while nothing tells that what it would
			    * have waited for is done; 0 = that is, or none was deferred */
	uint64_t calls_ns; /* threads' time in cuMemAlloc() and cuMemFree(), whoever served them */
	struct ct_pin_counts pin;        /* stays last */
};

#define CT_FIX_SLOTS 64

/* The file. All 0 before the run. */
struct ct_fix_file {
	struct ct_fix_counts slots[CT_FIX_SLOTS]; /* claimed from the first on, as processes come to CUDA */
	uint32_t others; /* processes that came when all were claimed, and are not counted */
};

#endif
