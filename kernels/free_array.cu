/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does freeing an array wait for the device as cudaFree does?
 *
 * Measured on an H200: cudaFreeArray waits for all work on the device; the manual does not
 * say so. Behind a 20 ms kernel on s1 the program frees an array, then launches a 20 ms
 * kernel on s2, which could have run beside the first and is 20 ms late.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
	cudaStream_t s1, s2;
	cudaArray_t array;
	int free_line;

	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	CHECK(cudaMallocArray(&array, &format, 1024, 1024));

	launch(first_spin, KERNEL_NS, s1);
	AT(free_line, cudaFreeArray(array));
	launch(second_spin, KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMallocArray 1");
	expect("calls cudaFreeArray 1");
	expect("device kernel 4");
	expect("not_blocked cudaMallocArray");
	expect("blocked cudaFreeArray class=device_wait on=first_spin at=%s count=1 ns=15e6..30e6",
	       SITE(free_line));
	expect("serialized cudaFreeArray at=%s victim=second_spin count=1 lost=%s",
	       SITE(free_line), about(KERNEL_NS));
	return done();
}
