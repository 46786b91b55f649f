/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is the default stream accused of stopping streams that it cannot? (A decoy.)
 *
 * Programming guide, 2.3.8: streams made with cudaStreamNonBlocking are exempt from the
 * legacy default stream's order. The same three launches as in null_stream_barrier, all on
 * the device at once. Then the default stream between two kernels of ONE blocking stream:
 * the second kernel had to wait for the first anyway.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)

int main(void)
{
	cudaStream_t s1, s2, ordered;

	warm_up();
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	ordered = blocking_stream();

	launch_spin(KERNEL_NS, s1);
	launch_spin(1 * MS, NULL);
	launch_spin(KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	launch_spin(KERNEL_NS, ordered);
	launch_spin(1000, NULL);
	launch_spin(KERNEL_NS, ordered);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaLaunchKernel 7");
	expect("device kernel 7");
	expect("not_blocked cudaLaunchKernel");
	expect("nothing_serialized");
	return done();
}
