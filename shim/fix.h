/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUTRACE_FIX: a change to the program, made inside it, that shows what it would bring.
 *
 *   free   cuMemFree(), and so cudaFree(), of memory from cuMemAlloc() does not wait for the
 *          device. The block is kept, with an event for all work that its context has been
 *          given so far (cuCtxRecordEvent()). A later cuMemAlloc() of the same size gets it if
 *          that work is done by then. Only an allocation that would take what is allocated and
 *          kept above a bound (trace/fix.h) waits: for the oldest block of its size, which the
 *          program as it is waited for when it freed it; else the oldest are freed for real. A
 *          free waits only where allocations of several threads at once passed the bound.
 *
 *   pin    an asynchronous copy of pageable memory to the device takes its bytes from a pool of
 *          page-locked blocks, into which they are copied first; so it waits for nothing, and the
 *          program may use its buffer again on return, as ever. A block goes back to the pool
 *          behind an event (fix_lend.c).
 *
 *   all    both.
 *
 * The changes sit below the driver's wrappers, where the calls of every runtime, shared or
 * static, and of users of the driver itself come by: the wrapper calls what replaced the
 * real function. Where nothing is to be changed nothing is replaced, and no call pays.
 *
 * Everything that is deferred is freed for real, with the wait that the program would have
 * had: before a call is refused for want of memory (it is then made again), before the
 * program asks how much is free, before a stream is captured (until no stream is being
 * captured, frees are left alone), before a context may end, and for good when a
 * second context or a second device comes in, whose work no event of the first covers. At the
 * program's exit what its frees would have waited for is waited for.
 *
 * Unlike the real one, a deferred free cannot return an error of work that is still to run: a
 * later call does. Code that is linked to the driver and looks nothing up: fix_linked.h.
 *
 * Copies to pageable memory of the host are left alone. The manuals of CUDA 9 to 11 promise that
 * such a copy "will return only once the copy has completed" (API synchronization behavior,
 * Asynchronous, 1), those of CUDA 12 and 13 that it "might be synchronous", and drivers have kept
 * to the former (measured: it waits for its stream, then for itself). So programs may read the data
 * on return, with no synchronisation that it could be deferred to. To the device no manual promises
 * a wait ("the driver may synchronize with the stream and stage"), only that the bytes are taken.
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

/* The first work for the device, or memory of it, is about to be asked for: note when. */
void ct_fix_begins(void);

/* Such a call has returned, or one that waits for work, saw it done or frees memory: note when. */
void ct_fix_ends(void);

/* CLOCK_MONOTONIC; and that a call about memory has been at work since then. */
uint64_t ct_fix_now_ns(void);
void ct_fix_spent(uint64_t since_ns);

/*
 * Make cutrace's own calls of the driver none of the program's: CUPTI shows them to us as well.
 * Returns what ct_fix_show() wants afterwards.
 */
bool ct_fix_hide(void);
void ct_fix_show(bool hidden);

/*
 * fix_rows.c: the replacements themselves. What the driver cannot do is not changed, and counted
 * as stopped or pin.cannot; allocations are counted in any case.
 */
void ct_fix_rows_install(bool frees, bool pins);

/* A context may be about to end: let go of all that is in it. */
void ct_fix_context_ends(void);

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
	int (*release)(uint64_t at); /* of a block that was deferred */
};

/* Begin. frees: whether they are deferred; else allocations are only counted. */
void ct_fix_free_start(const struct ct_fix_driver *driver, bool frees);

/*
 * fix_last.c. This event (a CUevent) marks all that the free deferred last would have waited for: that
 * is waited for at exit (at once if exit handlers are running), and then noted as the end of the work.
 * NULL: it is done. One caller at a time.
 */
void ct_fix_last(const struct ct_fix_driver *driver, void *event);

/*
 * _exit() and signals leave no place to wait: who looks at the counts then sees what is pending.
 * Around a call that waits for all work of the context: what is pending before it, is not when
 * it has succeeded.
 */
uint64_t ct_fix_pending(void);
void ct_fix_drained(uint64_t pending);

/*
 * Is the program exiting? What is given back then, as the runtime ends its context, is no part of
 * its work: an unchanged program gives nothing back there.
 */
bool ct_fix_exiting(void);

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
void ct_fix_free_context_ends(void);

/*
 * Record an event behind all work that the context has been given; the caller hides it. Returns
 * false if that cannot be: while a stream is being captured it would spoil the capture, and old
 * drivers lack it.
 */
bool ct_fix_mark(void *context, void *event);

/* Defer no more frees from now on. */
void ct_fix_stop(enum ct_fix_stop why);

/*
 * Free for real what is deferred, waiting for the device. Returns whether this or anybody else
 * has freed some since ct_fix_given() returned `given`, so that a call that found no memory then
 * may find some now.
 */
uint64_t ct_fix_given(void);
bool ct_fix_give_back(uint64_t given, enum ct_fix_give why);

/* fix_pin.c. An asynchronous copy that may be of pageable memory to the device. */
struct ct_fix_copy {
	uint64_t to;
	const void *from;
	size_t bytes;
	void *stream;
	bool per_thread; /* stream 0 is the thread's own */
	bool any_way;    /* the call does not say that it is from the host to the device */
	/* The program's call, from here or from elsewhere. Returns a CUresult. */
	int (*submit)(uint64_t to, const void *from, size_t bytes, void *stream);
};

/* Begin. Returns false if the driver lacks what staging needs; then no copy may come here. */
bool ct_fix_pin_start(void);

/* In the place of the call. Returns its CUresult. */
int ct_fix_copy(const struct ct_fix_copy *copy);

/*
 * A copy of another form was made between these, of which NULL is an array or not known: count
 * it if it is of pageable memory.
 */
void ct_fix_other_copy(const void *to, const void *from);

/* fix_lend.c. Work was submitted that may write to memory of the host when its time comes. */
void ct_fix_host_work(void);

void ct_fix_pin_context_ends(void);

#endif
