/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a program accused for having many streams? (A decoy.)
 *
 * 40 streams share 8 hardware queues (programming guide, 5.2.3.2), but each has one small
 * kernel and nothing waits in a queue, so all can run at once. The host waits once, because
 * it asks to.
 */
#include "expect.h"

#define STREAMS 40

int main(void)
{
	cudaStream_t streams[STREAMS];
	int i, sync_line;

	setenv("CUDA_DEVICE_MAX_CONNECTIONS", "8", 1); /* read when CUDA starts */
	warm_up();
	for (i = 0; i < STREAMS; i++)
		streams[i] = non_blocking_stream();

	for (i = 0; i < STREAMS; i++)
		launch_spin(5 * MS, streams[i]);
	AT(sync_line, cudaDeviceSynchronize());

	expect("calls cudaLaunchKernel %d", STREAMS + 1);
	expect("device kernel %d", STREAMS + 1);
	expect("not_blocked cudaLaunchKernel");
	expect("blocked cudaDeviceSynchronize class=device_wait on=spin at=%s count=1 ns=3e6..30e6",
	       SITE(sync_line));
	expect("nothing_serialized");
	return done();
}
