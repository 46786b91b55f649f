/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of the pool for copies that are staged: who gets some, and when they come back. Includes
 * cuda.h: __CUDA_API_VERSION_INTERNAL must be defined before.
 */
#ifndef CT_SHIM_FIX_LEND_H
#define CT_SHIM_FIX_LEND_H

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>

#include "shim/fix.h"
#include "shim/fix_pool.h"

/* Functions of the driver that are called besides the copies. The second of a pair: per-thread. */
struct ct_pin_driver {
	CUresult (*attributes)(unsigned count, CUpointer_attribute *which, void **ret,
			       CUdeviceptr at);
	CUresult (*exchange_mode)(CUstreamCaptureMode *mode);
	CUresult (*capturing[2])(CUstream stream, CUstreamCaptureStatus *ret);
	CUresult (*record[2])(CUevent event, CUstream stream);
	CUresult (*stream_context)(CUstream stream, CUcontext *ret);
	CUresult (*context_get)(CUcontext *ret);
	CUresult (*context_push)(CUcontext context);
	CUresult (*context_pop)(CUcontext *ret);
	CUresult (*context_device)(CUdevice *ret);
	CUresult (*device_attribute)(int *ret, CUdevice_attribute which, CUdevice device);
	CUresult (*event_create)(CUevent *ret, unsigned flags);
	CUresult (*event_query)(CUevent event);
	CUresult (*event_wait)(CUevent event);
	CUresult (*event_destroy)(CUevent event);
	CUresult (*lock_pages)(void *at, size_t bytes, unsigned flags);
	CUresult (*unlock_pages)(void *at);
};

extern struct ct_pin_driver ct_pin_driver; /* fix_pin.c */

/* The process that staging began in? A forked child can use no CUDA. */
bool ct_pin_ours(void);

/*
 * What is called of the driver in between is none of the program's, and spoils no capture of another
 * thread: cuMemHostRegister() and cuEventQuery() are unsafe calls
 * (cuThreadExchangeStreamCaptureMode()). To the functions below it must have begun.
 */
struct ct_pin_own {
	bool hidden;
	CUstreamCaptureMode mode;
};
struct ct_pin_own ct_pin_begin(void);
void ct_pin_end(struct ct_pin_own own);

/*
 * Get blocks for so many bytes of a copy in this stream. Never waits for the device. Returns a chain
 * that the caller gives to ct_lend_back(), or NULL and why there is none.
 */
struct ct_pool_block *ct_lend(CUstream stream, size_t bytes, enum ct_pin_left *ret_why);

/* Lend nothing from now on: a green context is used, of whose host functions our event tells not. */
void ct_lend_stop(void);

/* Copies from the blocks were submitted to the stream, or (used: false) none was. */
void ct_lend_back(struct ct_pool_block *chain, CUstream stream, bool per_thread, bool used);

/* An atomic counter of ct_fix_counts(). */
static inline void ct_pin_count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

#endif
