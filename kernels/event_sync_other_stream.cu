/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a wait for an event attributed to the event's stream?
 *
 * Runtime API, event management: cudaEventSynchronize waits for the work that was captured
 * by the most recent record, no more. A 15 ms kernel with an event behind it runs on s1, a
 * 40 ms kernel on s2. The host waits for the event, then for s2.
 */
#include "expect.h"

SPIN_KERNEL(short_spin)
SPIN_KERNEL(long_spin)

int main(void)
{
	cudaStream_t s1, s2;
	int event_line, stream_line;
	cudaEvent_t event;

	warm_up(short_spin, long_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));

	launch(short_spin, 15 * MS, s1);
	CHECK(cudaEventRecord(event, s1));
	launch(long_spin, 40 * MS, s2);
	AT(event_line, cudaEventSynchronize(event));
	AT(stream_line, cudaStreamSynchronize(s2));

	expect("calls cudaEventSynchronize 1");
	expect("calls cudaStreamSynchronize 1");
	expect("device kernel 4");
	expect("blocked cudaEventSynchronize class=device_wait on=short_spin at=%s count=1 "
	       "ns=10e6..25e6", SITE(event_line));
	expect("blocked cudaStreamSynchronize class=device_wait on=long_spin at=%s count=1 "
	       "ns=12e6..40e6", SITE(stream_line));
	expect("nothing_serialized");
	return done();
}
