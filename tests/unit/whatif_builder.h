/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions for a built model. */
#ifndef CT_TESTS_WHATIF_BUILDER_H
#define CT_TESTS_WHATIF_BUILDER_H

#include "tests/unit/model_builder.h"

#include "analyze/whatif.h"

#define S1 21
#define S2 22
#define S3 23
#define BLOCK 0xa0000
#define BUFFER 0xb0000

static inline void two_streams(struct model_builder *b, enum ct_stream_flag flag)
{
	mb_stream(b, S1, flag);
	mb_stream(b, S2, flag);
}

static inline struct ct_analysis analysis_of(struct model_builder *b)
{
	struct ct_analysis a = { 0 };

	a.serialization = mb_serialize(b);
	a.model = b->model;
	a.sites = b->sites;
	return a;
}

static inline struct ct_whatif *whatif(struct model_builder *b)
{
	struct ct_analysis a = analysis_of(b);
	struct ct_whatif *w;

	assert_int_equal(ct_whatif_find(&a, 0, &w), 0);
	return w;
}

/* The change of a rank is of this kind and saves so many us. */
static inline void expect_change(const struct ct_whatif *w, uint32_t rank, enum ct_change_kind kind,
				 double low, double likely, double high)
{
	const struct ct_change *change = &w->changes.at[rank];

	assert_true(rank < w->changes.count);
	assert_int_equal(change->rank, rank);
	assert_int_equal(change->kind, kind);
	assert_int_equal(change->saves.low_ns, (uint64_t)(low * 1000));
	assert_int_equal(change->saves.likely_ns, (uint64_t)(likely * 1000));
	assert_int_equal(change->saves.high_ns, (uint64_t)(high * 1000));
}

/* A pageable copy behind a kernel, then a kernel in another stream. */
static inline struct ct_device_op *pageable_copy_by(struct model_builder *b, enum ct_api api)
{
	struct ct_device_op *copy;
	struct ct_call *call;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, S1, 0, 5, 10, 300);
	call = mb_call_on(b, api, S1, 5, 420);
	copy = mb_copy(b, call, S1, CT_MEMORY_PAGEABLE, 305, 400);
	mb_launch(b, S2, 425, 430, 435, 1000);
	return copy;
}

static inline struct ct_device_op *pageable_copy(struct model_builder *b)
{
	return pageable_copy_by(b, CT_API_cudaMemcpyAsync);
}

#endif
