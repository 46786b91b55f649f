/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is it seen that two streams share a hardware queue?
 *
 * Programming guide, 5.2.3.2: streams beyond CUDA_DEVICE_MAX_CONNECTIONS share queues, and
 * work that waits in a queue holds up what is behind it. With one queue, behind_spin on s2
 * cannot begin before second_spin on s1 does, which waits 20 ms for first_spin. Nothing in
 * the program orders the two streams, which would take 25 ms instead of 40. (The stand-in has a queue for every stream.)
 */
#include "expect.h"

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)
SPIN_KERNEL(behind_spin)

int main(void)
{
	cudaStream_t s1, s2;
	int second_line;

	setenv("CUDA_DEVICE_MAX_CONNECTIONS", "1", 1); /* read when CUDA starts */
	warm_up(first_spin, second_spin, behind_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();

	launch(first_spin, 20 * MS, s1);
	second_line = __LINE__ + 1;
	second_spin<<<1, 1, 0, s1>>>(5 * MS);
	launch(behind_spin, 20 * MS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaLaunchKernel 6");
	expect("device kernel 6");
	expect("not_blocked cudaLaunchKernel");
	if (on_fake_device())
		expect("nothing_serialized");
	else
		expect("serialized cudaLaunchKernel at=%s victim=behind_spin count=1 lost=%s",
		       SITE(second_line), about(15 * MS));
	return done();
}
