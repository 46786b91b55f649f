/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: are allocating and freeing managed memory told apart?
 *
 * Measured on an H200: cudaMallocManaged waits for nothing while a 20 ms kernel runs;
 * cudaFree waits for all work on the device. The kernel on s2 is late because of the free,
 * not of the allocation.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	cudaStream_t s1, s2;
	int free_line;
	void *managed;

	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();

	launch(first_spin, KERNEL_NS, s1);
	CHECK(cudaMallocManaged(&managed, 1 * MIB));
	AT(free_line, cudaFree(managed));
	launch(second_spin, KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMallocManaged 1");
	expect("calls cudaFree 1");
	expect("device kernel 4");
	expect("not_blocked cudaMallocManaged");
	expect("blocked cudaFree class=device_wait on=first_spin at=%s count=1 ns=12e6..30e6",
	       SITE(free_line));
	expect("serialized cudaFree at=%s victim=second_spin count=1 lost=%s", SITE(free_line),
	       about(KERNEL_NS));
	expect("not_serialized cudaMallocManaged");
	return done();
}
