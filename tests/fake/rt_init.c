/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's beginnings and its memory of the last error. */
#include "rt.h"

#include <stdatomic.h>

static _Thread_local cudaError_t last_error;

/* Before any callback: the driver. Returns the name of what is launched, if anything. */
const char *rt_begin(const void *launched)
{
	static atomic_bool initialised;
	const struct fake_function *function;

	if (!initialised)
		initialised = cuInit(0) == CUDA_SUCCESS;
	function = launched ? rt_function(launched) : NULL;
	return function ? function->name : NULL;
}

/* After the first callback: the context. */
cudaError_t rt_ready(void)
{
	CUcontext context;

	if (fake_context(fake_device()))
		return cudaSuccess;
	return rt_error(cuDevicePrimaryCtxRetain(&context, (CUdevice)fake_device()));
}

cudaError_t rt_note(cudaError_t error)
{
	if (error && error != cudaErrorNotReady)
		last_error = error;
	return error;
}

/* The two enums agree on all that the fake driver returns. */
cudaError_t rt_error(CUresult error)
{
	return (cudaError_t)error;
}

RT_VOID(cudaGetLastError, 3020)
{
	cudaError_t error = last_error;

	last_error = cudaSuccess;
	return error;
}

RT_VOID(cudaPeekAtLastError, 3020)
{
	return last_error;
}

/* Of errors that the fake can return. */
static const struct error_text {
	cudaError_t error;
	const char *name, *text;
} error_texts[] = {
#define ERROR(value, text) { value, #value, text }
	ERROR(cudaSuccess, "no error"),
	ERROR(cudaErrorInvalidValue, "invalid argument"),
	ERROR(cudaErrorMemoryAllocation, "out of memory"),
	ERROR(cudaErrorInitializationError, "initialization error"),
	ERROR(cudaErrorInvalidDeviceFunction, "invalid device function"),
	ERROR(cudaErrorInvalidSymbol, "invalid device symbol"),
	ERROR(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
	ERROR(cudaErrorMissingConfiguration, "__global__ function call is not configured"),
	ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
	ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
	ERROR(cudaErrorDeviceUninitialized, "invalid device context"),
	ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
	ERROR(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
	ERROR(cudaErrorSymbolNotFound, "named symbol not found"),
	ERROR(cudaErrorNotReady, "device not ready"),
	ERROR(cudaErrorPeerAccessAlreadyEnabled, "peer access is already enabled"),
	ERROR(cudaErrorPeerAccessNotEnabled, "peer access has not been enabled"),
	ERROR(cudaErrorPeerAccessUnsupported,
	      "peer access is not supported between these two devices"),
	ERROR(cudaErrorHostMemoryAlreadyRegistered,
	      "part or all of the requested memory range is already mapped"),
	ERROR(cudaErrorHostMemoryNotRegistered,
	      "pointer does not correspond to a registered memory region"),
	ERROR(cudaErrorUnsupportedLimit, "limit is not supported on this architecture"),
	ERROR(cudaErrorNotSupported, "operation not supported"),
	ERROR(cudaErrorStreamCaptureUnsupported,
	      "operation not permitted when stream is capturing"),
#undef ERROR
};

static const struct error_text *error_text(cudaError_t error)
{
	static const struct error_text unknown = {
		.name = "unrecognized error code", .text = "unrecognized error code",
	};

	for (size_t i = 0; i < sizeof(error_texts) / sizeof(*error_texts); i++)
		if (error_texts[i].error == error)
			return &error_texts[i];
	return &unknown;
}

FAKE_EXPORT const char *cudaGetErrorString(cudaError_t error)
{
	return error_text(error)->text;
}

FAKE_EXPORT const char *cudaGetErrorName(cudaError_t error)
{
	return error_text(error)->name;
}
