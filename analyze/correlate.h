/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of ct_join(): find calls and operations by the correlation id that they share. */
#ifndef CT_ANALYZE_CORRELATE_H
#define CT_ANALYZE_CORRELATE_H

#include "analyze/model.h"

/*
 * Fill what ct_model_call_of() looks at; once calls are sorted. Ids are shared by the driver
 * calls that a launch of the runtime makes, where that was not recorded itself: the one that
 * submits work comes first. Returns 0 or -ENOMEM.
 */
int ct_correlate_calls(struct ct_model *model);

/*
 * Fill model->by_call, and where calls find their operations in it; once these have their
 * calls. Returns 0 or -ENOMEM.
 */
int ct_correlate_ops(struct ct_model *model);

#endif
