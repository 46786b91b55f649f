/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What takes the place of the driver's functions. Every row of trace/apis_driver.def has a
 * replacement that makes the call again if it was refused for want of memory while there was
 * some to give back, and that looks out for second devices and contexts that end. Upon some of
 * them sits another one, written by hand.
 */
#define __CUDA_API_VERSION_INTERNAL /* as in wrap_driver.c */
#include <cuda.h>
#include <string.h>

#include "shim/driver_params.inc"
#include "shim/dlsym.h"
#include "shim/fix.h"
#include "shim/fix_lend.h"
#include "shim/real.h"
#include "trace/apis.h"

/* Constants for constant arguments. */
#define ENDS_CONTEXT(name, effects)                                                                \
	(((effects) & (CT_INIT | CT_DRAINS)) == (CT_INIT | CT_DRAINS) && strstr(name, "Ctx"))
#define OF_PEERS(name) (strstr(name, "Peer") != NULL)
#define FREES(effects) (((effects) & (CT_FREE | CT_DRAINS)) == (CT_FREE | CT_DRAINS))
#define OF_HOST(effects) (FREES(effects) && (effects) & CT_HOSTMEM)
#define OF_ARRAYS(name, effects) (FREES(effects) && strstr(name, "Array"))

#define BEGINS(effects) ((effects) & (CT_ALLOC | CT_COPY | CT_FILL | CT_LAUNCH))
#define ENDS(effects) ((effects) & (CT_ALLOC | CT_FREE | CT_COPY | CT_FILL | CT_LAUNCH | CT_SYNC))
#define POLLS(effects) ((effects) & CT_POLL)
#define DRAINS(name, effects) ((effects) & CT_SYNC && strstr(name, "Ctx"))

