/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does a free on one device cost the other, if one thread drives both?
 *
 * 10 iterations of {allocate, 3 ms kernel, free} on device 0, then on device 1. Each free
 * waits for its own device, and holds the thread: the other device gets its work only
 * then. So 60 ms in which one of two devices works, instead of 30.
 */
#include "expect.h"

#define ITERATIONS 10
#define KERNEL_NS (3 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	cudaStream_t s0, s1;
	int i, first_line, second_line;

	need_devices(2);
	warm_up_two(first_spin, second_spin);
	s0 = non_blocking_stream_on(0);
	s1 = non_blocking_stream_on(1);

	for (i = 0; i < ITERATIONS; i++) {
		void *buffer;

		CHECK(cudaSetDevice(0));
		buffer = device_memory(1 * MIB);
		launch(first_spin, KERNEL_NS, s0);
		AT(first_line, cudaFree(buffer));
		CHECK(cudaSetDevice(1));
		buffer = device_memory(1 * MIB);
		launch(second_spin, KERNEL_NS, s1);
		AT(second_line, cudaFree(buffer));
	}

	expect("calls cudaFree %d", 2 * ITERATIONS);
	expect("device kernel %d device=0", ITERATIONS + 2);
	expect("device kernel %d device=1", ITERATIONS + 2);
	expect("blocked cudaFree class=device_wait on=first_spin at=%s count>=9 ns=2e6..10e6",
	       SITE(first_line));
	expect("blocked cudaFree class=device_wait on=second_spin at=%s count>=9 ns=2e6..10e6",
	       SITE(second_line));
	expect("serialized cudaFree at=%s victim=second_spin count>=6", SITE(first_line));
	expect("serialized cudaFree at=%s victim=first_spin count>=6", SITE(second_line));
	expect("site_lost cudaFree at=%s ns=%s", SITE(first_line), about(ITERATIONS * KERNEL_NS));
	return done();
}
