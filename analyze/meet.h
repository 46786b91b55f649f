/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collectives as meetings of ranks: which kernels are one collective, who came last, and how long
 * the others waited for it.
 *
 * A trace does not say which communicator a kernel is of. What is compared are streams, since each
 * does its work in order: the k-th collective of one stream and of another are taken for the same if
 * the streams have equally many, of the same names in the same order, and each
 *
 * - overlaps its counterpart (nobody ends before the last has begun, where all need data of all), and
 * - ends when that does, within CT_MEET_ENDS_NS and a quarter of the longer one.
 *
 * Both only say so of operations that meet ALL; of one in CT_MEET_EXCEPT the ends may differ. A stream
 * that fits several which do not fit each other fits none: nothing is guessed, and what was not
 * matched is counted with the reason.
 *
 * Processes of one host share its monotonic clock, if their clocks were set apart from the time of day
 * alike. Of others the clocks are not compared: between them the time from each end to the next
 * must agree, and since all end together, the one with the shortest kernel came last.
 */
#ifndef CT_ANALYZE_MEET_H
#define CT_ANALYZE_MEET_H

#include "analyze/nccl.h"

/* Why kernels of NCCL were not matched. */
#define CT_UNMATCHED(X)                                                                            \
	X(NAME, "send and receive, or an operation that the kernel's name does not tell")         \
	X(ALONE, "no other rank has as many of these names in this order on a stream")            \
	X(ROOT_ONLY, "broadcasts and reduces only, whose times do not tell who takes part")       \
	X(APART, "other ranks have the same, but at other times: of other groups, it seems")      \
	X(AMBIGUOUS, "several streams fit that do not fit each other")                             \
	X(BEYOND, "beyond the first that are kept of each stream")

enum ct_unmatched {
#define X(id, text) CT_UNMATCHED_##id,
	CT_UNMATCHED(X)
#undef X
	CT_UNMATCHED_COUNT
};

extern const char *const ct_unmatched_texts[CT_UNMATCHED_COUNT];

/* Time that is put down to one thing. */
struct ct_meet_share {
	uint32_t of;      /* of a delay: enum ct_before, or CT_BEFORE_COUNT for a later start of the
			   * process; of a wait: the member that was late */
	uint32_t op;      /* of a wait: enum ct_nccl_op */
	const char *text; /* what ran, or the place of the call; NULL: nothing to name. Of the digest */
	uint64_t count, ns;
};

/* One that takes part: a device of a process. */
struct ct_meet_member {
	uint32_t process, device;
	char label[112];        /* "rank 3", "device 1", "rank 3 device 1" */
	uint64_t met;           /* its collectives that were matched */
	uint64_t time_ns;       /* of their kernels, */
	uint64_t waited_ns;     /* of which until the last had come; the rest is work */
	uint64_t late;          /* in how many it was late: all others were there CT_MEET_LATE_NS before, */
	uint64_t late_ns;       /* by how much in all, */
	uint64_t first_late_ns; /* of that, to the first of its streams: ranks begin apart, once, */
	uint64_t late_median_ns; /* and by the median */
	CT_ARRAY(uint64_t) lates;
	CT_ARRAY(struct ct_meet_share) delays; /* what it did longer than the others; most first */
	CT_ARRAY(struct ct_meet_share) waits;  /* of host threads for late ones; most first */
};

struct ct_meet_lane {
	uint32_t member, clock;
	const struct ct_nccl_lane *of;
	const struct ct_nccl *nccl;
};

struct ct_meet_group {
	uint32_t *lanes;
	uint32_t count;
	bool one_clock; /* else by durations */
};

struct ct_meet_sum {
	uint64_t met, kernels; /* collectives, and kernels in them */
	uint64_t time_ns, waited_ns;
};

struct ct_meet {
	CT_ARRAY(struct ct_meet_member) members;
	CT_ARRAY(struct ct_meet_lane) lanes;
	CT_ARRAY(struct ct_meet_group) groups;
	struct ct_meet_sum sums[CT_NCCL_OPS];
	uint64_t unmatched[CT_UNMATCHED_COUNT]; /* kernels */
	uint64_t met, late;  /* collectives; those to which one was late */
	uint32_t named;      /* the member that stands out as late; CT_NONE: none does */
	bool by_durations;   /* some group has several clocks */
};

/* On two H200, all-reduces ended 1 us apart at most, a first all-gather 99 us; on one, 145 us. */
#define CT_MEET_SLACK_NS 10000    /* by so much device times of two processes may disagree */
#define CT_MEET_ENDS_NS 1000000
#define CT_MEET_EXCEPT 4          /* one in so many may end apart: a GPU or its clock was held up */
#define CT_MEET_LATE_NS 50000     /* less is no delay but noise of launches */
#define CT_MEET_NAMED_NS 1000000  /* to be named: in all, twice as much as the next, and so much */
#define CT_MEET_NAMED_PERCENT 5   /* of the time from the first to the last collective */

/*
 * Add the ranks of a process: its devices. clock: processes with the same compare their times. label:
 * its name; NULL: the only process. The digest must outlive `meet`. Returns 0 or -ENOMEM.
 */
int ct_meet_add(struct ct_meet *meet, uint32_t process, const char *label, uint32_t clock,
		const struct ct_nccl *nccl);

/* All have been added: match and compare. Returns 0 or -ENOMEM. */
int ct_meet_find(struct ct_meet *meet);
void ct_meet_free(struct ct_meet *meet); /* its contents; all zeros is an empty one */

/* Internal step: find the groups, and count what is in none. Returns 0 or -ENOMEM. */
int ct_meet_group(struct ct_meet *meet);

#endif
