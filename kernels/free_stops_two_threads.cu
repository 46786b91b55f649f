/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: are all threads found that one cudaFree stopped?
 *
 * Thread A waits in cudaFree behind a 40 ms kernel. 2 ms later thread B launches on s2, and
 * thread C allocates and then launches on s3. Measured on an H200: launches and cudaMalloc
 * of other threads wait for the lock that cudaFree holds. Both kernels are late, and since
 * they run beside each other then, the time lost is one kernel's less those 2 ms.
 */
#include <atomic>
#include <thread>

#include "expect.h"

#define KERNEL_NS (40 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)
SPIN_KERNEL(third_spin)

static cudaStream_t s1, s2, s3;
static void *buffer;
static std::atomic<bool> freeing;
static int free_line;

static void thread_a(void)
{
	launch(first_spin, KERNEL_NS, s1);
	freeing = true;
	AT(free_line, cudaFree(buffer));
}

static void wait_until_freeing(void)
{
	while (!freeing)
		std::this_thread::yield();
	sleep_ns(2 * MS);
}

static void thread_b(void)
{
	wait_until_freeing();
	launch(second_spin, KERNEL_NS, s2);
}

static void thread_c(void)
{
	void *more;

	wait_until_freeing();
	CHECK(cudaMalloc(&more, 4096));
	launch(third_spin, KERNEL_NS, s3);
}

int main(void)
{
	warm_up(first_spin, second_spin, third_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	s3 = non_blocking_stream();
	CHECK(cudaMalloc(&buffer, 1 * MIB));

	std::thread a(thread_a);
	std::thread b(thread_b);
	std::thread c(thread_c);
	a.join();
	b.join();
	c.join();
	CHECK(cudaDeviceSynchronize());

	expect("device kernel 6");
	expect("blocked cudaFree class=device_wait on=first_spin at=%s count=1 ns=20e6..60e6",
	       SITE(free_line));
	expect("blocked cudaLaunchKernel class=lock_wait on=cudaFree ns=10e6..60e6");
	expect("blocked cudaMalloc class=lock_wait on=cudaFree ns=10e6..60e6");
	expect("serialized cudaFree at=%s victim=second_spin count=1", SITE(free_line));
	expect("serialized cudaFree at=%s victim=third_spin count=1", SITE(free_line));
	expect("serialized cudaFree at=%s count=2 lost=%s", SITE(free_line),
	       about(KERNEL_NS - 2 * MS));
	return done();
}
