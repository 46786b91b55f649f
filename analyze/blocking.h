/* SPDX-License-Identifier: Apache-2.0 */
/* When host threads were blocked, and on what: every call's time split into its parts. */
#ifndef CT_ANALYZE_BLOCKING_H
#define CT_ANALYZE_BLOCKING_H

#include "analyze/model.h"

/*
 * Split every call's duration into parts that sum to it exactly, and list each
 * stretch as a wait with what it waited for. Fills parts, waits, pending and
 * released_ns of the model. Returns 0 or -ENOMEM.
 */
int ct_blocking_find(struct ct_model *model);

/* Calls whose parts do not sum to their duration: 0, or the analyzer is wrong. */
uint64_t ct_blocking_mismatches(const struct ct_model *model);

/* Time of a call that was spent blocked: everything but plain driver work and cutrace itself. */
uint64_t ct_blocking_blocked(const struct ct_host_call *call);

#endif
