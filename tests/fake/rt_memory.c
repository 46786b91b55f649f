/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations, frees, pools, and questions about memory. */
#include "rt.h"

#include <string.h>

RT(cudaMalloc, 3020, (void **devPtr, size_t size), (devPtr, size))
{
	if (size == 0 && devPtr)
		return *devPtr = NULL, cudaSuccess;
	return rt_error(cuMemAlloc_v2((CUdeviceptr *)devPtr, size));
}

RT(cudaMallocPitch, 3020, (void **devPtr, size_t *pitch, size_t width, size_t height),
   (devPtr, pitch, width, height))
{
	return rt_error(cuMemAllocPitch_v2((CUdeviceptr *)devPtr, pitch, width, height, 4));
}

RT(cudaMalloc3D, 3020, (struct cudaPitchedPtr *pitchedDevPtr, struct cudaExtent extent),
   (pitchedDevPtr, extent))
{
	*pitchedDevPtr = (struct cudaPitchedPtr){ .xsize = extent.width, .ysize = extent.height };
	return rt_error(cuMemAllocPitch_v2((CUdeviceptr *)&pitchedDevPtr->ptr,
					   &pitchedDevPtr->pitch, extent.width,
					   extent.height * extent.depth, 4));
}

RT(cudaMallocManaged, 6000, (void **devPtr, size_t size, unsigned int flags),
   (devPtr, size, flags))
{
	return rt_error(cuMemAllocManaged((CUdeviceptr *)devPtr, size, flags));
}

RT_PTSZ(cudaMallocAsync, 11020, 11020, (void **devPtr, size_t size, cudaStream_t hStream),
	(devPtr, size, hStream))
{
	return rt_error(cuMemAllocAsync((CUdeviceptr *)devPtr, size, hStream));
}

RT_PTSZ(cudaMallocFromPoolAsync, 11020, 11020,
	(void **ptr, size_t size, cudaMemPool_t memPool, cudaStream_t stream),
	(ptr, size, memPool, stream))
{
	return rt_error(cuMemAllocFromPoolAsync((CUdeviceptr *)ptr, size, memPool, stream));
}

RT(cudaMallocHost, 3020, (void **ptr, size_t size), (ptr, size))
{
	return rt_error(cuMemAllocHost_v2(ptr, size));
}

RT(cudaHostAlloc, 3020, (void **pHost, size_t size, unsigned int flags), (pHost, size, flags))
{
	return rt_error(cuMemHostAlloc(pHost, size, flags));
}

RT(cudaHostRegister, 4000, (void *ptr, size_t size, unsigned int flags), (ptr, size, flags))
{
	return rt_error(cuMemHostRegister_v2(ptr, size, flags));
}

RT(cudaHostUnregister, 4000, (void *ptr), (ptr))
{
	return rt_error(cuMemHostUnregister(ptr));
}

RT(cudaHostGetDevicePointer, 3020, (void **pDevice, void *pHost, unsigned int flags),
   (pDevice, pHost, flags))
{
	return rt_error(cuMemHostGetDevicePointer_v2((CUdeviceptr *)pDevice, pHost, flags));
}

/* Measured table, row "cudaFree(NULL)": nothing to do, though programs use it to start up. */
RT(cudaFree, 3020, (void *devPtr), (devPtr))
{
	return devPtr ? rt_error(cuMemFree_v2((CUdeviceptr)devPtr)) : cudaSuccess;
}

RT(cudaFreeHost, 3020, (void *ptr), (ptr))
{
	return ptr ? rt_error(cuMemFreeHost(ptr)) : cudaSuccess;
}

RT_PTSZ(cudaFreeAsync, 11020, 11020, (void *devPtr, cudaStream_t hStream), (devPtr, hStream))
{
	return rt_error(cuMemFreeAsync((CUdeviceptr)devPtr, hStream));
}

static cudaError_t array_create(cudaArray_t *array, const struct cudaChannelFormatDesc *desc,
				struct cudaExtent extent)
{
	CUarray made = NULL;
	CUDA_ARRAY3D_DESCRIPTOR want = {
		.Width = extent.width, .Height = extent.height, .Depth = extent.depth,
		.Format = desc->x == 8  ? CU_AD_FORMAT_UNSIGNED_INT8 :
			  desc->x == 16 ? CU_AD_FORMAT_UNSIGNED_INT16 :
					  CU_AD_FORMAT_UNSIGNED_INT32,
		.NumChannels = 1u + (desc->y > 0) + 2u * (desc->z > 0),
	};
	CUresult error = cuArray3DCreate_v2(&made, &want);

	if (!error)
		*array = (cudaArray_t)made;
	return rt_error(error);
}

RT(cudaMallocArray, 3020,
   (cudaArray_t *array, const struct cudaChannelFormatDesc *desc, size_t width, size_t height,
    unsigned int flags),
   (array, desc, width, height, flags))
{
	(void)flags;
	return array_create(array, desc, (struct cudaExtent){ width, height, 0 });
}

RT(cudaMalloc3DArray, 3020,
   (cudaArray_t *array, const struct cudaChannelFormatDesc *desc, struct cudaExtent extent,
    unsigned int flags),
   (array, desc, extent, flags))
{
	(void)flags;
	return array_create(array, desc, extent);
}

/* Only its top level. */
RT(cudaMallocMipmappedArray, 5000,
   (cudaMipmappedArray_t *mipmappedArray, const struct cudaChannelFormatDesc *desc,
    struct cudaExtent extent, unsigned int numLevels, unsigned int flags),
   (mipmappedArray, desc, extent, numLevels, flags))
{
	(void)numLevels, (void)flags;
	return array_create((cudaArray_t *)mipmappedArray, desc, extent);
}

