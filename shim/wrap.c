/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wrappers: every runtime row of trace/apis.def as an exported function.
 *
 * They are exported without a symbol version, so the references of programs built
 * for any CUDA version bind to them. A row whose prototype is not cuda_runtime_api.h's
 * does not compile, which is the point.
 */
#include <assert.h>
#include <cuda_runtime_api.h>

#include "shim/control.h"
#include "shim/fix.h"
#include "shim/hook.h"
#include "shim/mode.h"
#include "shim/real.h"
#include "shim/shim.h"

#define EXPORT __attribute__((visibility("default")))
#define P(parameter) (parameter)
#define CT_IN(...) __VA_ARGS__
#define CT_OUT(...) __VA_ARGS__

/* Functions that the runtime exports but this header does not declare. */
EXPORT cudaError_t cudaProfilerStart(void);
EXPORT cudaError_t cudaProfilerStop(void);
EXPORT cudaError_t __cudaLaunchKernel(cudaKernel_t, dim3, dim3, void **, size_t, cudaStream_t);
EXPORT cudaError_t __cudaLaunchKernel_ptsz(cudaKernel_t, dim3, dim3, void **, size_t, cudaStream_t);

#define CT_RUNTIME(name, version, effects, params, args, in, out) EXPORT cudaError_t name params;
#define CT_RUNTIME_VOID(name, version, effects) EXPORT cudaError_t name(void);
#define CT_RUNTIME_ALIAS(name, cbid, as, params, args, in) EXPORT cudaError_t name params;
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"

/* Every wrapper's real function; resolved together, see real.h. */
enum slot {
#define CT_RUNTIME(name, ...) SLOT_##name,
#define CT_RUNTIME_VOID(name, ...) SLOT_##name,
#define CT_RUNTIME_ALIAS(name, ...) SLOT_##name,
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
	SLOT_cudaProfilerStart, /* by hand, below */
	SLOT_cudaProfilerStop,
	SLOTS
};
static_assert(SLOTS < CT_REAL_SLOTS_MAX, "runtimes.c has a place for every wrapper");

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* old programs call these too */
static struct ct_real_function functions[] = {
#define ROW(name) { .symbol = #name, .length = sizeof(#name) - 1, .wrapper = (void *)name },
#define CT_RUNTIME(name, ...) ROW(name)
#define CT_RUNTIME_VOID(name, ...) ROW(name)
#define CT_RUNTIME_ALIAS(name, ...) ROW(name)
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
	ROW(cudaProfilerStart)
	ROW(cudaProfilerStop)
	{ .symbol = NULL },
};

static const char *const libraries[] = {
	"libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "libcudart.so", NULL,
};

struct ct_real_table ct_real_runtime = { .functions = functions, .libraries = libraries };

/* Each row's effects, as constants: a wrapper knows when it is built whether light leaves it. */
enum {
#define CT_RUNTIME(name, version, effects, params, args, in, out) EFFECTS_##name = (effects),
#define CT_RUNTIME_VOID(name, version, effects) EFFECTS_##name = (effects),
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
};

/* cudaDeviceReset(): a constant. */
#define ENDS_CONTEXT(effects) (((effects) & (CT_INIT | CT_DRAINS)) == (CT_INIT | CT_DRAINS))

#define WRAP(symbol, row, params, args, in, out)                                                   \
	EXPORT cudaError_t symbol params                                                           \
	{                                                                                          \
		const void *site = __builtin_return_address(0);                                    \
		cudaError_t(*real) params;                                                         \
		struct ct_call *call;                                                              \
		cudaError_t error;                                                                 \
                                                                                                   \
		*(void **)&real = ct_real_of_caller(&ct_real_runtime, SLOT_##symbol, site);        \
		if (!real)                                                                         \
			return cudaErrorSharedObjectSymbolNotFound;                                \
		if (ENDS_CONTEXT(EFFECTS_##row))                                                   \
			ct_fix_context_ends();                                                     \
		if (ct_mode_leaves(EFFECTS_##row))                                                 \
			return real args;                                                          \
		call = ct_hook_open(CT_API_##row, CT_ORIGIN_PLT);                                  \
		if (!call)                                                                         \
			return real args;                                                          \
		in;                                                                                \
		ct_hook_begin(call);                                                               \
		error = real args;                                                                 \
		ct_hook_end(call);                                                                 \
		if (error == cudaSuccess) {                                                        \
			out;                                                                       \
		}                                                                                  \
		ct_hook_close(call, (int)error, site);                                             \
		return error;                                                                      \
	}

#define CT_RUNTIME(name, version, effects, params, args, in, out)                                  \
	WRAP(name, name, params, args, in, out)
#define CT_RUNTIME_VOID(name, version, effects) WRAP(name, name, (void), (), , )
#define CT_RUNTIME_ALIAS(name, cbid, as, params, args, in)                                         \
	WRAP(name, as, params, args, in, )
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"

/* They are not recorded: they say when others are. */
cudaError_t cudaProfilerStart(void)
{
	cudaError_t (*real)(void), error;

	*(void **)&real = ct_real_of_caller(&ct_real_runtime, SLOT_cudaProfilerStart,
					    __builtin_return_address(0));
	if (!real)
		return cudaErrorSharedObjectSymbolNotFound;
	error = real();
	ct_control_profiler(true);
	return error;
}

cudaError_t cudaProfilerStop(void)
{
	cudaError_t (*real)(void);

	*(void **)&real = ct_real_of_caller(&ct_real_runtime, SLOT_cudaProfilerStop,
					    __builtin_return_address(0));
	if (!real)
		return cudaErrorSharedObjectSymbolNotFound;
	ct_control_profiler(false);
	return real();
}
