/* SPDX-License-Identifier: Apache-2.0 */
#define __CUDA_API_VERSION_INTERNAL
#include "shim/fix_lend.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

static bool host_work; /* submitted since the event below was recorded */

/*
 * Of what follows and of the pool. Held while the driver is asked about events, never while a copy
 * is submitted or memory page-locked: those may wait for others.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static CUcontext context; /* of the pool; NULL: there is none */
static bool growing;      /* a thread page-locks memory */
static bool refused;      /* that failed: no more is asked for */
static CUevent host_event; /* passes when host work is done; NULL: none was submitted yet */
static bool host_pending;

static CUevent make_event(void)
{
	CUevent event = NULL;

	return ct_pin_driver.event_create(&event, CU_EVENT_DISABLE_TIMING) == CUDA_SUCCESS ? event
											   : NULL;
}

static bool event_done(void *event)
{
	return ct_pin_driver.event_query(event) == CUDA_SUCCESS;
}

/*
 * May something that was submitted still write to memory of the host? The program may count on the
 * order of its stream: that the copy, which the driver often has wait for its stream, takes what a
 * host function before it has written.
 */
static bool host_works(void)
{
	if (__atomic_exchange_n(&host_work, false, __ATOMIC_ACQ_REL)) {
		if (!host_event)
			host_event = make_event();
		host_pending = host_event && ct_fix_mark(context, host_event);
		if (!host_pending)
			ct_fix_host_work(); /* until it can be marked */
	}
	if (host_pending && event_done(host_event))
		host_pending = false;
	return host_pending || __atomic_load_n(&host_work, __ATOMIC_ACQUIRE);
}

/* The legacy and the thread's default stream are of the current context. */
static bool of_context(CUstream stream, CUcontext wanted)
{
	CUcontext found = NULL;

	if (ct_pin_driver.context_get(&found) != CUDA_SUCCESS || found != wanted)
		return false;
	if (!stream || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD)
		return true;
	return ct_pin_driver.stream_context(stream, &found) == CUDA_SUCCESS && found == wanted;
}

static CUcontext current(void)
{
	CUcontext found = NULL;

	return ct_pin_driver.context_get(&found) == CUDA_SUCCESS ? found : NULL;
}

/* Kernels that write ordinary memory of the host by themselves are seen by nobody. */
static void ask_reach(void)
{
	CUdevice device;
	int reach = 0;

	if (ct_pin_driver.context_device(&device) == CUDA_SUCCESS &&
	    ct_pin_driver.device_attribute(&reach, CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS,
					   device) == CUDA_SUCCESS)
		ct_fix_counts()->pin.kernels_reach = reach != 0;
}

