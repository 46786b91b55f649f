/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does a cudaFree in a loop cost a program that uses three streams?
 *
 * 30 iterations of {allocate, 3 ms kernel, free} on three streams in turn take 90 ms; in
 * stream order they take 30. So the frees cost 60 ms, and what the loop takes beyond 90.
 */
#include "expect.h"

#define ITERATIONS 30
#define STREAMS 3
#define KERNEL_NS (3 * MS)

int main(void)
{
	cudaStream_t streams[STREAMS];
	int i, free_line, sync_line;
	long long start, took;

	warm_up();
	for (i = 0; i < STREAMS; i++)
		streams[i] = non_blocking_stream();

	start = now_ns();
	for (i = 0; i < ITERATIONS; i++) {
		void *buffer = device_memory(1 * MIB);

		launch_spin(KERNEL_NS, streams[i % STREAMS]);
		AT(free_line, cudaFree(buffer));
	}
	AT(sync_line, cudaDeviceSynchronize());
	took = now_ns() - start;

	expect("calls cudaFree %d", ITERATIONS);
	expect("device kernel %d", ITERATIONS + 1);
	expect("blocked cudaFree class=device_wait on=spin at=%s count>=27 ns=2e6..10e6",
	       SITE(free_line));
	expect("not_blocked cudaDeviceSynchronize at=%s", SITE(sync_line));
	expect("serialized cudaFree at=%s victim=spin count>=27", SITE(free_line));
	expect_measured("site_lost cudaFree at=%s ns=%s", SITE(free_line),
			about(took - ITERATIONS / STREAMS * KERNEL_NS));
	return done();
}
