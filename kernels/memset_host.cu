/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: which fills hold the host?
 *
 * Runtime API, API synchronization behavior: cudaMemset is asynchronous, except where its
 * target is pinned host memory or managed memory: then it is fully synchronous. On the
 * legacy default stream that means waiting for the 20 ms kernel of a blocking stream. The
 * Async form never waits.
 */
#include "expect.h"

#define BYTES 4096

int main(void)
{
	cudaStream_t blocking, other;
	int async_line, host_line;
	void *host;

	warm_up();
	blocking = blocking_stream();
	other = non_blocking_stream();
	host = pinned_memory(BYTES);

	launch_spin(20 * MS, blocking);
	AT(async_line, cudaMemsetAsync(host, 1, BYTES, other));
	AT(host_line, cudaMemset(host, 2, BYTES));

	expect("calls cudaMemset 1");
	expect("calls cudaMemsetAsync 1");
	expect("device kernel 2");
	expect("not_blocked cudaMemsetAsync at=%s", SITE(async_line));
	expect("blocked cudaMemset class=device_wait on=spin at=%s count=1 ns=15e6..30e6",
	       SITE(host_line));
	expect("nothing_serialized");
	return done();
}
