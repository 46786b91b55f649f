/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is any allocation accused because the device is busy? (A decoy.)
 *
 * The programming guide, 4.3, says that cudaMalloc and cudaFree synchronise across all
 * streams. Measured on an H200: the free does, no allocation of any kind waits for the
 * 20 ms kernel that runs meanwhile. Those of host memory take long, but it is their work.
 */
#include "expect.h"

int main(void)
{
	cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
	void *device, *pitched, *managed, *host, *pageable = pageable_memory(1 * MIB);
	cudaStream_t stream;
	cudaArray_t array;
	size_t pitch;

	warm_up();
	stream = non_blocking_stream();
	launch_spin(20 * MS, stream);
	CHECK(cudaMalloc(&device, 1 * MIB));
	CHECK(cudaMallocPitch(&pitched, &pitch, 1000, 100));
	CHECK(cudaMallocManaged(&managed, 1 * MIB));
	CHECK(cudaMallocArray(&array, &format, 256, 256));
	CHECK(cudaMallocHost(&host, 1 * MIB));
	CHECK(cudaHostRegister(pageable, 1 * MIB, cudaHostRegisterDefault));
	CHECK(cudaStreamSynchronize(stream));

	expect("device kernel 2");
	expect("not_blocked cudaMalloc");
	expect("not_blocked cudaMallocPitch");
	expect("not_blocked cudaMallocManaged");
	expect("not_blocked cudaMallocArray");
	expect("not_blocked cudaMallocHost");
	expect("not_blocked cudaHostRegister");
	expect("blocked cudaStreamSynchronize class=device_wait on=spin count=1 ns=2e6..30e6");
	expect("nothing_serialized");
	return done();
}
