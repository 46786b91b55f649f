/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of rectangles and boxes, of memory and of arrays. */
#include "rt.h"

/* One end of a copy: an array, or pitched memory when array is NULL. */
struct end {
	cudaArray_const_t array;
	const void *ptr;
	size_t pitch, rows;
	size_t x_bytes, y, z;
};

static cudaError_t copy_box(struct end dst, struct end src, struct cudaExtent extent,
			    cudaStream_t stream, bool async)
{
	CUDA_MEMCPY3D box = {
		.dstMemoryType = dst.array ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_UNIFIED,
		.dstArray = (CUarray)(uintptr_t)dst.array,
		.dstDevice = (CUdeviceptr)dst.ptr,
		.dstPitch = dst.pitch, .dstHeight = dst.rows,
		.dstXInBytes = dst.x_bytes, .dstY = dst.y, .dstZ = dst.z,
		.srcMemoryType = src.array ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_UNIFIED,
		.srcArray = (CUarray)(uintptr_t)src.array,
		.srcDevice = (CUdeviceptr)src.ptr,
		.srcPitch = src.pitch, .srcHeight = src.rows,
		.srcXInBytes = src.x_bytes, .srcY = src.y, .srcZ = src.z,
		.WidthInBytes = extent.width, .Height = extent.height, .Depth = extent.depth,
	};

	return rt_error(async ? cuMemcpy3DAsync_v2(&box, stream) : cuMemcpy3D_v2(&box));
}

static struct end memory(const void *ptr, size_t pitch)
{
	return (struct end){ .ptr = ptr, .pitch = pitch };
}

static struct end array(cudaArray_const_t handle, size_t x_bytes, size_t y)
{
	return (struct end){ .array = handle, .x_bytes = x_bytes, .y = y };
}

static struct cudaExtent flat(size_t width, size_t height)
{
	return (struct cudaExtent){ width, height, 1 };
}

static size_t element_bytes(cudaArray_const_t handle)
{
	return ((const struct fake_array *)handle)->element_bytes;
}

/* Where an array takes part, extents count elements; else bytes. */
static cudaError_t copy3d(const struct cudaMemcpy3DParms *p, cudaStream_t stream, bool async)
{
	struct cudaExtent extent = p->extent;
	size_t dst_unit = p->dstArray ? element_bytes(p->dstArray) : 1;
	size_t src_unit = p->srcArray ? element_bytes(p->srcArray) : 1;
	struct end dst = { p->dstArray, p->dstPtr.ptr, p->dstPtr.pitch, p->dstPtr.ysize,
			   p->dstPos.x * dst_unit, p->dstPos.y, p->dstPos.z };
	struct end src = { p->srcArray, p->srcPtr.ptr, p->srcPtr.pitch, p->srcPtr.ysize,
			   p->srcPos.x * src_unit, p->srcPos.y, p->srcPos.z };

	extent.width *= p->dstArray ? dst_unit : src_unit;
	return copy_box(dst, src, extent, stream, async);
}

RT_PTDS(cudaMemcpy3D, 3020, 7000, (const struct cudaMemcpy3DParms *p), (p))
{
	return copy3d(p, NULL, false);
}

RT_PTSZ(cudaMemcpy3DAsync, 3020, 7000, (const struct cudaMemcpy3DParms *p, cudaStream_t stream),
	(p, stream))
{
	return copy3d(p, stream, true);
}

static struct cudaMemcpy3DParms without_devices(const struct cudaMemcpy3DPeerParms *p)
{
	return (struct cudaMemcpy3DParms){
		.srcArray = p->srcArray, .srcPos = p->srcPos, .srcPtr = p->srcPtr,
		.dstArray = p->dstArray, .dstPos = p->dstPos, .dstPtr = p->dstPtr,
		.extent = p->extent, .kind = cudaMemcpyDeviceToDevice,
	};
}

RT_PTDS(cudaMemcpy3DPeer, 4000, 7000, (const struct cudaMemcpy3DPeerParms *p), (p))
{
	struct cudaMemcpy3DParms one = without_devices(p);

	return copy3d(&one, NULL, false);
}

