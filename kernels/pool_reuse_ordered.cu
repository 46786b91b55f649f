/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is reuse of memory accused where the program ordered the streams? (A decoy.)
 *
 * Programming guide, 4.3.4.4: memory freed in s1 may be reused in s2 without more ado if s2
 * already waits for an event behind the free. The second kernel waits for the first because
 * of that event.
 */
#include "expect.h"

#define BYTES (64 * MIB)
#define KERNEL_NS (10 * MS)

int main(void)
{
	cudaStream_t s1, s2;
	cudaEvent_t event;
	void *one, *two;

	warm_up();
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));

	CHECK(cudaMallocAsync(&one, BYTES, s1));
	launch_spin(KERNEL_NS, s1);
	CHECK(cudaFreeAsync(one, s1));
	CHECK(cudaEventRecord(event, s1));
	CHECK(cudaStreamWaitEvent(s2, event, 0));
	CHECK(cudaMallocAsync(&two, BYTES, s2));
	launch_spin(KERNEL_NS, s2);
	CHECK(cudaFreeAsync(two, s2));
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMallocAsync 2");
	expect("calls cudaFreeAsync 2");
	expect("device kernel 3");
	expect("not_blocked cudaMallocAsync");
	expect("not_blocked cudaFreeAsync");
	expect("nothing_serialized");
	return done();
}
