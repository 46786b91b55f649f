/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/device.h"

uint32_t ct_device_of_context(const struct ct_model *model, uint32_t context)
{
	for (size_t i = 0; i < model->contexts.count; i++)
		if (model->contexts.at[i].context == context)
			return model->contexts.at[i].device;
	for (size_t i = 0; i < model->streams.count; i++) /* older than CUPTI: it has no record */
		if (model->streams.at[i].context == context && model->streams.at[i].op_count)
			return model->streams.at[i].device;
	return CT_NONE;
}

static uint32_t plausible(uint32_t device)
{
	return device < CT_DEVICES_MOST ? device : CT_NONE;
}

static void count(struct ct_model *model, uint32_t device, uint64_t *seen)
{
	if (device >= CT_DEVICES_MOST)
		return;
	*seen |= (uint64_t)1 << device;
	if (device >= model->device_count)
		model->device_count = device + 1;
}

/* A part has those of the run, whether they had work in it or not. */
static void count_devices(struct ct_model *model)
{
	uint64_t seen = 0;

	model->device_count = 1;
	for (uint32_t device = 0; device < CT_DEVICES_MOST; device++)
		if (model->devices >> device & 1)
			count(model, device, &seen);
	for (size_t i = 0; i < model->contexts.count; i++)
		count(model, model->contexts.at[i].device, &seen);
	for (size_t i = 0; i < model->ops.count; i++)
		count(model, model->ops.at[i].raw.device, &seen);
	model->several_devices = seen & (seen - 1);
}

/* The last context that was looked up: few programs switch with each call. */
struct memo {
	uint32_t context, device;
};

static uint32_t remember(const struct ct_model *model, struct memo *memo, uint32_t context)
{
	if (!context)
		return CT_NONE;
	if (memo->context != context)
		*memo = (struct memo){ context, ct_device_of_context(model, context) };
	return memo->device;
}

void ct_devices_of_streams(struct ct_model *model)
{
	struct memo memo = { 0, CT_NONE };

	for (size_t i = 0; i < model->streams.count; i++) {
		struct ct_stream_info *stream = &model->streams.at[i];
		uint32_t device = plausible(remember(model, &memo, stream->context));

		if (device != CT_NONE)
			stream->device = device;
	}
}

void ct_devices_find(struct ct_model *model)
{
	struct memo memo = { 0, CT_NONE };

	count_devices(model);
	for (size_t i = 0; i < model->calls.count; i++) {
		struct ct_host_call *call = &model->calls.at[i];

		if (call->op_count)
			call->device = plausible(model->ops.at[ct_model_op_of(model, call, 0)].raw.device);
		else
			call->device = plausible(remember(model, &memo,
							  call->stream == CT_NONE
								  ? call->raw.context
								  : model->streams.at[call->stream].context));
	}
}
