/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: do two frees at once explain each other in a circle?
 *
 * Two threads free at the same time, behind a 40 ms kernel. One of them waits for the
 * kernel; the other waits for the first one's lock, or for the kernel as well. Which is
 * which is a race, but neither may be left unexplained. Nothing is launched afterwards, so
 * nothing is serialized.
 */
#include <atomic>
#include <thread>

#include "expect.h"

static std::atomic<int> ready;

static void free_at_once(void *buffer)
{
	ready++;
	while (ready < 2)
		std::this_thread::yield();
	CHECK(cudaFree(buffer));
}

int main(void)
{
	cudaStream_t stream;
	void *one, *two;

	warm_up();
	stream = non_blocking_stream();
	one = device_memory(1 * MIB);
	two = device_memory(1 * MIB);

	launch_spin(40 * MS, stream);
	std::thread a(free_at_once, one);
	std::thread b(free_at_once, two);
	a.join();
	b.join();

	expect("calls cudaFree 2");
	expect("device kernel 2");
	expect("blocked cudaFree count=2 ns=20e6..60e6");
	expect("blocked cudaFree class=device_wait on=spin count>=1 ns=20e6..60e6");
	expect("blocked cudaFree class=unexplained count=0");
	expect("nothing_serialized");
	return done();
}
