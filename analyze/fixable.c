/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/fixable.h"

#include "trace/pin.h"

bool ct_fixable_copy(const struct ct_model *model, uint32_t index)
{
	const struct ct_host_call *call = &model->calls.at[index];
	uint64_t bytes = 0;

	switch (call->api) {
	case CT_API_cudaMemcpyAsync:
	case CT_API_cudaMemcpyAsync_ptsz:
	case CT_API_cudaMemcpyToSymbolAsync:
	case CT_API_cudaMemcpyToSymbolAsync_ptsz:
	case CT_API_cuMemcpyAsync:
	case CT_API_cuMemcpyAsync_ptsz:
	case CT_API_cuMemcpyHtoDAsync_v2:
	case CT_API_cuMemcpyHtoDAsync_v2_ptsz:
		break;
	default:
		return false;
	}
	for (uint32_t n = 0; n < call->op_count; n++) {
		const struct ct_device_op *op = &model->ops.at[ct_model_op_of(model, call, n)].raw;

		if (op->kind != CT_DEVICE_COPY || op->u.copy.direction != CT_DIRECTION_H2D)
			return false;
		bytes += op->u.copy.bytes;
	}
	return bytes >= CT_PIN_LEAST_BYTES && bytes <= CT_PIN_MOST_BYTES;
}

uint64_t ct_fixable_frees_until(const struct ct_model *model)
{
	uint64_t first_ns = UINT64_MAX, second_ns = UINT64_MAX;

	for (size_t i = 0; i < model->contexts.count; i++) {
		uint64_t seen_ns = model->contexts.at[i].seen_ns;

		if (seen_ns < first_ns) {
			second_ns = first_ns;
			first_ns = seen_ns;
		} else if (seen_ns < second_ns) {
			second_ns = seen_ns;
		}
	}
	return second_ns;
}
