/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does the report stay silent about a program that does everything right?
 *
 * Two streams, memory allocated and freed in stream order, 2 ms kernels, one synchronise
 * at the end. The only wait is the one that the program asked for; nothing is serialized.
 */
#include "expect.h"

#define ITERATIONS 10
#define BYTES (1 * MIB)

int main(void)
{
	cudaStream_t streams[2];
	int i, sync_line;

	warm_up();
	CHECK(cudaStreamCreateWithFlags(&streams[0], cudaStreamNonBlocking));
	CHECK(cudaStreamCreateWithFlags(&streams[1], cudaStreamNonBlocking));

	for (i = 0; i < ITERATIONS; i++) {
		cudaStream_t stream = streams[i % 2];
		void *buffer;

		CHECK(cudaMallocAsync(&buffer, BYTES, stream));
		launch_spin(2 * MS, stream);
		CHECK(cudaFreeAsync(buffer, stream));
	}
	AT(sync_line, cudaDeviceSynchronize());

	expect("calls cudaMallocAsync %d", ITERATIONS);
	expect("calls cudaFreeAsync %d", ITERATIONS);
	expect("calls cudaLaunchKernel %d", ITERATIONS + 1);
	expect("device kernel %d", ITERATIONS + 1);
	expect("not_blocked cudaMallocAsync");
	expect("not_blocked cudaFreeAsync");
	expect("not_blocked cudaLaunchKernel");
	expect("blocked cudaDeviceSynchronize class=device_wait on=spin at=%s count=1 ns=5e6..60e6",
	       SITE(sync_line));
	expect("nothing_serialized");
	return done();
}
