/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does cudaMemcpyPeer between two kernels cost, one on each device?
 *
 * A 20 ms kernel runs on device 0. The copy, says the manual, starts when it has ended, and the
 * kernel on device 1, which has nothing to do with either, only then: 40 ms instead of 20, though
 * no call waits. If the driver does so, the report must say so.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)
#define BYTES (1 * MIB)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	cudaStream_t s0, s1;
	void *m0, *m1;
	int copy_line;
	long long start, took;
	bool apart;

	need_devices(2);
	warm_up_two(first_spin, second_spin);
	s1 = non_blocking_stream_on(1);
	m1 = device_memory(BYTES);
	s0 = non_blocking_stream_on(0);
	m0 = device_memory(BYTES);
	CHECK(cudaMemcpyPeer(m1, 1, m0, 0, BYTES)); /* the first one sets things up */
	CHECK(cudaDeviceSynchronize());

	start = now_ns();
	launch_on(0, first_spin, KERNEL_NS, s0);
	AT(copy_line, cudaMemcpyPeer(m1, 1, m0, 0, BYTES));
	launch_on(1, second_spin, KERNEL_NS, s1);
	CHECK(cudaDeviceSynchronize());
	CHECK(cudaSetDevice(0));
	CHECK(cudaDeviceSynchronize());
	took = now_ns() - start;
	apart = took > KERNEL_NS * 3 / 2;
	seen("cudaMemcpyPeer %s kernels of two devices (%.3f ms)",
	     apart ? "separates" : "does not separate", (double)took / 1e6);

	expect("device copy 2");
	expect("not_blocked cudaLaunchKernel");
	if (apart)
		expect_measured("serialized cudaMemcpyPeer at=%s victim=second_spin count=1 lost=%s",
				SITE(copy_line), about(KERNEL_NS));
	else
		expect_measured("not_serialized cudaMemcpyPeer at=%s", SITE(copy_line));
	return done();
}
