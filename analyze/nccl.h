/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of NCCL in one process: which operation each is, by its name, and of each collective
 * what the process did since the one before and which host thread waited for it. This is a
 * digest, which outlives the model; meet.h compares those of several ranks.
 */
#ifndef CT_ANALYZE_NCCL_H
#define CT_ANALYZE_NCCL_H

#include "analyze/model.h"
#include "analyze/site.h"

enum ct_nccl_op {
#define CT_NCCL_OP(id, name, meets) CT_NCCL_##id,
#include "analyze/nccl.def"
#undef CT_NCCL_OP
	CT_NCCL_OPS
};

enum ct_nccl_meets { CT_NCCL_MEETS_NONE, CT_NCCL_MEETS_ROOT, CT_NCCL_MEETS_ALL };

extern const char *const ct_nccl_names[CT_NCCL_OPS]; /* "AllReduce", ... */
extern const enum ct_nccl_meets ct_nccl_meets[CT_NCCL_OPS];

/* Which operation a kernel is by its name, mangled or not; CT_NCCL_OPS: none of NCCL's. */
enum ct_nccl_op ct_nccl_op_of(const char *kernel);

/* What a rank did before a collective, since the one before; the three add up to that time. */
enum ct_before {
	CT_BEFORE_OWN,     /* the thread that launched it: its own code, and calls that did not wait */
	CT_BEFORE_BLOCKED, /* that thread was blocked in CUDA calls */
	CT_BEFORE_DEVICE,  /* launched, but the device had not come to it */
	CT_BEFORE_COUNT
};

/* A collective on one rank. Times are those of the trace; texts are indices, CT_NONE = none. */
struct ct_collective {
	uint64_t start_ns, end_ns;           /* of its kernel */
	uint64_t before_ns[CT_BEFORE_COUNT];
	uint64_t host_start_ns, host_end_ns; /* the longest wait of a host thread for it; 0: none */
	uint32_t op;                         /* enum ct_nccl_op; it meets ROOT or ALL */
	uint32_t blocked_at;                 /* the place where it was blocked longest before */
	uint32_t ran;                        /* what the device did longest instead */
	uint32_t host_at;                    /* the place of that wait */
};

/* The collectives of one stream, in order: those of a communicator, or of several. */
struct ct_nccl_lane {
	uint32_t device, context, stream;
	uint64_t count;    /* all of them */
	uint64_t sequence; /* of their kernels' names in order: equal for equal ones, by a hash */
	uint64_t last_end_ns;
	CT_ARRAY(struct ct_collective) kept; /* the first CT_NCCL_KEPT */
};

#define CT_NCCL_KEPT 8192u /* of a stream; 0.6 MB */

/* Kernels of one name, grid and place that launched them: may be, but need not be, as large. */
struct ct_nccl_call {
	uint32_t kernel, at; /* texts */
	uint32_t op, grid;
	uint64_t count, total_ns, least_ns, most_ns;
};

struct ct_nccl {
	CT_ARRAY(struct ct_nccl_lane) lanes;
	CT_ARRAY(struct ct_nccl_call) calls; /* of all kernels of NCCL */
	CT_ARRAY(char *) texts;
};

/*
 * Of the core of a model. What came before a collective is known as far back as the model goes.
 * Returns 0 and what the caller must ct_nccl_free(), or -ENOMEM.
 */
int ct_nccl_find(const struct ct_model *model, const struct ct_sites *sites, struct ct_nccl *ret);

/* Add what came later. Returns 0 or -ENOMEM. */
int ct_nccl_append(struct ct_nccl *to, const struct ct_nccl *from);
void ct_nccl_free(struct ct_nccl *nccl); /* its contents; all zeros is fine */

/*
 * Internal: the index of a text, added if new; the lane of a stream (CT_NONE, NULL: no memory);
 * add a kernel to the sums, a collective to its lane (0 or -ENOMEM).
 */
uint32_t ct_nccl_text(struct ct_nccl *nccl, const char *text);
struct ct_nccl_lane *ct_nccl_lane(struct ct_nccl *nccl, uint32_t device, uint32_t context,
				  uint32_t stream);
int ct_nccl_count(struct ct_nccl *nccl, struct ct_nccl_call like);
int ct_nccl_add(struct ct_nccl_lane *lane, const char *kernel, const struct ct_collective *c);

#endif
