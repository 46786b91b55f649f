/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls made while their stream was being captured into a graph: they submit nothing and
 * wait for nothing; the launches of the graph do.
 */
#ifndef CT_ANALYZE_CAPTURE_H
#define CT_ANALYZE_CAPTURE_H

#include "analyze/model.h"

struct ct_captures;

/* Captures under way: none yet. Returns 0 or -ENOMEM. Destroy accepts NULL. */
int ct_captures_create(struct ct_captures **ret);
void ct_captures_destroy(struct ct_captures *captures);

/*
 * Mark them CT_CALL_CAPTURING. A capture begins on one stream; others join it by waiting
 * for an event that was recorded in it, and leave it when it ends (programming guide,
 * "Cross-stream Dependencies and Events" of CUDA Graphs). Only calls of the model's core
 * begin, spread and end them. Returns 0 or -ENOMEM.
 */
int ct_captures_mark(struct ct_captures *captures, struct ct_model *model);

#endif
