/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a run a report is to show. The analysis is of the whole run all the same, as causes
 * need it: calls are marked, and sums and rows are of those that are not left out.
 */
#ifndef CT_ANALYZE_FILTER_H
#define CT_ANALYZE_FILTER_H

#include "analyze/model.h"

/* All conditions must hold; all zeros: everything is shown. Texts are the caller's. */
struct ct_filter {
	const char *only;        /* names of calls: fnmatch() patterns, commas between them; NULL = any */
	uint64_t min_blocked_ns; /* calls that were blocked for so long, and loops of queries that took it */
	const char *nvtx;        /* calls made in an NVTX range of this name, at any depth: an fnmatch()
				  * pattern of the name, or of it with its domain; NULL = any */
	uint64_t from_ns, to_ns; /* calls under way then, since the beginning; to_ns 0 = no end */
	uint64_t origin_ns;      /* the beginning, as time of day; 0 = begin_ns of the trace itself */
};

/* Is anything left out by it? Accepts NULL. */
bool ct_filter_any(const struct ct_filter *filter);

/*
 * A duration such as "100us" or "2.5s": a decimal number and ns, us, ms or s. Returns 0, or
 * -EINVAL, also where it does not fit.
 */
int ct_filter_duration(const char *text, uint64_t *ret_ns);

/*
 * Mark the calls and loops of queries of a model that has been split into waits. Returns 0 or
 * -ENOMEM.
 */
int ct_filter_mark(struct ct_model *model, const struct ct_filter *filter);

#endif
