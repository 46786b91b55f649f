/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does it help to leave the freeing to a thread of its own?
 *
 * One thread works in short steps of 0.2 ms; every twenty-fifth it also starts 4 ms of work on
 * another stream, and hands a buffer to a second thread, which frees it. That cudaFree waits for
 * those 4 ms, and the first thread's next launch for the driver's lock. Fixed: the second thread
 * frees in stream order what came from the pool, and nobody waits.
 */
#include <semaphore.h>
#include <thread>

#include "larger.h"

#define CHUNKS 40
#define STEPS 25
#define BYTES (1 * MIB)
#define STEP_NS (200 * US)
#define LONG_NS (4 * MS)

static bool fixed;
static int free_line;
static sem_t retired, gone;
static void *buffer; /* to be freed */
static cudaStream_t s1, s2, freeing;

static void *allocate(void)
{
	void *memory;

	if (fixed)
		CHECK(cudaMallocAsync(&memory, BYTES, s1));
	else
		CHECK(cudaMalloc(&memory, BYTES));
	return memory;
}

static void free_retired(void)
{
	for (int i = 0; i < CHUNKS; i++) {
		sem_wait(&retired);
		if (fixed)
			CHECK(cudaFreeAsync(buffer, freeing));
		else
			AT(free_line, cudaFree(buffer));
		sem_post(&gone);
	}
}

/* Steps on s1, each with the host, which looks at a number before the next. */
static uint64_t work(uint64_t sum, void *number, void *memory)
{
	for (int i = 0; i < STEPS; i++) {
		launch_mix(STEP_NS, memory, BYTES, s1);
		CHECK(cudaMemcpyAsync(number, memory, 8, cudaMemcpyDeviceToHost, s1));
		CHECK(cudaStreamSynchronize(s1));
		sum = sum_words(sum, number, 8);
	}
	return sum;
}

static uint64_t run(void *number, void *other)
{
	uint64_t sum = 0;

	for (int i = 0; i < CHUNKS; i++) {
		void *memory = allocate();

		CHECK(cudaMemsetAsync(memory, i, BYTES, s1));
		sum = work(sum, number, memory);
		sem_wait(&gone);
		buffer = memory;
		launch_mix(LONG_NS, other, BYTES, s2);
		sem_post(&retired);
		sleep_ns(100 * US); /* the other thread is in its call */
	}
	return sum;
}

int main(int argc, char **argv)
{
	void *number, *other;
	std::thread freer;
	long long start;

	fixed = wants_fixed(argc, argv);
	warm_up_mix();
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	freeing = non_blocking_stream();
	number = pinned_memory(8);
	other = zeroed_device_memory(BYTES);
	keep_pool(BYTES, fixed ? 1 : 0);
	sem_init(&retired, 0, 0);
	sem_init(&gone, 0, 1);
	CHECK(cudaDeviceSynchronize());
	start = now_ns();
	freer = std::thread(free_retired);
	print_result(run(number, other));
	freer.join();
	CHECK(cudaDeviceSynchronize());
	print_work(start);

	expect("calls cudaFree %d", fixed ? 0 : CHUNKS);
	expect("calls cudaFreeAsync %d", fixed ? CHUNKS + 1 : 0);
	if (fixed) {
		expect("nothing_serialized");
		return done();
	}
	expect("blocked cudaFree class=device_wait on=mix_spin at=%s count>=%d ns=2e6..20e6",
	       SITE(free_line), CHUNKS - 5);
	expect("serialized cudaFree at=%s victim=mix_spin", SITE(free_line));
	return done();
}
