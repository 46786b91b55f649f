/* SPDX-License-Identifier: Apache-2.0 */
/* What `cutrace stats` prints: sums of a run, none of which needs a row for each call. */
#ifndef CT_ANALYZE_STATS_H
#define CT_ANALYZE_STATS_H

#include "analyze/analysis.h"

struct ct_stat {
	const char *name;
	const char *file;   /* it is that table of the report; or NULL, and then: */
	const char *header; /* its first line */
	void (*write)(const struct ct_analysis *analysis, FILE *to);
};

/* Every one; ends with a NULL name. */
extern const struct ct_stat ct_stats[];

/* Write one as CSV, its header first. */
void ct_stat_write(const struct ct_stat *stat, const struct ct_analysis *analysis, FILE *to);

#endif
