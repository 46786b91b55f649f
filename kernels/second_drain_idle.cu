/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: of two frees in a row, is only the one blamed that waited?
 *
 * cudaFreeHost waits for a 20 ms kernel on s1. The cudaFree behind it finds the device
 * idle, so that the kernel on s2 comes 20 ms late is the first one's doing.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	int waiting_line, idle_line;
	cudaStream_t s1, s2;
	void *host, *device;

	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	host = pinned_memory(4096);
	device = device_memory(1 * MIB);

	launch(first_spin, KERNEL_NS, s1);
	AT(waiting_line, cudaFreeHost(host));
	AT(idle_line, cudaFree(device));
	launch(second_spin, KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaFreeHost 1");
	expect("calls cudaFree 1");
	expect("device kernel 4");
	expect("blocked cudaFreeHost class=device_wait on=first_spin at=%s count=1 ns=15e6..30e6",
	       SITE(waiting_line));
	expect("not_blocked cudaFree at=%s below=1", SITE(idle_line));
	expect("serialized cudaFreeHost at=%s victim=second_spin count=1 lost=%s",
	       SITE(waiting_line), about(KERNEL_NS));
	expect("not_serialized cudaFree");
	return done();
}
