/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the device had nothing to do, and what the host was doing meanwhile; of several devices,
 * when none of them had, and when each of them had not.
 */
#ifndef CT_ANALYZE_IDLE_H
#define CT_ANALYZE_IDLE_H

#include "analyze/device.h"
#include "analyze/interval.h"
#include "analyze/model.h"

enum ct_idle_cause {
	CT_IDLE_CALL,   /* a CUDA call of the thread that submitted the next operation */
	CT_IDLE_HOST,   /* that thread ran code of its own */
	CT_IDLE_DEVICE, /* the operation was submitted already: the device took its time */
	CT_IDLE_OTHER,  /* it was submitted already, and had to follow work of another device */
	CT_IDLE_CAUSES
};

/* Gaps of one cause that were put down to one call site. */
struct ct_idle_share {
	uint64_t ns, gaps;
};

struct ct_gap {
	uint64_t start_ns, end_ns;
	uint32_t next_op;         /* the operation that ended it */
	enum ct_idle_cause cause; /* what filled most of it */
	uint32_t call;            /* CT_IDLE_CALL: that call; else the call of next_op; CT_NONE */
	uint32_t device;          /* that was idle; CT_NONE: no device of the run had work */
};

/* The operations of one device; a copy between two is listed on one, but work of both. */
struct ct_device_work {
	uint64_t ops;     /* listed on it */
	uint64_t busy_ns; /* at least one was running */
	uint64_t work_ns; /* their durations added up */
	/* Of a run with several: none was running, between the first and the last. */
	uint64_t idle_ns, by_cause_ns[CT_IDLE_CAUSES];
};

#define CT_IDLE_ALL (CT_DEVICES_MOST + 1) /* the track of all devices together, behind theirs */
#define CT_IDLE_TRACKS (CT_IDLE_ALL + 1)

/* Where the operations of a device, or of all, begin and end in a model. */
struct ct_idle_track {
	uint64_t last_end_ns; /* when the last operation seen ended; 0 = none was */
	uint32_t first_op;    /* the core's first, if the model has none before it; CT_NONE */
};

struct ct_idle {
	/* By time; those of CT_IDLE_LEAST_NS and longer. */
	CT_ARRAY(struct ct_gap) gaps;
	uint64_t busy_ns;             /* at least one operation was running, on any device */
	uint64_t idle_ns;             /* none was, between the first and the last */
	uint64_t work_ns;             /* operations' durations added up */
	uint64_t idle_blocked_ns;     /* idle while some host thread was blocked in a call */
	uint64_t by_cause_ns[CT_IDLE_CAUSES];
	struct ct_device_work devices[CT_DEVICES_MOST + 1]; /* by number; the last: of the others */
	struct ct_idle_track tracks[CT_IDLE_TRACKS];
};

#define CT_IDLE_LEAST_NS 10000

/* Sum up the core of a model that ct_blocking_find() has been over. Returns 0 or -ENOMEM. */
int ct_idle_find(const struct ct_model *model, struct ct_idle **ret);

/* The device that was idle in a gap; CT_NONE: all of several. */
uint32_t ct_idle_device(const struct ct_model *model, const struct ct_gap *gap);

/*
 * Add the gaps before the first operations, which only whoever saw the run before the model's
 * part knows: until_ns, by track, is when the last operation there ended, 0 = none. Nothing is
 * added where the model knew one itself. Returns 0 or -ENOMEM.
 */
int ct_idle_lead(const struct ct_model *model, const uint64_t until_ns[CT_IDLE_TRACKS],
		 struct ct_idle *idle);
void ct_idle_destroy(struct ct_idle *idle); /* accepts NULL */

#endif
