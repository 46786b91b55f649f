/* SPDX-License-Identifier: Apache-2.0 */
/* CUPTI's activity buffers: handing them out, and storing what comes back. */
#ifndef CT_CUPTI_ACTIVITY_H
#define CT_CUPTI_ACTIVITY_H

#include "cupti/session.h"

/*
 * Register the buffer functions and enable the kinds we use. Kinds that this CUPTI
 * refuses are noted in the trace. Launches of graphs are recorded as one operation each,
 * or, with graph_nodes, as the operations they consist of: CUPTI offers either. mode: in
 * which to begin. Returns 0, or -EIO when the essential kinds fail.
 */
int ct_activity_enable(const struct ct_cupti_host *host, bool graph_nodes, enum ct_mode mode);

/*
 * Store the records of this mode from now on, and drop others. Those of the kinds that only the
 * full mode has are enabled the first time and stay so: a program crashes in its calls once CONCURRENT_KERNEL is enabled
 * again after it was disabled, while fills are recorded (CUPTI 13.0, driver 580: the short
 * windows of tests/gpu/modes.py, tests/gpu/results/cupti-switch-h200.txt). Returns 0, or -EIO
 * when an essential kind fails; the mode is light then, and full is not to be tried again.
 */
int ct_activity_switch(enum ct_mode mode);

/* CUPTI's clock is so far ahead of ours: to be taken off the times of records from now on. */
void ct_activity_set_offset(int64_t offset_ns);

/* No more new records. */
void ct_activity_disable(void);

/*
 * Somebody else will register buffer functions, and CUPTI may hand a buffer of ours to them,
 * who may free() it: from now on buffers come from malloc().
 */
void ct_activity_leave(void);

/* How many buffers CUPTI has. */
uint32_t ct_activity_outstanding(void);

#endif
