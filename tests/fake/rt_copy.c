/* SPDX-License-Identifier: Apache-2.0 */
/* One-dimensional copies and all fills. */
#include "rt.h"

/* By the direction that the caller names, as the real runtime chooses among them. */
static cudaError_t copy(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind)
{
	CUdeviceptr to = (CUdeviceptr)dst, from = (CUdeviceptr)src;

	switch (kind) {
	case cudaMemcpyHostToDevice:
		return rt_error(cuMemcpyHtoD_v2(to, src, count));
	case cudaMemcpyDeviceToHost:
		return rt_error(cuMemcpyDtoH_v2(dst, from, count));
	case cudaMemcpyDeviceToDevice:
		return rt_error(cuMemcpyDtoD_v2(to, from, count));
	case cudaMemcpyHostToHost:
	case cudaMemcpyDefault:
		return rt_error(cuMemcpy(to, from, count));
	}
	return cudaErrorInvalidMemcpyDirection;
}

static cudaError_t copy_async(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind,
			      cudaStream_t stream)
{
	CUdeviceptr to = (CUdeviceptr)dst, from = (CUdeviceptr)src;

	switch (kind) {
	case cudaMemcpyHostToDevice:
		return rt_error(cuMemcpyHtoDAsync_v2(to, src, count, stream));
	case cudaMemcpyDeviceToHost:
		return rt_error(cuMemcpyDtoHAsync_v2(dst, from, count, stream));
	case cudaMemcpyDeviceToDevice:
		return rt_error(cuMemcpyDtoDAsync_v2(to, from, count, stream));
	case cudaMemcpyHostToHost:
	case cudaMemcpyDefault:
		return rt_error(cuMemcpyAsync(to, from, count, stream));
	}
	return cudaErrorInvalidMemcpyDirection;
}

RT_PTDS(cudaMemcpy, 3020, 7000,
	(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind),
	(dst, src, count, kind))
{
	return copy(dst, src, count, kind);
}

RT_PTSZ(cudaMemcpyAsync, 3020, 7000,
	(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind, cudaStream_t stream),
	(dst, src, count, kind, stream))
{
	return copy_async(dst, src, count, kind, stream);
}

/* The driver asks for contexts; ours goes by the addresses. */
static CUcontext primary(int device)
{
	return device < 0 || device >= (int)fake_device_count() ? NULL :
								  fake_context((uint32_t)device);
}

RT(cudaMemcpyPeer, 4000,
   (void *dst, int dstDevice, const void *src, int srcDevice, size_t count),
   (dst, dstDevice, src, srcDevice, count))
{
	CUcontext to = primary(dstDevice), from = primary(srcDevice);

	return to && from ? rt_error(cuMemcpyPeer((CUdeviceptr)dst, to, (CUdeviceptr)src, from,
						  count)) :
			    cudaErrorInvalidDevice;
}

RT(cudaMemcpyPeerAsync, 4000,
   (void *dst, int dstDevice, const void *src, int srcDevice, size_t count, cudaStream_t stream),
   (dst, dstDevice, src, srcDevice, count, stream))
{
	CUcontext to = primary(dstDevice), from = primary(srcDevice);

	return to && from ? rt_error(cuMemcpyPeerAsync((CUdeviceptr)dst, to, (CUdeviceptr)src,
						       from, count, stream)) :
			    cudaErrorInvalidDevice;
}

/* The address of count bytes at offset in a __device__ variable; NULL if it has fewer. */
static void *in_symbol(const void *symbol, size_t offset, size_t count)
{
	size_t bytes;
	char *device = rt_symbol(symbol, &bytes);

	return device && offset <= bytes && count <= bytes - offset ? device + offset : NULL;
}

RT_PTDS(cudaMemcpyToSymbol, 3020, 7000,
	(const void *symbol, const void *src, size_t count, size_t offset,
	 enum cudaMemcpyKind kind),
	(symbol, src, count, offset, kind))
{
	void *dst = in_symbol(symbol, offset, count);

	return dst ? copy(dst, src, count, kind) : cudaErrorInvalidSymbol;
}

