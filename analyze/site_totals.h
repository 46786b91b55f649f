/* SPDX-License-Identifier: Apache-2.0 */
/* What every call site of a whole run cost, where the trace holds only its end. */
#ifndef CT_ANALYZE_SITE_TOTALS_H
#define CT_ANALYZE_SITE_TOTALS_H

#include "analyze/model.h"
#include "analyze/site.h"

/* All calls of one API from one place, of the whole run. */
struct ct_total_site {
	const char *where; /* as in struct ct_site */
	const char *name;
	uint32_t stack;    /* one stack of the site; 0 = none */
	uint64_t calls;
	uint64_t total_ns;
	uint64_t longest_ns;
	uint64_t bytes;
	uint64_t long_calls; /* of CT_TOTAL_LONG_NS and more */
	uint64_t failed;
};

struct ct_site_totals {
	CT_ARRAY(struct ct_total_site) all; /* most total time first */
	uint64_t calls;
};

/*
 * Sum up the TOTAL records of a model by call and place; none unless the trace is a flight
 * recorder's. Returns 0 and totals for ct_site_totals_destroy(), or -ENOMEM.
 */
int ct_site_totals_make(const struct ct_model *model, struct ct_sites *sites,
			struct ct_site_totals **ret);
void ct_site_totals_destroy(struct ct_site_totals *totals); /* accepts NULL */

#endif
