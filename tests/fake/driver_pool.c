/* SPDX-License-Identifier: Apache-2.0 */
/* Memory pools: one for all, which keeps its threshold and nothing else. */
#include "engine.h"

static char pool_object;
static uint64_t release_threshold;

static CUresult the_pool(CUmemoryPool *ret_pool)
{
	*ret_pool = (CUmemoryPool)&pool_object;
	return CUDA_SUCCESS;
}

DRIVER_EARLY(cuDeviceGetDefaultMemPool, (CUmemoryPool *pool_out, CUdevice dev), (pool_out, dev))
{
	return dev ? CUDA_ERROR_INVALID_DEVICE : the_pool(pool_out);
}

DRIVER_EARLY(cuDeviceGetMemPool, (CUmemoryPool *pool, CUdevice dev), (pool, dev))
{
	return dev ? CUDA_ERROR_INVALID_DEVICE : the_pool(pool);
}

DRIVER_EARLY(cuDeviceSetMemPool, (CUdevice dev, CUmemoryPool pool), (dev, pool))
{
	(void)pool;
	return dev ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

DRIVER(cuMemPoolCreate, (CUmemoryPool *pool, const CUmemPoolProps *poolProps), (pool, poolProps))
{
	(void)poolProps;
	return the_pool(pool);
}

DRIVER(cuMemPoolDestroy, (CUmemoryPool pool), (pool))
{
	(void)pool;
	return CUDA_SUCCESS;
}

DRIVER(cuMemPoolTrimTo, (CUmemoryPool pool, size_t minBytesToKeep), (pool, minBytesToKeep))
{
	(void)pool, (void)minBytesToKeep;
	return CUDA_SUCCESS;
}

DRIVER(cuMemPoolSetAttribute, (CUmemoryPool pool, CUmemPool_attribute attr, void *value),
       (pool, attr, value))
{
	(void)pool;
	if (attr == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
		release_threshold = *(uint64_t *)value;
	return CUDA_SUCCESS;
}

DRIVER(cuMemPoolGetAttribute, (CUmemoryPool pool, CUmemPool_attribute attr, void *value),
       (pool, attr, value))
{
	(void)pool;
	if (attr == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
		*(uint64_t *)value = release_threshold;
	else if (attr >= CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)
		*(uint64_t *)value = fake_memory_used();
	else
		*(int *)value = 1;
	return CUDA_SUCCESS;
}
