/* SPDX-License-Identifier: Apache-2.0 */
/* Driver calls that copy and fill. */
#include "engine.h"

struct fake_copy fake_copy_line(CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	return (struct fake_copy){
		.dst = (void *)dst,
		.src = (const void *)src,
		.dst_kind = fake_memory_kind_of((void *)dst, NULL, NULL),
		.src_kind = fake_memory_kind_of((void *)src, NULL, NULL),
		.dst_device = fake_memory_device((void *)dst),
		.src_device = fake_memory_device((void *)src),
		.width = bytes,
		.height = 1,
		.depth = 1,
	};
}

/* Both ends are in device memory, of two devices. */
static bool between_devices(const struct fake_copy *copy)
{
	return (copy->dst_kind == FAKE_DEVICE || copy->dst_kind == FAKE_POOLED) &&
	       (copy->src_kind == FAKE_DEVICE || copy->src_kind == FAKE_POOLED) &&
	       copy->dst_device != copy->src_device;
}

/* FAKE_REGISTERED_COPIES: after so many copies from registered memory, more are refused. */
static bool refused(const void *src)
{
	static _Atomic uint64_t count;

	return fake_memory_kind_of(src, NULL, NULL) == FAKE_REGISTERED &&
	       count++ >= fake_setting("FAKE_REGISTERED_COPIES", UINT64_MAX);
}

static CUresult copy_line(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream,
			  bool async)
{
	if (bytes == 0)
		return CUDA_SUCCESS;
	if (!dst || !src)
		return CUDA_ERROR_INVALID_VALUE;
	if (refused((const void *)src))
		return CUDA_ERROR_OUT_OF_MEMORY;
	struct fake_copy copy = fake_copy_line(dst, src, bytes);
	if (!async && between_devices(&copy))
		return fake_do_peer_copy(copy, fake_stream_get(stream));
	return fake_do_copy(copy, fake_stream_get(stream), async);
}

#define HOST(pointer) ((CUdeviceptr)(pointer))

/* Device addresses that we never gave out are errors, as they are to a real driver. */
static bool known(CUdeviceptr device)
{
	return fake_memory_kind_of((void *)device, NULL, NULL) != FAKE_PAGEABLE;
}

DRIVER_PTDS(cuMemcpy, (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount), (dst, src, ByteCount))
{
	return copy_line(dst, src, ByteCount, NULL, false);
}

DRIVER_PTDS(cuMemcpyHtoD_v2, (CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount),
	    (dstDevice, srcHost, ByteCount))
{
	if (ByteCount && !known(dstDevice))
		return CUDA_ERROR_INVALID_VALUE;
	return copy_line(dstDevice, HOST(srcHost), ByteCount, NULL, false);
}

DRIVER_PTDS(cuMemcpyDtoH_v2, (void *dstHost, CUdeviceptr srcDevice, size_t ByteCount),
	    (dstHost, srcDevice, ByteCount))
{
	if (ByteCount && !known(srcDevice))
		return CUDA_ERROR_INVALID_VALUE;
	return copy_line(HOST(dstHost), srcDevice, ByteCount, NULL, false);
}

DRIVER_PTDS(cuMemcpyDtoD_v2, (CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount),
	    (dstDevice, srcDevice, ByteCount))
{
	if (ByteCount && (!known(dstDevice) || !known(srcDevice)))
		return CUDA_ERROR_INVALID_VALUE;
	return copy_line(dstDevice, srcDevice, ByteCount, NULL, false);
}

DRIVER_PTSZ(cuMemcpyAsync,
	    (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream),
	    (dst, src, ByteCount, hStream))
{
	return copy_line(dst, src, ByteCount, hStream, true);
}

DRIVER_PTSZ(cuMemcpyHtoDAsync_v2,
	    (CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount, CUstream hStream),
	    (dstDevice, srcHost, ByteCount, hStream))
{
	if (ByteCount && !known(dstDevice))
		return CUDA_ERROR_INVALID_VALUE;
	return copy_line(dstDevice, HOST(srcHost), ByteCount, hStream, true);
}

DRIVER_PTSZ(cuMemcpyDtoHAsync_v2,
	    (void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream),
	    (dstHost, srcDevice, ByteCount, hStream))
{
	if (ByteCount && !known(srcDevice))
		return CUDA_ERROR_INVALID_VALUE;
	return copy_line(HOST(dstHost), srcDevice, ByteCount, hStream, true);
}

DRIVER_PTSZ(cuMemcpyDtoDAsync_v2,
	    (CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream),
	    (dstDevice, srcDevice, ByteCount, hStream))
{
	if (ByteCount && (!known(dstDevice) || !known(srcDevice)))
		return CUDA_ERROR_INVALID_VALUE;
	return copy_line(dstDevice, srcDevice, ByteCount, hStream, true);
}

/* One end of a box: where its first byte lies, and how far apart rows and slices are. */
struct end {
	char *at;
	size_t pitch, slice;
	enum fake_memory_kind kind;
};

static struct end end_of(CUmemorytype type, const void *host, CUdeviceptr device, CUarray handle,
			 size_t pitch, size_t rows, size_t x, size_t y, size_t z)
{
	const struct fake_array *array = (const struct fake_array *)handle;
	struct end end = { .pitch = pitch, .slice = pitch * rows };

	if (type == CU_MEMORYTYPE_ARRAY) {
		end.at = array->data;
		end.pitch = array->width_bytes;
		end.slice = array->width_bytes * array->height;
	} else {
		end.at = type == CU_MEMORYTYPE_HOST ? (char *)(uintptr_t)host : (char *)device;
	}
	end.kind = fake_memory_kind_of(end.at, NULL, NULL);
	end.at += z * end.slice + y * end.pitch + x;
	return end;
}

