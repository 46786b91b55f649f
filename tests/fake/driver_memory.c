/* SPDX-License-Identifier: Apache-2.0 */
/* Driver calls that allocate and free. */
#include "engine.h"

#include <stdlib.h>

/* What the host itself spends, in ns. Measured table, the idle column. */
enum {
	MALLOC_NS = 70000,        /* "cudaMalloc" */
	FREE_NS = 40000,          /* "cudaFree (any size)": 0.04 - 0.57 ms */
	FREE_NS_PER_MIB = 500,
	PIN_NS = 1100000,         /* "cudaMallocHost 4 KiB, 16 MiB": 1.1, 8.6 ms */
	PIN_NS_PER_MIB = 470000,
	REGISTER_NS = 60000,      /* "cudaHostRegister 16 MiB": 0.97 ms */
	REGISTER_NS_PER_MIB = 57000,
	UNPIN_NS = 340000,        /* "cudaFreeHost, cudaHostUnregister": 0.34 - 2.6 ms */
	UNPIN_NS_PER_MIB = 140000,
};

static uint64_t cost_ns(uint64_t fixed_ns, uint64_t ns_per_mib, size_t bytes)
{
	return fixed_ns + ns_per_mib * bytes / (1 << 20);
}

uint64_t fake_free_ns(size_t bytes)
{
	return cost_ns(FREE_NS, FREE_NS_PER_MIB, bytes);
}

/*
 * Measured table, rows "cudaMalloc", "cudaMallocPitch, ...", "cudaMallocHost",
 * "cudaHostRegister": no wait for the device, but for the locks.
 */
static void allocating(uint64_t host_ns)
{
	uint32_t device = fake_device();

	fake_allocation_lock(device);
	fake_context_lock(device);
	fake_context_unlock(device);
	fake_spend(host_ns);
	fake_allocation_unlock(device);
}

static CUresult allocate(size_t bytes, enum fake_memory_kind kind, uint64_t host_ns,
			 void **ret_base)
{
	CUresult error = fake_memory_new((struct fake_memory){ .size_bytes = bytes, .kind = kind,
							       .device = fake_device() },
					 ret_base);

	if (!error)
		allocating(host_ns);
	return error;
}

/*
 * Measured table, rows "cudaFree (any size), cudaFreeArray" and "cudaFreeHost,
 * cudaHostUnregister": wait for all work on the device. Two-thread table: with the
 * context lock held. Measured, table of two devices: it is the device that was current when the
 * memory was allocated, also of memory that all can reach.
 */
static void drain_and_spend(const struct fake_memory *memory, uint64_t host_ns)
{
	fake_context_lock(memory->device);
	fake_drain(memory->device);
	fake_spend(host_ns);
	fake_context_unlock(memory->device);
}

DRIVER(cuMemAlloc_v2, (CUdeviceptr *dptr, size_t bytesize), (dptr, bytesize))
{
	return allocate(bytesize, FAKE_DEVICE, MALLOC_NS, (void **)dptr);
}

DRIVER(cuMemAllocPitch_v2,
       (CUdeviceptr *dptr, size_t *pPitch, size_t WidthInBytes, size_t Height,
	unsigned int ElementSizeBytes),
       (dptr, pPitch, WidthInBytes, Height, ElementSizeBytes))
{
	(void)ElementSizeBytes;
	*pPitch = (WidthInBytes + 511) / 512 * 512;
	return allocate(*pPitch * Height, FAKE_DEVICE, MALLOC_NS, (void **)dptr);
}

DRIVER(cuMemAllocManaged, (CUdeviceptr *dptr, size_t bytesize, unsigned int flags),
       (dptr, bytesize, flags))
{
	(void)flags;
	return allocate(bytesize, FAKE_MANAGED, MALLOC_NS, (void **)dptr);
}

DRIVER(cuMemAllocHost_v2, (void **pp, size_t bytesize), (pp, bytesize))
{
	return allocate(bytesize, FAKE_PINNED, cost_ns(PIN_NS, PIN_NS_PER_MIB, bytesize), pp);
}

DRIVER(cuMemHostAlloc, (void **pp, size_t bytesize, unsigned int Flags), (pp, bytesize, Flags))
{
	(void)Flags;
	return allocate(bytesize, FAKE_PINNED, cost_ns(PIN_NS, PIN_NS_PER_MIB, bytesize), pp);
}

DRIVER(cuMemHostRegister_v2, (void *p, size_t bytesize, unsigned int Flags), (p, bytesize, Flags))
{
	(void)Flags;
	if (!p || !bytesize)
		return CUDA_ERROR_INVALID_VALUE;
	if (fake_memory_kind_of(p, NULL, NULL) != FAKE_PAGEABLE)
		return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
	if (fake_setting("FAKE_REGISTER_FAILS", 0))
		return CUDA_ERROR_OUT_OF_MEMORY;
	fake_memory_add((struct fake_memory){ .base = p, .size_bytes = bytesize,
					      .kind = FAKE_REGISTERED, .device = fake_device() });
	allocating(cost_ns(REGISTER_NS, REGISTER_NS_PER_MIB, bytesize));
	return CUDA_SUCCESS;
}

