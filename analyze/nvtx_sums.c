/* SPDX-License-Identifier: Apache-2.0 */
/* What calls add up to by the NVTX range that they were made in. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/blocking.h"
#include "analyze/nvtx.h"
#include "analyze/serialize.h"
#include "analyze/totals.h"

static struct ct_nvtx_sum *sum_of(struct ct_nvtx_sums *sums, uint32_t domain, uint32_t name)
{
	const struct ct_nvtx_sum want = { .key = { domain, name } };
	struct ct_nvtx_sum *sum = ct_lookup_find(&sums->by_key, &want.key, sizeof(want.key));

	if (sum)
		return sum;
	sum = calloc(1, sizeof(*sum));
	if (!sum)
		return NULL;
	sum->key = want.key;
	sum->last = CT_NONE;
	if (CT_PUSH(&sums->all, sum) < 0) {
		free(sum);
		return NULL;
	}
	return ct_lookup_add(&sums->by_key, sum, &sum->key, sizeof(sum->key)) < 0 ? NULL : sum;
}

/* By range of the model its sum; the last one is for calls in none. NULL: no memory. */
static struct ct_nvtx_sum **sums_of_ranges(struct ct_nvtx_sums *sums, const struct ct_model *model)
{
	struct ct_nvtx_sum **of = malloc((model->ranges.count + 1) * sizeof(struct ct_nvtx_sum *));
	struct ct_nvtx_sum *none = of ? sum_of(sums, CT_NONE, CT_NONE) : NULL;
	bool failed = !none;

	for (size_t i = 0; !failed && i < model->ranges.count; i++) {
		const struct ct_nvtx_range *raw = &model->ranges.at[i].raw;

		of[i] = sum_of(sums, raw->domain, raw->name);
		failed = !of[i];
		if (failed || raw->begin_ns < model->core.begin_ns || raw->begin_ns >= model->core.end_ns)
			continue;
		of[i]->ranges++;
		of[i]->unended += raw->end_ns == UINT64_MAX;
	}
	if (failed) {
		free(of);
		return NULL;
	}
	of[model->ranges.count] = none;
	return of;
}

static void add_innermost(struct ct_nvtx_sum *sum, const struct ct_host_call *call, uint64_t lost_ns)
{
	sum->calls++;
	sum->total_ns += call->raw.leave_ns - call->raw.enter_ns;
	sum->blocked_ns += ct_blocking_blocked(call);
	sum->lost_ns += lost_ns;
	for (int part = 0; part < CT_PART_COUNT; part++)
		sum->parts[part] += call->parts[part];
}

/* Names may recur on the way out: a call is counted once. */
static void add_any(struct ct_nvtx_sum *sum, const struct ct_host_call *call, uint32_t index,
		    uint64_t lost_ns)
{
	if (sum->last == index)
		return;
	sum->last = index;
	sum->all_calls++;
	sum->all_blocked_ns += ct_blocking_blocked(call);
	sum->all_lost_ns += lost_ns;
}

/* By call of the model, what its pairs lost; NULL: no memory. */
static uint64_t *losses_of(const struct ct_model *model, const struct ct_serialization *s)
{
	uint64_t *lost = calloc(model->calls.count + 1, sizeof(*lost));

	for (size_t i = 0; lost && i < s->pairs.count; i++)
		lost[s->pairs.at[i].culprit] += s->pairs.at[i].lost_ns;
	return lost;
}

/* Without ranges all is in none of them: no call need be looked at again. */
static int add_rangeless(struct ct_nvtx_sums *sums, const struct ct_totals *shown)
{
	struct ct_nvtx_sum *none = sum_of(sums, CT_NONE, CT_NONE);

	if (!none)
		return -ENOMEM;
	none->calls += shown->calls;
	none->total_ns += shown->call_ns;
	none->blocked_ns += shown->blocked_ns;
	none->lost_ns += shown->pairs_lost_ns;
	none->all_calls += shown->calls;
	none->all_blocked_ns += shown->blocked_ns;
	none->all_lost_ns += shown->pairs_lost_ns;
	for (int part = 0; part < CT_PART_COUNT; part++)
		none->parts[part] += shown->parts_ns[part];
	return 0;
}

