/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two locks of the driver that a program can feel, after the two-thread table:
 *
 *   context lock     taken by whatever submits work or allocates; held by a free that
 *                    drains the device ("A is in cudaFree, cudaFreeHost": launches,
 *                    cudaMalloc and pinned copies of B wait, cudaMallocAsync and
 *                    cudaStreamQuery do not)
 *   allocation lock  taken by whatever allocates; held by a pageable copy that waits
 *                    ("A is in pageable memcpyAsync": cudaMalloc of B waits, launches
 *                    do not)
 *
 * Each device has its own two: assumed, not measured (README.md).
 *
 * Explicit waits hold neither ("A is in cudaDeviceSynchronize"), nor does a launch
 * that waits for room in its queue ("A is in 2000 launches").
 *
 * Order: allocation lock first, then context lock, then the mutex of the streams.
 */
#include "engine.h"

#define EACH(initial) { [0 ... FAKE_DEVICES_MOST - 1] = initial }

static pthread_mutex_t context[] = EACH(PTHREAD_MUTEX_INITIALIZER);
static pthread_mutex_t allocation[] = EACH(PTHREAD_MUTEX_INITIALIZER);

void fake_context_lock(uint32_t device)
{
	pthread_mutex_lock(&context[device]);
}

void fake_context_unlock(uint32_t device)
{
	pthread_mutex_unlock(&context[device]);
}

void fake_allocation_lock(uint32_t device)
{
	pthread_mutex_lock(&allocation[device]);
}

void fake_allocation_unlock(uint32_t device)
{
	pthread_mutex_unlock(&allocation[device]);
}
