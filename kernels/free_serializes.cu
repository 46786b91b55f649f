/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does a cudaFree in a loop cost a program that uses two streams?
 *
 * 100 iterations of {allocate 16 MiB, clear it, 2 ms kernel, free}, on two streams in
 * turn. cudaFree waits for all work on the device, so the next iteration's kernel starts
 * only when this one's has ended: about 200 ms, where two streams could do it in 100.
 * With --async the same loop allocates and frees in stream order and takes those 100 ms.
 */
#include "expect.h"

#define ITERATIONS 100
#define BYTES (16 * MIB)
#define KERNEL_NS (2 * MS)

static cudaStream_t streams[2];
static int free_line;

static void allocate_and_free(cudaStream_t stream)
{
	void *buffer;

	CHECK(cudaMalloc(&buffer, BYTES));
	CHECK(cudaMemsetAsync(buffer, 0, BYTES, stream));
	launch_spin(KERNEL_NS, stream);
	AT(free_line, cudaFree(buffer));
}

/* The loop has no synchronise, so the pool keeps the memory that it gets back. */
static void allocate_and_free_in_stream_order(cudaStream_t stream)
{
	void *buffer;

	CHECK(cudaMallocAsync(&buffer, BYTES, stream));
	CHECK(cudaMemsetAsync(buffer, 0, BYTES, stream));
	launch_spin(KERNEL_NS, stream);
	CHECK(cudaFreeAsync(buffer, stream));
}

/* What the loop took in this run, less what the streams would have needed without the frees. */
static void expect_loss(long long took_ns)
{
	expect("calls cudaMalloc %d", ITERATIONS);
	expect("calls cudaFree %d", ITERATIONS);
	expect("not_blocked cudaMalloc");
	expect("blocked cudaFree class=device_wait on=spin at=%s count>=90 ns=1.2e6..8e6",
	       SITE(free_line));
	expect("serialized cudaFree at=%s victim=spin", SITE(free_line));
	expect_measured("site_lost cudaFree at=%s ns=%s", SITE(free_line),
			about(took_ns - ITERATIONS / 2 * KERNEL_NS));
}

static void expect_no_loss(void)
{
	expect("calls cudaMallocAsync %d", 2 * ITERATIONS);
	expect("calls cudaFreeAsync %d", 2 * ITERATIONS);
	expect("not_blocked cudaMallocAsync");
	expect("not_blocked cudaFreeAsync");
	expect("nothing_serialized");
}

/*
 * The steady state of a longer program: freed memory stays in the pool, and the pool has
 * what the loop will want at a time (the host runs ahead: all of it).
 */
static void fill_pool(void)
{
	uint64_t all = UINT64_MAX;
	void *buffers[ITERATIONS];
	cudaMemPool_t pool;
	int i;

	CHECK(cudaDeviceGetDefaultMemPool(&pool, 0));
	CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all));
	for (i = 0; i < ITERATIONS; i++)
		CHECK(cudaMallocAsync(&buffers[i], BYTES, streams[i % 2]));
	for (i = 0; i < ITERATIONS; i++)
		CHECK(cudaFreeAsync(buffers[i], streams[i % 2]));
	CHECK(cudaDeviceSynchronize());
}

int main(int argc, char **argv)
{
	bool async = argc > 1 && !strcmp(argv[1], "--async");
	long long start, took;
	int i;

	warm_up();
	CHECK(cudaStreamCreateWithFlags(&streams[0], cudaStreamNonBlocking));
	CHECK(cudaStreamCreateWithFlags(&streams[1], cudaStreamNonBlocking));

	if (async)
		fill_pool();
	start = now_ns();
	for (i = 0; i < ITERATIONS; i++) {
		if (async)
			allocate_and_free_in_stream_order(streams[i % 2]);
		else
			allocate_and_free(streams[i % 2]);
	}
	CHECK(cudaDeviceSynchronize());
	took = now_ns() - start;
	printf("measured: loop_ms %.3f\n", (double)took / MS);

	expect("calls cudaMemsetAsync %d", ITERATIONS);
	expect("calls cudaLaunchKernel %d", ITERATIONS + 1);
	expect("device kernel %d", ITERATIONS + 1);
	expect("device memset %d", ITERATIONS);
	if (async)
		expect_no_loss();
	else
		expect_loss(took);
	return done();
}
