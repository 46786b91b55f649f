/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: are a wait of the host and a barrier on the device both found?
 *
 * Five times: a 4 ms kernel on blocking stream s1, a short one on the default stream, a
 * 4 ms kernel on blocking stream s2, a free. The default stream's kernel keeps s2's from
 * running beside s1's (programming guide, 2.3.8); the free, which waits for s2's kernel,
 * keeps s1's next one from running beside it: 40 ms. Without the barriers each round's two
 * kernels overlap: 20 ms less. Without the frees one round's second kernel overlaps with the
 * next one's first: 24 ms in all.
 */
#include "expect.h"

#define ROUNDS 5
#define KERNEL_NS (4 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(barrier_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	int i, barrier_line, free_line;
	long long start, took;
	cudaStream_t s1, s2;

	warm_up(first_spin, barrier_spin, second_spin);
	s1 = blocking_stream();
	s2 = blocking_stream();

	start = now_ns();
	for (i = 0; i < ROUNDS; i++) {
		void *buffer = device_memory(1 * MIB);

		launch(first_spin, KERNEL_NS, s1);
		barrier_line = __LINE__ + 1;
		barrier_spin<<<1, 1>>>(1000);
		launch(second_spin, KERNEL_NS, s2);
		AT(free_line, cudaFree(buffer));
	}
	CHECK(cudaDeviceSynchronize());
	took = now_ns() - start;

	expect("calls cudaFree %d", ROUNDS);
	expect("device kernel %d", 3 * ROUNDS + 3);
	expect("not_blocked cudaLaunchKernel");
	expect("blocked cudaFree class=device_wait on=second_spin at=%s count=%d ns=6e6..15e6",
	       SITE(free_line), ROUNDS);
	expect("serialized cudaLaunchKernel at=%s victim=second_spin count>=4 lost=%s",
	       SITE(barrier_line), about(ROUNDS * KERNEL_NS));
	expect("serialized cudaFree at=%s victim=first_spin count>=3", SITE(free_line));
	expect_measured("site_lost cudaFree at=%s ns=%s", SITE(free_line),
			about(took - (ROUNDS + 1) * KERNEL_NS));
	return done();
}
