/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Are several traces the processes of one run, whose figures add up, or runs of one program
 * again and again, whose figures are compared? To take one for the other gives wrong numbers, so
 * it is told from what the traces say, or not at all.
 */
#ifndef CT_ANALYZE_DIFF_RUNS_H
#define CT_ANALYZE_DIFF_RUNS_H

#include "analyze/diff.h"

enum ct_diff_how {
	CT_DIFF_UNTOLD,     /* nobody said so far */
	CT_DIFF_ONE_RUN,    /* the traces of a directory are the processes of a run */
	CT_DIFF_REPEATED    /* each is a run by itself */
};

/*
 * How the traces of one directory belong together. One run: all have ranks, and no two the
 * same. Repeated: none has a rank, all are of the same program, and no two ran at the same time.
 * Returns NULL and one of these two, or why it cannot be told, a clause.
 */
const char *ct_diff_tell(const struct ct_process *processes, size_t count, enum ct_diff_how *ret);

/* A process of a side that is the copy of one before it: no run of its own. NULL: there is none. */
const struct ct_process *ct_diff_copy(const struct ct_diff_side *side);

/* Why a side's runs are not the same run again and again, a clause; NULL: they may be. */
const char *ct_diff_mixed(const struct ct_diff_side *side);

#endif
