/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: are a full launch queue and a free behind it told apart?
 *
 * 2000 kernels of 20 us are launched on s1 behind a 40 ms kernel. About 1000 fit into the
 * queue (measured on an H200), so launches wait for room; when the last is in, about 1000
 * are left to run, and the free waits for those, about 20 ms. The kernel on s2 is late
 * because of both, and could have run its 20 ms during the free, or what part of it fits.
 */
#include "expect.h"

#define LAUNCHES 2000
#define TINY_NS 20000
#define OTHER_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(tiny_spin)
SPIN_KERNEL(other_spin)

int main(void)
{
	cudaStream_t s1, s2;
	long long start, took;
	int i, free_line;
	void *buffer;

	warm_up(first_spin, tiny_spin, other_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	buffer = device_memory(1 * MIB);

	launch(first_spin, 40 * MS, s1);
	for (i = 0; i < LAUNCHES; i++)
		launch(tiny_spin, TINY_NS, s1);
	start = now_ns();
	AT(free_line, cudaFree(buffer));
	took = now_ns() - start;
	launch(other_spin, OTHER_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaLaunchKernel %d", LAUNCHES + 5);
	expect("calls cudaFree 1");
	expect("blocked cudaLaunchKernel class=queue_full total=10e6..100e6");
	expect("blocked cudaFree class=device_wait on=tiny_spin at=%s count=1 ns=8e6..40e6",
	       SITE(free_line));
	expect("serialized cudaFree at=%s victim=other_spin count=1", SITE(free_line));
	expect_measured("site_lost cudaFree at=%s ns=%s", SITE(free_line),
			about(took < OTHER_NS ? took : OTHER_NS));
	return done();
}
