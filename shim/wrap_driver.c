/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's wrappers: every driver row of trace/apis_driver.def as a function that dlsym.c and
 * cuGetProcAddress hand out.
 *
 * driver_params.inc has their parameters, made from CUPTI's header at build time; a
 * prototype that is not cuda.h's does not compile. A _SEEN row has a wrapper where these
 * headers know its function. See entry.h for when they record.
 */
#define __CUDA_API_VERSION_INTERNAL /* every version by its own name, and no aliases */
#include <cuda.h>

#include "shim/driver_params.inc"
#include "shim/entry.h"
#include "shim/hook.h"
#include "shim/mode.h"
#include "shim/real.h"

/*
 * Not exported: libraries have variables of these names for what dlsym() finds, and a
 * definition in the global scope would take the variables' place.
 */
#define HIDDEN __attribute__((visibility("hidden")))
#define P(parameter) (parameter)
#define CT_IN(...) __VA_ARGS__
#define CT_OUT(...) __VA_ARGS__

/* In cuda.h, but for the oldest one and those of the profiler. */
HIDDEN CUresult cuProfilerStart(void);
HIDDEN CUresult cuProfilerStop(void);
HIDDEN CUresult cuInit(unsigned int flags);
HIDDEN CUresult cuGetProcAddress(const char *symbol, void **pfn, int version, cuuint64_t flags);
HIDDEN CUresult cuGetProcAddress_v2(const char *symbol, void **pfn, int version, cuuint64_t flags,
				    CUdriverProcAddressQueryResult *status);

#define CT_DRIVER(name, effects, in, out) HIDDEN CUresult name PARAMS_##name;
#define CT_DRIVER_VOID(name, effects) HIDDEN CUresult name(void);
#define CT_DRIVER_SEEN(name, cbid, effects) KNOWN_##name(HIDDEN CUresult name PARAMS_##name;)
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"

enum slot {
	SLOT_BEFORE = CT_ENTRY_BY_HAND - 1,
#define CT_DRIVER(name, effects, in, out) SLOT_##name,
#define CT_DRIVER_VOID(name, effects) SLOT_##name,
#define CT_DRIVER_SEEN(name, cbid, effects) KNOWN_##name(SLOT_##name, )
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
};

#define ROW(name) { .symbol = #name, .length = sizeof(#name) - 1, .wrapper = (void *)name },

static struct ct_real_function functions[] = {
	[CT_ENTRY_INIT] = ROW(cuInit)
	[CT_ENTRY_GET] = ROW(cuGetProcAddress)
	[CT_ENTRY_GET_V2] = ROW(cuGetProcAddress_v2)
	[CT_ENTRY_IPC] = ROW(cuIpcGetMemHandle)
	[CT_ENTRY_RANGE] = ROW(cuMemGetHandleForAddressRange)
	[CT_ENTRY_PEER] = ROW(cuCtxEnablePeerAccess)
	[CT_ENTRY_CAPTURE] = ROW(cuStreamBeginCapture)
	[CT_ENTRY_CAPTURE_PTSZ] = ROW(cuStreamBeginCapture_ptsz)
	[CT_ENTRY_PROFILER_START] = ROW(cuProfilerStart)
	[CT_ENTRY_PROFILER_STOP] = ROW(cuProfilerStop)
#define CT_DRIVER(name, effects, in, out) ROW(name)
#define CT_DRIVER_VOID(name, effects) ROW(name)
#define CT_DRIVER_SEEN(name, cbid, effects) KNOWN_##name(ROW(name))
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
	{ .symbol = NULL },
};

static const char *const libraries[] = { "libcuda.so.1", "libcuda.so", NULL };

struct ct_real_table ct_real_driver = { .functions = functions, .libraries = libraries };

#define WRAP(name, effects, params, args, in, out)                                                 \
	CUresult name params                                                                       \
	{                                                                                          \
		const void *site = __builtin_return_address(0);                                    \
		CUresult(*real) params;                                                            \
		struct ct_call *call;                                                              \
		CUresult error;                                                                    \
                                                                                                   \
		*(void **)&real = __atomic_load_n(&functions[SLOT_##name].function,                \
						  __ATOMIC_RELAXED);                               \
		if ((ct_entry_quiet() || ct_mode_leaves(effects)) && real)                         \
			return real args;                                                          \
		*(void **)&real = ct_real(&ct_real_driver, SLOT_##name, site);                     \
		if (!real)                                                                         \
			return CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND;                          \
		call = ct_entry_open(CT_API_##name);                                               \
		if (!call)                                                                         \
			return real args;                                                          \
		in;                                                                                \
		ct_hook_begin(call);                                                               \
		error = real args;                                                                 \
		ct_hook_end(call);                                                                 \
		if (error == CUDA_SUCCESS) {                                                       \
			out;                                                                       \
		}                                                                                  \
		ct_hook_close(call, (int)error, site);                                             \
		return error;                                                                      \
	}

#define CT_DRIVER(name, effects, in, out) WRAP(name, effects, PARAMS_##name, ARGS_##name, in, out)
#define CT_DRIVER_VOID(name, effects) WRAP(name, effects, (void), (), , )
#define CT_DRIVER_SEEN(name, cbid, effects) KNOWN_##name(WRAP(name, effects, PARAMS_##name, ARGS_##name, , ))
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
