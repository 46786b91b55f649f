/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/known.h"

#include <stddef.h>

static const struct ct_known all[] = {
	/* c10/cuda/CUDACachingAllocator.cpp (PyTorch 2.11, seen on an H200) */
	{ "CUDACachingAllocator6Native15uncached_delete", CT_FREE,
	  "unset PYTORCH_NO_CUDA_MEMORY_CACHING: PyTorch's caching allocator is switched off, so that each "
	  "tensor is allocated and freed for real",
	  "let PyTorch cache memory (unset PYTORCH_NO_CUDA_MEMORY_CACHING)" },
	/* aten/src/ATen/native/cuda/CUDAScalar.cu, as stacks in pytorch/pytorch#170860 have it */
	{ "_local_scalar_dense_cuda", CT_SYNC | CT_COPY,
	  "keep the value on the device: .item(), float(tensor) and `if tensor` wait for their stream; "
	  "fetch it once in many steps",
	  "keep the value on the device (no .item() or float(tensor) in each step)" },
};

const struct ct_known *ct_known_find(const struct ct_model *model, struct ct_places *places,
				     uint32_t stack, uint32_t effects)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].effects & effects && ct_places_through(model, places, stack, all[i].part))
			return &all[i];
	return NULL;
}
