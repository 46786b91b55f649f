/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: can a cudaFree in one thread stop another thread's allocation?
 *
 * Measured on an H200: while thread A waits in cudaFree behind a 40 ms kernel, thread B's
 * cudaMalloc waits for the driver's lock; cudaMallocAsync does not. B's kernel on s2 comes
 * after the allocation, so it is late as well.
 */
#include <atomic>
#include <thread>

#include "expect.h"

#define KERNEL_NS (40 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

static cudaStream_t s1, s2;
static void *buffer;
static std::atomic<bool> freeing;
static long long launched_ns, allocating_ns;
static int free_line, malloc_line, async_line;

static void thread_a(void)
{
	launch(first_spin, KERNEL_NS, s1);
	launched_ns = now_ns();
	freeing = true;
	AT(free_line, cudaFree(buffer));
}

static void thread_b(void)
{
	void *pooled, *more;

	while (!freeing)
		std::this_thread::yield();
	sleep_ns(2 * MS);
	AT(async_line, cudaMallocAsync(&pooled, 4096, s2));
	allocating_ns = now_ns();
	AT(malloc_line, cudaMalloc(&more, 4096));
	launch(second_spin, KERNEL_NS, s2);
	CHECK(cudaStreamSynchronize(s2));
}

int main(void)
{
	void *pooled;

	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	buffer = device_memory(1 * MIB);
	CHECK(cudaMallocAsync(&pooled, 4096, s2)); /* creates the pool */
	CHECK(cudaStreamSynchronize(s2));

	std::thread a(thread_a);
	std::thread b(thread_b);
	a.join();
	b.join();

	expect("device kernel 4");
	expect("blocked cudaFree class=device_wait on=first_spin at=%s count=1 ns=20e6..60e6",
	       SITE(free_line));
	expect("not_blocked cudaMallocAsync at=%s", SITE(async_line));
	expect("blocked cudaMalloc class=lock_wait on=cudaFree at=%s count=1 ns=10e6..60e6",
	       SITE(malloc_line));
	/* the rest of first_spin, when the allocation began */
	expect_measured("serialized cudaFree at=%s victim=second_spin count=1 lost=%s",
			SITE(free_line), about(launched_ns + KERNEL_NS - allocating_ns));
	return done();
}