/* Of memory that no queued operation can touch any more. */
static void reuse_or_free(struct fake_memory memory)
{
	if (!fake_memory_spare(memory, (struct fake_dep){ NULL, 0 }))
		free(memory.base);
}

static CUresult unpin(void *p, enum fake_memory_kind kind)
{
	struct fake_memory memory;

	if (fake_memory_kind_of(p, NULL, NULL) != kind || !fake_memory_remove(p, &memory))
		return kind == FAKE_REGISTERED ? CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED :
						 CUDA_ERROR_INVALID_VALUE;
	drain_and_spend(&memory, cost_ns(UNPIN_NS, UNPIN_NS_PER_MIB, memory.size_bytes));
	if (kind == FAKE_PINNED)
		reuse_or_free(memory);
	return CUDA_SUCCESS;
}

DRIVER(cuMemFreeHost, (void *p), (p))
{
	return unpin(p, FAKE_PINNED);
}

DRIVER(cuMemHostUnregister, (void *p), (p))
{
	return unpin(p, FAKE_REGISTERED);
}

DRIVER(cuMemHostGetDevicePointer_v2, (CUdeviceptr *pdptr, void *p, unsigned int Flags),
       (pdptr, p, Flags))
{
	(void)Flags;
	*pdptr = (CUdeviceptr)p;
	return CUDA_SUCCESS;
}

/*
 * Marks where in the stream memory of a pool is free, and frees it there unless it is kept.
 * The mark is set before the block is offered, so that nobody takes it too early.
 */
static struct fake_dep release(struct fake_memory memory, struct fake_stream *stream)
{
	struct fake_op *op = fake_op_new(FAKE_RELEASE, stream);
	struct fake_dep freed = fake_submit(op);

	if (!fake_memory_spare(memory, freed)) {
		op = fake_op_new(FAKE_RELEASE, stream);
		op->memory = memory.base;
		freed = fake_submit(op);
	}
	fake_pool_give(memory.pool, memory.size_bytes, freed);
	return freed;
}

DRIVER(cuMemFree_v2, (CUdeviceptr dptr), (dptr))
{
	struct fake_memory memory;
	enum fake_memory_kind kind = fake_memory_kind_of((void *)dptr, NULL, NULL);

	if (!dptr) /* Measured table, row "cudaFree(NULL)": waits for nothing. */
		return CUDA_SUCCESS;
	if (kind < FAKE_DEVICE || kind == FAKE_ARRAY ||
	    !fake_memory_remove((void *)dptr, &memory))
		return CUDA_ERROR_INVALID_VALUE;
	if (memory.kind == FAKE_POOLED) {
		/*
		 * Measured table, row "cudaFree of a cudaMallocAsync pointer": the device is
		 * not drained. That it waits for its own stream is a guess.
		 */
		fake_wait_for(release(memory, memory.stream));
		return CUDA_SUCCESS;
	}
	drain_and_spend(&memory, fake_free_ns(memory.size_bytes));
	reuse_or_free(memory);
	return CUDA_SUCCESS;
}

/* Measured table, row "cudaMallocAsync, cudaFreeAsync": at once, and without the locks. */
static CUresult allocate_in_stream(CUdeviceptr *dptr, size_t bytes, CUmemoryPool handle,
				   CUstream hStream)
{
	struct fake_stream *stream = fake_stream_get(hStream);
	struct fake_pool *pool = fake_pool_get(handle, stream->device);

	if (!fake_pool_take(pool, bytes, stream))
		return CUDA_ERROR_OUT_OF_MEMORY;
	return fake_memory_new((struct fake_memory){ .size_bytes = bytes, .kind = FAKE_POOLED,
						     .device = fake_pool_device(pool),
						     .stream = stream, .pool = pool },
			       (void **)dptr);
}

DRIVER_PTSZ(cuMemAllocAsync, (CUdeviceptr *dptr, size_t bytesize, CUstream hStream),
	    (dptr, bytesize, hStream))
{
	return allocate_in_stream(dptr, bytesize, NULL, hStream);
}

DRIVER_PTSZ(cuMemAllocFromPoolAsync,
	    (CUdeviceptr *dptr, size_t bytesize, CUmemoryPool pool, CUstream hStream),
	    (dptr, bytesize, pool, hStream))
{
	return allocate_in_stream(dptr, bytesize, pool, hStream);
}

