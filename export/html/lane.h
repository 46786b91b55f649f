/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How busy each lane of a timeline was, over time: threads in calls, streams, copies of one
 * direction, threads in NVTX ranges. Time is divided into buckets of a power of two of nanoseconds, the same for
 * all lanes; when a run turns out longer, two become one. So memory is bounded however
 * long the run, and nobody has to know beforehand how long it is.
 */
#ifndef CT_EXPORT_HTML_LANE_H
#define CT_EXPORT_HTML_LANE_H

#include "analyze/lookup.h"
#include "analyze/model.h"

enum ct_lane_kind {
	CT_LANE_THREAD,
	CT_LANE_STREAM,
	CT_LANE_COPIES, /* of one direction; they are in their streams' lanes as well */
	CT_LANE_RANGES  /* NVTX ranges of a thread, of one depth */
};

#define CT_LANES_MAX 1024                 /* more of them share one a kind and process */
#define CT_LANE_BUCKETS_LEAST 512         /* of CT_LANES_MAX lanes */
#define CT_LANE_BUCKETS_MOST 65536
#define CT_LANE_BUCKETS_FEW 4096          /* of a short run; a power of two as those above */
#define CT_LANE_FIRST_SHIFT 10            /* a bucket is 1.024 us at first */
#define CT_LANE_NAMES 3
#define CT_LANE_SHARED UINT32_MAX         /* the id of a lane that several share */

/* A name or part and how long it was; see vote() for what is forgotten. */
struct ct_lane_vote {
	uint32_t key;
	uint64_t weight_ns;
};

struct ct_lane_bucket {
	uint64_t busy_ns;    /* at least one call or operation */
	uint64_t blocked_ns; /* of threads only */
	uint32_t count;      /* that begin in it */
	struct ct_lane_vote names[CT_LANE_NAMES];
	struct ct_lane_vote part; /* what it was blocked by */
};

struct ct_lane_key {
	uint32_t process;
	uint32_t kind;  /* enum ct_lane_kind */
	uint32_t group; /* context of a stream, device of copies, thread of ranges, 0 */
	uint32_t id;    /* of a thread or stream; enum ct_direction; depth of ranges, from 0 */
};

struct ct_lane {
	struct ct_link link; /* by key */
	struct ct_lane_key key;
	uint32_t index;
	uint32_t device; /* of streams and copies; CT_NONE: of none, or of several */
	char name[80];
	struct ct_lane_bucket *buckets;
	size_t count, room;
	uint64_t last_end_ns; /* of what has been added */
	uint64_t items, busy_ns, blocked_ns;
};

struct ct_lanes {
	struct ct_lookup lookup;
	CT_ARRAY(struct ct_lane *) all; /* by index */
	unsigned shift;  /* a bucket is 1 << shift ns */
	size_t limit;    /* buckets of a lane */
	uint64_t shared; /* calls and operations of lanes that had no room of their own */
};

void ct_lanes_init(struct ct_lanes *lanes);
void ct_lanes_free(struct ct_lanes *lanes);

/*
 * The lane with a key, added if there is none: then ->name is empty. Of too many, the shared
 * lane of the kind and process. NULL: no memory.
 */
struct ct_lane *ct_lanes_get(struct ct_lanes *lanes, const struct ct_lane_key *key);

/* Add a call or operation; those of a lane come in order of start. Returns 0 or -ENOMEM. */
int ct_lane_add(struct ct_lanes *lanes, struct ct_lane *lane, uint64_t start_ns, uint64_t end_ns,
		uint32_t name);

/* Add time that a thread was blocked by a part; stretches of a lane are disjoint. As above. */
int ct_lane_block(struct ct_lanes *lanes, struct ct_lane *lane, uint64_t start_ns,
		  uint64_t end_ns, enum ct_part part);

/* The bucket of a time, after making buckets as wide as it takes. */
size_t ct_lanes_reach(struct ct_lanes *lanes, uint64_t time_ns);

/* Make every two buckets of all lanes one. */
void ct_lanes_fold(struct ct_lanes *lanes);

#endif