static CUresult copy_box(const CUDA_MEMCPY3D *p, CUstream stream, bool async)
{
	struct end dst = end_of(p->dstMemoryType, p->dstHost, p->dstDevice, p->dstArray,
				p->dstPitch, p->dstHeight ? p->dstHeight : p->Height,
				p->dstXInBytes, p->dstY, p->dstZ);
	struct end src = end_of(p->srcMemoryType, p->srcHost, p->srcDevice, p->srcArray,
				p->srcPitch, p->srcHeight ? p->srcHeight : p->Height,
				p->srcXInBytes, p->srcY, p->srcZ);
	struct fake_copy copy = {
		.dst = dst.at, .dst_pitch = dst.pitch, .dst_slice = dst.slice,
		.src = src.at, .src_pitch = src.pitch, .src_slice = src.slice,
		.dst_kind = dst.kind, .src_kind = src.kind,
		.dst_device = fake_memory_device(dst.at), .src_device = fake_memory_device(src.at),
		.width = p->WidthInBytes, .height = p->Height, .depth = p->Depth,
	};

	if (copy.width * copy.height * copy.depth == 0)
		return CUDA_SUCCESS;
	return fake_do_copy(copy, fake_stream_get(stream), async);
}

static CUDA_MEMCPY3D flat(const CUDA_MEMCPY2D *p)
{
	return (CUDA_MEMCPY3D){
		.srcXInBytes = p->srcXInBytes, .srcY = p->srcY,
		.srcMemoryType = p->srcMemoryType, .srcHost = p->srcHost,
		.srcDevice = p->srcDevice, .srcArray = p->srcArray, .srcPitch = p->srcPitch,
		.dstXInBytes = p->dstXInBytes, .dstY = p->dstY,
		.dstMemoryType = p->dstMemoryType, .dstHost = p->dstHost,
		.dstDevice = p->dstDevice, .dstArray = p->dstArray, .dstPitch = p->dstPitch,
		.WidthInBytes = p->WidthInBytes, .Height = p->Height, .Depth = 1,
	};
}

DRIVER_PTDS(cuMemcpy2D_v2, (const CUDA_MEMCPY2D *pCopy), (pCopy))
{
	CUDA_MEMCPY3D box = flat(pCopy);

	return copy_box(&box, NULL, false);
}

DRIVER_PTDS(cuMemcpy2DUnaligned_v2, (const CUDA_MEMCPY2D *pCopy), (pCopy))
{
	return do_cuMemcpy2D_v2(pCopy);
}

DRIVER_PTSZ(cuMemcpy2DAsync_v2, (const CUDA_MEMCPY2D *pCopy, CUstream hStream), (pCopy, hStream))
{
	CUDA_MEMCPY3D box = flat(pCopy);

	return copy_box(&box, hStream, true);
}

DRIVER_PTDS(cuMemcpy3D_v2, (const CUDA_MEMCPY3D *pCopy), (pCopy))
{
	return copy_box(pCopy, NULL, false);
}

DRIVER_PTSZ(cuMemcpy3DAsync_v2, (const CUDA_MEMCPY3D *pCopy, CUstream hStream), (pCopy, hStream))
{
	return copy_box(pCopy, hStream, true);
}

static CUresult fill(CUdeviceptr dst, size_t pitch, uint32_t value, uint32_t element_bytes,
		     size_t width, size_t height, CUstream stream, bool async)
{
	struct fake_fill box = {
		.dst = (void *)dst, .pitch = pitch, .slice = pitch * height, .width = width,
		.height = height, .depth = 1, .value = value, .element_bytes = element_bytes,
	};

	if (width * height == 0)
		return CUDA_SUCCESS;
	if (fake_memory_kind_of(box.dst, NULL, NULL) == FAKE_PAGEABLE)
		return CUDA_ERROR_INVALID_VALUE;
	return fake_do_fill(box, fake_stream_get(stream), async);
}

/* cuMemsetD8_v2 and its kin: an element type, its bits, its parameter's name. */
#define FILLS(bits, type, value)                                                                   \
	DRIVER_PTDS(cuMemsetD##bits##_v2, (CUdeviceptr dstDevice, type value, size_t N),           \
		    (dstDevice, value, N))                                                         \
	{                                                                                          \
		return fill(dstDevice, 0, value, (bits) / 8, N, 1, NULL, false);                   \
	}                                                                                          \
	DRIVER_PTSZ(cuMemsetD##bits##Async,                                                        \
		    (CUdeviceptr dstDevice, type value, size_t N, CUstream hStream),               \
		    (dstDevice, value, N, hStream))                                                \
	{                                                                                          \
		return fill(dstDevice, 0, value, (bits) / 8, N, 1, hStream, true);                 \
	}                                                                                          \
	DRIVER_PTDS(cuMemsetD2D##bits##_v2,                                                        \
		    (CUdeviceptr dstDevice, size_t dstPitch, type value, size_t Width,             \
		     size_t Height),                                                               \
		    (dstDevice, dstPitch, value, Width, Height))                                   \
	{                                                                                          \
		return fill(dstDevice, dstPitch, value, (bits) / 8, Width, Height, NULL,           \
			    false);                                                                \
	}                                                                                          \
	DRIVER_PTSZ(cuMemsetD2D##bits##Async,                                                      \
		    (CUdeviceptr dstDevice, size_t dstPitch, type value, size_t Width,             \
		     size_t Height, CUstream hStream),                                             \
		    (dstDevice, dstPitch, value, Width, Height, hStream))                          \
	{                                                                                          \
		return fill(dstDevice, dstPitch, value, (bits) / 8, Width, Height, hStream,        \
			    true);                                                                 \
	}

FILLS(8, unsigned char, uc)
FILLS(16, unsigned short, us)
FILLS(32, unsigned int, ui)
