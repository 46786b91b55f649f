/* SPDX-License-Identifier: Apache-2.0 */
/* What `cutrace prove` says of the fix `pin`. */
#ifndef CT_TOOLS_STAGED_H
#define CT_TOOLS_STAGED_H

#include <stdbool.h>

#include "analyze/whatif.h"
#include "trace/fix.h"

/*
 * After what a fix is predicted to save: what its like by hand would, if that is more; and of
 * CT_FIX_ALL, what each fix alone would. Returns 0, or as ct_whatif_of().
 */
int ct_print_beyond(const struct ct_analysis *analysis, enum ct_fix fix, const struct ct_range *made);

/* What it did in a run, what it left alone, and why; heads: the line begins with "changed". */
void ct_print_staged(const struct ct_fix_counts *counts, bool heads);

#endif
