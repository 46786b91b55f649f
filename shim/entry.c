/* SPDX-License-Identifier: Apache-2.0 */
/* The driver wrappers' state, and those that are written by hand. */
#include "shim/entry.h"

#define __CUDA_API_VERSION_INTERNAL /* names without the header's aliases */
#include <cuda.h>
#include <errno.h>

#include "shim/control.h"
#include "shim/mode.h"
#include "shim/real.h"
#include "shim/shim.h"

/*
 * Not exported: libraries have variables of these names for what dlsym() finds, and a
 * definition in the global scope would take the variables' place.
 */
#define HIDDEN __attribute__((visibility("hidden")))

uint32_t ct_entry_state = CT_ENTRY_UNDECIDED;

void ct_entry_decide(enum ct_entry_state state)
{
	__atomic_store_n(&ct_entry_state, state, __ATOMIC_RELEASE);
}

void ct_entry_settle(void)
{
	uint32_t undecided = CT_ENTRY_UNDECIDED;
	uint32_t to = ct_shim_start() || ct_shim_closed() ? CT_ENTRY_RECORDS : CT_ENTRY_QUIET;

	if (ct_shim_starting()) /* it will be known when that is done */
		return;
	__atomic_compare_exchange_n(&ct_entry_state, &undecided, to, 0, __ATOMIC_RELEASE,
				    __ATOMIC_RELAXED);
}

struct ct_call *ct_entry_open(enum ct_api api)
{
	if (__atomic_load_n(&ct_entry_state, __ATOMIC_ACQUIRE) == CT_ENTRY_UNDECIDED)
		ct_entry_settle();
	if (__atomic_load_n(&ct_entry_state, __ATOMIC_ACQUIRE) == CT_ENTRY_QUIET ||
	    ct_mode_leaves(ct_apis[api].effects))
		return NULL;
	return ct_hook_open(api, CT_ORIGIN_ENTRY);
}

HIDDEN CUresult cuInit(unsigned int flags);
HIDDEN CUresult cuGetProcAddress(const char *symbol, void **pfn, int version, cuuint64_t flags);
HIDDEN CUresult cuGetProcAddress_v2(const char *symbol, void **pfn, int version, cuuint64_t flags,
				    CUdriverProcAddressQueryResult *status);

/*
 * The first call of it that succeeds has brought CUPTI, if any, when it returns: only then
 * is it known whether it must be recorded here. One that fails tells of no CUDA to trace.
 */
CUresult cuInit(unsigned int flags)
{
	const void *site = __builtin_return_address(0);
	CUresult (*real)(unsigned int), error;
	uint64_t enter_ns, leave_ns;
	struct ct_call *call;

	*(void **)&real = ct_real(&ct_real_driver, CT_ENTRY_INIT, site);
	if (!real)
		return CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND;
	enter_ns = ct_now_ns();
	error = real(flags);
	leave_ns = ct_now_ns();
	call = error ? NULL : ct_entry_open(CT_API_cuInit);
	if (call) {
		call->enter_ns = enter_ns;
		call->leave_ns = leave_ns;
		ct_hook_close(call, (int)error, site);
	}
	return error;
}

HIDDEN CUresult cuProfilerStart(void);
HIDDEN CUresult cuProfilerStop(void);

/* What the runtime's functions of these names call as well: the second time nothing changes. */
CUresult cuProfilerStart(void)
{
	CUresult (*real)(void), error;

	*(void **)&real = ct_real(&ct_real_driver, CT_ENTRY_PROFILER_START, __builtin_return_address(0));
	if (!real)
		return CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND;
	error = real();
	ct_control_profiler(true);
	return error;
}

CUresult cuProfilerStop(void)
{
	CUresult (*real)(void);

	*(void **)&real = ct_real(&ct_real_driver, CT_ENTRY_PROFILER_STOP, __builtin_return_address(0));
	if (!real)
		return CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND;
	ct_control_profiler(false);
	return real();
}

/*
 * The driver finds the function that name, version and flags ask for. Only if what it found
 * is exactly the function of a row, the caller gets that row's wrapper for it.
 */
static void swap(CUresult error, void **pfn, const void *site)
{
	if (!error && pfn && *pfn)
		*pfn = ct_real_swap(&ct_real_driver, *pfn, site);
}

CUresult cuGetProcAddress(const char *symbol, void **pfn, int version, cuuint64_t flags)
{
	const void *site = __builtin_return_address(0);
	CUresult (*real)(const char *, void **, int, cuuint64_t), error;

	*(void **)&real = ct_real(&ct_real_driver, CT_ENTRY_GET, site);
	if (!real)
		return CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND;
	error = real(symbol, pfn, version, flags);
	swap(error, pfn, site);
	return error;
}

CUresult cuGetProcAddress_v2(const char *symbol, void **pfn, int version, cuuint64_t flags,
			     CUdriverProcAddressQueryResult *status)
{
	const void *site = __builtin_return_address(0);
	CUresult (*real)(const char *, void **, int, cuuint64_t, CUdriverProcAddressQueryResult *);
	CUresult error;

	*(void **)&real = ct_real(&ct_real_driver, CT_ENTRY_GET_V2, site);
	if (!real)
		return CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND;
	error = real(symbol, pfn, version, flags, status);
	swap(error, pfn, site);
	return error;
}
