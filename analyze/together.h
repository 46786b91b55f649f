/* SPDX-License-Identifier: Apache-2.0 */
/* One thing to do for each of many traces, several at a time. */
#ifndef CT_ANALYZE_TOGETHER_H
#define CT_ANALYZE_TOGETHER_H

#include <stddef.h>

/* Traces at a time, at most: each is up to 400 MB of memory while it is analyzed in one piece. */
#define CT_TOGETHER_MAX 4

/* How many of `count` to do at a time where `threads` may be used; at least 1. */
unsigned ct_together_width(size_t count, unsigned threads);

/*
 * Call work(arg, i) for each i below count, begun in order of i, `width` of them at a time, each
 * on a thread of its own; fewer at a time where no thread can be had. Returns when all are done.
 */
void ct_together(size_t count, unsigned width, void (*work)(void *arg, size_t i), void *arg);

#endif
