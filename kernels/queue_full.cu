/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: can a launch block?
 *
 * 3000 short kernels are launched behind a 20 ms kernel. The launch queue takes about a
 * thousand; the launch that finds it full waits for room, that is, for the long kernel.
 */
#include "expect.h"

#define LAUNCHES 3000

int main(void)
{
	cudaStream_t stream;
	int i;

	warm_up();
	CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));

	launch_spin(20 * MS, stream);
	for (i = 0; i < LAUNCHES; i++)
		launch_spin(0, stream);
	CHECK(cudaStreamSynchronize(stream));

	expect("calls cudaLaunchKernel %d", LAUNCHES + 2);
	expect("calls cudaStreamSynchronize 1");
	expect("device kernel %d", LAUNCHES + 2);
	expect("blocked cudaLaunchKernel class=queue_full total=3e6..200e6");
	expect("nothing_serialized");
	return done();
}
