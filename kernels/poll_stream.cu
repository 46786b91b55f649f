/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is waiting that consists of asking again and again seen?
 *
 * cudaStreamQuery returns at once, but a program that asks until the answer is yes has waited
 * all the same: here for a 5 ms kernel, asking every 20 us. The last query finds the
 * stream empty; one more, later, is no wait at all.
 */
#include "expect.h"

SPIN_KERNEL(long_spin)

int main(void)
{
	int poll_line, later_line;
	cudaStream_t stream;
	long long asked;

	warm_up(long_spin);
	stream = non_blocking_stream();

	launch(long_spin, 5 * MS, stream);
	poll_line = __LINE__ + 1;
	while (cudaStreamQuery(stream) == cudaErrorNotReady)
		for (asked = now_ns(); now_ns() < asked + 20000;)
			;
	AT(later_line, cudaStreamQuery(stream));

	expect("device kernel 2");
	expect("calls cudaStreamQuery 1 at=%s", SITE(later_line));
	expect("blocked cudaStreamQuery class=polling on=long_spin at=%s", SITE(poll_line));
	expect("not_blocked cudaStreamQuery at=%s", SITE(later_line));
	expect("nothing_serialized");
	return done();
}
