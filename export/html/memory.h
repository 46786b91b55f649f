/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory a process had allocated, over time. */
#ifndef CT_EXPORT_HTML_MEMORY_H
#define CT_EXPORT_HTML_MEMORY_H

#include "analyze/lookup.h"
#include "analyze/model.h"

enum ct_html_pool {
	CT_HTML_DEVICE, /* of the device, managed and stream-ordered memory included */
	CT_HTML_HOST,   /* page-locked: allocated or registered */
	CT_HTML_POOLS
};

#define CT_HTML_BLOCKS 1000000u /* allocations known at a time */

/* An allocation or free that has been seen; they take effect when their calls return. */
struct ct_html_event {
	uint64_t time_ns, addr, bytes;
	uint32_t pool;
	bool free;
};

/* The most and the last of a bucket of time, in which something changed. */
struct ct_html_level {
	uint64_t bucket;
	uint64_t most_bytes, last_bytes;
};

struct ct_html_memory {
	CT_ARRAY(struct ct_html_event) events; /* that have not taken effect yet */
	struct ct_lookup blocks[CT_HTML_POOLS];
	uint64_t bytes[CT_HTML_POOLS], most_bytes[CT_HTML_POOLS];
	CT_ARRAY(struct ct_html_level) levels[CT_HTML_POOLS];
	unsigned shift;       /* of levels: see lane.h */
	uint64_t allocations; /* that took effect */
	uint64_t sizeless;    /* of them, arrays and the like, of which no size is known */
	uint64_t unknown_frees; /* of what no allocation was seen of */
	uint64_t dropped;     /* allocations beyond CT_HTML_BLOCKS */
};

/*
 * See a call of a trace that returned at time_ns (of the page). Calls come in order of their
 * beginning. Returns 0 or -ENOMEM.
 */
int ct_html_memory_see(struct ct_html_memory *memory, const struct ct_host_call *call,
		       uint64_t time_ns);

/*
 * All calls that return before until_ns have been seen: let them take effect. shift: how
 * wide buckets are by now. Returns 0 or -ENOMEM.
 */
int ct_html_memory_settle(struct ct_html_memory *memory, uint64_t until_ns, unsigned shift);

void ct_html_memory_free(struct ct_html_memory *memory);

#endif
