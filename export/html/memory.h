/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory a process had allocated, by buckets of time. */
#ifndef CT_EXPORT_HTML_MEMORY_H
#define CT_EXPORT_HTML_MEMORY_H

#include "export/memory.h"

enum ct_html_pool {
	CT_HTML_DEVICE, /* of all devices, managed and stream-ordered memory included */
	CT_HTML_HOST,   /* page-locked: allocated or registered */
	CT_HTML_POOLS
};

/* The most and the last of a bucket in which something changed. */
struct ct_html_level {
	uint64_t bucket;
	uint64_t most_bytes, last_bytes;
};

/* What a kind of memory on a device had at last. */
struct ct_html_sum {
	enum ct_memory kind;
	uint32_t device;
	uint64_t bytes;
};

struct ct_html_memory {
	struct ct_memory_map *map;
	CT_ARRAY(struct ct_html_sum) sums;
	uint64_t bytes[CT_HTML_POOLS], most_bytes[CT_HTML_POOLS];
	CT_ARRAY(struct ct_html_level) levels[CT_HTML_POOLS];
	unsigned shift;       /* of levels: see lane.h */
	uint64_t allocations;
	uint64_t sizeless;    /* of them, arrays and the like, of which no size is known */
	uint64_t early_ns;    /* time of the trace, which is the page's 0 */
};

/* Begin. early_ns: time of the trace that is the page's 0. Returns 0 or -ENOMEM. */
int ct_html_memory_begin(struct ct_html_memory *memory, uint64_t early_ns);

/* See a call; calls come in order of their beginning. Returns 0 or -ENOMEM. */
int ct_html_memory_see(struct ct_html_memory *memory, const struct ct_model *model,
		       const struct ct_host_call *call);

/* All calls have been seen. Returns 0 or -ENOMEM. */
int ct_html_memory_finish(struct ct_html_memory *memory);

/* Buckets are wider by now. */
void ct_html_memory_widen(struct ct_html_memory *memory, unsigned shift);

void ct_html_memory_free(struct ct_html_memory *memory);

#endif
