/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is waiting that consists of asking again and again seen?
 *
 * cudaEventQuery returns at once, but a program that asks until the answer is yes has waited
 * all the same: here for a 5 ms kernel, asking every 20 us. The last query finds the
 * event reached; one more, later, is no wait at all.
 */
#include "expect.h"

SPIN_KERNEL(long_spin)

int main(void)
{
	int poll_line, later_line;
	cudaStream_t stream;
	cudaEvent_t event;
	long long asked;

	warm_up(long_spin);
	stream = non_blocking_stream();
	CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));

	launch(long_spin, 5 * MS, stream);
	CHECK(cudaEventRecord(event, stream));
	poll_line = __LINE__ + 1;
	while (cudaEventQuery(event) == cudaErrorNotReady)
		for (asked = now_ns(); now_ns() < asked + 20000;)
			;
	AT(later_line, cudaEventQuery(event));

	expect("device kernel 2");
	expect("calls cudaEventQuery 1 at=%s", SITE(later_line));
	expect("blocked cudaEventQuery class=polling on=long_spin at=%s", SITE(poll_line));
	expect("not_blocked cudaEventQuery at=%s", SITE(later_line));
	expect("nothing_serialized");
	return done();
}
