/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a run under CUDA_LAUNCH_BLOCKING=1 recognised?
 *
 * Programming guide, 5.2.3.1: with that variable set every launch waits for its kernel.
 * Two 20 ms kernels on two streams could run at once; the second is launched when the
 * first has ended.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	int first_line, second_line;
	cudaStream_t s1, s2;

	setenv("CUDA_LAUNCH_BLOCKING", "1", 1); /* read when CUDA starts */
	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();

	first_line = __LINE__ + 1;
	first_spin<<<1, 1, 0, s1>>>(KERNEL_NS);
	second_line = __LINE__ + 1;
	second_spin<<<1, 1, 0, s2>>>(KERNEL_NS);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaLaunchKernel 4");
	expect("device kernel 4");
	expect("blocked cudaLaunchKernel class=device_wait on=first_spin at=%s count=1 "
	       "ns=15e6..30e6", SITE(first_line));
	expect("blocked cudaLaunchKernel class=device_wait on=second_spin at=%s count=1 "
	       "ns=15e6..30e6", SITE(second_line));
	expect("serialized cudaLaunchKernel at=%s victim=second_spin count=1 lost=%s",
	       SITE(first_line), about(KERNEL_NS));
	return done();
}
