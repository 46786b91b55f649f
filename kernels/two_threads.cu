/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: can a cudaFree in one thread stop another thread's launches?
 *
 * Thread A launches a 20 ms kernel on s1 and frees a buffer: cudaFree waits for the kernel
 * and holds the driver's lock meanwhile. Thread B launches a 10 ms kernel on s2 2 ms
 * later: its launch waits for the lock. The chain that the report must show is
 * B's launch <- A's cudaFree <- spin on s1, with B's kernel as the victim.
 */
#include <atomic>
#include <thread>

#include "expect.h"

static cudaStream_t s1, s2;
static void *buffer;
static std::atomic<bool> freeing;
static int free_line;

static void thread_a(void)
{
	launch_spin(20 * MS, s1);
	freeing = true;
	AT(free_line, cudaFree(buffer));
}

static void thread_b(void)
{
	while (!freeing)
		std::this_thread::yield();
	sleep_ns(2 * MS);
	launch_spin(10 * MS, s2);
	CHECK(cudaStreamSynchronize(s2));
}

int main(void)
{
	warm_up();
	CHECK(cudaMalloc(&buffer, 16 * MIB));
	CHECK(cudaStreamCreateWithFlags(&s1, cudaStreamNonBlocking));
	CHECK(cudaStreamCreateWithFlags(&s2, cudaStreamNonBlocking));

	std::thread a(thread_a);
	std::thread b(thread_b);
	a.join();
	b.join();

	expect("calls cudaFree 1");
	expect("calls cudaLaunchKernel 3");
	expect("device kernel 3");
	expect("blocked cudaFree class=device_wait on=spin at=%s count=1 ns=12e6..40e6",
	       SITE(free_line));
	expect("blocked cudaLaunchKernel class=lock_wait on=cudaFree count=1 ns=5e6..40e6");
	expect("serialized cudaFree at=%s victim=spin lost=%s", SITE(free_line),
	       about(10 * MS));
	return done();
}
