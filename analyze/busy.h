/* SPDX-License-Identifier: Apache-2.0 */
/* When a process used CUDA, and when its device only waited for other processes. */
#ifndef CT_ANALYZE_BUSY_H
#define CT_ANALYZE_BUSY_H

#include "analyze/interval.h"
#include "analyze/model.h"
#include "analyze/site.h"

struct ct_busy {
	/* Of all its devices together: what one of them waits for another is the process's own. */
	uint64_t work_ns;        /* an operation ran that is not communication */
	uint64_t comm_ns;        /* none ran but communication kernels */
	uint64_t comm_ops, graph_ops;
	struct ct_spans active;  /* inside a CUDA call, or the device at work */
	uint64_t *comm_wait_ns;  /* by site: waits for a device while that one only communicated */
	size_t site_count;
};

/* Gaps between calls that are shorter count as time in CUDA: the program steps from one to the next. */
#define CT_ACTIVE_GAP_NS 10000

/* Of the core of a model. Returns 0 and what the caller must ct_busy_free(), or -ENOMEM. */
int ct_busy_find(const struct ct_model *model, const struct ct_sites *sites, struct ct_busy *ret);
void ct_busy_free(struct ct_busy *busy); /* its contents; all zeros is fine */

/* Add time in CUDA that starts no earlier than any before. Returns 0 or -ENOMEM. */
int ct_busy_append(struct ct_busy *busy, uint64_t start_ns, uint64_t end_ns);

/* Keep the spans few, by ct_spans_thin(). */
void ct_busy_thin(struct ct_busy *busy);
#define CT_BUSY_SPANS 1000000u

/*
 * Is this a kernel that waits on the device for other processes? By name: NCCL,
 * NVSHMEM, and the all-reduce kernels of PyTorch's symmetric memory and of vLLM.
 */
bool ct_busy_communicates(const char *kernel);

#endif
