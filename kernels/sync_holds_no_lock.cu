/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is one thread's synchronise accused of stopping another thread? (A decoy.)
 *
 * Thread A waits 40 ms in cudaStreamSynchronize. Measured on an H200: meanwhile thread B
 * launches, copies and allocates freely, so its kernel on s2 runs beside A's.
 */
#include <atomic>
#include <thread>

#include "expect.h"

#define BYTES 4096

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

static cudaStream_t s1, s2;
static void *host, *device;
static std::atomic<bool> waiting;

static void thread_a(void)
{
	launch(first_spin, 40 * MS, s1);
	waiting = true;
	CHECK(cudaStreamSynchronize(s1));
}

static void thread_b(void)
{
	void *more;

	while (!waiting)
		std::this_thread::yield();
	sleep_ns(2 * MS);
	CHECK(cudaMalloc(&more, BYTES));
	CHECK(cudaMemcpyAsync(device, host, BYTES, cudaMemcpyHostToDevice, s2));
	launch(second_spin, 5 * MS, s2);
	CHECK(cudaStreamSynchronize(s2));
}

int main(void)
{
	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	host = pinned_memory(BYTES);
	device = device_memory(BYTES);

	std::thread a(thread_a);
	std::thread b(thread_b);
	a.join();
	b.join();

	expect("device kernel 4");
	expect("not_blocked cudaMalloc");
	expect("not_blocked cudaMemcpyAsync");
	expect("not_blocked cudaLaunchKernel");
	expect("blocked cudaStreamSynchronize class=device_wait on=first_spin count=1");
	expect("blocked cudaStreamSynchronize class=device_wait on=second_spin count=1 "
	       "ns=3e6..12e6");
	expect("nothing_serialized");
	return done();
}
