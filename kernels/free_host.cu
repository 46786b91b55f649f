/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does freeing pinned host memory wait for the device?
 *
 * Measured on an H200: cudaFreeHost waits for all work on the device, also for work that
 * never touched the memory; the manual does not say so. Behind a 20 ms kernel on s1 the
 * program frees 4 KiB, then launches a 20 ms kernel on s2, which is 20 ms late.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	cudaStream_t s1, s2;
	int free_line;
	void *host;

	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	host = pinned_memory(4096);

	launch(first_spin, KERNEL_NS, s1);
	AT(free_line, cudaFreeHost(host));
	launch(second_spin, KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMallocHost 1");
	expect("calls cudaFreeHost 1");
	expect("device kernel 4");
	expect("not_blocked cudaMallocHost");
	expect("blocked cudaFreeHost class=device_wait on=first_spin at=%s count=1 ns=15e6..30e6",
	       SITE(free_line));
	expect("serialized cudaFreeHost at=%s victim=second_spin count=1 lost=%s",
	       SITE(free_line), about(KERNEL_NS));
	return done();
}
