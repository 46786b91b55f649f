/* SPDX-License-Identifier: Apache-2.0 */
/* Which rank of a parallel run this process is, from the variables that launchers set. */
#ifndef CT_SHIM_RANK_H
#define CT_SHIM_RANK_H

#include <stdint.h>

#define CT_RANK_UNKNOWN UINT32_MAX

struct ct_rank {
	uint32_t rank, local_rank, size; /* CT_RANK_UNKNOWN = no variable says */
	/* the variables they came from; NULL = none */
	const char *rank_from, *local_rank_from, *size_from;
};

/*
 * Read the environment. The first launcher of the list in rank.c whose rank variable
 * holds a number wins; local rank and size are asked of the same launcher only, and a
 * size counts if it is larger than the rank. Never fails: what nobody says is unknown.
 */
void ct_rank_read(struct ct_rank *ret);

#endif
