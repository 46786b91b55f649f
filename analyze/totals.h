/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over all calls and operations, which stay when those are gone. */
#ifndef CT_ANALYZE_TOTALS_H
#define CT_ANALYZE_TOTALS_H

#include "analyze/model.h"
#include "analyze/site.h"

/* Nothing but uint64_t: parts of a run add up field by field. */
struct ct_totals {
	uint64_t calls, ops;
	uint64_t by_origin[256];             /* calls, by enum ct_origin or any other byte */
	uint64_t wrapped_and_seen;           /* of wrappers, those CUPTI saw as well */
	uint64_t call_ns;                    /* inside calls, of all threads */
	uint64_t blocked_ns;                 /* of it, as ct_blocking_blocked() has it */
	uint64_t parts_ns[CT_PART_COUNT];
	uint64_t parts_calls[CT_PART_COUNT]; /* calls that have some of it */
	uint64_t mismatches;                 /* calls whose parts do not sum up: 0 */
	uint64_t unknown_apis;               /* calls whose name this build does not know */
	uint64_t nameless;                   /* calls whose name the trace does not have */
	uint64_t script_calls[CT_SCRIPT_STATE_COUNT + 1]; /* calls with a stack, by its state */
	uint64_t without_work;               /* calls that submitted something no record tells of */
	uint64_t without_work_cut;           /* the same, as the mode changed before it had ended */
	uint64_t without_line;               /* blocked calls whose stack has no source line */
	uint64_t managed;                    /* allocations of managed memory */
	uint64_t polls, poll_queries, poll_ns;
	uint64_t unjoined_ops;               /* operations whose call was not recorded */
	uint64_t pairs, pairs_lost_ns;       /* operations that calls delayed; filled by ct_totals_show() */
};

/*
 * Sum up the core of a model that has been analyzed, up to its sites. Also fills the
 * sums of the model's threads and streams.
 */
void ct_totals_find(struct ct_model *model, const struct ct_sites *sites, struct ct_totals *ret);

/*
 * Sum up calls and loops of queries that no filter leaves out, and what their delays cost; all
 * else stays 0. Also fills what the model's threads have of them.
 */
struct ct_serialization;
void ct_totals_show(struct ct_model *model, const struct ct_serialization *serialization,
		    struct ct_totals *ret);

/* Operations and calls of the core that miss each other, before calls are marked as captured. */
uint64_t ct_totals_unjoined(const struct ct_model *model);

/* Add the sums of another part of the run. */
void ct_totals_add(struct ct_totals *totals, const struct ct_totals *more);

#endif
