/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that brings its own profiler, as PyTorch does: works, loads CUPTI, subscribes,
 * registers buffers, enables kernels and fills, works, fetches its records, and works on.
 * `profiler early` does it before any CUDA call, `profiler busy` while threads are at work,
 * `profiler waiting` while a thread waits for the device; `profiler told` when its input has a
 * line, or ends.
 * `profiler late FILE` loads that CUPTI. Prints what its profiler got. Built with LINKED it
 * is linked to CUPTI.
 */
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cupti.h>

#define ROUNDS 5
#define THREADS 3
#define BUSY_ROUNDS 200
#define BUFFER_BYTES (1 << 20)

static int fills, calls, odd_clocks;
static __typeof__(&cuptiActivityGetNextRecord) next_record;
static struct timespec begin;

static void CUPTIAPI give(uint8_t **buffer, size_t *bytes, size_t *records)
{
	*buffer = aligned_alloc(8, BUFFER_BYTES);
	*bytes = BUFFER_BYTES;
	*records = 0;
}

/* CUPTI's times are CLOCK_REALTIME for somebody who registered no clock. */
static void CUPTIAPI take(CUcontext context, uint32_t stream, uint8_t *buffer, size_t bytes,
			  size_t valid)
{
	CUpti_Activity *record = NULL;

	(void)context, (void)stream, (void)bytes;
	while (next_record(buffer, valid, &record) == CUPTI_SUCCESS) {
		const CUpti_ActivityMemset4 *fill = (const void *)record;

		if (record->kind != CUPTI_ACTIVITY_KIND_MEMSET)
			continue;
		fills++;
		odd_clocks += fill->start / 1000000000 < (uint64_t)begin.tv_sec;
	}
	free(buffer);
}

static void CUPTIAPI on_call(void *unused, CUpti_CallbackDomain domain, CUpti_CallbackId id,
			     const void *data)
{
	const CUpti_CallbackData *call = data;

	(void)unused, (void)domain, (void)id;
	calls += call->callbackSite == CUPTI_API_ENTER;
}

static int rounds(int count)
{
	int good = 0;

	for (int i = 0; i < count; i++) {
		void *memory = NULL;

		good += !cudaMalloc(&memory, 4096) && !cudaMemset(memory, 0, 4096) &&
			!cudaDeviceSynchronize() && !cudaFree(memory);
	}
	return good;
}

static void work(void)
{
	printf("%d of %d rounds worked\n", rounds(ROUNDS), ROUNDS);
}

#ifdef LINKED
#define LOOK(function) function
#else
#define LOOK(function) ((__typeof__(&function))dlsym(cupti, #function))
#endif
#define GET(function)                                                                              \
	__typeof__(&function) function##_ = LOOK(function);                                        \
	if (!function##_)                                                                          \
		return false

static bool profile(void *cupti)
{
	CUpti_SubscriberHandle subscriber;
	CUptiResult subscribed;

	(void)cupti;
	GET(cuptiSubscribe);
	GET(cuptiUnsubscribe);
	GET(cuptiEnableCallback);
	GET(cuptiActivityRegisterCallbacks);
	GET(cuptiActivityEnable);
	GET(cuptiActivityDisable);
	GET(cuptiActivityFlushAll);
	errno = 1234;
	subscribed = cuptiSubscribe_(&subscriber, on_call, NULL);
	printf("errno %d after subscribing\n", errno);
	printf("subscribing: %d\n", subscribed);
	if (subscribed)
		return true;
	cuptiEnableCallback_(1, subscriber, CUPTI_CB_DOMAIN_RUNTIME_API,
			     CUPTI_RUNTIME_TRACE_CBID_cudaFree_v3020);
	cuptiActivityRegisterCallbacks_(give, take);
	cuptiActivityEnable_(CUPTI_ACTIVITY_KIND_MEMSET);
	work();
	cuptiActivityFlushAll_(1);
	cuptiActivityDisable_(CUPTI_ACTIVITY_KIND_MEMSET);
	cuptiUnsubscribe_(subscriber);
	if (fills < ROUNDS || calls < ROUNDS)
		puts("the profiler missed some");
	else if (!odd_clocks)
		puts("the profiler saw all");
	return true;
}

static void *be_busy(void *unused)
{
	if (rounds(BUSY_ROUNDS) != BUSY_ROUNDS)
		puts("a busy thread failed");
	return unused;
}

static void CUDART_CB dawdle(void *unused)
{
	(void)unused;
	usleep(200000);
}

static void *wait_long(void *unused)
{
	if (cudaLaunchHostFunc(NULL, dawdle, NULL) || cudaDeviceSynchronize() ||
	    rounds(ROUNDS) != ROUNDS)
		puts("the waiting thread failed");
	return unused;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	bool waiting = strcmp(mode, "waiting") == 0;
	int busy = strcmp(mode, "busy") == 0 ? THREADS : waiting;
	pthread_t threads[THREADS];
	void *cupti;

	clock_gettime(CLOCK_REALTIME, &begin);
	if (strcmp(mode, "early") != 0)
		work();
	for (int i = 0; i < busy; i++)
		pthread_create(&threads[i], NULL, waiting ? wait_long : be_busy, NULL);
	if (waiting)
		usleep(50000);
	if (strcmp(mode, "told") == 0)
		getchar();
	cupti = dlopen(argc > 2 ? argv[2] : "libcupti.so.13", RTLD_NOW | RTLD_LOCAL);
	if (!cupti)
		return 2;
	next_record = LOOK(cuptiActivityGetNextRecord);
	if (!next_record || !profile(cupti))
		return 3;
	for (int i = 0; i < busy; i++)
		pthread_join(threads[i], NULL);
	work();
	return 18;
}
