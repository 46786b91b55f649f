/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: can a cudaFree in one thread stop another thread's asynchronous copy?
 *
 * Measured on an H200: while thread A waits in cudaFree behind a 40 ms kernel, thread B's
 * cudaMemcpyAsync of pinned memory waits for the driver's lock. The copy could have run
 * beside the kernel: what the same copy took before is lost.
 */
#include <atomic>
#include <thread>

#include "expect.h"

#define BYTES (64 * MIB)

SPIN_KERNEL(first_spin)

static cudaStream_t s1, s2;
static void *buffer, *host, *device;
static std::atomic<bool> freeing;
static int free_line, copy_line;

static void thread_a(void)
{
	launch(first_spin, 40 * MS, s1);
	freeing = true;
	AT(free_line, cudaFree(buffer));
}

static void thread_b(void)
{
	while (!freeing)
		std::this_thread::yield();
	sleep_ns(2 * MS);
	AT(copy_line, cudaMemcpyAsync(device, host, BYTES, cudaMemcpyHostToDevice, s2));
	CHECK(cudaStreamSynchronize(s2));
}

/* What the copy takes on an idle device, the second time. */
static long long copy_ns(void)
{
	cudaEvent_t before, after;
	float took_ms;

	CHECK(cudaEventCreate(&before));
	CHECK(cudaEventCreate(&after));
	CHECK(cudaMemcpyAsync(device, host, BYTES, cudaMemcpyHostToDevice, s2));
	CHECK(cudaEventRecord(before, s2));
	CHECK(cudaMemcpyAsync(device, host, BYTES, cudaMemcpyHostToDevice, s2));
	CHECK(cudaEventRecord(after, s2));
	CHECK(cudaStreamSynchronize(s2));
	CHECK(cudaEventElapsedTime(&took_ms, before, after));
	return (long long)(took_ms * MS);
}

int main(void)
{
	long long lost_ns;

	warm_up(first_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	buffer = device_memory(1 * MIB);
	host = pinned_memory(BYTES);
	device = device_memory(BYTES);
	lost_ns = copy_ns();

	std::thread a(thread_a);
	std::thread b(thread_b);
	a.join();
	b.join();

	expect("calls cudaMemcpyAsync 3");
	expect("device kernel 2");
	expect("device copy 3");
	expect("blocked cudaFree class=device_wait on=first_spin at=%s count=1 ns=20e6..60e6",
	       SITE(free_line));
	expect("blocked cudaMemcpyAsync class=lock_wait on=cudaFree at=%s count=1 ns=10e6..60e6",
	       SITE(copy_line));
	expect_measured("serialized cudaFree at=%s victim=copy count=1 lost=%s", SITE(free_line),
			about(lost_ns));
	return done();
}
