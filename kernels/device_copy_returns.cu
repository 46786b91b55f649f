/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does a cudaMemcpy that stays on the device hold the host? (A decoy.)
 *
 * Runtime API, API synchronization behavior: a copy from device memory to device memory
 * does not synchronise with the host. The copy itself queues behind the 20 ms kernel on
 * the blocking stream; the call does not, and the kernel on s2 is not late.
 */
#include "expect.h"

#define BYTES (1 * MIB)
#define KERNEL_NS (20 * MS)

int main(void)
{
	cudaStream_t s1, s2;
	void *from, *to;

	warm_up();
	s1 = blocking_stream();
	s2 = non_blocking_stream();
	from = device_memory(BYTES);
	to = device_memory(BYTES);

	launch_spin(KERNEL_NS, s1);
	CHECK(cudaMemcpy(to, from, BYTES, cudaMemcpyDeviceToDevice));
	launch_spin(KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMemcpy 1");
	expect("device copy 1");
	expect("device kernel 3");
	expect("not_blocked cudaMemcpy");
	expect("not_serialized cudaMemcpy victim=spin");
	return done();
}
