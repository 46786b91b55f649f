/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host functions that hold other streams. CUPTI (before CUDA 13.1) has no record of a
 * host function; that one ran shows in the gap between the operations around it. Two
 * functions of different streams whose gaps overlap ran one after the other if the
 * driver has one thread for them, as measured: the second began when the first's gap
 * ended.
 */
#include <errno.h>
#include <stdlib.h>

#include "analyze/replay.h"
#include "analyze/seen.h"
#include "analyze/victim.h"

struct function {
	uint32_t call;
	uint32_t next;      /* the operation behind it in its stream */
	uint64_t ready_ns;  /* submitted, and its stream had come to it */
	uint64_t done_ns;   /* the next operation started */
};

static bool launches_function(enum ct_api api)
{
	switch (api) {
	case CT_API_cudaLaunchHostFunc:
	case CT_API_cudaLaunchHostFunc_ptsz:
	case CT_API_cudaStreamAddCallback:
	case CT_API_cudaStreamAddCallback_ptsz:
	case CT_API_cuLaunchHostFunc:
	case CT_API_cuLaunchHostFunc_ptsz:
	case CT_API_cuStreamAddCallback:
	case CT_API_cuStreamAddCallback_ptsz:
		return true;
	default:
		return false;
	}
}

/* The gap around one function; false if no operation follows it. */
static bool gap_of(const struct ct_model *model, uint32_t index, struct function *ret)
{
	const struct ct_host_call *call = &model->calls.at[index];
	uint32_t before, next;

	if (!launches_function(call->api) || call->stream == CT_NONE)
		return false;
	before = ct_model_last_before(model, call->stream, call->raw.enter_ns, CT_NONE);
	next = ct_model_first_after(model, call->stream, call->raw.enter_ns);
	if (next == CT_NONE)
		return false;
	*ret = (struct function){ index, next, call->raw.enter_ns, model->ops.at[next].raw.start_ns };
	if (before != CT_NONE && model->ops.at[before].raw.end_ns > ret->ready_ns)
		ret->ready_ns = model->ops.at[before].raw.end_ns;
	return ret->done_ns > ret->ready_ns && ct_seen_gap(model, ret->ready_ns, ret->done_ns);
}

static int by_done(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->done_ns != y->done_ns)
		return x->done_ns < y->done_ns ? -1 : 1;
	return x->call < y->call ? -1 : x->call > y->call;
}

/* Was `late` held by `early`, which was ready first and done first? Then note the pair. */
static int judge(struct ct_finder *f, const struct function *early, const struct function *late)
{
	const struct ct_model *model = f->model;
	const struct ct_device_op *victim = &model->ops.at[late->next].raw;
	struct ct_pair pair = {
		.culprit = early->call,
		.victim = late->next,
		.waited_op = CT_NONE,
		.through = late->call,
		.edge = CT_EDGE_HOST_FUNCTION,
	};
	uint64_t could, would_end;

	if (!ct_model_in_core(model, early->call) || early->done_ns <= late->ready_ns + CT_VICTIM_LEAST_NS || early->ready_ns > late->ready_ns ||
	    model->calls.at[early->call].stream == model->calls.at[late->call].stream)
		return 0;
	pair.delay_ns = early->done_ns - late->ready_ns;
	could = victim->start_ns - pair.delay_ns;
	would_end = could + victim->end_ns - victim->start_ns;
	pair.lost_ns = ct_victims_beside(f, late->next, could, would_end < victim->start_ns
								       ? would_end
								       : victim->start_ns);
	if (pair.lost_ns < CT_VICTIM_LEAST_NS)
		return 0;
	f->sites->all.at[f->sites->of_call[early->call]].edge = CT_EDGE_HOST_FUNCTION;
	return CT_PUSH(&f->out->pairs, pair);
}

int ct_victims_of_host_functions(struct ct_finder *f)
{
	CT_ARRAY(struct function) all = { 0 };
	struct function one;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < f->model->calls.count; i++)
		if (gap_of(f->model, i, &one))
			r = CT_PUSH(&all, one);
	if (all.count)
		qsort(all.at, all.count, sizeof(*all.at), by_done);
	for (size_t i = 1; r == 0 && i < all.count; i++)
		r = judge(f, &all.at[i - 1], &all.at[i]);
	free(all.at);
	return r;
}