#define REPLACE(name, effects, params, args)                                                       \
	static CUresult(*behind_##name) params;                                                    \
	static CUresult again_##name params                                                        \
	{                                                                                          \
		CUresult error;                                                                    \
		uint64_t given, pending = DRAINS(#name, effects) ? ct_fix_pending() : 0;           \
                                                                                                   \
		if (BEGINS(effects))                                                               \
			ct_fix_begins();                                                           \
		if (ENDS_CONTEXT(#name, effects))                                                  \
			ct_fix_context_ends();                                                     \
		if (OF_PEERS(#name))                                                               \
			ct_fix_stop(CT_FIX_STOP_PEERS);                                            \
		do {                                                                               \
			given = ct_fix_given();                                                    \
			error = behind_##name args;                                                \
		} while (error == CUDA_ERROR_OUT_OF_MEMORY && \
			 ct_fix_give_back(given, CT_FIX_GIVE_WANTED));                             \
		if (error == CUDA_SUCCESS && (OF_HOST(effects) || OF_ARRAYS(#name, effects)))      \
			ct_fix_leave(OF_HOST(effects) ? CT_FIX_LEFT_HOST : CT_FIX_LEFT_ARRAY);     \
		if (ENDS(effects) || (POLLS(effects) && error == CUDA_SUCCESS))                    \
			ct_fix_ends();                                                             \
		if (DRAINS(#name, effects) && error == CUDA_SUCCESS)                               \
			ct_fix_drained(pending);                                                   \
		return error;                                                                      \
	}

#define CT_DRIVER(name, effects, in, out) REPLACE(name, effects, PARAMS_##name, ARGS_##name)
#define CT_DRIVER_VOID(name, effects) REPLACE(name, effects, (void), ())
#define CT_DRIVER_SEEN(name, cbid, effects)                                                        \
	KNOWN_##name(REPLACE(name, effects, PARAMS_##name, ARGS_##name))
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"

#define ROW(name) { #name, (void *)again_##name, (void **)&behind_##name },

static const struct row {
	const char *symbol;
	void *by;
	void **behind;
} rows[] = {
#define CT_DRIVER(name, effects, in, out) ROW(name)
#define CT_DRIVER_VOID(name, effects) ROW(name)
#define CT_DRIVER_SEEN(name, cbid, effects) KNOWN_##name(ROW(name))
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
};

/* By hand, upon those. */

static CUresult fixed_malloc(CUdeviceptr *ret, size_t bytes)
{
	uint64_t since_ns = ct_fix_now_ns();
	CUresult error = (CUresult)ct_fix_malloc((uint64_t *)ret, bytes);

	ct_fix_spent(since_ns);
	return error;
}

static CUresult fixed_free(CUdeviceptr at)
{
	uint64_t since_ns = ct_fix_now_ns();
	CUresult error = (CUresult)ct_fix_free(at);

	ct_fix_spent(since_ns);
	ct_fix_ends();
	return error;
}

static CUresult fixed_cuMemAllocManaged PARAMS_cuMemAllocManaged
{
	CUresult error = again_cuMemAllocManaged ARGS_cuMemAllocManaged;

	if (error == CUDA_SUCCESS)
		ct_fix_other(*dptr, bytesize, CT_FIX_LEFT_MANAGED);
	return error;
}

static CUresult fixed_cuMemAllocPitch_v2 PARAMS_cuMemAllocPitch_v2
{
	CUresult error = again_cuMemAllocPitch_v2 ARGS_cuMemAllocPitch_v2;

	if (error == CUDA_SUCCESS)
		ct_fix_other(*dptr, *pPitch * Height, CT_FIX_LEFT_PITCHED);
	return error;
}

/* The program is to be told the truth: what it has freed is free. */
static CUresult fixed_memory_info(size_t *ret_free, size_t *ret_total)
{
	ct_fix_give_back(0, CT_FIX_GIVE_ASKED);
	return again_cuMemGetInfo_v2(ret_free, ret_total);
}

#define CAPTURES(name)                                                                             \
	static CUresult fixed_##name PARAMS_##name                                                 \
	{                                                                                          \
		CUresult error;                                                                    \
                                                                                                   \
		ct_fix_capture_begins();                                                           \
		error = again_##name ARGS_##name;                                                  \
		if (error != CUDA_SUCCESS)                                                         \
			ct_fix_capture_ends();                                                     \
		return error;                                                                      \
	}

CAPTURES(cuStreamBeginCapture_v2)
CAPTURES(cuStreamBeginCapture_v2_ptsz)
CAPTURES(cuStreamBeginCaptureToGraph)
CAPTURES(cuStreamBeginCaptureToGraph_ptsz)

/* Other errors leave the stream as it is, so it may be captured still. */
#define CAPTURED(name)                                                                             \
	static CUresult fixed_##name PARAMS_##name                                                 \
	{                                                                                          \
		CUresult error = again_##name ARGS_##name;                                         \
                                                                                                   \
		if (error == CUDA_SUCCESS || error == CUDA_ERROR_STREAM_CAPTURE_INVALIDATED)       \
			ct_fix_capture_ends();                                                     \
		return error;                                                                      \
	}

CAPTURED(cuStreamEndCapture)
CAPTURED(cuStreamEndCapture_ptsz)

#define MAKES_CONTEXT(name)                                                                        \
	static CUresult fixed_##name PARAMS_##name                                                 \
	{                                                                                          \
		CUresult error = again_##name ARGS_##name;                                         \
                                                                                                   \
		if (error == CUDA_SUCCESS && pctx)                                                 \
			ct_fix_context(*pctx);                                                     \
		return error;                                                                      \
	}

#define CONTEXT_MAKERS(X)                                                                          \
	KNOWN_cuCtxCreate_v2(X(cuCtxCreate_v2))                                                    \
	KNOWN_cuCtxCreate_v3(X(cuCtxCreate_v3))                                                    \
	KNOWN_cuCtxCreate_v4(X(cuCtxCreate_v4))                                                    \
	KNOWN_cuDevicePrimaryCtxRetain(X(cuDevicePrimaryCtxRetain))

CONTEXT_MAKERS(MAKES_CONTEXT)

/*
 * An event of the primary context covers its green contexts, but one of a green context made
 * current covers that one only (cuCtxRecordEvent() in the driver API's manual).
 */
#define MAKES_GREEN(name)                                                                          \
	static CUresult fixed_##name PARAMS_##name                                                 \
	{                                                                                          \
		CUresult error = again_##name ARGS_##name;                                         \
                                                                                                   \
		if (error == CUDA_SUCCESS) {                                                       \
			ct_fix_stop(CT_FIX_STOP_CONTEXTS);                                         \
			ct_lend_stop();                                                            \
		}                                                                                  \
		return error;                                                                      \
	}

KNOWN_cuCtxFromGreenCtx(MAKES_GREEN(cuCtxFromGreenCtx))

/* Copies of pageable memory, by pin. */

#define STAGES(name, type, to_, from_, twin, any)                                                  \
	static int submit_##name(uint64_t to, const void *from, size_t bytes, void *stream)        \
	{                                                                                          \
		return again_##name(to, (type)(uintptr_t)from, bytes, stream);                     \
	}                                                                                          \
	static CUresult fixed_##name PARAMS_##name                                                 \
	{                                                                                          \
		const struct ct_fix_copy copy = {                                                  \
			.to = to_, .from = (const void *)(uintptr_t)from_, .bytes = ByteCount,     \
			.stream = hStream, .per_thread = twin, .any_way = any,                     \
			.submit = submit_##name,                                                   \
		};                                                                                 \
                                                                                                   \
		return (CUresult)ct_fix_copy(&copy);                                               \
	}

STAGES(cuMemcpyHtoDAsync_v2, const void *, dstDevice, srcHost, false, false)
STAGES(cuMemcpyHtoDAsync_v2_ptsz, const void *, dstDevice, srcHost, true, false)
STAGES(cuMemcpyAsync, CUdeviceptr, dst, src, false, true)
STAGES(cuMemcpyAsync_ptsz, CUdeviceptr, dst, src, true, true)

/* Of other forms: they are counted. */
#define LEAVES(name, to, from)                                                                     \
	static CUresult fixed_##name PARAMS_##name                                                 \
	{                                                                                          \
		CUresult error = again_##name ARGS_##name;                                         \
                                                                                                   \
		if (error == CUDA_SUCCESS)                                                         \
			ct_fix_other_copy(to, from);                                               \
		return error;                                                                      \
	}
/* Where an end of a box is, by what its description says; NULL: in an array. */
#define END(side)                                                                                  \
	(pCopy->side##MemoryType == CU_MEMORYTYPE_HOST    ? pCopy->side##Host                      \
	 : pCopy->side##MemoryType == CU_MEMORYTYPE_ARRAY ? NULL                                   \
	 : (const void *)pCopy->side##Device)

LEAVES(cuMemcpyDtoHAsync_v2, dstHost, NULL)
LEAVES(cuMemcpyDtoHAsync_v2_ptsz, dstHost, NULL)
LEAVES(cuMemcpy2DAsync_v2, END(dst), END(src))
LEAVES(cuMemcpy2DAsync_v2_ptsz, END(dst), END(src))
LEAVES(cuMemcpy3DAsync_v2, END(dst), END(src))
LEAVES(cuMemcpy3DAsync_v2_ptsz, END(dst), END(src))
LEAVES(cuMemcpyHtoAAsync_v2, NULL, srcHost)
LEAVES(cuMemcpyHtoAAsync_v2_ptsz, NULL, srcHost)
LEAVES(cuMemcpyAtoHAsync_v2, dstHost, NULL)
LEAVES(cuMemcpyAtoHAsync_v2_ptsz, dstHost, NULL)

/* What may write to memory of the host when its time comes; a graph may have either in it. */
#define WORKS_ON_HOST(name)                                                                        \
	static CUresult fixed_##name PARAMS_##name                                                 \
	{                                                                                          \
		CUresult error = again_##name ARGS_##name;                                         \
                                                                                                   \
		if (error == CUDA_SUCCESS)                                                         \
			ct_fix_host_work();                                                        \
		return error;                                                                      \
	}

#define BATCHES(name)                                                                              \
	static CUresult fixed_##name PARAMS_##name                                                 \
	{                                                                                          \
		CUresult error = again_##name ARGS_##name;                                         \
                                                                                                   \
		if (error != CUDA_SUCCESS)                                                         \
			return error;                                                              \
		ct_fix_host_work();                                                                \
		for (size_t i = 0; i < count; i++)                                                 \
			ct_fix_other_copy((const void *)dsts[i], (const void *)srcs[i]);           \
		return error;                                                                      \
	}

#define HOST_WORKERS(X)                                                                            \
	X(cuLaunchHostFunc) X(cuLaunchHostFunc_ptsz) X(cuStreamAddCallback)                        \
	X(cuStreamAddCallback_ptsz) X(cuGraphLaunch) X(cuGraphLaunch_ptsz)
#define COPY_BATCHES(X)                                                                            \
	KNOWN_cuMemcpyBatchAsync(X(cuMemcpyBatchAsync))                                            \
	KNOWN_cuMemcpyBatchAsync_v2(X(cuMemcpyBatchAsync_v2))

HOST_WORKERS(WORKS_ON_HOST)
COPY_BATCHES(BATCHES)

#define BY_HAND(name) { #name, (void *)fixed_##name, NULL },

static const struct row by_hand[] = {
	{ "cuMemAlloc_v2", (void *)fixed_malloc, NULL },
	{ "cuMemFree_v2", (void *)fixed_free, NULL },
	{ "cuMemGetInfo_v2", (void *)fixed_memory_info, NULL },
	BY_HAND(cuMemAllocManaged)
	BY_HAND(cuMemAllocPitch_v2)
	BY_HAND(cuStreamBeginCapture_v2)
	BY_HAND(cuStreamBeginCapture_v2_ptsz)
	BY_HAND(cuStreamBeginCaptureToGraph)
	BY_HAND(cuStreamBeginCaptureToGraph_ptsz)
	BY_HAND(cuStreamEndCapture)
	BY_HAND(cuStreamEndCapture_ptsz)
	CONTEXT_MAKERS(BY_HAND)
	KNOWN_cuCtxFromGreenCtx(BY_HAND(cuCtxFromGreenCtx))
};

static const struct row of_pin[] = {
	BY_HAND(cuMemcpyHtoDAsync_v2)
	BY_HAND(cuMemcpyHtoDAsync_v2_ptsz)
	BY_HAND(cuMemcpyAsync)
	BY_HAND(cuMemcpyAsync_ptsz)
	BY_HAND(cuMemcpyDtoHAsync_v2)
	BY_HAND(cuMemcpyDtoHAsync_v2_ptsz)
	BY_HAND(cuMemcpy2DAsync_v2)
	BY_HAND(cuMemcpy2DAsync_v2_ptsz)
	BY_HAND(cuMemcpy3DAsync_v2)
	BY_HAND(cuMemcpy3DAsync_v2_ptsz)
	BY_HAND(cuMemcpyHtoAAsync_v2)
	BY_HAND(cuMemcpyHtoAAsync_v2_ptsz)
	BY_HAND(cuMemcpyAtoHAsync_v2)
	BY_HAND(cuMemcpyAtoHAsync_v2_ptsz)
	HOST_WORKERS(BY_HAND)
	COPY_BATCHES(BY_HAND)
};

static int call_malloc(uint64_t *ret, size_t bytes)
{
	return again_cuMemAlloc_v2((CUdeviceptr *)ret, bytes);
}

static int call_free(uint64_t at)
{
	CUresult error = behind_cuMemFree_v2(at);

	if (!ct_fix_exiting()) /* also of one that had been deferred, which waits now */
		ct_fix_ends();
	return error;
}

/* Waits for all work, as every free of cuMemAlloc() memory. */
static int call_release(uint64_t at)
{
	uint64_t pending = ct_fix_pending();
	int error = call_free(at);

	if (error == CUDA_SUCCESS)
		ct_fix_drained(pending);
	return error;
}

static int call_memory_info(size_t *ret_free, size_t *ret_total)
{
	return behind_cuMemGetInfo_v2(ret_free, ret_total);
}

/* Returns false if one is missing. */
static bool find_others(struct ct_fix_driver *driver)
{
	const struct {
		const char *symbol;
		void *function;
	} wanted[] = {
		{ "cuCtxGetCurrent", &driver->context_get },
		{ "cuCtxPushCurrent_v2", &driver->context_push },
		{ "cuCtxPopCurrent_v2", &driver->context_pop },
		{ "cuCtxRecordEvent", &driver->context_record },
		{ "cuEventCreate", &driver->event_create },
		{ "cuEventQuery", &driver->event_query },
		{ "cuEventSynchronize", &driver->event_wait },
	};
	bool all = true;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *found = ct_real_loaded(&ct_real_driver, wanted[i].symbol);

		*(void **)wanted[i].function = found;
		all = all && found;
	}
	return all;
}

static void replace(const struct row *table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ct_real_replace(&ct_real_driver, table[i].symbol, table[i].by, table[i].behind);
}

#define REPLACE_ALL(table) replace(table, sizeof(table) / sizeof((table)[0]))

void ct_fix_rows_install(bool frees, bool pins)
{
	struct ct_fix_driver driver = {
		.malloc = call_malloc,
		.free = call_free,
		.release = call_release,
		.memory_info = call_memory_info,
	};
	bool able = find_others(&driver);
	bool stages = pins && ct_fix_pin_start();

	if (frees && !able)
		ct_fix_counts()->stopped = CT_FIX_STOP_OLD_DRIVER;
	ct_fix_counts()->pin.cannot = pins && !stages;
	if (!driver.context_get || !driver.context_push || !driver.context_pop)
		return;
	ct_fix_free_start(&driver, frees && able);
	REPLACE_ALL(rows);
	REPLACE_ALL(by_hand);
	if (stages)
		REPLACE_ALL(of_pin);
}
