/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run, played again without some of its waits. Host threads keep the time they
 * spent between and inside calls; device operations keep their durations and
 * follow their submission, their stream and the events they waited for; calls that
 * waited wait for the same operations and the same lock holders as before, at
 * their new times. What comes to overlap shares the device as room.h says, at first: kernels
 * run freely beside each other as long as their blocks fit; bandwidth is not modelled, so
 * such a saving is an upper bound.
 */
#ifndef CT_ANALYZE_REPLAY_H
#define CT_ANALYZE_REPLAY_H

#include "analyze/room.h"

#define CT_REPLAY_CALL_NS 1000     /* of a pool in stream order, say: measured with free_serializes --async */
#define CT_REPLAY_FREES 16         /* frees that an operation's delay is put down to at most */
#define CT_REPLAY_LATENCY_NS 50000 /* an operation starts so long after it was ready at most */

struct ct_replay_call {
	uint64_t enter_ns; /* as measured */
	uint64_t gap_ns;   /* since `after`, else the thread's call before it; since 0 if there is neither */
	uint64_t took_ns;
	uint32_t previous; /* of its thread; CT_NONE */
	uint32_t after;    /* another thread's call that it came after (handoff.h); CT_NONE */
	uint32_t place;    /* in `latest` */
	bool plain;        /* it waits for nothing */
	bool asks;         /* its thread polls, and waits so */
	uint32_t awaits;   /* the operation that it asked to wait for, and found done; CT_NONE */
	bool drains;       /* a free that waited for nothing: it may have found all work done; or a wait for all */
	bool unrecorded;   /* it waited for device work of which there is no record */
};

struct ct_replay {
	const struct ct_model *model;
	uint64_t *enter_ns, *leave_ns; /* by call */
	uint64_t *start_ns, *end_ns;   /* by operation */
	uint64_t total_end_ns;         /* when the last of all ended */
	uint32_t *events;
	size_t event_count;
	struct ct_room room;           /* set room.sharing, then run; CT_SHARE_KERNELS at first */
	uint8_t *removed;              /* by call: set CT_REMOVE_*, then run */
	uint32_t *cold_ns;             /* by call: how slow its thread is behind it (cold.h) */
	struct ct_replay_call *calls;  /* what is needed of each */
	uint64_t *was_end_ns;          /* by operation, as measured */
	uint32_t *frees;               /* calls that free and may drain, in order */
	size_t free_count;
	float pinned_rate[2];          /* bytes per ns of pinned copies to and from the device; 0 = unknown */
	/*
	 * Operations start once what is known to hold them up lets them, not as long after that as
	 * they did. How far such a replay is off says how much of the run the model explains.
	 */
	bool known_only;
	bool take_over;                /* frees that found their work done wait where it no longer is; what asks to wait always does */
	struct ct_replay_latest {
		uint64_t end_ns, was_ns;
	} *latest; /* by device: when the last of its operations so far ends, now and as measured */
};

#define CT_REMOVE_WAIT 1  /* the call does not wait */
#define CT_REMOVE_ORDER 2 /* operations do not follow others because of it */
#define CT_REMOVE_WORK 4  /* nor does it work in the driver for longer than CT_REPLAY_CALL_NS */
#define CT_REMOVE_PAGEABLE 8 /* its copies are as fast as pinned ones */
#define CT_KEEP_TRANSFER 16  /* with CT_REMOVE_WAIT: it stages or copies as before */
#define CT_REMOVE_CALL 32    /* with CT_REMOVE_WORK: it is not made at all */
#define CT_REMOVE_COLD 64    /* with CT_REMOVE_WORK: and leaves the caches as they were: cold.h */

/* Prepare for a model that ct_blocking_find() has been over. Returns 0 or -ENOMEM. */
int ct_replay_create(const struct ct_model *model, struct ct_replay **ret);
void ct_replay_destroy(struct ct_replay *replay); /* accepts NULL */

/* Play the run without the waits of the removed calls. Fills the times above. */
void ct_replay_run(struct ct_replay *replay);

/* For replay.c: note what a call may have found done; how long it waits for that now, in ns. */
void ct_replay_note_found(struct ct_replay *replay, uint32_t index);
void ct_replay_note_polls(struct ct_replay *replay); /* of loops of queries, behind the others' */
uint64_t ct_replay_taken_over(const struct ct_replay *replay, uint32_t index);

/*
 * Of the time from ready_ns to start_ns, that in which a device's frees were at work that are no more: while
 * one gives memory back, no operation of its device starts, in whatever stream it is. Measured on an H200:
 * of 100 ms that copies of kernels/alloc_server began late behind their kernels, a free was at
 * work in 94.
 */
uint64_t ct_replay_held_by_frees(const struct ct_replay *replay, uint32_t device, uint64_t ready_ns,
				 uint64_t start_ns);

#endif
