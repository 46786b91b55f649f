/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/correlate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/sort.h"

/* The table of calls by correlation, where ids are dense enough; they are as CUPTI counts. */
static int make_call_table(struct ct_model *model)
{
	size_t count = model->call_keys.count;
	uint32_t first = count ? model->call_keys.at[0].correlation : 0;
	uint64_t range = count ? model->call_keys.at[count - 1].correlation - first + 1 : 0;

	if (!count || range > 16 * (uint64_t)count + 4096)
		return 0;
	model->call_table.at = malloc(range * sizeof(*model->call_table.at));
	if (!model->call_table.at)
		return -ENOMEM;
	memset(model->call_table.at, 0xff, range * sizeof(*model->call_table.at));
	model->call_table.count = range;
	model->call_table_first = first;
	for (size_t i = count; i-- > 0;) /* of several, the first */
		model->call_table.at[model->call_keys.at[i].correlation - first] =
			model->call_keys.at[i].call;
	return 0;
}

int ct_correlate_calls(struct ct_model *model)
{
	const uint32_t recorded = CT_LAUNCH | CT_COPY | CT_FILL | CT_SYNC | CT_ORDER;
	struct ct_ranked *ranked = malloc((model->calls.count + 1) * sizeof(*ranked));
	size_t n = 0;
	int r = ranked ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		uint64_t id = call->raw.correlation;

		if (id)
			ranked[n++] = (struct ct_ranked){ id << 1 | !(call->effects & recorded),
							  (uint32_t)i };
	}
	if (r == 0)
		r = ct_sort_ranked(ranked, n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct ct_key key = { (uint32_t)(ranked[i].key >> 1), ranked[i].index };

		r = CT_PUSH(&model->call_keys, key);
	}
	free(ranked);
	return r == 0 ? make_call_table(model) : r;
}

int ct_correlate_ops(struct ct_model *model)
{
	struct ct_ranked *ranked = malloc((model->ops.count + 1) * sizeof(*ranked));
	int r = ranked ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < model->ops.count; i++)
		ranked[i] = (struct ct_ranked){ model->ops.at[i].raw.correlation, (uint32_t)i };
	if (r == 0)
		r = ct_sort_ranked(ranked, model->ops.count);
	for (size_t i = 0; r == 0 && i < model->ops.count; i++)
		r = CT_PUSH(&model->by_correlation, ranked[i].index);
	free(ranked);
	return r;
}
