/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a free accused of delaying what had to wait anyway? (A decoy.)
 *
 * Two times cudaFree waits for a 20 ms kernel on s1. What the program launches afterwards
 * depends on that kernel: the first time by order on s1, the second time by an event on
 * s2. Without the frees it would have run at the same time. They blocked the host, and
 * serialized nothing.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(next_spin)

int main(void)
{
	int stream_line, event_line;
	cudaStream_t s1, s2;
	cudaEvent_t event;
	void *one, *two;

	warm_up(first_spin, next_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
	one = device_memory(1 * MIB);
	two = device_memory(1 * MIB);

	launch(first_spin, KERNEL_NS, s1);
	AT(stream_line, cudaFree(one));
	launch(next_spin, KERNEL_NS, s1);
	CHECK(cudaDeviceSynchronize());

	launch(first_spin, KERNEL_NS, s1);
	CHECK(cudaEventRecord(event, s1));
	CHECK(cudaStreamWaitEvent(s2, event, 0));
	AT(event_line, cudaFree(two));
	launch(next_spin, KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaFree 2");
	expect("device kernel 6");
	expect("blocked cudaFree class=device_wait on=first_spin at=%s count=1 ns=15e6..30e6",
	       SITE(stream_line));
	expect("blocked cudaFree class=device_wait on=first_spin at=%s count=1 ns=15e6..30e6",
	       SITE(event_line));
	expect("nothing_serialized");
	return done();
}
