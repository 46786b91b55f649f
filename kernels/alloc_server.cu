/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what do allocations of each request cost a server with several threads?
 *
 * Six threads answer requests on streams of their own; each request allocates its memory, takes
 * 1 to 5 ms on the device, and frees it. A cudaFree waits for what all threads have on the
 * device, and meanwhile none of them can launch: they go on in step, at the pace of the longest
 * request. Fixed: each request's memory comes from the pool, in the order of its stream. A number
 * as its argument has each thread answer so many requests.
 */
#include <thread>

#include "larger.h"

#define WORKERS 6
#define REQUESTS 60 /* of each thread, if nothing else is said */
#define BYTES (256 * 1024UL)
#define NEXT_NS (1 * MS) /* until a thread gets its next request */

static bool fixed;
static int requests = REQUESTS;
static int free_line;
static uint64_t sums[WORKERS];

static void *allocate(cudaStream_t stream)
{
	void *memory;

	if (fixed)
		CHECK(cudaMallocAsync(&memory, BYTES, stream));
	else
		CHECK(cudaMalloc(&memory, BYTES));
	return memory;
}

static void release(void *memory, cudaStream_t stream)
{
	if (fixed)
		CHECK(cudaFreeAsync(memory, stream));
	else
		AT(free_line, cudaFree(memory));
}

/* 1 to 5 ms, of which six at a time are rarely alike. */
static long long time_of(int worker, int request)
{
	uint32_t word = (uint32_t)(worker * requests + request) * 2654435761u;

	return 1 * MS + (word >> 8) % 1000 * 4 * US;
}

static void answer(int worker, int request, void *host, cudaStream_t stream)
{
	void *memory = allocate(stream);

	fill_words(host, BYTES, (uint32_t)(worker * requests + request));
	CHECK(cudaMemcpyAsync(memory, host, BYTES, cudaMemcpyHostToDevice, stream));
	launch_mix(time_of(worker, request), memory, BYTES, stream);
	CHECK(cudaMemcpyAsync(host, memory, BYTES, cudaMemcpyDeviceToHost, stream));
	CHECK(cudaStreamSynchronize(stream));
	sums[worker] = sum_words(sums[worker], host, BYTES);
	release(memory, stream);
}

static void serve(int worker, void *host, cudaStream_t stream)
{
	for (int i = 0; i < requests; i++) {
		answer(worker, i, host, stream);
		sleep_ns(NEXT_NS);
	}
}

int main(int argc, char **argv)
{
	std::thread workers[WORKERS];
	cudaStream_t streams[WORKERS];
	void *hosts[WORKERS];
	long long start;

	fixed = wants_fixed(argc, argv);
	if (!fixed && argc > 1 && atoi(argv[1]) > 0)
		requests = atoi(argv[1]);
	warm_up_mix();
	keep_pool(BYTES, fixed ? WORKERS : 0);
	for (int i = 0; i < WORKERS; i++) {
		streams[i] = non_blocking_stream();
		hosts[i] = pinned_memory(BYTES);
	}
	start = now_ns();
	for (int i = 0; i < WORKERS; i++)
		workers[i] = std::thread(serve, i, hosts[i], streams[i]);
	for (int i = 0; i < WORKERS; i++)
		workers[i].join();
	print_result(sum_words(0, sums, sizeof(sums)));
	print_work(start);

	expect("calls cudaMemcpyAsync %d", 2 * WORKERS * requests);
	expect("calls cudaFree %d", fixed ? 0 : WORKERS * requests);
	expect("calls cudaFreeAsync %d", fixed ? WORKERS * (requests + 1) : 0);
	if (fixed) {
		expect("nothing_serialized");
		return done();
	}
	expect("blocked cudaFree class=device_wait at=%s count>=%d", SITE(free_line), requests);
	expect("serialized cudaFree at=%s victim=mix_spin", SITE(free_line));
	return done();
}
