/* SPDX-License-Identifier: Apache-2.0 */
/* CUPTI's activity buffers: handing them out, and storing what comes back. */
#ifndef CT_CUPTI_ACTIVITY_H
#define CT_CUPTI_ACTIVITY_H

#include "cupti/session.h"

/*
 * Register the buffer functions and enable the kinds we use. Kinds that this CUPTI
 * refuses are noted in the trace. Launches of graphs are recorded as one operation each,
 * or, with graph_nodes, as the operations they consist of: CUPTI offers either. light: only
 * the kinds of the light mode. Returns 0, or -EIO when the essential kinds fail.
 */
int ct_activity_enable(const struct ct_cupti_host *host, bool graph_nodes, bool light);

/*
 * Store the records of the kinds that the light mode lacks, or drop them. They are enabled the
 * first time and stay so: a program crashes in its calls once CONCURRENT_KERNEL is enabled
 * again after it was disabled, while fills are recorded (CUPTI 13.0, driver 580: the short
 * windows of tests/gpu/modes.py, tests/gpu/results/cupti-switch-h200.txt). Returns 0, or -EIO
 * when an essential kind fails; do not try again then.
 */
int ct_activity_switch(bool full);

/*
 * A call with this correlation id was seen to begin. Where the mode changes, records of the full
 * mode's kinds are stored from the first such call after a switch to the last before the next,
 * whenever they come, and otherwise dropped.
 */
void ct_activity_called(uint32_t correlation);

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
