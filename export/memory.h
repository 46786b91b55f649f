/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory the program had allocated, from the calls that were seen: what was
 * allocated before, or by calls that were not recorded, is not known. Managed by address,
 * so it takes memory for each block that is allocated at a time.
 */
#ifndef CT_EXPORT_MEMORY_H
#define CT_EXPORT_MEMORY_H

#include "analyze/model.h"

/*
 * A block came into being, or ceased to be. It counts from the return of its allocation up to
 * when its free was called: an address may be given out again before the free has returned.
 */
struct ct_memory_event {
	uint64_t time_ns; /* not before the event before */
	uint64_t bytes;
	uint64_t now_bytes; /* of its kind, on its device if it is on one, from then on */
	uint64_t address;
	uint32_t device;    /* CT_NONE: not known, or host memory */
	uint32_t context, correlation; /* of the call */
	enum ct_memory kind;
	bool freed;
};

struct ct_memory_map;

/* Returns 0 and an empty map for ct_memory_destroy(), or -ENOMEM. */
int ct_memory_create(struct ct_memory_map **ret);
void ct_memory_destroy(struct ct_memory_map *map); /* accepts NULL */

typedef int (*ct_memory_visit)(void *arg, const struct ct_memory_event *event);

/*
 * Take in a call; calls come in the order in which they began. visit() is told what had become
 * of blocks until then: most calls allocate or free none, and a reset of a device frees all.
 * A free of a block that is not known is counted. Returns 0, -ENOMEM or what visit() returned
 * if not 0.
 */
int ct_memory_take(struct ct_memory_map *map, const struct ct_model *model,
		   const struct ct_host_call *call, ct_memory_visit visit, void *arg);

/* No call follows: tell the rest. Returns as ct_memory_take() does. */
int ct_memory_finish(struct ct_memory_map *map, ct_memory_visit visit, void *arg);

/* Frees of blocks whose allocation was not seen, once all is told; and what to say of them. */
#define CT_MEMORY_UNKNOWN_TEXT                                                                     \
	"frees of memory whose allocation was not seen: more was in use than is known"
uint64_t ct_memory_unknown(const struct ct_memory_map *map);

#endif
