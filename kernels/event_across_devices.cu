/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a wait found whose reason lies on another device?
 *
 * A stream of device 1 waits for an event of device 0, which is behind a 10 ms kernel; its
 * own kernel takes 10 ms more. The host waits for it, and then for an event of device 0 while
 * device 1 is current. The program asked for all of it, so nothing is lost.
 */
#include "expect.h"

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	cudaStream_t s0, s1;
	cudaEvent_t event;
	int sync_line, event_line;

	need_devices(2);
	warm_up_two(first_spin, second_spin);
	s1 = non_blocking_stream_on(1);
	s0 = non_blocking_stream_on(0);
	CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));

	launch(first_spin, 10 * MS, s0);
	CHECK(cudaEventRecord(event, s0));
	CHECK(cudaSetDevice(1));
	CHECK(cudaStreamWaitEvent(s1, event, 0));
	launch(second_spin, 10 * MS, s1);
	AT(sync_line, cudaStreamSynchronize(s1));

	launch_on(0, first_spin, 10 * MS, s0);
	CHECK(cudaEventRecord(event, s0));
	launch_on(1, second_spin, 30 * MS, s1);
	AT(event_line, cudaEventSynchronize(event));
	CHECK(cudaDeviceSynchronize());

	expect("device kernel 4 device=0");
	expect("device kernel 4 device=1");
	expect("not_blocked cudaStreamWaitEvent");
	expect("blocked cudaStreamSynchronize class=device_wait on=second_spin at=%s count=1 "
	       "ns=15e6..35e6", SITE(sync_line));
	expect("blocked cudaEventSynchronize class=device_wait on=first_spin at=%s count=1 "
	       "ns=7e6..25e6", SITE(event_line));
	expect("nothing_serialized");
	return done();
}
