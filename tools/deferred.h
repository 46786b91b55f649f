/* SPDX-License-Identifier: Apache-2.0 */
/* What `cutrace prove` says of the fix `free`. */
#ifndef CT_TOOLS_DEFERRED_H
#define CT_TOOLS_DEFERRED_H

#include "trace/fix.h"

/* What it did in a run, behind "changed", what it left alone, and why. */
void ct_print_deferred(const struct ct_fix_counts *counts);

#endif
