/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a wait hidden in the end of a context named?
 *
 * cudaDeviceReset destroys the context with all that belongs to it, so it has to wait for
 * the 20 ms kernel that is running. Nothing comes after it, so nothing is serialized.
 */
#include "expect.h"

int main(void)
{
	cudaStream_t stream;
	int reset_line;

	warm_up();
	stream = non_blocking_stream();
	launch_spin(20 * MS, stream);
	AT(reset_line, cudaDeviceReset());

	expect("calls cudaDeviceReset 1");
	expect("device kernel 2");
	expect("blocked cudaDeviceReset class=device_wait on=spin at=%s count=1 ns=15e6..30e6",
	       SITE(reset_line));
	expect("nothing_serialized");
	return done();
}
