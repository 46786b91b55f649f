/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: are launches seen that code of older compilers makes?
 *
 * Compiled with -legacy-launch-seq, <<<>>> calls cudaLaunchKernel, as before CUDA 13, not
 * __cudaLaunchKernel. The program frees between two 20 ms kernels on two streams.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	cudaStream_t s1, s2;
	int free_line;
	void *buffer;

	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	buffer = device_memory(1 * MIB);

	launch(first_spin, KERNEL_NS, s1);
	AT(free_line, cudaFree(buffer));
	launch(second_spin, KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaLaunchKernel 4");
	expect("calls cudaFree 1");
	expect("device kernel 4");
	expect("blocked cudaFree class=device_wait on=first_spin at=%s count=1 ns=15e6..30e6",
	       SITE(free_line));
	expect("serialized cudaFree at=%s victim=second_spin count=1 lost=%s", SITE(free_line),
	       about(KERNEL_NS));
	return done();
}
