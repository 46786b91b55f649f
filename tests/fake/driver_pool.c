/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory pools. A pool only counts: the blocks that it could hand out again are kept with
 * all others, in memory.c.
 */
#include "engine.h"

#include <stdlib.h>

struct fake_pool {
	size_t max_bytes;       /* 0: no limit */
	size_t in_use_bytes;
	size_t idle_bytes;      /* freed, not yet returned to the system */
	uint64_t threshold;     /* idle bytes that a synchronise leaves alone */
	struct fake_dep freed;  /* the latest free */
	struct fake_pool *next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct fake_pool first, *pools = &first; /* first: the default pool */

struct fake_pool *fake_pool_get(CUmemoryPool handle)
{
	return handle ? (struct fake_pool *)handle : &first;
}

/*
 * Programming guide, 4.3.4.4: a pool that cannot grow reuses memory whose free has not been
 * reached yet, and makes the stream wait for that. Returns whether there is room.
 */
bool fake_pool_take(struct fake_pool *pool, size_t bytes, struct fake_stream *stream)
{
	struct fake_dep freed = { NULL, 0 };

	pthread_mutex_lock(&mutex);
	bool limited = pool->max_bytes;
	bool room = !limited || pool->in_use_bytes + bytes <= pool->max_bytes;
	if (room) {
		pool->in_use_bytes += bytes;
		pool->idle_bytes -= bytes < pool->idle_bytes ? bytes : pool->idle_bytes;
		freed = pool->freed;
	}
	pthread_mutex_unlock(&mutex);
	if (room && limited && freed.stream != stream && !fake_reached(freed)) {
		struct fake_op *op = fake_op_new(FAKE_RELEASE, stream);

		fake_op_after(op, freed);
		fake_submit(op);
	}
	return room;
}

void fake_pool_give(struct fake_pool *pool, size_t bytes, struct fake_dep freed)
{
	if (!pool)
		return;
	pthread_mutex_lock(&mutex);
	pool->in_use_bytes -= bytes;
	pool->idle_bytes += bytes;
	pool->freed = freed;
	pthread_mutex_unlock(&mutex);
}

/*
 * Programming guide, 4.3.4: what a pool holds above its threshold goes back to the system
 * at the next synchronise, inside that call. That this costs as much as a free is a guess.
 */
void fake_pool_trim(void)
{
	size_t bytes = 0;

	pthread_mutex_lock(&mutex);
	for (struct fake_pool *pool = pools; pool; pool = pool->next) {
		if (pool->idle_bytes <= pool->threshold)
			continue;
		bytes += pool->idle_bytes - pool->threshold;
		pool->idle_bytes = pool->threshold;
	}
	pthread_mutex_unlock(&mutex);
	if (bytes)
		fake_spend(fake_free_ns(bytes));
}

static CUresult the_default(CUmemoryPool *ret_pool)
{
	*ret_pool = (CUmemoryPool)&first;
	return CUDA_SUCCESS;
}

DRIVER_EARLY(cuDeviceGetDefaultMemPool, (CUmemoryPool *pool_out, CUdevice dev), (pool_out, dev))
{
	return dev ? CUDA_ERROR_INVALID_DEVICE : the_default(pool_out);
}

DRIVER_EARLY(cuDeviceGetMemPool, (CUmemoryPool *pool, CUdevice dev), (pool, dev))
{
	return dev ? CUDA_ERROR_INVALID_DEVICE : the_default(pool);
}

DRIVER_EARLY(cuDeviceSetMemPool, (CUdevice dev, CUmemoryPool pool), (dev, pool))
{
	(void)pool;
	return dev ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

/* Kept for ever: memory of it may still be in use. */
DRIVER(cuMemPoolCreate, (CUmemoryPool *pool, const CUmemPoolProps *poolProps), (pool, poolProps))
{
	struct fake_pool *made = calloc(1, sizeof(*made));

	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	made->max_bytes = poolProps->maxSize;
	pthread_mutex_lock(&mutex);
	made->next = pools;
	pools = made;
	pthread_mutex_unlock(&mutex);
	*pool = (CUmemoryPool)made;
	return CUDA_SUCCESS;
}

DRIVER(cuMemPoolDestroy, (CUmemoryPool pool), (pool))
{
	return pool ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

DRIVER(cuMemPoolTrimTo, (CUmemoryPool pool, size_t minBytesToKeep), (pool, minBytesToKeep))
{
	struct fake_pool *trimmed = fake_pool_get(pool);
	size_t bytes = 0;

	pthread_mutex_lock(&mutex);
	if (trimmed->idle_bytes > minBytesToKeep) {
		bytes = trimmed->idle_bytes - minBytesToKeep;
		trimmed->idle_bytes = minBytesToKeep;
	}
	pthread_mutex_unlock(&mutex);
	if (bytes)
		fake_spend(fake_free_ns(bytes));
	return CUDA_SUCCESS;
}

DRIVER(cuMemPoolSetAttribute, (CUmemoryPool pool, CUmemPool_attribute attr, void *value),
       (pool, attr, value))
{
	if (attr == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
		fake_pool_get(pool)->threshold = *(uint64_t *)value;
	return CUDA_SUCCESS;
}

DRIVER(cuMemPoolGetAttribute, (CUmemoryPool pool, CUmemPool_attribute attr, void *value),
       (pool, attr, value))
{
	if (attr == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
		*(uint64_t *)value = fake_pool_get(pool)->threshold;
	else if (attr >= CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)
		*(uint64_t *)value = fake_memory_used();
	else
		*(int *)value = 1;
	return CUDA_SUCCESS;
}
