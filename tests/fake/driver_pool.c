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
	uint32_t device;
	struct fake_dep freed;  /* the latest free */
	struct fake_pool *next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct fake_pool defaults[FAKE_DEVICES_MOST];
static struct fake_pool *pools; /* all others */

static struct fake_pool *default_of(uint32_t device)
{
	defaults[device].device = device;
	return &defaults[device];
}

/* Without a handle, the default pool of a device. */
struct fake_pool *fake_pool_get(CUmemoryPool handle, uint32_t device)
{
	return handle ? (struct fake_pool *)handle : default_of(device);
}

uint32_t fake_pool_device(const struct fake_pool *pool)
{
	return pool->device;
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

/* Returns how many bytes went back to the system. */
static size_t trim_locked(struct fake_pool *pool, size_t keep_bytes)
{
	size_t bytes = pool->idle_bytes > keep_bytes ? pool->idle_bytes - keep_bytes : 0;

	pool->idle_bytes -= bytes;
	return bytes;
}

/*
 * Programming guide, 4.3.4: what a pool holds above its threshold goes back to the system
 * at the next synchronise, inside that call. That this costs as much as a free is a guess.
 */
void fake_pool_trim(uint32_t device)
{
	size_t bytes = 0;

	pthread_mutex_lock(&mutex);
	bytes += trim_locked(&defaults[device], defaults[device].threshold);
	for (struct fake_pool *pool = pools; pool; pool = pool->next)
		if (pool->device == device)
			bytes += trim_locked(pool, pool->threshold);
	pthread_mutex_unlock(&mutex);
	if (bytes)
		fake_spend(fake_free_ns(bytes));
}

static CUresult the_default(CUmemoryPool *ret_pool, CUdevice dev)
{
	if (dev < 0 || dev >= (int)fake_device_count())
		return CUDA_ERROR_INVALID_DEVICE;
	*ret_pool = (CUmemoryPool)default_of((uint32_t)dev);
	return CUDA_SUCCESS;
}

DRIVER_EARLY(cuDeviceGetDefaultMemPool, (CUmemoryPool *pool_out, CUdevice dev), (pool_out, dev))
{
	return the_default(pool_out, dev);
}

DRIVER_EARLY(cuDeviceGetMemPool, (CUmemoryPool *pool, CUdevice dev), (pool, dev))
{
	return the_default(pool, dev);
}

DRIVER_EARLY(cuDeviceSetMemPool, (CUdevice dev, CUmemoryPool pool), (dev, pool))
{
	(void)pool;
	return dev < 0 || dev >= (int)fake_device_count() ? CUDA_ERROR_INVALID_DEVICE :
							    CUDA_SUCCESS;
}

/* Kept for ever: memory of it may still be in use. */
DRIVER(cuMemPoolCreate, (CUmemoryPool *pool, const CUmemPoolProps *poolProps), (pool, poolProps))
{
	struct fake_pool *made = calloc(1, sizeof(*made));

	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	made->max_bytes = poolProps->maxSize;
	if (poolProps->location.type == CU_MEM_LOCATION_TYPE_DEVICE)
		made->device = (uint32_t)poolProps->location.id % FAKE_DEVICES_MOST;
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
	struct fake_pool *trimmed = fake_pool_get(pool, fake_device());

	pthread_mutex_lock(&mutex);
	size_t bytes = trim_locked(trimmed, minBytesToKeep);
	pthread_mutex_unlock(&mutex);
	if (bytes)
		fake_spend(fake_free_ns(bytes));
	return CUDA_SUCCESS;
}

DRIVER(cuMemPoolSetAttribute, (CUmemoryPool pool, CUmemPool_attribute attr, void *value),
       (pool, attr, value))
{
	if (attr == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
		fake_pool_get(pool, fake_device())->threshold = *(uint64_t *)value;
	return CUDA_SUCCESS;
}

DRIVER(cuMemPoolGetAttribute, (CUmemoryPool pool, CUmemPool_attribute attr, void *value),
       (pool, attr, value))
{
	if (attr == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
		*(uint64_t *)value = fake_pool_get(pool, fake_device())->threshold;
	else if (attr >= CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)
		*(uint64_t *)value = fake_memory_used(fake_pool_get(pool, fake_device())->device);
	else
		*(int *)value = 1;
	return CUDA_SUCCESS;
}
