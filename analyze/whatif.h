/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change of the program would save, from one run: the run is replayed (replay.h)
 * without the waits that the change takes away.
 */
#ifndef CT_ANALYZE_WHATIF_H
#define CT_ANALYZE_WHATIF_H

#include "analyze/analysis.h"
#include "analyze/change.h"

/* What `cutrace prove` can change in a running program. */
enum ct_fix {
	CT_FIX_FREE, /* cudaFree and cuMemFree do not wait; freed blocks are reused */
	CT_FIX_PIN,  /* asynchronous copies of pageable memory go through pinned staging */
	CT_FIX_ALL   /* both */
};

/*
 * A saving: of the run's whole time, in ns. low: what comes to overlap shares the device, and no more
 * is saved than waits and calls that are not made; high: it overlaps freely. low <= likely <= high.
 */
struct ct_range {
	uint64_t low_ns, likely_ns, high_ns;
};

/* Where what is removed may be all that keeps a result right. */
enum ct_hazard {
	CT_HAZARD_NONE,
	CT_HAZARD_READ,    /* the host may read what a copy brings: nothing else that was asked for waits */
	CT_HAZARD_REUSE,   /* the host may change what a copy takes, as above */
	CT_HAZARD_MANAGED, /* the host may touch managed memory that a kernel uses, as above */
	CT_HAZARD_SHARED,  /* copies and fills of more than one stream touched the freed block */
	CT_HAZARD_ORDER    /* copies or fills: what follows in other streams may use what they write */
};

/* One change of the program; what it saves comes on top of those ranked before it. */
struct ct_change {
	enum ct_change_kind kind;
	uint32_t site;
	uint32_t calls;          /* of the site that it is about */
	uint32_t unfixed;        /* of these, how many `cutrace prove` is known to leave alone */
	uint32_t rank;           /* from 0; sites that only save together share one; CT_NONE: nothing on top of others */
	uint64_t alone_ns;       /* the likely saving if it were the only change */
	struct ct_range saves;   /* of its rank: the same for all that share it */
	enum ct_hazard hazard;   /* of the first call that has one */
	uint32_t hazard_calls, hazard_op; /* how many calls; an operation that it is about */
	size_t first, count;     /* private: its items */
};

struct ct_whatif {
	const char *refusal;       /* why nothing is predicted; NULL */
	uint64_t span_ns;          /* of the run */
	uint64_t worth_ns;         /* a saving below it is none */
	/* The replay that changes nothing and knows only causes, against the run. */
	bool measured;             /* it was made */
	uint64_t end_error_ns;     /* of its end */
	uint64_t start_error_mean_ns, start_error_max_ns;
	CT_ARRAY(struct ct_change) changes; /* by rank; those that save nothing last */
	uint32_t ranks;
	uint32_t skipped;          /* changes that there was no time to replay */
	struct ct_range all;       /* all changes together, those that save nothing alone included */
};

/* Does a change save something, be it only in the place of others that are ranked? */
static inline bool ct_change_saves(const struct ct_whatif *whatif, const struct ct_change *change)
{
	return change->rank != CT_NONE || change->alone_ns >= whatif->worth_ns;
}

#define CT_WHATIF_ERROR_PERCENT 5 /* no prediction if a replay is off by more than this of the run */

/*
 * Predict for an analysis in one piece whose serialization is known, replaying some `events`
 * (0 = CT_WHATIF_EVENTS): the more, the more changes are ranked one by one; never fewer than
 * a few replays. Returns 0 (also if it refuses) and what ct_whatif_destroy() frees, or -ENOMEM.
 */
#define CT_WHATIF_EVENTS 12000000u
#define CT_WHATIF_RECORD_BYTES 400u /* of memory, a record */
int ct_whatif_find(const struct ct_analysis *analysis, uint64_t events, struct ct_whatif **ret);
void ct_whatif_destroy(struct ct_whatif *whatif); /* accepts NULL */

/* The fix of `cutrace prove` that makes a change, of some calls at least, "free" or "pin"; or NULL. */
const char *ct_whatif_fix(const struct ct_analysis *analysis, const struct ct_change *change);

/* Find the hazards of a change's calls (see enum ct_hazard); items are those of the change. */
void ct_hazards_find(const struct ct_analysis *analysis, struct ct_change *change,
		     const struct ct_change_item *items);

/*
 * The change that saves most, in a sentence for the end of a program; nothing where nothing is
 * predicted. The section of the report; a row for each change.
 */
void ct_report_whatif_best(const struct ct_analysis *analysis, FILE *to);
void ct_report_whatif(const struct ct_analysis *analysis, size_t limit, FILE *to);
void ct_report_whatif_csv(const struct ct_analysis *analysis, FILE *to);

/*
 * What a fix of `cutrace prove` would save the run; of CT_FIX_ALL, what both would save counts once.
 * Returns 0 and a range (all 0: nothing to save), -ENODATA if
 * nothing is predicted of this trace (ct_whatif_refusal() says why), or -ENOMEM.
 */
int ct_whatif_of(const struct ct_analysis *analysis, enum ct_fix fix, struct ct_range *ret);

/*
 * The same for a program changed by its author: also of the calls that the fix leaves alone, and
 * with buffers that stay page-locked, where the fix copies into such.
 */
int ct_whatif_by_hand(const struct ct_analysis *analysis, enum ct_fix fix, struct ct_range *ret);

/* Why nothing is predicted of this trace, a clause; NULL if something is. Static text. */
const char *ct_whatif_refusal(const struct ct_analysis *analysis);

#endif
