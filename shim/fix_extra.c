/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrappers of driver functions that the fixes must hear of and that no trace records. They
 * pass everything on.
 */
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>

#include "shim/entry.h"
#include "shim/fix.h"
#include "shim/real.h"

/* Not exported, as those of entry.c. */
#define HIDDEN __attribute__((visibility("hidden")))

/* For any version of the header: not all declare these. */
HIDDEN CUresult cuIpcGetMemHandle(CUipcMemHandle *handle, CUdeviceptr at);
HIDDEN CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned int flags);
HIDDEN CUresult cuStreamBeginCapture(CUstream stream);
HIDDEN CUresult cuStreamBeginCapture_ptsz(CUstream stream);

#define REAL(slot)                                                                                 \
	*(void **)&real = ct_real(&ct_real_driver, slot, __builtin_return_address(0));             \
	if (!real)                                                                                 \
		return CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND

CUresult cuIpcGetMemHandle(CUipcMemHandle *handle, CUdeviceptr at)
{
	CUresult (*real)(CUipcMemHandle *, CUdeviceptr);

	REAL(CT_ENTRY_IPC);
	ct_fix_shares(at);
	return real(handle, at);
}

HIDDEN CUresult cuMemGetHandleForAddressRange(void *handle, CUdeviceptr at, size_t bytes,
					      CUmemRangeHandleType type, unsigned long long flags)
{
	CUresult (*real)(void *, CUdeviceptr, size_t, CUmemRangeHandleType, unsigned long long);

	REAL(CT_ENTRY_RANGE);
	ct_fix_shares(at);
	return real(handle, at, bytes, type, flags);
}

CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned int flags)
{
	CUresult (*real)(CUcontext, unsigned int);

	REAL(CT_ENTRY_PEER);
	ct_fix_stop(CT_FIX_STOP_PEERS);
	return real(peer, flags);
}

/* The form of CUDA 10.0; the later ones have rows in apis_driver.def. */
CUresult cuStreamBeginCapture(CUstream stream)
{
	CUresult (*real)(CUstream), error;

	REAL(CT_ENTRY_CAPTURE);
	ct_fix_capture_begins();
	error = real(stream);
	if (error != CUDA_SUCCESS)
		ct_fix_capture_ends();
	return error;
}

CUresult cuStreamBeginCapture_ptsz(CUstream stream)
{
	CUresult (*real)(CUstream), error;

	REAL(CT_ENTRY_CAPTURE_PTSZ);
	ct_fix_capture_begins();
	error = real(stream);
	if (error != CUDA_SUCCESS)
		ct_fix_capture_ends();
	return error;
}
