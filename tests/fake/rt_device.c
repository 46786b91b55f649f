/* SPDX-License-Identifier: Apache-2.0 */
/* The device: which there are, what they can, waiting for one. */
#include "rt.h"

#include <cudaProfiler.h>
#include <string.h>

RT_EARLY(cudaDriverGetVersion, 3020, (int *driverVersion), (driverVersion))
{
	return rt_error(cuDriverGetVersion(driverVersion));
}

RT_EARLY(cudaRuntimeGetVersion, 3020, (int *runtimeVersion), (runtimeVersion))
{
	*runtimeVersion = CUDART_VERSION;
	return cudaSuccess;
}

RT_EARLY(cudaGetDeviceCount, 3020, (int *count), (count))
{
	return rt_note(rt_error(cuDeviceGetCount(count)));
}

RT_EARLY(cudaGetDevice, 3020, (int *device), (device))
{
	*device = (int)fake_device();
	return rt_note(rt_error(cuInit(0)));
}

/* The primary context of a device, which is made if there is none. */
static cudaError_t context_of(int device, CUcontext *ret_context)
{
	if (device < 0 || device >= (int)fake_device_count())
		return cudaErrorInvalidDevice;
	*ret_context = fake_context((uint32_t)device);
	return *ret_context ? cudaSuccess :
			      rt_error(cuDevicePrimaryCtxRetain(ret_context, device));
}

/* Since CUDA 12.0 it makes the context as well, says the manual. */
RT_EARLY(cudaSetDevice, 3020, (int device), (device))
{
	CUcontext context;
	cudaError_t error = context_of(device, &context);

	if (!error && device != (int)fake_device())
		error = rt_error(cuCtxSetCurrent(context));
	return rt_note(error);
}

RT_EARLY(cudaInitDevice, 12000, (int device, unsigned int deviceFlags, unsigned int flags),
	 (device, deviceFlags, flags))
{
	CUcontext context;

	(void)deviceFlags, (void)flags;
	return rt_note(context_of(device, &context));
}

RT_EARLY(cudaDeviceCanAccessPeer, 4000, (int *canAccessPeer, int device, int peerDevice),
	 (canAccessPeer, device, peerDevice))
{
	return rt_note(rt_error(cuDeviceCanAccessPeer(canAccessPeer, device, peerDevice)));
}

RT_EARLY(cudaDeviceGetP2PAttribute, 8000,
	 (int *value, enum cudaDeviceP2PAttr attr, int srcDevice, int dstDevice),
	 (value, attr, srcDevice, dstDevice))
{
	return rt_note(rt_error(cuDeviceGetP2PAttribute(value, (CUdevice_P2PAttribute)attr,
							srcDevice, dstDevice)));
}

RT(cudaDeviceEnablePeerAccess, 4000, (int peerDevice, unsigned int flags), (peerDevice, flags))
{
	CUcontext peer;
	cudaError_t error = context_of(peerDevice, &peer);

	return error ? error : rt_error(cuCtxEnablePeerAccess(peer, flags));
}

RT(cudaDeviceDisablePeerAccess, 4000, (int peerDevice), (peerDevice))
{
	CUcontext peer;
	cudaError_t error = context_of(peerDevice, &peer);

	return error ? error : rt_error(cuCtxDisablePeerAccess(peer));
}

RT_EARLY(cudaSetDeviceFlags, 3020, (unsigned int flags), (flags))
{
	(void)flags;
	return cudaSuccess;
}

RT_EARLY(cudaGetDeviceProperties, 12000, (struct cudaDeviceProp *prop, int device),
	 (prop, device))
{
	if (device < 0 || device >= (int)fake_device_count())
		return rt_note(cudaErrorInvalidDevice);
	memset(prop, 0, sizeof(*prop));
	cuDeviceGetName(prop->name, sizeof(prop->name), device);
	cuDeviceTotalMem_v2(&prop->totalGlobalMem, device);
	prop->sharedMemPerBlock = 49152;
	prop->regsPerBlock = 65536;
	prop->warpSize = 32;
	prop->maxThreadsPerBlock = 1024;
	prop->maxThreadsDim[0] = prop->maxThreadsDim[1] = 1024;
	prop->maxThreadsDim[2] = 64;
	prop->maxGridSize[0] = 2147483647;
	prop->maxGridSize[1] = prop->maxGridSize[2] = 65535;
	prop->major = 9;
	prop->multiProcessorCount = 132;
	prop->maxThreadsPerMultiProcessor = 2048;
	prop->concurrentKernels = 1;
	prop->asyncEngineCount = 3;
	prop->unifiedAddressing = 1;
	prop->managedMemory = 1;
	prop->concurrentManagedAccess = 1;
	prop->canMapHostMemory = 1;
	prop->memoryPoolsSupported = 1;
	prop->cooperativeLaunch = 1;
	prop->streamPrioritiesSupported = 1;
	return cudaSuccess;
}

RT_EARLY(cudaDeviceGetAttribute, 5000, (int *value, enum cudaDeviceAttr attr, int device),
	 (value, attr, device))
{
	return rt_note(rt_error(cuDeviceGetAttribute(value, (CUdevice_attribute)attr, device)));
}

RT_EARLY(cudaDeviceGetPCIBusId, 4010, (char *pciBusId, int len, int device),
	 (pciBusId, len, device))
{
	return rt_note(rt_error(cuDeviceGetPCIBusId(pciBusId, len, device)));
}

RT(cudaDeviceGetStreamPriorityRange, 5050, (int *leastPriority, int *greatestPriority),
   (leastPriority, greatestPriority))
{
	return rt_error(cuCtxGetStreamPriorityRange(leastPriority, greatestPriority));
}

RT(cudaDeviceSetLimit, 3020, (enum cudaLimit limit, size_t value), (limit, value))
{
	return rt_error(cuCtxSetLimit((CUlimit)limit, value));
}

RT(cudaDeviceGetLimit, 3020, (size_t *pValue, enum cudaLimit limit), (pValue, limit))
{
	return rt_error(cuCtxGetLimit(pValue, (CUlimit)limit));
}

RT_VOID(cudaDeviceSynchronize, 3020)
{
	cudaError_t error = rt_ready();

	return rt_note(error ? error : rt_error(cuCtxSynchronize()));
}

/* That it drains the device is documented, not measured. */
RT_VOID(cudaDeviceReset, 3020)
{
	return rt_note(rt_error(cuDevicePrimaryCtxReset_v2((CUdevice)fake_device())));
}

RT_VOID(cudaProfilerStart, 4000)
{
	cudaError_t error = rt_ready();

	return rt_note(error ? error : rt_error(cuProfilerStart()));
}

RT_VOID(cudaProfilerStop, 4000)
{
	cudaError_t error = rt_ready();

	return rt_note(error ? error : rt_error(cuProfilerStop()));
}

/* The results of the query have the same numbers in both APIs. */
RT_PTSZ(cudaGetDriverEntryPointByVersion, 12050, 12050,
	(const char *symbol, void **funcPtr, unsigned int cudaVersion, unsigned long long flags,
	 enum cudaDriverEntryPointQueryResult *driverStatus),
	(symbol, funcPtr, cudaVersion, flags, driverStatus))
{
	CUdriverProcAddressQueryResult status;
	CUresult error = cuGetProcAddress_v2(symbol, funcPtr, (int)cudaVersion, flags, &status);

	if (driverStatus)
		*driverStatus = (enum cudaDriverEntryPointQueryResult)status;
	return rt_error(error);
}
