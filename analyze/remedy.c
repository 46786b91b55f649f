/* SPDX-License-Identifier: Apache-2.0 */
/* What to write instead: one sentence per kind of wait. */
#include "analyze/site.h"

static const char *for_device_wait(const struct ct_site *site)
{
	if (site->effects & CT_SYNC)
		return "asked for by the program: wait for one stream or event instead of more, or "
		       "move independent host work before it";
	if (site->effects & CT_FREE && site->effects & CT_HOSTMEM)
		return "keep page-locked memory registered and reuse it; release it when the device "
		       "is idle";
	if (site->effects & CT_FREE)
		return "allocate with cudaMallocAsync and free with cudaFreeAsync on the same stream "
		       "(raise the pool's release threshold), or reuse the buffer";
	if (site->effects & CT_COPY && site->effects & CT_ASYNC)
		return "pin the host buffer (cudaMallocHost, or cudaHostRegister once): then the copy "
		       "is asynchronous";
	if (site->effects & CT_COPY)
		return "use cudaMemcpyAsync on the stream that needs the data, with pinned host memory";
	if (site->effects & CT_CONFIG)
		return "change device limits once, before any work is submitted";
	if (site->effects & CT_INIT)
		return "unload code and destroy contexts when the device is idle";
	return "";
}

const char *ct_site_remedy(const struct ct_site *site)
{
	switch (site->worst) {
	case CT_PART_DEVICE_WAIT:
		return for_device_wait(site);
	case CT_PART_LOCK_WAIT:
		return "remove the wait of the call that held the lock; this one only queued behind it";
	case CT_PART_QUEUE_FULL:
		return "submit less ahead: batch small kernels into a graph, or synchronise now and "
		       "then";
	case CT_PART_TRANSFER:
		return site->pageable ? "pin the host buffer: pageable memory is staged by the host"
				      : "use cudaMemcpyAsync to let the host go on during the copy";
	case CT_PART_FIRST_USE:
		return "load early: warm up, or set CUDA_MODULE_LOADING=EAGER";
	default:
		return "";
	}
}
