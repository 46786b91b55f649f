/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When everything was recorded. The mode may change during a run (CT_NOTE_MODE), and CUPTI
 * be given up: only where all calls and all device work of a time were recorded, anything is
 * concluded from the records of the device, or from their absence.
 */
#ifndef CT_ANALYZE_SEEN_H
#define CT_ANALYZE_SEEN_H

#include "analyze/model.h"

enum ct_seen {
	CT_SEEN_ALL,    /* the call, and all work that it may have waited for */
	CT_SEEN_LIGHT,  /* kernels and launches were not recorded, or not all of them */
	CT_SEEN_NOTHING /* no device times at all when the call ended */
};

/* Fill model->sights from the changes of mode; once records are joined. 0 or -ENOMEM. */
int ct_sights_find(struct ct_model *model);

/* The sight that a time lies in; NULL: not everything was recorded then. */
const struct ct_sight *ct_sight_at(const struct ct_model *model, uint64_t time_ns);

/* How much is known of what a call may have waited for. */
enum ct_seen ct_seen_call(const struct ct_model *model, const struct ct_host_call *call);

/* Is that because of the mode, or would the mode have done it, too? */
bool ct_seen_light(const struct ct_model *model, enum ct_seen seen);

/* Is it a wait for device work that was not recorded because of the mode? */
bool ct_seen_unrecorded(const struct ct_model *model, const struct ct_wait *wait);

/* Was all recorded that may have kept an operation from starting earlier? */
bool ct_seen_op(const struct ct_model *model, const struct ct_op *op);

/* Could a gap between operations hide none that was not recorded? */
bool ct_seen_gap(const struct ct_model *model, uint64_t start_ns, uint64_t end_ns);

/* For how long of the run everything was recorded. */
uint64_t ct_seen_ns(const struct ct_model *model);

/* Was less than everything recorded for some of the time, by CUTRACE_MODE or outside of windows? */
bool ct_seen_partly(const struct ct_model *model);

/* Was nothing at all recorded for some of the time, by CUTRACE_START or `cutrace ctl`? */
bool ct_seen_windows(const struct ct_model *model);

/* Was some of the time light? */
bool ct_seen_light_mode(const struct ct_model *model);

/* Why not everything was recorded all the time, in a word or two; and as a clause. */
const char *ct_seen_lack(const struct ct_model *model);
const char *ct_seen_unfit(const struct ct_model *model);

/* Is work that a call submits recorded at its time? Copies are in every mode, once CUPTI is there. */
bool ct_seen_work(const struct ct_model *model, const struct ct_host_call *call);

/*
 * A call whose work has no record: is that because the mode became light before it had
 * ended? Then no record of the same stream came later in its window.
 */
bool ct_seen_cut(const struct ct_model *model, const struct ct_host_call *call);

#endif
