/* SPDX-License-Identifier: Apache-2.0 */
/* The single calls and operations that outlive the part of a run they were in. */
#ifndef CT_ANALYZE_KEPT_H
#define CT_ANALYZE_KEPT_H

#include "analyze/analysis.h"

struct ct_kept_pair;
struct ct_kept_gap;

/* All zeros but the model is an empty one; it must not be copied. */
struct ct_kept {
	struct ct_model *model;        /* that they go to */
	CT_ARRAY(uint32_t) of_call;    /* by call of that model: its site in the sum */
	CT_ARRAY(struct ct_kept_pair) pairs;
	CT_ARRAY(struct ct_kept_gap) gaps;
};

/*
 * Keep a wait of a part, whose call is of `site` in the sum, with what it waited for. It goes
 * where *slot is, and *slot becomes its index; CT_NONE makes room. Returns 0 or -ENOMEM.
 */
int ct_kept_add_wait(struct ct_kept *keep, const struct ct_model *part, uint32_t wait, uint32_t site,
		 uint32_t *slot);

/*
 * Keep a pair or gap of a part, if it is one of the CT_FOLD_ROWS that cost most. map: the
 * sites of the part, as those of the sum. Returns 0 or -ENOMEM.
 */
int ct_kept_add_pair(struct ct_kept *keep, const struct ct_analysis *part, const struct ct_pair *pair,
		 const uint32_t *map);
int ct_kept_add_gap(struct ct_kept *keep, const struct ct_analysis *part, const struct ct_gap *gap,
		const uint32_t *map);

/* Put pairs and gaps into the sum, and into its sites whose call is whose. 0 or -ENOMEM. */
int ct_kept_finish(struct ct_kept *keep, struct ct_analysis *sum);
void ct_kept_free(struct ct_kept *keep);

#endif
