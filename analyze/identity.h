/* SPDX-License-Identifier: Apache-2.0 */
/* Which process of which run a trace is of, as its notes tell. */
#ifndef CT_ANALYZE_IDENTITY_H
#define CT_ANALYZE_IDENTITY_H

#include "analyze/model.h"

struct ct_identity {
	const char *host;     /* "" = not known */
	const char *variable; /* that the rank came from; "" = none */
	uint32_t parent;      /* pid of the parent process; CT_NONE = not known */
	uint32_t rank, local_rank, size; /* CT_NONE = not known; size > rank */
};

/* The identity of a model's process. Its texts belong to the model. */
struct ct_identity ct_identity_of(const struct ct_model *model);

#endif
