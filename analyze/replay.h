/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run, played again without some of its waits. Host threads keep the time they
 * spent between and inside calls; device operations keep their durations and
 * follow their submission, their stream and the events they waited for; calls that
 * waited wait for the same operations and the same lock holders as before, at
 * their new times. Kernels that come to overlap run freely beside each other as long
 * as their blocks fit on the device; bandwidth is not modelled, so a saving is an
 * upper bound.
 */
#ifndef CT_ANALYZE_REPLAY_H
#define CT_ANALYZE_REPLAY_H

#include "analyze/model.h"

#define CT_REPLAY_RUNNING 64  /* latest operations that may still be running */
#define CT_REPLAY_GROUP 8
#define CT_REPLAY_SMALL 0.05f /* kernels that fill less fit anywhere */
#define CT_REPLAY_ROOM 1.02f

/* The operations placed last in the new time line, and how much of the device each fills. */
struct ct_running {
	uint64_t start_ns[CT_REPLAY_RUNNING], end_ns[CT_REPLAY_RUNNING];
	float share[CT_REPLAY_RUNNING];
	uint64_t group_end_ns[CT_REPLAY_RUNNING / CT_REPLAY_GROUP]; /* all of one ended by then */
};

struct ct_replay_call {
	uint64_t enter_ns; /* as measured */
	uint64_t gap_ns;   /* since the thread's call before it; since 0 if there is none */
	uint64_t took_ns;
	uint32_t previous; /* CT_NONE */
	bool plain;        /* it waits for nothing */
	bool unrecorded;   /* it waited for device work of which there is no record */
};

struct ct_replay {
	const struct ct_model *model;
	uint64_t *enter_ns, *leave_ns; /* by call */
	uint64_t *start_ns, *end_ns;   /* by operation */
	uint64_t total_end_ns;         /* when the last of all ended */
	uint32_t *events;
	size_t event_count;
	struct ct_running running;
	size_t placed;
	uint8_t *removed;              /* by call: set CT_REMOVE_*, then run */
	struct ct_replay_call *calls;  /* what is needed of each */
	uint64_t *was_end_ns;          /* by operation, as measured */
};

#define CT_REMOVE_WAIT 1  /* the call does not wait */
#define CT_REMOVE_ORDER 2 /* operations do not follow others because of it */

/* Prepare for a model that ct_blocking_find() has been over. Returns 0 or -ENOMEM. */
int ct_replay_create(const struct ct_model *model, struct ct_replay **ret);
void ct_replay_destroy(struct ct_replay *replay); /* accepts NULL */

/* Play the run without the waits of the removed calls. Fills the times above. */
void ct_replay_run(struct ct_replay *replay);

#endif
