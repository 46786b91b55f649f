/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of ct_join(): which stream the handle that a call names stands for. */
#ifndef CT_ANALYZE_HANDLE_H
#define CT_ANALYZE_HANDLE_H

#include "analyze/model.h"

/* Put model->handles in order, as the other two need them. */
void ct_handles_sort(struct ct_model *model);

/*
 * CUPTI tells nothing of contexts and streams that were there before it (CUTRACE_MODE=auto):
 * what a call put into the stream that it names says which one that is. Adds such handles and
 * contexts, once operations have their calls and streams. Returns 0 or -ENOMEM.
 */
int ct_handles_learn(struct ct_model *model);

/*
 * Fill the stream of every call, and the default streams of threads; once syncs are joined.
 * Returns 0 or -ENOMEM.
 */
int ct_handles_resolve(struct ct_model *model);

#endif