RT_PTDS(cudaMemcpyFromSymbol, 3020, 7000,
	(void *dst, const void *symbol, size_t count, size_t offset, enum cudaMemcpyKind kind),
	(dst, symbol, count, offset, kind))
{
	const void *src = in_symbol(symbol, offset, count);

	return src ? copy(dst, src, count, kind) : cudaErrorInvalidSymbol;
}

RT_PTSZ(cudaMemcpyToSymbolAsync, 3020, 7000,
	(const void *symbol, const void *src, size_t count, size_t offset,
	 enum cudaMemcpyKind kind, cudaStream_t stream),
	(symbol, src, count, offset, kind, stream))
{
	void *dst = in_symbol(symbol, offset, count);

	return dst ? copy_async(dst, src, count, kind, stream) : cudaErrorInvalidSymbol;
}

RT_PTSZ(cudaMemcpyFromSymbolAsync, 3020, 7000,
	(void *dst, const void *symbol, size_t count, size_t offset, enum cudaMemcpyKind kind,
	 cudaStream_t stream),
	(dst, symbol, count, offset, kind, stream))
{
	const void *src = in_symbol(symbol, offset, count);

	return src ? copy_async(dst, src, count, kind, stream) : cudaErrorInvalidSymbol;
}

RT_PTDS(cudaMemset, 3020, 7000, (void *devPtr, int value, size_t count), (devPtr, value, count))
{
	return rt_error(cuMemsetD8_v2((CUdeviceptr)devPtr, (unsigned char)value, count));
}

RT_PTSZ(cudaMemsetAsync, 3020, 7000,
	(void *devPtr, int value, size_t count, cudaStream_t stream),
	(devPtr, value, count, stream))
{
	return rt_error(cuMemsetD8Async((CUdeviceptr)devPtr, (unsigned char)value, count, stream));
}

RT_PTDS(cudaMemset2D, 3020, 7000,
	(void *devPtr, size_t pitch, int value, size_t width, size_t height),
	(devPtr, pitch, value, width, height))
{
	return rt_error(cuMemsetD2D8_v2((CUdeviceptr)devPtr, pitch, (unsigned char)value, width,
					height));
}

RT_PTSZ(cudaMemset2DAsync, 3020, 7000,
	(void *devPtr, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream),
	(devPtr, pitch, value, width, height, stream))
{
	return rt_error(cuMemsetD2D8Async((CUdeviceptr)devPtr, pitch, (unsigned char)value, width,
					  height, stream));
}

/* One rectangle a slice. */
static cudaError_t fill3d(struct cudaPitchedPtr to, int value, struct cudaExtent extent,
			  cudaStream_t stream, bool async)
{
	for (size_t z = 0; z < extent.depth; z++) {
		CUdeviceptr slice = (CUdeviceptr)to.ptr + z * to.ysize * to.pitch;
		CUresult error =
			async ? cuMemsetD2D8Async(slice, to.pitch, (unsigned char)value,
						  extent.width, extent.height, stream) :
				cuMemsetD2D8_v2(slice, to.pitch, (unsigned char)value,
						extent.width, extent.height);
		if (error)
			return rt_error(error);
	}
	return cudaSuccess;
}

RT_PTDS(cudaMemset3D, 3020, 7000,
	(struct cudaPitchedPtr pitchedDevPtr, int value, struct cudaExtent extent),
	(pitchedDevPtr, value, extent))
{
	return fill3d(pitchedDevPtr, value, extent, NULL, false);
}

RT_PTSZ(cudaMemset3DAsync, 3020, 7000,
	(struct cudaPitchedPtr pitchedDevPtr, int value, struct cudaExtent extent,
	 cudaStream_t stream),
	(pitchedDevPtr, value, extent, stream))
{
	return fill3d(pitchedDevPtr, value, extent, stream, true);
}