DRIVER_PTSZ(cuMemFreeAsync, (CUdeviceptr dptr, CUstream hStream), (dptr, hStream))
{
	struct fake_memory memory;

	if (!dptr)
		return CUDA_SUCCESS;
	if (!fake_memory_remove((void *)dptr, &memory))
		return CUDA_ERROR_INVALID_VALUE;
	release(memory, fake_stream_get(hStream));
	return CUDA_SUCCESS;
}

DRIVER(cuMemGetInfo_v2, (size_t *free, size_t *total), (free, total))
{
	*total = fake_memory_total();
	*free = *total - fake_memory_used(fake_device());
	return CUDA_SUCCESS;
}

/* Of no use to other processes; those who ask for one say what they mean to do. */
DRIVER(cuIpcGetMemHandle, (CUipcMemHandle *pHandle, CUdeviceptr dptr), (pHandle, dptr))
{
	if (fake_memory_kind_of((void *)dptr, NULL, NULL) != FAKE_DEVICE)
		return CUDA_ERROR_INVALID_VALUE;
	*pHandle = (CUipcMemHandle){ "fake" };
	return CUDA_SUCCESS;
}

DRIVER(cuMemGetAddressRange_v2, (CUdeviceptr *pbase, size_t *psize, CUdeviceptr dptr),
       (pbase, psize, dptr))
{
	struct fake_memory memory;

	if (!fake_memory_find((void *)dptr, &memory))
		return CUDA_ERROR_INVALID_VALUE;
	if (pbase)
		*pbase = (CUdeviceptr)memory.base;
	if (psize)
		*psize = memory.size_bytes;
	return CUDA_SUCCESS;
}

/* The two that a program may want of any address; both are 0 of what is in no table. */
DRIVER(cuPointerGetAttributes,
       (unsigned int numAttributes, CUpointer_attribute *attributes, void **data, CUdeviceptr ptr),
       (numAttributes, attributes, data, ptr))
{
	enum fake_memory_kind kind = fake_memory_kind_of((void *)ptr, NULL, NULL);
	CUmemorytype type = kind == FAKE_PAGEABLE ? (CUmemorytype)0 :
			    kind < FAKE_DEVICE	  ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;

	for (unsigned int i = 0; i < numAttributes; i++)
		if (attributes[i] == CU_POINTER_ATTRIBUTE_MEMORY_TYPE)
			*(unsigned int *)data[i] = type;
		else if (attributes[i] == CU_POINTER_ATTRIBUTE_IS_MANAGED)
			*(unsigned int *)data[i] = kind == FAKE_MANAGED;
		else
			return CUDA_ERROR_NOT_SUPPORTED;
	return CUDA_SUCCESS;
}

/* Arrays are boxes of bytes; a format is only its size. */
static CUresult array_create(CUarray *ret_array, size_t width, size_t height, size_t depth,
			     CUarray_format format, unsigned int channels)
{
	size_t bytes = 1;
	struct fake_array *array = calloc(1, sizeof(*array));

	if (!array)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (format == CU_AD_FORMAT_HALF || format == CU_AD_FORMAT_UNSIGNED_INT16 ||
	    format == CU_AD_FORMAT_SIGNED_INT16)
		bytes = 2;
	else if (format == CU_AD_FORMAT_UNSIGNED_INT32 || format == CU_AD_FORMAT_SIGNED_INT32 ||
		 format == CU_AD_FORMAT_FLOAT)
		bytes = 4;
	array->element_bytes = bytes * channels;
	array->width_bytes = width * bytes * channels;
	array->height = height ? height : 1;
	array->depth = depth ? depth : 1;
	CUresult error = allocate(array->width_bytes * array->height * array->depth, FAKE_ARRAY,
				  MALLOC_NS, &array->data);
	if (error)
		free(array);
	else
		*ret_array = (CUarray)array;
	return error;
}

DRIVER(cuArrayCreate_v2, (CUarray *pHandle, const CUDA_ARRAY_DESCRIPTOR *pAllocateArray),
       (pHandle, pAllocateArray))
{
	const CUDA_ARRAY_DESCRIPTOR *want = pAllocateArray;

	return array_create(pHandle, want->Width, want->Height, 1, want->Format,
			    want->NumChannels);
}

DRIVER(cuArray3DCreate_v2, (CUarray *pHandle, const CUDA_ARRAY3D_DESCRIPTOR *pAllocateArray),
       (pHandle, pAllocateArray))
{
	const CUDA_ARRAY3D_DESCRIPTOR *want = pAllocateArray;

	return array_create(pHandle, want->Width, want->Height, want->Depth, want->Format,
			    want->NumChannels);
}

DRIVER(cuArrayDestroy, (CUarray hArray), (hArray))
{
	struct fake_array *array = (struct fake_array *)hArray;
	struct fake_memory memory;

	if (!array || !fake_memory_remove(array->data, &memory))
		return CUDA_ERROR_INVALID_HANDLE;
	drain_and_spend(&memory, FREE_NS);
	reuse_or_free(memory);
	free(array);
	return CUDA_SUCCESS;
}