/* A forked child would make these pages its own, and the device would read others than we fill. */
static void *map_slab(void)
{
	void *slab = mmap(NULL, CT_POOL_SLAB_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (slab == MAP_FAILED)
		return NULL;
	if (madvise(slab, CT_POOL_SLAB_BYTES, MADV_DONTFORK) == 0 &&
	    ct_pin_driver.lock_pages(slab, CT_POOL_SLAB_BYTES, 0) == CUDA_SUCCESS)
		return slab;
	munmap(slab, CT_POOL_SLAB_BYTES);
	return NULL;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * Without the lock meanwhile. Ours, not cuMemHostAlloc()'s: it stays mapped whatever becomes of the
 * context, so no thread that fills it can fault.
 */
static void grow(void)
{
	uint64_t begin_ns = now_ns();
	void *slab;

	growing = true;
	pthread_mutex_unlock(&lock);
	slab = map_slab();
	ask_reach();
	pthread_mutex_lock(&lock);
	growing = false;
	refused = !slab;
	if (!slab)
		return;
	ct_pool_add(slab);
	ct_fix_counts()->pin.pool_bytes += CT_POOL_SLAB_BYTES;
	ct_fix_counts()->pin.pool_ns += now_ns() - begin_ns;
}

static struct ct_pool_block *take_blocks(size_t count)
{
	struct ct_pool_block *chain = ct_pool_take(count);

	if (!chain) {
		ct_pool_land(event_done);
		chain = ct_pool_take(count);
	}
	while (!chain && !growing && !refused && ct_pool_has_room()) {
		grow();
		chain = ct_pool_take(count);
	}
	return chain;
}

/* The first of a chain has an event. */
static bool prepare(struct ct_pool_block *chain)
{
	if (!chain->event)
		chain->event = make_event();
	return chain->event;
}

static bool stopped;

void ct_lend_stop(void)
{
	__atomic_store_n(&stopped, true, __ATOMIC_RELEASE);
}

/* The lock is held. */
static struct ct_pool_block *lend(CUstream stream, size_t bytes, enum ct_pin_left *ret_why)
{
	struct ct_pool_block *chain;

	if (!context)
		context = current();
	*ret_why = CT_PIN_LEFT_CONTEXT;
	if (!context || !of_context(stream, context) || __atomic_load_n(&stopped, __ATOMIC_ACQUIRE))
		return NULL;
	*ret_why = CT_PIN_LEFT_HOST_WORK;
	if (host_works())
		return NULL;
	chain = take_blocks((bytes + CT_POOL_BLOCK_BYTES - 1) / CT_POOL_BLOCK_BYTES);
	*ret_why = refused ? CT_PIN_LEFT_REFUSED : CT_PIN_LEFT_FULL;
	if (!chain || prepare(chain))
		return chain;
	ct_pool_give(chain);
	*ret_why = CT_PIN_LEFT_REFUSED;
	return NULL;
}

struct ct_pool_block *ct_lend(CUstream stream, size_t bytes, enum ct_pin_left *ret_why)
{
	struct ct_pool_block *chain;

	pthread_mutex_lock(&lock);
	chain = lend(stream, bytes, ret_why);
	pthread_mutex_unlock(&lock);
	return chain;
}

/* Nobody can tell when the device is done with these: never use them again. */
static void lose(const struct ct_pool_block *chain)
{
	for (; chain; chain = chain->next)
		ct_pin_count(&ct_fix_counts()->pin.lost_blocks, 1);
}

/* What was submitted is behind the event; a chain of which nothing was is unused at once. */
void ct_lend_back(struct ct_pool_block *chain, CUstream stream, bool per_thread, bool used)
{
	bool marked = used;

	if (used)
		marked = ct_pin_driver.record[per_thread](chain->event, stream) == CUDA_SUCCESS;
	pthread_mutex_lock(&lock);
	if (marked)
		ct_pool_fly(chain);
	else if (!used)
		ct_pool_give(chain);
	pthread_mutex_unlock(&lock);
	if (used && !marked)
		lose(chain);
}

void ct_fix_host_work(void)
{
	__atomic_store_n(&host_work, true, __ATOMIC_RELEASE);
}

/* In their own context: the calling thread may have none, or another. */
static void give_up(const struct ct_pool_rest *rest, CUevent of_host_work, CUcontext there)
{
	CUcontext popped;

	if (ct_pin_driver.context_push(there) != CUDA_SUCCESS)
		return;
	if (of_host_work)
		ct_pin_driver.event_destroy(of_host_work);
	for (size_t i = 0; i < rest->event_count; i++) {
		ct_pin_driver.event_wait(rest->events[i]);
		ct_pin_driver.event_destroy(rest->events[i]);
	}
	for (size_t i = 0; i < rest->slab_count; i++)
		if (ct_pin_driver.unlock_pages(rest->slabs[i]) == CUDA_SUCCESS)
			munmap(rest->slabs[i], CT_POOL_SLAB_BYTES);
	ct_pin_driver.context_pop(&popped);
}

/* If it does not end after all, the pool is filled anew. */
void ct_fix_pin_context_ends(void)
{
	struct ct_pool_rest rest;
	int saved = errno;
	CUcontext there;
	CUevent event;
	struct ct_pin_own own;

	if (!ct_pin_ours())
		return;
	own = ct_pin_begin();
	pthread_mutex_lock(&lock);
	ct_pool_empty(&rest);
	there = context;
	event = host_event;
	context = NULL;
	host_event = NULL;
	refused = false;
	if (host_pending)
		ct_fix_host_work();
	host_pending = false;
	pthread_mutex_unlock(&lock);
	if (there)
		give_up(&rest, event, there);
	ct_pin_end(own);
	errno = saved;
}
