/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls the fixes of `cutrace prove` can change; the others of a change only its author can. */
#ifndef CT_ANALYZE_FIXABLE_H
#define CT_ANALYZE_FIXABLE_H

#include "analyze/model.h"

/*
 * Can the shim stage the copies of this asynchronous call? Of the reasons to leave one alone
 * (trace/pin.h) these are asked for that a trace tells beforehand.
 */
bool ct_fixable_copy(const struct ct_model *model, uint32_t call);

/*
 * From when on the shim leaves frees alone, since it has seen a second context (CT_FIX_STOP_CONTEXTS):
 * so in all programs that use several devices. UINT64_MAX: never.
 */
uint64_t ct_fixable_frees_until(const struct ct_model *model);

#endif