RT_PTSZ(cudaMemcpy3DPeerAsync, 4000, 7000,
	(const struct cudaMemcpy3DPeerParms *p, cudaStream_t stream), (p, stream))
{
	struct cudaMemcpy3DParms one = without_devices(p);

	return copy3d(&one, stream, true);
}

/*
 * The two-dimensional forms, each a call and its asynchronous sibling: name, ends,
 * extent, and the parameters and arguments before the stream.
 */
#define RECTANGLE(name, dst_end, src_end, extent, ...)                                             \
	RECTANGLE_(name, dst_end, src_end, extent, __VA_ARGS__)
#define RECTANGLE_(name, dst_end, src_end, extent, parameters, arguments)                          \
	RT_PTDS(name, 3020, 7000, (FAKE_UNPAREN parameters, enum cudaMemcpyKind kind),             \
		(FAKE_UNPAREN arguments, kind))                                                    \
	{                                                                                          \
		(void)kind;                                                                        \
		return copy_box(dst_end, src_end, extent, NULL, false);                            \
	}                                                                                          \
	RT_PTSZ(name##Async, 3020, 7000,                                                           \
		(FAKE_UNPAREN parameters, enum cudaMemcpyKind kind, cudaStream_t stream),          \
		(FAKE_UNPAREN arguments, kind, stream))                                            \
	{                                                                                          \
		(void)kind;                                                                        \
		return copy_box(dst_end, src_end, extent, stream, true);                           \
	}

RECTANGLE(cudaMemcpy2D, memory(dst, dpitch), memory(src, spitch), flat(width, height),
	  (void *dst, size_t dpitch, const void *src, size_t spitch, size_t width, size_t height),
	  (dst, dpitch, src, spitch, width, height))
RECTANGLE(cudaMemcpy2DToArray, array(dst, wOffset, hOffset), memory(src, spitch),
	  flat(width, height),
	  (cudaArray_t dst, size_t wOffset, size_t hOffset, const void *src, size_t spitch,
	   size_t width, size_t height),
	  (dst, wOffset, hOffset, src, spitch, width, height))
RECTANGLE(cudaMemcpy2DFromArray, memory(dst, dpitch), array(src, wOffset, hOffset),
	  flat(width, height),
	  (void *dst, size_t dpitch, cudaArray_const_t src, size_t wOffset, size_t hOffset,
	   size_t width, size_t height),
	  (dst, dpitch, src, wOffset, hOffset, width, height))
RECTANGLE(cudaMemcpyToArray, array(dst, wOffset, hOffset), memory(src, count), flat(count, 1),
	  (cudaArray_t dst, size_t wOffset, size_t hOffset, const void *src, size_t count),
	  (dst, wOffset, hOffset, src, count))
RECTANGLE(cudaMemcpyFromArray, memory(dst, count), array(src, wOffset, hOffset), flat(count, 1),
	  (void *dst, cudaArray_const_t src, size_t wOffset, size_t hOffset, size_t count),
	  (dst, src, wOffset, hOffset, count))

RT_PTDS(cudaMemcpyArrayToArray, 3020, 7000,
	(cudaArray_t dst, size_t wOffsetDst, size_t hOffsetDst, cudaArray_const_t src,
	 size_t wOffsetSrc, size_t hOffsetSrc, size_t count, enum cudaMemcpyKind kind),
	(dst, wOffsetDst, hOffsetDst, src, wOffsetSrc, hOffsetSrc, count, kind))
{
	(void)kind;
	return copy_box(array(dst, wOffsetDst, hOffsetDst), array(src, wOffsetSrc, hOffsetSrc),
			flat(count, 1), NULL, false);
}

RT_PTDS(cudaMemcpy2DArrayToArray, 3020, 7000,
	(cudaArray_t dst, size_t wOffsetDst, size_t hOffsetDst, cudaArray_const_t src,
	 size_t wOffsetSrc, size_t hOffsetSrc, size_t width, size_t height,
	 enum cudaMemcpyKind kind),
	(dst, wOffsetDst, hOffsetDst, src, wOffsetSrc, hOffsetSrc, width, height, kind))
{
	(void)kind;
	return copy_box(array(dst, wOffsetDst, hOffsetDst), array(src, wOffsetSrc, hOffsetSrc),
			flat(width, height), NULL, false);
}
