/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one thread cutrace adds to a process: once a second it asks CUPTI for
 * finished device records, so that a killed program loses no more than that; it
 * changes the mode under CUTRACE_MODE=auto (mode.h), begins and ends windows (control.h); and
 * at the end it does the last flush, so that the exiting thread can wait with a
 * deadline instead of hanging in somebody's lock. If all others have left by
 * pthread_exit(), it ends the process as the last of them would have.
 */
#ifndef CT_SHIM_FLUSHER_H
#define CT_SHIM_FLUSHER_H

#include <stdbool.h>

/* Start the thread, all signals blocked. Without it the last flush is made in place. */
void ct_flusher_start(void);

/* Wake the thread, to look whether there is something to do. From any thread. */
void ct_flusher_ring(void);

/* Is the thread there to do what it is rung for? False after the last flush was asked for. */
bool ct_flusher_running(void);

/* Make the last flush. Returns false if it did not finish within five seconds. */
bool ct_flusher_finish(void);

#endif
