/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: can a pageable copy in one thread stop another thread's allocation?
 *
 * Measured on an H200: while thread A waits in a pageable cudaMemcpyAsync behind a 40 ms
 * kernel, thread B's cudaMalloc waits too, though its launches would not: the driver's
 * lock. B's kernel on s2 comes after its allocation, so it is late as well. The chain is
 * B's cudaMalloc <- A's cudaMemcpyAsync <- first_spin on s1.
 */
#include <atomic>
#include <thread>

#include "expect.h"

#define BYTES (1 * MIB)
#define KERNEL_NS (40 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

static cudaStream_t s1, s2;
static void *host, *device;
static std::atomic<bool> copying;
static long long launched_ns, allocating_ns;
static int copy_line, malloc_line;

static void thread_a(void)
{
	launch(first_spin, KERNEL_NS, s1);
	launched_ns = now_ns();
	copying = true;
	AT(copy_line, cudaMemcpyAsync(host, device, BYTES, cudaMemcpyDeviceToHost, s1));
}

static void thread_b(void)
{
	void *more;

	while (!copying)
		std::this_thread::yield();
	sleep_ns(2 * MS);
	allocating_ns = now_ns();
	AT(malloc_line, cudaMalloc(&more, 4096));
	launch(second_spin, KERNEL_NS, s2);
	CHECK(cudaStreamSynchronize(s2));
}

int main(void)
{
	host = pageable_memory(BYTES);
	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	device = device_memory(BYTES);

	std::thread a(thread_a);
	std::thread b(thread_b);
	a.join();
	b.join();

	expect("device kernel 4");
	expect("blocked cudaMemcpyAsync class=device_wait on=first_spin at=%s count=1 "
	       "ns=20e6..60e6", SITE(copy_line));
	expect("blocked cudaMalloc class=lock_wait on=cudaMemcpyAsync at=%s count=1 "
	       "ns=10e6..60e6", SITE(malloc_line));
	/* the rest of first_spin, when the allocation began */
	expect_measured("serialized cudaMemcpyAsync at=%s victim=second_spin count=1 lost=%s",
			SITE(copy_line), about(launched_ns + KERNEL_NS - allocating_ns));
	return done();
}
