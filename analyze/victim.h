/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding victims: operations that could have started earlier, had it not been for a
 * culprit. True dependencies (stream order, events, what an explicit wait waited for)
 * are honoured: what had to wait anyway is no victim.
 */
#ifndef CT_ANALYZE_VICTIM_H
#define CT_ANALYZE_VICTIM_H

#include "analyze/interval.h"
#include "analyze/serialize.h"

struct ct_finder {
	const struct ct_model *model;
	struct ct_sites *sites;
	struct ct_serialization *out;
	uint8_t *culprits;      /* by call: CT_REMOVE_* of what would have to go */
	/* private to victim.c */
	uint64_t *could_end_ns; /* by operation: when it could have ended, for culprit `stamp` - 1 */
	uint32_t *stamp;
	struct ct_loads *loads; /* how busy each device is, over time */
	size_t load_count;
	struct ct_spans busy;   /* if there are several: when any of them is */
	uint32_t *lock_waits;   /* of the model's waits, those for a lock, by its holder */
	size_t lock_wait_count;
	uint32_t culprit;
	int error;
};

/* Delays and losses below this are within the clock's error. */
#define CT_VICTIM_LEAST_NS 10000

/* Prepare the private parts. Returns 0 or -ENOMEM; finish in either case. */
int ct_victims_init(struct ct_finder *finder);
void ct_victims_finish(struct ct_finder *finder);

/* Find all pairs and all culprits. Returns 0 or -ENOMEM. */
int ct_victims_find(struct ct_finder *finder);

/*
 * Host functions of different streams run one after the other: pairs of a function's
 * launch and the operation behind another stream's function. Returns 0 or -ENOMEM.
 */
int ct_victims_of_host_functions(struct ct_finder *finder);

/*
 * Time in [start, end) during which `op` would have run beside other work: of any device, as
 * long as its own had room.
 */
uint64_t ct_victims_beside(const struct ct_finder *finder, uint32_t op, uint64_t start,
			   uint64_t end);

#endif