RT(cudaFreeArray, 3020, (cudaArray_t array), (array))
{
	return array ? rt_error(cuArrayDestroy((CUarray)array)) : cudaSuccess;
}

RT(cudaFreeMipmappedArray, 5000, (cudaMipmappedArray_t mipmappedArray), (mipmappedArray))
{
	return mipmappedArray ? rt_error(cuArrayDestroy((CUarray)mipmappedArray)) : cudaSuccess;
}

FAKE_EXPORT struct cudaChannelFormatDesc cudaCreateChannelDesc(int x, int y, int z, int w,
							       enum cudaChannelFormatKind f)
{
	return (struct cudaChannelFormatDesc){ x, y, z, w, f };
}

RT(cudaMemGetInfo, 3020, (size_t *free, size_t *total), (free, total))
{
	return rt_error(cuMemGetInfo_v2(free, total));
}

RT(cudaIpcGetMemHandle, 4010, (cudaIpcMemHandle_t *handle, void *devPtr), (handle, devPtr))
{
	return rt_error(cuIpcGetMemHandle((CUipcMemHandle *)handle, (CUdeviceptr)devPtr));
}

RT(cudaPointerGetAttributes, 4000, (struct cudaPointerAttributes *attributes, const void *ptr),
   (attributes, ptr))
{
	static const enum cudaMemoryType types[] = {
		[FAKE_PAGEABLE] = cudaMemoryTypeUnregistered,
		[FAKE_PINNED] = cudaMemoryTypeHost,
		[FAKE_REGISTERED] = cudaMemoryTypeHost,
		[FAKE_DEVICE] = cudaMemoryTypeDevice,
		[FAKE_POOLED] = cudaMemoryTypeDevice,
		[FAKE_MANAGED] = cudaMemoryTypeManaged,
		[FAKE_ARRAY] = cudaMemoryTypeDevice,
	};

	memset(attributes, 0, sizeof(*attributes));
	attributes->type = types[fake_memory_kind_of(ptr, NULL, NULL)];
	attributes->device = (int)fake_memory_device(ptr);
	if (attributes->type != cudaMemoryTypeUnregistered)
		attributes->devicePointer = (void *)(uintptr_t)ptr;
	if (attributes->type != cudaMemoryTypeDevice)
		attributes->hostPointer = (void *)(uintptr_t)ptr;
	return cudaSuccess;
}

RT(cudaGetSymbolAddress, 3020, (void **devPtr, const void *symbol), (devPtr, symbol))
{
	*devPtr = rt_symbol(symbol, NULL);
	return *devPtr ? cudaSuccess : cudaErrorInvalidSymbol;
}

RT(cudaGetSymbolSize, 3020, (size_t *size, const void *symbol), (size, symbol))
{
	return rt_symbol(symbol, size) ? cudaSuccess : cudaErrorInvalidSymbol;
}

/* All memory is the host's own: nothing to move, and no advice to follow. */
RT_PTSZ(cudaMemPrefetchAsync, 12020, 12020,
	(const void *devPtr, size_t count, struct cudaMemLocation location, unsigned int flags,
	 cudaStream_t stream),
	(devPtr, count, location, flags, stream))
{
	(void)devPtr, (void)count, (void)location, (void)flags, (void)stream;
	return cudaSuccess;
}

RT(cudaMemAdvise, 12020,
   (const void *devPtr, size_t count, enum cudaMemoryAdvise advice,
    struct cudaMemLocation location),
   (devPtr, count, advice, location))
{
	(void)devPtr, (void)count, (void)advice, (void)location;
	return cudaSuccess;
}

RT(cudaDeviceGetDefaultMemPool, 11020, (cudaMemPool_t *memPool, int device), (memPool, device))
{
	return rt_error(cuDeviceGetDefaultMemPool(memPool, device));
}

RT(cudaDeviceGetMemPool, 11020, (cudaMemPool_t *memPool, int device), (memPool, device))
{
	return rt_error(cuDeviceGetMemPool(memPool, device));
}

RT(cudaDeviceSetMemPool, 11020, (int device, cudaMemPool_t memPool), (device, memPool))
{
	return rt_error(cuDeviceSetMemPool(device, memPool));
}

RT(cudaMemPoolCreate, 11020, (cudaMemPool_t *memPool, const struct cudaMemPoolProps *poolProps),
   (memPool, poolProps))
{
	return rt_error(cuMemPoolCreate(memPool, (const CUmemPoolProps *)poolProps));
}

RT(cudaMemPoolDestroy, 11020, (cudaMemPool_t memPool), (memPool))
{
	return rt_error(cuMemPoolDestroy(memPool));
}

RT(cudaMemPoolTrimTo, 11020, (cudaMemPool_t memPool, size_t minBytesToKeep),
   (memPool, minBytesToKeep))
{
	return rt_error(cuMemPoolTrimTo(memPool, minBytesToKeep));
}

RT(cudaMemPoolSetAttribute, 11020,
   (cudaMemPool_t memPool, enum cudaMemPoolAttr attr, void *value), (memPool, attr, value))
{
	return rt_error(cuMemPoolSetAttribute(memPool, (CUmemPool_attribute)attr, value));
}

RT(cudaMemPoolGetAttribute, 11020,
   (cudaMemPool_t memPool, enum cudaMemPoolAttr attr, void *value), (memPool, attr, value))
{
	return rt_error(cuMemPoolGetAttribute(memPool, (CUmemPool_attribute)attr, value));
}
