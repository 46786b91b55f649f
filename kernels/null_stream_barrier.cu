/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does one launch on the default stream do to other streams?
 *
 * Programming guide, 2.3.8: work on the legacy default stream waits for all blocking
 * streams, and their later work waits for it. A 20 ms kernel on s1, a 1 ms kernel on the
 * default stream and a 20 ms kernel on s2 could all run at once. They run one after the
 * other, and no host call waits for anything.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(barrier_spin)
SPIN_KERNEL(late_spin)

int main(void)
{
	cudaStream_t s1, s2;
	int barrier_line;

	warm_up(first_spin, barrier_spin, late_spin);
	s1 = blocking_stream();
	s2 = blocking_stream();

	launch(first_spin, KERNEL_NS, s1);
	barrier_line = __LINE__ + 1;
	barrier_spin<<<1, 1>>>(1 * MS);
	launch(late_spin, KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaLaunchKernel 6");
	expect("device kernel 6");
	expect("not_blocked cudaLaunchKernel");
	expect("serialized cudaLaunchKernel at=%s victim=late_spin count=1 lost=%s",
	       SITE(barrier_line), about(KERNEL_NS));
	expect("not_serialized cudaLaunchKernel victim=first_spin");
	return done();
}
