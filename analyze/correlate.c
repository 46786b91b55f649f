/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/correlate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/sort.h"

/* Is it a call of the sort whose work has records? */
static bool recorded(const struct ct_host_call *call)
{
	return call->effects & (CT_LAUNCH | CT_COPY | CT_FILL | CT_SYNC | CT_ORDER);
}

/* From the least id to the greatest: how many there could be. 0 if there are none. */
static uint64_t range_of(const struct ct_model *model, uint32_t *ret_first)
{
	uint32_t least = UINT32_MAX, most = 0;

	for (size_t i = 0; i < model->calls.count; i++) {
		uint32_t id = model->calls.at[i].raw.correlation;

		if (!id)
			continue;
		least = id < least ? id : least;
		most = id > most ? id : most;
	}
	*ret_first = least;
	return most ? (uint64_t)most - least + 1 : 0;
}

/* Ids are dense enough for a table: they are as CUPTI counts. */
static int make_table(struct ct_model *model, uint32_t first, size_t range)
{
	model->call_table.at = malloc(range * sizeof(*model->call_table.at));
	if (!model->call_table.at)
		return -ENOMEM;
	memset(model->call_table.at, 0xff, range * sizeof(*model->call_table.at));
	model->call_table.count = range;
	model->call_table_first = first;
	for (uint32_t i = 0; i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		uint32_t *slot;

		if (!call->raw.correlation)
			continue;
		slot = &model->call_table.at[call->raw.correlation - first];
		if (*slot == CT_NONE || (recorded(call) && !recorded(&model->calls.at[*slot])))
			*slot = i;
	}
	return 0;
}

static int make_keys(struct ct_model *model)
{
	struct ct_ranked *ranked = malloc((model->calls.count + 1) * sizeof(*ranked));
	size_t n = 0;
	int r = ranked ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		uint64_t id = call->raw.correlation;

		if (id)
			ranked[n++] = (struct ct_ranked){ id << 1 | !recorded(call), (uint32_t)i };
	}
	if (r == 0)
		r = ct_sort_ranked(ranked, n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct ct_key key = { (uint32_t)(ranked[i].key >> 1), ranked[i].index };

		r = CT_PUSH(&model->call_keys, key);
	}
	free(ranked);
	return r;
}

int ct_correlate_calls(struct ct_model *model)
{
	uint32_t first;
	uint64_t range = range_of(model, &first);

	return range && range <= 16 * (uint64_t)model->calls.count + 4096
		       ? make_table(model, first, range)
		       : make_keys(model);
}

int ct_correlate_ops(struct ct_model *model)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < model->ops.count; i++) {
		uint32_t index = model->ops.at[i].call;

		if (index == CT_NONE)
			continue;
		if (!model->calls.at[index].op_count++)
			model->calls.at[index].first_op = CT_NONE;
		if (CT_PUSH(&model->by_call, CT_NONE) < 0)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < model->ops.count; i++) {
		uint32_t index = model->ops.at[i].call;
		struct ct_host_call *call = index == CT_NONE ? NULL : &model->calls.at[index];

		if (!call)
			continue;
		if (call->first_op == CT_NONE) { /* here they go */
			call->first_op = next;
			next += call->op_count;
			call->op_count = 0;
		}
		model->by_call.at[call->first_op + call->op_count++] = i;
	}
	return 0;
}
