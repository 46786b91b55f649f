/* SPDX-License-Identifier: Apache-2.0 */
/* What a part of a run holds, in an order that every format can write as it comes. */
#ifndef CT_EXPORT_EVENTS_H
#define CT_EXPORT_EVENTS_H

#include "analyze/analysis.h"

/* A NULL function leaves out what it is for; not 0 ends it all. */
struct ct_export_events {
	int (*call)(void *arg, const struct ct_analysis *part, uint32_t call);
	/* of the call before, by time; plain driver work is no wait */
	int (*wait)(void *arg, const struct ct_analysis *part, const struct ct_wait *wait);
	int (*poll)(void *arg, const struct ct_analysis *part, const struct ct_poll *poll);
	int (*op)(void *arg, const struct ct_analysis *part, uint32_t op);
	int (*sync)(void *arg, const struct ct_analysis *part, const struct ct_sync *sync);
	/* of NVTX, by thread and time; see ct_export_range_end() */
	int (*range)(void *arg, const struct ct_analysis *part, const struct ct_range_info *range);
};

/* Visit the core of a part. Returns 0, -ENOMEM or what a function returned. */
int ct_export_visit(const struct ct_analysis *part, const struct ct_export_events *events,
		    void *arg);

/* When a range ended; of one that never did, the end of the run. */
uint64_t ct_export_range_end(const struct ct_model *model, const struct ct_nvtx_range *range);

/* The place that a call was made from. */
const char *ct_export_site(const struct ct_analysis *analysis, uint32_t call);

/* "kernel", "copy", "memset", "graph" */
const char *ct_export_kind(const struct ct_device_op *op);

/* A kernel's name; "copy D2H", "memset", "graph" for others: few, however many there are. */
const char *ct_export_op_name(const struct ct_model *model, uint32_t op);

/* Names of enum ct_memory, enum ct_origin, enum ct_idle_cause, enum ct_sync_kind, copies. */
const char *ct_export_memory(uint8_t memory);
const char *ct_export_origin(uint8_t origin);
const char *ct_export_idle(enum ct_idle_cause cause);
const char *ct_export_sync(uint8_t kind);
const char *ct_export_direction(uint8_t direction);

/* In what way a pair's culprit delayed its victim. */
const char *ct_export_evidence(const struct ct_pair *pair);

#endif
