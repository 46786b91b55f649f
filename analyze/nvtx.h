/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges that the program marks by NVTX: which calls were made in which, and what that adds up to. */
#ifndef CT_ANALYZE_NVTX_H
#define CT_ANALYZE_NVTX_H

#include "analyze/lookup.h"
#include "analyze/model.h"

#define CT_NVTX_TEXT_BYTES (2 * CT_NVTX_NAME_MAX + 16)

/* Load a record of NVTX. Returns 0 or -ENOMEM. */
int ct_nvtx_load(struct ct_model *model, const struct ct_item *item);

/*
 * Put the ranges of a model in order, find which each lies in, and for each call the innermost
 * one of its thread: of those under way when it began, the one that began last. Ranges that never
 * ended last to the end of the run. A started range counts for the thread that started it.
 * Returns 0 or -ENOMEM.
 */
int ct_nvtx_join(struct ct_model *model);

/* "domain:name", without the domain if it is the default one; "(unnamed)". */
const char *ct_nvtx_text(const struct ct_model *model, uint32_t domain, uint32_t name,
			 char ret[CT_NVTX_TEXT_BYTES]);

/* The same of the innermost range of a call; "" if it was made in none. */
const char *ct_nvtx_of_call(const struct ct_model *model, const struct ct_host_call *call,
			    char ret[CT_NVTX_TEXT_BYTES]);

/* The range around one of a call's ranges that was under way as the call began, from call->range; CT_NONE. */
uint32_t ct_nvtx_around(const struct ct_model *model, const struct ct_host_call *call, uint32_t range);

/* All ranges of one name and domain. What is said of calls is of those that no filter leaves out. */
struct ct_nvtx_sum {
	struct ct_link link;
	struct {
		uint32_t domain, name; /* both CT_NONE: calls made in no range */
	} key;
	uint64_t ranges;                          /* that began */
	uint64_t unended;                         /* of these, those that never ended */
	uint64_t calls, total_ns, blocked_ns;     /* of calls of which it is the innermost range */
	uint64_t parts[CT_PART_COUNT];
	uint64_t lost_ns;                         /* of pairs whose culprit is one of these */
	uint64_t all_calls, all_blocked_ns, all_lost_ns; /* the same of calls at any depth in it */
	uint32_t last;                            /* private: a call that is counted already */
};

struct ct_nvtx_sums {
	struct ct_lookup by_key;
	CT_ARRAY(struct ct_nvtx_sum *) all; /* in order of their appearance */
};

/*
 * Add up the core of a model that has been analyzed; shown: what ct_totals_show() says of it.
 * Returns 0 or -ENOMEM.
 */
struct ct_serialization;
struct ct_totals;
int ct_nvtx_add_up(struct ct_nvtx_sums *sums, const struct ct_model *model,
		   const struct ct_serialization *serialization, const struct ct_totals *shown);
/* Add those of another part of the run. Returns 0 or -ENOMEM. */
int ct_nvtx_merge(struct ct_nvtx_sums *sums, const struct ct_nvtx_sums *more);
/* Are there any but of calls in no range? */
bool ct_nvtx_any(const struct ct_nvtx_sums *sums);
/* The class that more than half of the time blocked is of; CT_PART_COUNT if there is none. */
enum ct_part ct_nvtx_class(const struct ct_nvtx_sum *sum);
/* Those that blocked longest first. */
void ct_nvtx_rank(struct ct_nvtx_sums *sums, const struct ct_model *model);
void ct_nvtx_free(struct ct_nvtx_sums *sums);

#endif
