/* SPDX-License-Identifier: Apache-2.0 */
/* What call sites add up to in a whole run: a record of a trace file, as record.h has them. */
#ifndef CT_TRACE_TOTAL_H
#define CT_TRACE_TOTAL_H

#include <assert.h>
#include <stdint.h>

#define CT_TOTAL_LONG_NS 1000000 /* a call of a millisecond or more counts as long */

/*
 * All calls of one API from one stack, of the whole run, as far as one thread at a time has
 * counted them: several records may be about the same two. Its counters alone change after
 * it was committed, each by a store of its own: a reader of a cut-off file may find one call
 * in some of them and not yet in others.
 */
struct ct_total {
	uint32_t commit;
	uint32_t stack;      /* as in a call */
	uint16_t api;
	uint16_t rest;       /* 1: from all stacks that had no record of their own; stack is 0 */
	uint32_t reserved32;
	uint64_t calls;
	uint64_t total_ns;
	uint64_t longest_ns;
	uint64_t bytes;      /* sum of ct_call.bytes */
	uint64_t long_calls; /* of CT_TOTAL_LONG_NS and more */
	uint64_t failed;     /* calls that returned an error */
};
static_assert(sizeof(struct ct_total) == 64, "one slot");

#endif
