/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a trace's records lie in time: how many begin in each of about a million ticks, and
 * how many are under way between two ticks. The ticks grow with the run.
 */
#ifndef CT_ANALYZE_DENSITY_H
#define CT_ANALYZE_DENSITY_H

#include <stddef.h>
#include <stdint.h>

#define CT_DENSITY_TICKS ((size_t)1 << 20)

struct ct_density {
	uint64_t base_ns;
	unsigned shift;     /* a tick has 2^shift ns */
	size_t used;        /* ticks with something in them, and one more */
	uint32_t *starts;   /* by tick: records that begin in it */
	int32_t *change;    /* by tick: of the number under way as it begins */
};

/* Nothing yet; time begins at base_ns. Returns 0 or -ENOMEM; free in either case. */
int ct_density_init(struct ct_density *density, uint64_t base_ns);
void ct_density_free(struct ct_density *density);

/* Add a record. What begins before base_ns counts as if it began there. */
void ct_density_add(struct ct_density *density, uint64_t start_ns, uint64_t end_ns);

/* Add all records of another density with the same base. */
void ct_density_merge(struct ct_density *density, struct ct_density *more);

/* When a tick begins. */
uint64_t ct_density_time(const struct ct_density *density, size_t tick);

#endif
