/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run, played again without some of its waits. Host threads keep the time they
 * spent between and inside calls; device operations keep their durations and
 * follow their submission, their stream and the events they waited for; calls that
 * waited wait for the same operations and the same lock holders as before, at
 * their new times. Operations that come to overlap are taken to run freely beside
 * each other, so a saving is an upper bound.
 */
#ifndef CT_ANALYZE_REPLAY_H
#define CT_ANALYZE_REPLAY_H

#include "analyze/model.h"

struct ct_replay {
	const struct ct_model *model;
	uint64_t *enter_ns, *leave_ns; /* by call */
	uint64_t *start_ns, *end_ns;   /* by operation */
	uint64_t total_end_ns;         /* when the last of all ended */
	struct ct_replay_event *events;
	size_t event_count;
	uint8_t *removed;              /* by call: set to 1 what shall not wait, then run */
};

/* Prepare for a model that ct_blocking_find() has been over. Returns 0 or -ENOMEM. */
int ct_replay_create(const struct ct_model *model, struct ct_replay **ret);
void ct_replay_destroy(struct ct_replay *replay); /* accepts NULL */

/* Play the run without the waits of the removed calls. Fills the times above. */
void ct_replay_run(struct ct_replay *replay);

#endif
