/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does changing a limit wait for the device?
 *
 * Driver API, context management: setting CU_LIMIT_STACK_SIZE may block until earlier work
 * is done. Measured on an H200: it does, for all work on the device. Behind a 20 ms kernel
 * on s1 the program raises the stack size, then launches a 20 ms kernel on s2, which is
 * 20 ms late.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	cudaStream_t s1, s2;
	int limit_line;

	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();

	launch(first_spin, KERNEL_NS, s1);
	AT(limit_line, cudaDeviceSetLimit(cudaLimitStackSize, 8192));
	launch(second_spin, KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaDeviceSetLimit 1");
	expect("device kernel 4");
	expect("blocked cudaDeviceSetLimit class=device_wait on=first_spin at=%s count=1 "
	       "ns=15e6..30e6", SITE(limit_line));
	/* raising it takes the driver 0.1 to 1.5 ms besides, in which the second could not begin */
	expect("serialized cudaDeviceSetLimit at=%s victim=second_spin count=1 lost=17e6..21e6",
	       SITE(limit_line));
	return done();
}
