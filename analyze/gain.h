/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run gains without some waits, from what its threads and streams gain in its parts.
 */
#ifndef CT_ANALYZE_GAIN_H
#define CT_ANALYZE_GAIN_H

#include "analyze/analysis.h"

struct ct_gains;

int ct_gains_create(struct ct_gains **ret); /* 0 or -ENOMEM */
void ct_gains_destroy(struct ct_gains *gains); /* accepts NULL */

/* Add the shifts of a part; map: its sites, as those of the run. Returns 0 or -ENOMEM. */
int ct_gains_add(struct ct_gains *gains, const struct ct_analysis *part, const uint32_t *map);

/*
 * How much sooner the run ends without the waits of a site of the run (CT_NONE: of all),
 * where it ended at end_ns: each thread and stream ends as much sooner as it gained.
 */
uint64_t ct_gains_of(const struct ct_gains *gains, uint32_t site, uint64_t end_ns);

#endif
