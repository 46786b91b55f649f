/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line on stderr for analyses that take long: only on a terminal, after a second, and gone before
 * anything else is printed. Not with CUTRACE_QUIET.
 */
#ifndef CT_TOOLS_PROGRESS_H
#define CT_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

/* A trace that is being analyzed; all zeros at first. */
struct ct_progress {
	unsigned told; /* thousandths of it that have been counted */
};

/* Begin to show how far the analysis of so many traces is. eager: at once and always, for tests. */
void ct_progress_begin(size_t traces, bool eager);

/* So many parts of a trace are done. For ct_analysis_options; arg: a struct ct_progress. */
void ct_progress_part(void *arg, size_t done, size_t all);

/* All of a trace is done, or has failed. */
void ct_progress_trace(struct ct_progress *trace);

/* It is over, and the line is gone. Nothing happens if it had not begun. */
void ct_progress_end(void);

#endif
