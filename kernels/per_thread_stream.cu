/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does a default stream a thread behave as one, and is it reported so?
 *
 * Compiled with --default-stream per-thread. Programming guide, 2.3.6: each thread's
 * default stream is then a stream of its own. Thread A waits in a pageable copy behind its
 * 40 ms kernel; thread B's 5 ms kernel runs beside it, and B's wait is for that alone.
 */
#include <atomic>
#include <thread>

#include "expect.h"

#define BYTES (64 * 1024)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

static void *host, *device;
static std::atomic<bool> copying;
static int copy_line, sync_line;

static void thread_a(void)
{
	launch(first_spin, 40 * MS, 0);
	copying = true;
	AT(copy_line, cudaMemcpyAsync(host, device, BYTES, cudaMemcpyDeviceToHost, 0));
}

static void thread_b(void)
{
	while (!copying)
		std::this_thread::yield();
	sleep_ns(2 * MS);
	launch(second_spin, 5 * MS, 0);
	AT(sync_line, cudaStreamSynchronize(0));
}

int main(void)
{
	host = pageable_memory(BYTES);
	warm_up(first_spin, second_spin);
	device = device_memory(BYTES);

	std::thread a(thread_a);
	std::thread b(thread_b);
	a.join();
	b.join();

	expect("calls cudaMemcpyAsync 1");
	expect("calls cudaLaunchKernel 4");
	expect("device kernel 4");
	expect("pageable cudaMemcpyAsync at=%s", SITE(copy_line));
	expect("blocked cudaMemcpyAsync class=device_wait on=first_spin at=%s count=1 "
	       "ns=20e6..60e6", SITE(copy_line));
	expect("not_blocked cudaLaunchKernel");
	expect("blocked cudaStreamSynchronize class=device_wait on=second_spin at=%s count=1 "
	       "ns=3e6..12e6", SITE(sync_line));
	expect("nothing_serialized");
	return done();
}
