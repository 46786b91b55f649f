/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change of the program would save, from one run: the run is replayed (replay.h)
 * without the waits that the change takes away.
 */
#ifndef CT_ANALYZE_WHATIF_H
#define CT_ANALYZE_WHATIF_H

#include "analyze/analysis.h"

/* What `cutrace prove` can change in a running program. */
enum ct_fix {
	CT_FIX_FREE, /* cudaFree and cuMemFree do not wait; freed blocks are reused */
	CT_FIX_PIN,  /* asynchronous copies of pageable memory go through pinned staging */
	CT_FIX_ALL   /* both */
};

/*
 * A saving: of the run's whole time, in ns. low: what comes to overlap shares the device, and
 * no more than waits is saved; high: it overlaps freely. low <= likely <= high.
 */
struct ct_range {
	uint64_t low_ns, likely_ns, high_ns;
};

/*
 * What a fix would save the run. Returns 0 and a range (all 0: nothing to save), -ENODATA if
 * nothing is predicted of this trace (ct_whatif_refusal() says why), or -ENOMEM.
 */
int ct_whatif_of(const struct ct_analysis *analysis, enum ct_fix fix, struct ct_range *ret);

/* Why nothing is predicted of this trace, a clause; NULL if something is. Static text. */
const char *ct_whatif_refusal(const struct ct_analysis *analysis);

#endif
