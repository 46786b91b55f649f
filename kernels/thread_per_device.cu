/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does a thread that frees on one device hold up the thread of another?
 *
 * Two threads, each with a device of its own, do 10 iterations of {allocate, 4 ms kernel, free}.
 * On one device a free stops other threads' launches (two_threads). Whether it does so across
 * devices is not documented: if not, they take 40 ms together, else 80. On two H200 it did not.
 */
#include <atomic>
#include <thread>

#include "expect.h"

#define ITERATIONS 10
#define KERNEL_NS (4 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

static std::atomic<int> ready;
static int first_line, second_line;

/* Each in a function of its own, so that the places differ. */
#define DRIVE(name, device, kernel, ret_line)                                                      \
	static void name(void)                                                                     \
	{                                                                                          \
		cudaStream_t stream = start_together(device);                                      \
                                                                                                   \
		for (int i = 0; i < ITERATIONS; i++) {                                             \
			void *buffer = device_memory(1 * MIB);                                     \
                                                                                                   \
			launch(kernel, KERNEL_NS, stream);                                         \
			AT(ret_line, cudaFree(buffer));                                            \
		}                                                                                  \
	}

static cudaStream_t start_together(int device)
{
	cudaStream_t stream = non_blocking_stream_on(device);

	for (ready++; ready < 2;)
		std::this_thread::yield();
	return stream;
}

DRIVE(drive_first, 0, first_spin, first_line)
DRIVE(drive_second, 1, second_spin, second_line)

int main(void)
{
	long long start, took;
	bool apart;

	need_devices(2);
	warm_up_two(first_spin, second_spin);
	start = now_ns();
	std::thread first(drive_first);
	std::thread second(drive_second);
	first.join();
	second.join();
	took = now_ns() - start;
	apart = took < ITERATIONS * KERNEL_NS * 3 / 2;
	seen("threads of two devices %s (%.3f ms)", apart ? "do not hold each other up" :
							    "hold each other up",
	     (double)took / 1e6);

	expect("calls cudaFree %d", 2 * ITERATIONS);
	expect("device kernel %d device=0", ITERATIONS + 2);
	expect("device kernel %d device=1", ITERATIONS + 2);
	expect("blocked cudaFree class=device_wait on=first_spin at=%s count>=9 ns=2e6..12e6",
	       SITE(first_line));
	expect("blocked cudaFree class=device_wait on=second_spin at=%s count>=9 ns=2e6..12e6",
	       SITE(second_line));
	expect("not_serialized cudaFree at=%s victim=second_spin", SITE(first_line));
	expect("not_serialized cudaFree at=%s victim=first_spin", SITE(second_line));
	return done();
}
