/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: can a wait for a stream be named that has no work of its own?
 *
 * s2 waits for an event of s1, s3 for an event of s2, and the host for s3, on which nothing
 * but that second wait was ever queued. The operation that releases the host is the kernel
 * on s2, which in turn began when the one on s1 ended: true dependencies, nothing lost.
 */
#include "expect.h"

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

static cudaEvent_t event_behind(cudaStream_t stream)
{
	cudaEvent_t event;

	CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
	CHECK(cudaEventRecord(event, stream));
	return event;
}

int main(void)
{
	cudaStream_t s1, s2, s3;
	int sync_line;

	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	s3 = non_blocking_stream();

	launch(first_spin, 10 * MS, s1);
	CHECK(cudaStreamWaitEvent(s2, event_behind(s1), 0));
	launch(second_spin, 10 * MS, s2);
	CHECK(cudaStreamWaitEvent(s3, event_behind(s2), 0));
	AT(sync_line, cudaStreamSynchronize(s3));

	expect("calls cudaEventRecord 2");
	expect("calls cudaStreamWaitEvent 2");
	expect("device kernel 4");
	expect("not_blocked cudaStreamWaitEvent");
	expect("blocked cudaStreamSynchronize class=device_wait on=second_spin at=%s count=1 "
	       "ns=15e6..35e6", SITE(sync_line));
	expect("nothing_serialized");
	return done();
}
