/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does a synchronous copy wait for besides itself?
 *
 * Runtime API, API synchronization behavior: synchronous copies go through the default
 * stream. Programming guide, 2.3.8: the legacy default stream waits for all blocking
 * streams. So the first copy waits for the 20 ms kernel on a blocking stream, then moves
 * 1 MiB. The second finds nothing to wait for. Nothing is launched afterwards.
 */
#include "expect.h"

#define BYTES (1 * MIB)

int main(void)
{
	void *host, *device;
	cudaStream_t stream;
	int back_line, to_line;

	warm_up();
	stream = blocking_stream();
	host = pinned_memory(BYTES);
	device = device_memory(BYTES);

	launch_spin(20 * MS, stream);
	AT(back_line, cudaMemcpy(host, device, BYTES, cudaMemcpyDeviceToHost));
	AT(to_line, cudaMemcpy(device, host, BYTES, cudaMemcpyHostToDevice));

	expect("calls cudaMemcpy 2");
	expect("device copy 2");
	expect("device kernel 2");
	expect("blocked cudaMemcpy class=device_wait on=spin at=%s count=1 ns=15e6..30e6",
	       SITE(back_line));
	expect("not_blocked cudaMemcpy at=%s", SITE(to_line));
	expect("nothing_serialized");
	return done();
}
