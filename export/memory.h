/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory the program had allocated, from the calls that were seen: what was
 * allocated before, or by calls that were not recorded, is not known. Managed by address,
 * so it takes memory for each block that is allocated at a time.
 */
#ifndef CT_EXPORT_MEMORY_H
#define CT_EXPORT_MEMORY_H

#include "analyze/model.h"

/* A block came into being, or ceased to be. */
struct ct_memory_event {
	uint64_t time_ns; /* when the call returned; not before the event before */
	uint64_t bytes;
	uint64_t now_bytes; /* of its kind, on its device if it is on one, from then on */
	uint64_t address;
	uint32_t device;    /* CT_NONE: not known, or host memory */
	enum ct_memory kind;
	bool freed;
};

struct ct_memory_map;

/* Returns 0 and an empty map for ct_memory_destroy(), or -ENOMEM. */
int ct_memory_create(struct ct_memory_map **ret);
void ct_memory_destroy(struct ct_memory_map *map); /* accepts NULL */

/*
 * Take in a call; calls come in the order in which they began. visit() is told what becomes of
 * blocks by it: most calls allocate or free none, and a reset of a device frees all. A free of
 * a block that is not known is counted. Returns 0, -ENOMEM or what visit() returned if not 0.
 */
int ct_memory_take(struct ct_memory_map *map, const struct ct_model *model,
		   const struct ct_host_call *call,
		   int (*visit)(void *arg, const struct ct_host_call *call,
				const struct ct_memory_event *event),
		   void *arg);

/* Frees of blocks whose allocation was not seen; and how to say so behind their number. */
#define CT_MEMORY_UNKNOWN_TEXT                                                                     \
	"frees of memory whose allocation was not seen: more was in use than is known"
uint64_t ct_memory_unknown(const struct ct_memory_map *map);

#endif
