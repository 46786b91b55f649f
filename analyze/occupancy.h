/* SPDX-License-Identifier: Apache-2.0 */
/* How much of a GPU a kernel fills: what decides whether another fits beside it. */
#ifndef CT_ANALYZE_OCCUPANCY_H
#define CT_ANALYZE_OCCUPANCY_H

#include "analyze/model.h"

/*
 * Fill `share` of every operation: 0 for copies, fills and graphs, and for kernels of
 * a device whose properties are not in the trace; for the others the blocks of the
 * kernel over the blocks that fit on the device at a time (by warps, registers, shared
 * memory and the limit of 32 blocks a multiprocessor), at most 1. And `spread`: blocks
 * over multiprocessors, at most 1, for kernels of such devices; `share` for the others.
 */
void ct_occupancy_fill(struct ct_model *model);

#endif
