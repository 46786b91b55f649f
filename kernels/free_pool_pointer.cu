/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is every cudaFree on a busy device accused? (A decoy.)
 *
 * Runtime API, memory management: cudaFree does not synchronise if its pointer came from
 * cudaMallocAsync. Measured on an H200: 0.1 ms beside a 20 ms kernel on another stream.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)

int main(void)
{
	cudaStream_t s1, s2;
	void *buffer;

	warm_up();
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	CHECK(cudaMallocAsync(&buffer, 1 * MIB, s2));
	CHECK(cudaStreamSynchronize(s2));

	launch_spin(KERNEL_NS, s1);
	CHECK(cudaFree(buffer));
	launch_spin(KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMallocAsync 1");
	expect("calls cudaFree 1");
	expect("device kernel 3");
	expect("not_blocked cudaFree");
	expect("nothing_serialized");
	return done();
}
