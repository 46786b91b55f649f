/* SPDX-License-Identifier: Apache-2.0 */
/* What to write instead, one sentence per kind of wait, and how sure the diagnosis is. */
#include <string.h>

#include "analyze/seen.h"
#include "analyze/site.h"

#define LONG_NS 1000000  /* a wait this long is no coincidence */
#define OFTEN 3          /* nor is one that fits this often, every time */
#define TAIL_NS 500000   /* a call that held a lock and one that waited return so close together */

static const char *for_device_wait(const struct ct_site *site)
{
	if (site->effects & CT_SYNC)
		return "wait for one stream or event instead of more, or move independent host work "
		       "before it";
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
	if (site->effects & CT_LAUNCH)
		return "unset CUDA_LAUNCH_BLOCKING";
	if (site->effects & CT_CONFIG)
		return "change device limits once, before any work is submitted";
	if (site->effects & CT_INIT)
		return "unload code and destroy contexts when the device is idle";
	return "";
}

static const char *for_order(enum ct_edge_kind edge)
{
	if (edge == CT_EDGE_HOST_FUNCTION)
		return "keep host functions short: let them wake a thread that does the work";
	if (edge == CT_EDGE_ALIAS)
		return "use fewer streams, or set CUDA_DEVICE_MAX_CONNECTIONS to their number (at most "
		       "32)";
	if (edge == CT_EDGE_LOADING)
		return "load early: call each kernel once beforehand, or set CUDA_MODULE_LOADING=EAGER";
	if (edge == CT_EDGE_PEERS)
		return "copy between devices with cudaMemcpyPeerAsync, in a stream of its own made with "
		       "cudaStreamNonBlocking";
	return edge == CT_EDGE_DEFAULT
		? "use a stream of its own instead of the default stream (made with cudaStreamNonBlocking, or "
		  "compile with --default-stream per-thread), if the order is not needed"
		: "give each stream a pool of its own, or set cudaMemPoolReuseAllowInternalDependencies "
		  "to 0";
}

static const char *for_first_use(const struct ct_model *model, const struct ct_site *site)
{
	const char *why = site->worst_wait == CT_NONE ? "" : model->waits.at[site->worst_wait].why;

	if (strstr(why, "context"))
		return "call cudaFree(0) before the part that matters: once per process and device";
	if (strstr(why, "pool"))
		return "allocate and free once in stream order before the part that matters";
	return "load early: call each kernel once beforehand, or set CUDA_MODULE_LOADING=EAGER";
}

const char *ct_site_remedy(const struct ct_model *model, const struct ct_site *site)
{
	if (site->edge != CT_EDGES && !site->parts[CT_PART_DEVICE_WAIT])
		return for_order(site->edge);
	if (site->known && (site->worst == CT_PART_DEVICE_WAIT || site->worst == CT_PART_TRANSFER))
		return site->known->remedy;
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
		return for_first_use(model, site);
	default:
		return "";
	}
}

static bool fits(const struct ct_model *model, const struct ct_site *site)
{
	const struct ct_wait *wait = &model->waits.at[site->worst_wait];

	if (wait->part == CT_PART_LOCK_WAIT)
		return model->calls.at[wait->call].raw.leave_ns - wait->end_ns < TAIL_NS;
	return site->waited == site->chances &&
	       (site->waited >= OFTEN || wait->end_ns - wait->start_ns >= LONG_NS);
}

const char *ct_site_certainty(const struct ct_model *model, const struct ct_site *site)
{
	const struct ct_wait *wait;

	if (site->worst_wait == CT_NONE)
		return site->edge != CT_EDGES ? "strong" : "";
	wait = &model->waits.at[site->worst_wait];
	if (ct_seen_call(model, &model->calls.at[wait->call]) != CT_SEEN_ALL)
		return wait->part == CT_PART_UNEXPLAINED ? "" : "fair"; /* device times are missing */
	switch (wait->part) {
	case CT_PART_DEVICE_WAIT:
		if (site->effects & CT_SYNC && model->calls.at[wait->call].sync != CT_NONE)
			return "certain";
		return fits(model, site) ? "strong" : "fair";
	case CT_PART_LOCK_WAIT:
		return fits(model, site) ? "strong" : "fair";
	case CT_PART_UNEXPLAINED:
		return "";
	default:
		return "certain";
	}
}
