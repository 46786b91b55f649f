/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a pageable copy accused of waiting for other streams? (A decoy.)
 *
 * Measured on an H200: a pageable copy waits for its own stream only. Here that is idle
 * while a 20 ms kernel runs on s1, so the copy holds the host for its own staging, and the
 * kernel that follows on s2 had to wait for the copy anyway.
 */
#include "expect.h"

#define BYTES (64 * 1024)
#define KERNEL_NS (20 * MS)

int main(void)
{
	void *host = pageable_memory(BYTES);
	cudaStream_t s1, s2;
	int back_line, to_line;
	void *device;

	warm_up();
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	device = device_memory(BYTES);

	launch_spin(KERNEL_NS, s1);
	AT(back_line, cudaMemcpyAsync(host, device, BYTES, cudaMemcpyDeviceToHost, s2));
	AT(to_line, cudaMemcpyAsync(device, host, BYTES, cudaMemcpyHostToDevice, s2));
	launch_spin(KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMemcpyAsync 2");
	expect("device copy 2");
	expect("device kernel 3");
	expect("pageable cudaMemcpyAsync at=%s", SITE(back_line));
	expect("not_blocked cudaMemcpyAsync at=%s", SITE(back_line));
	expect("not_blocked cudaMemcpyAsync at=%s", SITE(to_line));
	expect("nothing_serialized");
	return done();
}
