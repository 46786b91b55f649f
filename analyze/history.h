/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call may depend on though it was long ago: how the memory it frees was allocated,
 * whether its function was launched before, whether its stream is being captured. A long
 * trace is analyzed in parts; this goes from each to the next.
 */
#ifndef CT_ANALYZE_HISTORY_H
#define CT_ANALYZE_HISTORY_H

#include "analyze/model.h"

struct ct_history;

/* An empty history: nothing happened yet. Returns 0 or -ENOMEM. */
int ct_history_create(struct ct_history **ret);
void ct_history_destroy(struct ct_history *history); /* accepts NULL */

/*
 * Mark the calls of a joined model: CT_PAST_* and CT_CALL_CAPTURING. Those of its core
 * become history, so parts of a run must come in order of time. Returns 0 or -ENOMEM.
 */
int ct_history_mark(struct ct_history *history, struct ct_model *model);

#endif
