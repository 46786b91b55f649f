/* SPDX-License-Identifier: Apache-2.0 */
/* Being loaded by the CUDA driver. */
#ifndef CT_SHIM_INJECT_H
#define CT_SHIM_INJECT_H

#include <stdbool.h>

struct ct_thread;

/* If the driver never loaded us, say in the trace and on stderr why there are no device times. */
void ct_inject_explain(void);

/*
 * The driver may load us inside a call that a signal handler makes in the midst of our start;
 * what we then could not do is done at its end, by the thread that starts us, which is in_tool.
 * What was made in between has no device times: that call is counted as missed.
 */
void ct_inject_deferred(struct ct_thread *thread);

/*
 * CUPTI, started in the middle of the run (CT_CUPTI_LATE). Pending: the driver has loaded us,
 * and it has not been tried. Both are for the cutrace thread alone, which is in_tool. What goes
 * wrong is noted and, as at the start, said on stderr in a line; it is not tried again.
 */
bool ct_inject_pending(void);
void ct_inject_late(void);

#endif
