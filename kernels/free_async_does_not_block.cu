/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is the remedy for cudaFree accused in its turn? (A decoy.)
 *
 * Programming guide, 4.3: cudaMallocAsync and cudaFreeAsync are ordered with a stream and
 * do not synchronise with the host. Measured on an H200: at once, also on a busy stream.
 * A buffer in use by a 20 ms kernel is freed behind it, and the kernel on s2 is not late.
 */
#include "expect.h"

#define BYTES (16 * MIB)
#define KERNEL_NS (20 * MS)

int main(void)
{
	void *in_use, *fresh;
	cudaStream_t s1, s2;

	warm_up();
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	CHECK(cudaMallocAsync(&in_use, BYTES, s1));

	launch_spin(KERNEL_NS, s1);
	CHECK(cudaFreeAsync(in_use, s1));
	CHECK(cudaMallocAsync(&fresh, BYTES, s2));
	launch_spin(KERNEL_NS, s2);
	CHECK(cudaFreeAsync(fresh, s2));
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMallocAsync 2");
	expect("calls cudaFreeAsync 2");
	expect("device kernel 3");
	expect("not_blocked cudaMallocAsync");
	expect("not_blocked cudaFreeAsync");
	expect("not_blocked cudaLaunchKernel");
	expect("nothing_serialized");
	return done();
}
