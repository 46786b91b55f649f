/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/occupancy.h"

#include <stdlib.h>

#define BLOCKS_PER_MULTIPROCESSOR 32 /* of compute capability 8.0 and later, most before */
#define WARP_THREADS 32

static int by_device(const void *a, const void *b)
{
	const struct ct_gpu *x = a, *y = b;

	return x->device < y->device ? -1 : x->device > y->device;
}

static const struct ct_gpu *gpu_of(const struct ct_model *model, uint32_t device)
{
	const struct ct_gpu want = { .device = device };

	return model->gpus.count ? bsearch(&want, model->gpus.at, model->gpus.count, sizeof(want),
					   by_device)
				 : NULL;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Blocks of a kernel that fit on one multiprocessor at a time; 0 = unknown. */
static uint64_t blocks_at_once(const struct ct_gpu *gpu, const struct ct_device_op *op)
{
	uint64_t threads = (uint64_t)op->u.kernel.block_x * op->u.kernel.block_y *
			   op->u.kernel.block_z;
	uint64_t warps = (threads + WARP_THREADS - 1) / WARP_THREADS;
	uint64_t registers = warps * WARP_THREADS * op->u.kernel.registers;
	uint64_t fit = BLOCKS_PER_MULTIPROCESSOR;

	if (!warps || !gpu->warps_per_multiprocessor)
		return 0;
	fit = least(fit, gpu->warps_per_multiprocessor / warps);
	if (registers && gpu->registers_per_multiprocessor)
		fit = least(fit, gpu->registers_per_multiprocessor / registers);
	if (op->shared_bytes && gpu->shared_per_multiprocessor)
		fit = least(fit, gpu->shared_per_multiprocessor / op->shared_bytes);
	return fit ? fit : 1; /* it did run */
}

static float share_of(const struct ct_model *model, const struct ct_device_op *op)
{
	const struct ct_gpu *gpu = gpu_of(model, op->device);
	double blocks, room;

	if (op->kind != CT_DEVICE_KERNEL || !gpu)
		return 0;
	blocks = (double)op->u.kernel.grid_x * op->u.kernel.grid_y * op->u.kernel.grid_z;
	room = (double)gpu->multiprocessors * (double)blocks_at_once(gpu, op);
	if (room <= 0)
		return 0;
	return blocks >= room ? 1.0f : (float)(blocks / room);
}

/* A block to each multiprocessor, while there are any: blocks are dealt out so. */
static float spread_of(const struct ct_model *model, const struct ct_op *op)
{
	const struct ct_gpu *gpu = gpu_of(model, op->raw.device);
	double blocks;

	if (op->raw.kind != CT_DEVICE_KERNEL || !gpu || !gpu->multiprocessors)
		return op->share;
	blocks = (double)op->raw.u.kernel.grid_x * op->raw.u.kernel.grid_y * op->raw.u.kernel.grid_z;
	return blocks >= gpu->multiprocessors ? 1.0f : (float)(blocks / gpu->multiprocessors);
}

void ct_occupancy_fill(struct ct_model *model)
{
	for (size_t i = 0; i < model->ops.count; i++) {
		model->ops.at[i].share = share_of(model, &model->ops.at[i].raw);
		model->ops.at[i].spread = spread_of(model, &model->ops.at[i]);
	}
}
