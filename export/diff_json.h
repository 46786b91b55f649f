/* SPDX-License-Identifier: Apache-2.0 */
/* Two sets of runs compared, as JSON. */
#ifndef CT_EXPORT_DIFF_JSON_H
#define CT_EXPORT_DIFF_JSON_H

#include <stdio.h>

#include "analyze/diff.h"

/* One object; docs/diff.md has its members. Times are in ns; what is not known is null. */
void ct_diff_json(const struct ct_diff *diff, FILE *to);

#endif
