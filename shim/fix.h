/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUTRACE_FIX: a change to the program, made inside it, that shows what it would bring.
 *
 *   free   cuMemFree(), and so cudaFree(), of memory from cuMemAlloc() does not wait for the
 *          device. The block is kept, with an event for all work that its context has been
 *          given so far (cuCtxRecordEvent()). A later cuMemAlloc() of the same size gets it if
 *          that work is done by then. Only an allocation that would take what is allocated and
 *          kept above a bound (trace/fix.h) waits: for the oldest block of its size, which the
 *          program as it is waited for when it freed it; else the oldest are freed for real.
 *
 * The changes sit below the driver's wrappers, where the calls of every runtime, shared or
 * static, and of users of the driver itself come by: the wrapper calls what replaced the
 * real function. Where nothing is to be changed nothing is replaced, and no call pays.
 *
 * Everything that is deferred is freed for real, with the wait that the program would have
 * had: before a call is refused for want of memory (it is then made again), before the
 * program asks how much is free, before a stream is captured (until no stream is being
 * captured, frees are left alone), before a context may end, and for good when a
 * second context or a second device comes in, whose work no event of the first covers.
 *
 * Unlike the real one, a deferred free cannot return an error of work that is still to run: a
 * later call does. Code that is linked to the driver and looks nothing up: fix_linked.h.
 */
#ifndef CT_SHIM_FIX_H
#define CT_SHIM_FIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/fix.h"

/*
 * Replace the driver's functions as CUTRACE_FIX and CUTRACE_FIX_COUNTS say; nothing where both
 * are unset. To be called when the functions have been found; works once.
 */
void ct_fix_install(void);

/* What CUTRACE_FIX_COUNTS shows, or a place that nobody looks at. Never NULL. */
struct ct_fix_counts *ct_fix_counts(void);

/*
 * Make cutrace's own calls of the driver none of the program's: CUPTI shows them to us as well.
 * Returns what ct_fix_show() wants afterwards.
 */
bool ct_fix_hide(void);
void ct_fix_show(bool hidden);

/*
 * fix_rows.c: the replacements themselves. Returns false if the driver lacks what deferring frees
 * needs; then allocations are counted only.
 */
bool ct_fix_rows_install(bool frees);

/* fix_free.c. Functions of the driver that are called besides those that are replaced. */
struct ct_fix_driver {
	int (*context_get)(void **ret);
	int (*context_push)(void *context);
	int (*context_pop)(void **ret);
	int (*context_record)(void *context, void *event);
	int (*event_create)(void **ret, unsigned flags);
	int (*event_query)(void *event);
	int (*event_wait)(void *event);
	int (*memory_info)(size_t *ret_free, size_t *ret_total);
	int (*malloc)(uint64_t *ret, size_t bytes);
	int (*free)(uint64_t at);
};

/* Begin. frees: whether they are deferred; else allocations are only counted. */
void ct_fix_free_start(const struct ct_fix_driver *driver, bool frees);

/* In the place of cuMemAlloc_v2() and cuMemFree_v2(). Return a CUresult. */
int ct_fix_malloc(uint64_t *ret, size_t bytes);
int ct_fix_free(uint64_t at);

/*
 * Memory of another kind was allocated, as which a later cuMemFree() of it is to be counted; and a
 * call was left alone that is not about memory of cuMemAlloc().
 */
void ct_fix_other(uint64_t at, uint64_t bytes, enum ct_fix_left kind);
void ct_fix_leave(enum ct_fix_left kind);

/* Memory of this address is given to other processes: its block is not deferred. */
void ct_fix_shares(uint64_t at);

/* A stream is to be captured; and it is captured no more, or never was. */
void ct_fix_capture_begins(void);
void ct_fix_capture_ends(void);

/* A context was made or retained; one may be about to end. */
void ct_fix_context(void *context);
void ct_fix_context_ends(void);

/* Change nothing from now on. */
void ct_fix_stop(enum ct_fix_stop why);

/*
 * Free for real what is deferred, waiting for the device. Returns whether this or anybody else
 * has freed some since ct_fix_given() returned `given`, so that a call that found no memory then
 * may find some now.
 */
uint64_t ct_fix_given(void);
bool ct_fix_give_back(uint64_t given, enum ct_fix_give why);

#endif