static int add_by_range(struct ct_nvtx_sums *sums, const struct ct_model *model,
			const struct ct_serialization *serialization)
{
	struct ct_nvtx_sum **of = sums_of_ranges(sums, model);
	uint64_t *lost = of ? losses_of(model, serialization) : NULL;

	for (uint32_t i = model->core.first_call; lost && i < model->core.end_call; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		uint32_t range = call->range;

		if (call->left_out)
			continue;
		add_innermost(of[range == CT_NONE ? model->ranges.count : range], call, lost[i]);
		if (range == CT_NONE)
			add_any(of[model->ranges.count], call, i, lost[i]);
		for (; range != CT_NONE; range = ct_nvtx_around(model, call, range))
			add_any(of[range], call, i, lost[i]);
	}
	for (size_t i = 0; i < sums->all.count; i++)
		sums->all.at[i]->last = CT_NONE;
	free(of);
	free(lost);
	return lost ? 0 : -ENOMEM;
}

int ct_nvtx_add_up(struct ct_nvtx_sums *sums, const struct ct_model *model,
		   const struct ct_serialization *serialization, const struct ct_totals *shown)
{
	return model->ranges.count ? add_by_range(sums, model, serialization)
				   : add_rangeless(sums, shown);
}

int ct_nvtx_merge(struct ct_nvtx_sums *sums, const struct ct_nvtx_sums *more)
{
	for (size_t i = 0; i < more->all.count; i++) {
		const struct ct_nvtx_sum *from = more->all.at[i];
		struct ct_nvtx_sum *to = sum_of(sums, from->key.domain, from->key.name);

		if (!to)
			return -ENOMEM;
		to->ranges += from->ranges;
		to->unended += from->unended;
		to->calls += from->calls;
		to->total_ns += from->total_ns;
		to->blocked_ns += from->blocked_ns;
		to->lost_ns += from->lost_ns;
		to->all_calls += from->all_calls;
		to->all_blocked_ns += from->all_blocked_ns;
		to->all_lost_ns += from->all_lost_ns;
		for (int part = 0; part < CT_PART_COUNT; part++)
			to->parts[part] += from->parts[part];
	}
	return 0;
}

bool ct_nvtx_any(const struct ct_nvtx_sums *sums)
{
	for (size_t i = 0; i < sums->all.count; i++)
		if (sums->all.at[i]->key.name != CT_NONE)
			return true;
	return false;
}

static int by_cost(const void *a, const void *b, void *arg)
{
	const struct ct_nvtx_sum *x = *(struct ct_nvtx_sum *const *)a;
	const struct ct_nvtx_sum *y = *(struct ct_nvtx_sum *const *)b;
	char one[CT_NVTX_TEXT_BYTES], other[CT_NVTX_TEXT_BYTES];

	if (x->blocked_ns != y->blocked_ns)
		return x->blocked_ns > y->blocked_ns ? -1 : 1;
	if (x->all_blocked_ns != y->all_blocked_ns)
		return x->all_blocked_ns > y->all_blocked_ns ? -1 : 1;
	if (x->all_calls != y->all_calls)
		return x->all_calls > y->all_calls ? -1 : 1;
	return strcmp(ct_nvtx_text(arg, x->key.domain, x->key.name, one),
		      ct_nvtx_text(arg, y->key.domain, y->key.name, other));
}

void ct_nvtx_rank(struct ct_nvtx_sums *sums, const struct ct_model *model)
{
	if (sums->all.count)
		qsort_r(sums->all.at, sums->all.count, sizeof(*sums->all.at), by_cost, (void *)(uintptr_t)model);
}

void ct_nvtx_free(struct ct_nvtx_sums *sums)
{
	ct_lookup_clear(&sums->by_key);
	for (size_t i = 0; i < sums->all.count; i++)
		free(sums->all.at[i]);
	free(sums->all.at);
	memset(sums, 0, sizeof(*sums));
}
