/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of frameworks whose waits are ended otherwise than in CUDA: by a variable, or by what is
 * written in Python. A row of known.c each.
 */
#ifndef CT_ANALYZE_KNOWN_H
#define CT_ANALYZE_KNOWN_H

#include "analyze/place.h"

struct ct_known {
	const char *part;   /* of the function's symbol */
	uint32_t effects;   /* calls of one of these, made in it */
	const char *remedy; /* what to write instead */
	const char *change; /* the same as a clause: "If you ... at train.py:12: saves" */
};

/* The function on a stack that a call of such effects is known to be made for; NULL = none. */
const struct ct_known *ct_known_find(const struct ct_model *model, struct ct_places *places,
				     uint32_t stack, uint32_t effects);

#endif
