/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a wait that the program asked for called a culprit? (A decoy.)
 *
 * The host uses a result between two kernels on two streams, so it copies it into pinned
 * memory and synchronises: the second kernel comes late because the program needs it so.
 * Whether it could do without is not for a report to say.
 */
#include "expect.h"

#define BYTES 4096
#define KERNEL_NS (10 * MS)

static cudaStream_t s1, s2;
static cudaEvent_t event;

/* One way of waiting a round. */
static void wait_for_result(int round)
{
	switch (round) {
	case 0:
		CHECK(cudaStreamSynchronize(s1));
		break;
	case 1:
		CHECK(cudaEventSynchronize(event));
		break;
	default:
		CHECK(cudaDeviceSynchronize());
	}
}

int main(void)
{
	void *host, *device;
	int round;

	warm_up();
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
	host = pinned_memory(BYTES);
	device = device_memory(BYTES);

	for (round = 0; round < 3; round++) {
		launch_spin(KERNEL_NS, s1);
		CHECK(cudaMemcpyAsync(host, device, BYTES, cudaMemcpyDeviceToHost, s1));
		CHECK(cudaEventRecord(event, s1));
		wait_for_result(round);
		launch_spin(KERNEL_NS, s2);
		CHECK(cudaDeviceSynchronize());
	}

	expect("device kernel 7");
	expect("device copy 3");
	expect("blocked cudaStreamSynchronize class=device_wait count=1 ns=8e6..25e6");
	expect("blocked cudaEventSynchronize class=device_wait count=1 ns=8e6..25e6");
	expect("blocked cudaDeviceSynchronize class=device_wait count>=4 total=30e6..100e6");
	expect("nothing_serialized");
	return done();
}
