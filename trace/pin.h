/* SPDX-License-Identifier: Apache-2.0 */
/* What `pin` of CUTRACE_FIX did to copies, as a part of what trace/fix.h counts. */
#ifndef CT_TRACE_PIN_H
#define CT_TRACE_PIN_H

#include <stdint.h>

/*
 * What of asynchronous copies of pageable memory `pin` can stage. Up to 64 KiB the driver stages
 * them itself without waiting (CUDA C++ Programming Guide, "Concurrent Execution between Host
 * and Device"); more than the pool holds could only be staged by waiting, as the driver does.
 */
#define CT_PIN_LEAST_BYTES (64 * 1024 + 1)
#define CT_PIN_MOST_BYTES (64 * 1024 * 1024) /* the pool: all of it page-locked at most */

/* Why an asynchronous copy of pageable memory was left as it is. */
enum ct_pin_left {
	CT_PIN_LEFT_TO_HOST,   /* it brings data to the host, which may be read on return */
	CT_PIN_LEFT_SMALL,     /* below CT_PIN_LEAST_BYTES; of pinned memory as well */
	CT_PIN_LEFT_LARGE,     /* above CT_PIN_MOST_BYTES */
	CT_PIN_LEFT_FORM,      /* 2D, 3D, to an array, or in a batch */
	CT_PIN_LEFT_TARGET,    /* not to plain device memory */
	CT_PIN_LEFT_CAPTURE,   /* its stream is being captured: the graph reads the buffer later */
	CT_PIN_LEFT_CONTEXT,   /* of another context than the pool's */
	CT_PIN_LEFT_HOST_WORK, /* a host function, graph or batch in flight may write the buffer */
	CT_PIN_LEFT_FULL,      /* the pool is in use, or another thread is enlarging it */
	CT_PIN_LEFT_REFUSED,   /* the driver or the system gave no page-locked memory */
	CT_PIN_LEFT_FAILED,    /* the staged copy was refused; the program's own was not */
	CT_PIN_LEFTS
};

/* What `pin` did; times and bytes are of the run so far. */
struct ct_pin_counts {
	uint64_t cannot;        /* 1: the driver lacks what staging needs */
	uint64_t kernels_reach; /* 1: kernels of the device can write ordinary host memory */
	uint64_t staged;        /* asynchronous copies of pageable memory to the device */
	uint64_t staged_bytes;  /* of these */
	uint64_t left[CT_PIN_LEFTS]; /* copies left alone, by enum ct_pin_left */
	uint64_t pool_bytes;    /* page-locked to stage in, in all */
	uint64_t pool_ns;       /* what page-locking that took */
	uint64_t lost_blocks;   /* of the pool: nothing tells when the device is done with them */
};

#endif
