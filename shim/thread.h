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
	bool in_call;
	bool in_tool;             /* cutrace itself is at work: record nothing */
	bool ending;              /* this thread ends the program: its exit handlers run */
	bool said_late;           /* the user knows that those called CUDA */
	uint32_t tid;
	uint64_t injected_ns;     /* when InitializeInjection ran on this thread, until used */
	struct ct_totals *totals; /* of its call sites; see totals.h */
	struct ct_walks *walks;   /* stacks that are recognised; see walk.h */
	struct ct_python *python; /* its Python frames; see python.h */
	uint64_t frames[CT_STACK_FRAMES_MAX + 16]; /* scratch: stacks of threads may be tiny */
};

/*
 * This thread's state, made on first use (one mmap) and given back when the
 * thread ends. Returns NULL if no memory is to be had; that loss is counted.
 */
struct ct_thread *ct_thread_self(void);

/* The state if the thread has one already; else NULL. */
struct ct_thread *ct_thread_peek(void);

#endif
