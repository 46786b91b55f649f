/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CLOCK_MONOTONIC, cheaper. Where the kernel itself keeps time by the processor's counter
 * (clocksource "tsc": the same rate on all cores, whatever they do), two readings a call are
 * most of what tracing it costs, and a counter is read in a third of the time.
 *
 * A straight line leads from the counter to the clock. The `cutrace` thread lays it anew every
 * second, so that it meets the clock again a second later: it never steps, and turns with it
 * when the system's clock is slewed. Until there is a line, and wherever it was not laid in
 * time, the clock itself is read.
 */
#ifndef CT_SHIM_CLOCK_H
#define CT_SHIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Nanoseconds of CLOCK_MONOTONIC. Readings of one thread may go back by as much as the line is
 * off (ct_clock_error_ns()) when it begins or ends; hook.c sees to it that calls do not.
 */
uint64_t ct_now_ns(void);

/* May the counter be used here? To be called once, before any other thread does. */
void ct_clock_init(void);

/* Lay the line anew. By one thread, about every second. */
void ct_clock_follow(void);

/* Is the time taken from the counter at present? */
bool ct_clock_counts(void);

/* How far the line was from the clock at most, whenever it was laid; 0 if it never was. */
uint64_t ct_clock_error_ns(void);

#endif
