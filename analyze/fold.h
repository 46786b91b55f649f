/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the analyses of the parts of a run to one of the whole: sums add up, and of single
 * calls and operations only those are kept that a report names, with what it says of them.
 */
#ifndef CT_ANALYZE_FOLD_H
#define CT_ANALYZE_FOLD_H

#include "analyze/analysis.h"

#define CT_FOLD_ROWS 10000 /* pairs and gaps that are kept: those that cost most */

struct ct_fold;

/*
 * Begin an analysis of a run whose facts are `facts`. It keeps neither the facts nor the
 * places. Returns 0 and a fold for ct_fold_finish() or ct_fold_destroy(), or -ENOMEM.
 */
int ct_fold_create(const struct ct_model *facts, struct ct_places *places, struct ct_fold **ret);

/* Add the analysis of a part. Parts come in order of time. Returns 0 or -ENOMEM. */
int ct_fold_add(struct ct_fold *fold, struct ct_analysis *part);

/*
 * End: move the sums into `to`, of which model, sites, serialization, idle, ledger, busy,
 * totals and durations are filled. Returns 0 or -ENOMEM.
 */
int ct_fold_finish(struct ct_fold *fold, struct ct_analysis *to);
void ct_fold_destroy(struct ct_fold *fold); /* accepts NULL */

#endif
