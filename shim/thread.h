/* SPDX-License-Identifier: Apache-2.0 */
/* What cutrace keeps for each thread of the program. */
#ifndef CT_SHIM_THREAD_H
#define CT_SHIM_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/apis.h"
#include "trace/record.h"
#include "trace/writer.h"

struct ct_thread {
	struct ct_writer writer;
	struct ct_call call;      /* the call being made, while in_call */
	uint64_t closed_ns;       /* when the last one ended */
	bool in_call;
	bool sets_up;             /* that call loads code, or creates what lasts: it is not slow for long */
	bool in_tool;             /* cutrace itself is at work: record nothing */
	bool ending;              /* this thread ends the program: its exit handlers run */
	bool said_late;           /* the user knows that those called CUDA */
	uint32_t opened;          /* calls so far */
	uint64_t timed_ns;        /* when we began to record the call being made; 0: it is not timed */
	uint32_t tid;
	uint64_t injected_ns;     /* when InitializeInjection ran on this thread, until used */
	struct ct_totals *totals; /* of its call sites; see totals.h */
	struct ct_walks *walks;   /* stacks that are recognised; see walk.h */
	struct ct_python *python; /* its Python frames; see python.h */
	struct ct_ranges *ranges; /* its NVTX ranges; see nvtx.h */
	uint64_t frames[CT_STACK_FRAMES_MAX + 16]; /* scratch: stacks of threads may be tiny */
};

/*
 * One pointer of static TLS and no more: a preloaded library's TLS comes out of
 * every thread's stack. initial-exec, since a general access may allocate.
 */
extern __thread struct ct_thread *ct_thread_current __attribute__((tls_model("initial-exec")));

/* The state of a thread that has none yet, as ct_thread_self() returns it. */
struct ct_thread *ct_thread_begin(void);

/* The state if the thread has one already; else NULL. */
static inline struct ct_thread *ct_thread_peek(void)
{
	return ct_thread_current;
}

/*
 * This thread's state, made on first use (one mmap) and given back when the
 * thread ends. Returns NULL if no memory is to be had; that loss is counted.
 */
static inline struct ct_thread *ct_thread_self(void)
{
	return ct_thread_current ? ct_thread_current : ct_thread_begin();
}

#endif
