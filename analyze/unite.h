/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file may describe a thread, a context or a stream any number of times. What was loaded, one
 * entry a record, becomes one entry for each; in time proportional to the records, as a damaged or
 * hostile file may hold a million of them.
 */
#ifndef CT_ANALYZE_UNITE_H
#define CT_ANALYZE_UNITE_H

#include "analyze/model.h"

/* Of a thread's entries the first stays. Returns 0 or -ENOMEM. */
int ct_unite_threads(struct ct_model *model);

/*
 * Contexts stay in the order in which each was first described; context_tids along with them.
 * Returns 0 or -ENOMEM.
 */
int ct_unite_contexts(struct ct_model *model);

/* Streams come into the order that ct_stream_index() wants. Returns 0 or -ENOMEM. */
int ct_unite_streams(struct ct_model *model);

#endif
