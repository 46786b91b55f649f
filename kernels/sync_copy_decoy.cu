/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a synchronous copy accused of waiting for a non-blocking stream? (A decoy.)
 *
 * Programming guide, 2.3.8: streams made with cudaStreamNonBlocking do not synchronise
 * with the legacy default stream. Measured on an H200: cudaMemcpy and cudaMemset take as
 * long as on an idle device while a 20 ms kernel runs on such a stream.
 */
#include "expect.h"

#define BYTES (64 * 1024)
#define KERNEL_NS (20 * MS)

int main(void)
{
	void *host, *device;
	cudaStream_t s1, s2;

	warm_up();
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	host = pinned_memory(BYTES);
	device = device_memory(BYTES);

	launch_spin(KERNEL_NS, s1);
	CHECK(cudaMemset(device, 0, BYTES));
	CHECK(cudaMemcpy(host, device, BYTES, cudaMemcpyDeviceToHost));
	CHECK(cudaMemcpy(device, host, BYTES, cudaMemcpyHostToDevice));
	launch_spin(KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMemset 1");
	expect("calls cudaMemcpy 2");
	expect("device copy 2");
	expect("device kernel 3");
	expect("not_blocked cudaMemset");
	expect("not_blocked cudaMemcpy");
	expect("nothing_serialized");
	return done();
}
