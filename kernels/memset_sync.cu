/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does cudaMemset cost that does not hold the host?
 *
 * Runtime API, API synchronization behavior: cudaMemset of device memory is asynchronous
 * to the host. Programming guide, 2.3.8: it runs on the legacy default stream, which waits
 * for all blocking streams and makes their later work wait. So the call returns at once,
 * but the kernel on blocking stream s2 begins 20 ms late, behind the fill, which waits for
 * the kernel on blocking stream s1. The kernel on the non-blocking stream is not late.
 */
#include "expect.h"

#define BYTES (1 * MIB)
#define KERNEL_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(late_spin)
SPIN_KERNEL(free_spin)

int main(void)
{
	cudaStream_t s1, s2, s3;
	int memset_line;
	void *device;

	warm_up(first_spin, late_spin, free_spin);
	s1 = blocking_stream();
	s2 = blocking_stream();
	s3 = non_blocking_stream();
	device = device_memory(BYTES);

	launch(first_spin, KERNEL_NS, s1);
	AT(memset_line, cudaMemset(device, 0, BYTES));
	launch(late_spin, KERNEL_NS, s2);
	launch(free_spin, KERNEL_NS, s3);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMemset 1");
	expect("device memset 1");
	expect("device kernel 6");
	expect("not_blocked cudaMemset");
	expect("not_blocked cudaLaunchKernel");
	expect("serialized cudaMemset at=%s victim=late_spin count=1 lost=%s",
	       SITE(memset_line), about(KERNEL_NS));
	expect("not_serialized cudaMemset victim=free_spin");
	return done();
}
