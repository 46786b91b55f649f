/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the larger programs share. Each is written as such programs often are, so that calls
 * wait that need not, and with --fixed as its argument it is the same work as somebody would
 * write who knows. Both print the same result, and the time from set-up to the last result:
 * tools/savings compares the difference with what `cutrace whatif` predicts.
 *
 * Kernels compute something and last as long as their first argument says, on a few blocks:
 * what is to overlap can. On the stand-in of tests/fake, which executes none, results are
 * those of zeroed and copied memory; no program decides by what a kernel computed.
 */
#ifndef LARGER_H
#define LARGER_H

#include "expect.h"

#define BLOCKS 32
#define THREADS 256
#define US 1000LL /* nanoseconds */

static inline bool wants_fixed(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "--fixed") == 0;
}

__device__ static inline long long device_ns(void)
{
	long long now;

	asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
	return now;
}

/* What is left of a kernel's time when it has computed what it has to. */
__device__ static inline void spin_rest(long long start_ns, long long ns)
{
	while (device_ns() - start_ns < ns)
		;
}

/* The first element of a thread, and how far it is to its next. */
__device__ static inline int first_element(void)
{
	return (int)(blockIdx.x * blockDim.x + threadIdx.x);
}

__device__ static inline int element_stride(void)
{
	return (int)(gridDim.x * blockDim.x);
}

/* Where a large operand is kept busy in place: v = 5 v + 1, word by word. */
__global__ void mix_spin(long long ns, uint32_t *words, int count)
{
	long long start = device_ns();

	for (int i = first_element(); i < count; i += element_stride())
		words[i] = 5 * words[i] + 1;
	spin_rest(start, ns);
}

static inline void launch_mix(long long ns, void *words, size_t bytes, cudaStream_t stream)
{
	mix_spin<<<BLOCKS, THREADS, 0, stream>>>(ns, (uint32_t *)words, (int)(bytes / 4));
	CHECK(cudaGetLastError());
}

/* Load mix_spin: later launches find it loaded. */
static inline void warm_up_mix(void)
{
	warm_up();
	launch_mix(1000, NULL, 0, 0);
	CHECK(cudaDeviceSynchronize());
}

/*
 * The steady state of a longer program: the device's pool keeps what it has, and has `count`
 * blocks (the first allocation of all takes 7 to 11 ms on an H200).
 */
static inline void keep_pool(size_t bytes, int count)
{
	uint64_t all = UINT64_MAX;
	void *blocks[8];
	cudaMemPool_t pool;

	CHECK(cudaDeviceGetDefaultMemPool(&pool, 0));
	CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all));
	for (int i = 0; i < count; i++)
		CHECK(cudaMallocAsync(&blocks[i], bytes, 0));
	for (int i = 0; i < count; i++)
		CHECK(cudaFreeAsync(blocks[i], 0));
	CHECK(cudaDeviceSynchronize());
}

static inline void *zeroed_device_memory(size_t bytes)
{
	void *memory = device_memory(bytes);

	CHECK(cudaMemset(memory, 0, bytes));
	return memory;
}

/* Words that differ from seed to seed. */
static inline void fill_words(void *data, size_t bytes, uint32_t seed)
{
	uint32_t *words = (uint32_t *)data;

	for (size_t i = 0; i < bytes / 4; i++)
		words[i] = seed = seed * 1664525u + 1013904223u;
}

/* A checksum that goes on from another. */
static inline uint64_t sum_words(uint64_t sum, const void *data, size_t bytes)
{
	const uint32_t *words = (const uint32_t *)data;

	for (size_t i = 0; i < bytes / 4; i++) {
		sum = (sum + words[i] + 1) * 1099511628211u;
		sum ^= sum >> 29;
	}
	return sum;
}

/*
 * The same in every run of either variant. In letters: `cutrace prove` forgives numbers that
 * differ, as a program's times do.
 */
static inline void print_result(uint64_t sum)
{
	fputs("result: ", stdout);
	for (int shift = 60; shift >= 0; shift -= 4)
		putchar('a' + (int)(sum >> shift & 15));
	putchar('\n');
}

static inline void print_work(long long start_ns)
{
	printf("measured: work_ms %.3f\n", (double)(now_ns() - start_ns) / MS);
}

#endif
