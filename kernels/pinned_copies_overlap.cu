/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: are asynchronous copies of pinned memory left alone? (A decoy.)
 *
 * Runtime API, API synchronization behavior: copies between pinned host memory and the
 * device are asynchronous. Both directions and a kernel, on three streams, overlap; the
 * host waits only where it asks to.
 */
#include "expect.h"

#define BYTES (4 * MIB)

int main(void)
{
	cudaStream_t up, down, work;
	void *in, *out, *to, *from;
	int sync_line;

	warm_up();
	up = non_blocking_stream();
	down = non_blocking_stream();
	work = non_blocking_stream();
	in = pinned_memory(BYTES);
	out = pinned_memory(BYTES);
	to = device_memory(BYTES);
	from = device_memory(BYTES);

	launch_spin(10 * MS, work);
	CHECK(cudaMemcpyAsync(to, in, BYTES, cudaMemcpyHostToDevice, up));
	CHECK(cudaMemcpyAsync(out, from, BYTES, cudaMemcpyDeviceToHost, down));
	launch_spin(10 * MS, up);
	launch_spin(10 * MS, down);
	AT(sync_line, cudaDeviceSynchronize());

	expect("calls cudaMemcpyAsync 2");
	expect("device copy 2");
	expect("device kernel 4");
	expect("not_blocked cudaMemcpyAsync");
	expect("not_blocked cudaLaunchKernel");
	expect("blocked cudaDeviceSynchronize class=device_wait on=spin at=%s count=1 ns=8e6..60e6",
	       SITE(sync_line));
	expect("nothing_serialized");
	return done();
}
