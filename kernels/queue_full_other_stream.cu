/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: whom does a full launch queue delay?
 *
 * Programming guide, 5.2.3.4: a launch that finds its queue full blocks. Measured on an
 * H200: 1022 launches behind a 40 ms kernel. The kernel on s2 that the same thread launches
 * after 1100 could have run beside that kernel, and begins when it has ended: as late as the
 * longest launch took.
 */
#include "expect.h"

#define LAUNCHES 1100
#define KERNEL_NS (40 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(tiny_spin)
SPIN_KERNEL(other_spin)

int main(void)
{
	long long longest = 0;
	cudaStream_t s1, s2;
	int i;

	warm_up(first_spin, tiny_spin, other_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();

	launch(first_spin, KERNEL_NS, s1);
	for (i = 0; i < LAUNCHES; i++) {
		long long start = now_ns(), took;

		launch(tiny_spin, 0, s1);
		took = now_ns() - start;
		longest = took > longest ? took : longest;
	}
	launch(other_spin, KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaLaunchKernel %d", LAUNCHES + 5);
	expect("device kernel %d", LAUNCHES + 5);
	expect("blocked cudaLaunchKernel class=queue_full total=10e6..80e6");
	expect_measured("serialized cudaLaunchKernel victim=other_spin count=1 lost=%s",
			about(longest));
	return done();
}
