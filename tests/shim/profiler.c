/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that brings its own profiler, as PyTorch does: works, loads CUPTI, subscribes,
 * registers buffers, enables kernels and fills, works, fetches its records, and works on.
 * `profiler early` does it before any CUDA call. Prints what its profiler got.
 */
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cupti.h>

#define ROUNDS 5
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

static void work(void)
{
	int good = 0;

	for (int i = 0; i < ROUNDS; i++) {
		void *memory = NULL;

		good += !cudaMalloc(&memory, 4096) && !cudaMemset(memory, 0, 4096) &&
			!cudaDeviceSynchronize() && !cudaFree(memory);
	}
	printf("%d of %d rounds worked\n", good, ROUNDS);
}

#define GET(function)                                                                              \
	__typeof__(&function) function##_ = (__typeof__(&function))dlsym(cupti, #function);        \
	if (!function##_)                                                                          \
		return false

static bool profile(void *cupti)
{
	CUpti_SubscriberHandle subscriber;
	CUptiResult subscribed;

	GET(cuptiSubscribe);
	GET(cuptiUnsubscribe);
	GET(cuptiEnableCallback);
	GET(cuptiActivityRegisterCallbacks);
	GET(cuptiActivityEnable);
	GET(cuptiActivityDisable);
	GET(cuptiActivityFlushAll);
	subscribed = cuptiSubscribe_(&subscriber, on_call, NULL);
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
	printf("the profiler saw %d fills, %d frees, %d on another clock\n", fills, calls, odd_clocks);
	return true;
}

int main(int argc, char **argv)
{
	void *cupti;

	clock_gettime(CLOCK_REALTIME, &begin);
	if (argc < 2 || strcmp(argv[1], "early") != 0)
		work();
	cupti = dlopen("libcupti.so.13", RTLD_NOW | RTLD_LOCAL);
	*(void **)&next_record = cupti ? dlsym(cupti, "cuptiActivityGetNextRecord") : NULL;
	if (!next_record || !profile(cupti))
		return 2;
	work();
	return 18;
}
