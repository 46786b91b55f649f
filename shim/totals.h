/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every call site of the whole run cost, in a trace that keeps the newest records only.
 * A thread counts its calls in TOTAL records of its own, in place: whenever the process is
 * killed they are in the file. A thread that ends leaves them to one that begins, which goes
 * on counting in them, so that there are no more than threads at one time need.
 */
#ifndef CT_SHIM_TOTALS_H
#define CT_SHIM_TOTALS_H

#include "trace/record.h"

struct ct_thread;

/* Sites that a thread counts apart; calls of any more are counted by name. */
#define CT_TOTALS_SITES 1024

/*
 * Count a call that is over and has its stack. One that cannot be counted for want of room
 * is a loss and counted as that.
 */
void ct_totals_add(struct ct_thread *thread, const struct ct_call *call);

/* The thread ends. */
void ct_totals_finish(struct ct_thread *thread);

#endif
