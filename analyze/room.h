/* SPDX-License-Identifier: Apache-2.0 */
/* Room on the devices in a replay: what comes to overlap may have to wait for what runs. */
#ifndef CT_ANALYZE_ROOM_H
#define CT_ANALYZE_ROOM_H

#include "analyze/model.h"

/* How operations that did not overlap share a device when they come to. */
enum ct_sharing {
	CT_SHARE_NOTHING, /* they overlap freely */
	CT_SHARE_KERNELS, /* kernels wait until their blocks fit */
	/*
	 * And copies for their engine: one to the device, one from it. One between two devices needs
	 * that from the one and that to the other.
	 */
	CT_SHARE_ENGINES,
	/*
	 * And a block keeps a whole multiprocessor busy, a fill or a copy within the device all of
	 * its bandwidth.
	 */
	CT_SHARE_DEVICE
};

#define CT_ROOM_RUNNING 64  /* latest operations of an engine that may still be running */
#define CT_ROOM_GROUP 8
#define CT_ROOM_SMALL 0.05f /* what fills less fits anywhere */
#define CT_ROOM_FULL 1.02f  /* shares add up to 1, give or take rounding */

struct ct_engine;

struct ct_room {
	enum ct_sharing sharing;
	/* private to room.c */
	struct ct_engine *engines; /* three of each device: kernels, copies to it, copies from it */
	size_t count;
};

/* Prepare for the devices of a model. Returns 0 or -ENOMEM; ct_room_finish() in either case. */
int ct_room_init(struct ct_room *room, const struct ct_model *model);
void ct_room_finish(struct ct_room *room);

/* Nothing runs. */
void ct_room_clear(struct ct_room *room);

/*
 * Place an operation that is ready at start_ns and runs for took_ns: if that is earlier than
 * it began when measured, it waits for room, at the longest until then. Returns its start.
 */
uint64_t ct_room_place(struct ct_room *room, const struct ct_op *op, uint64_t start_ns,
		       uint64_t took_ns);

#endif
