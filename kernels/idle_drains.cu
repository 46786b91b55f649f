/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: are the calls that drain the device accused when it is idle? (A decoy.)
 *
 * The program synchronises first, so whatever cudaFree, cudaFreeArray, cudaFreeHost,
 * cudaHostUnregister and cudaDeviceSetLimit take (0.04 to 2.6 ms on an H200) is the
 * driver's own work, and kernels launched afterwards could not have been beside anything.
 */
#include "expect.h"

int main(void)
{
	cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
	void *device, *pinned, *registered = pageable_memory(16 * MIB);
	cudaStream_t s1, s2;
	cudaArray_t array;

	warm_up();
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	device = device_memory(256 * MIB);
	pinned = pinned_memory(16 * MIB);
	CHECK(cudaMallocArray(&array, &format, 1024, 1024));
	CHECK(cudaHostRegister(registered, 16 * MIB, cudaHostRegisterDefault));

	launch_spin(5 * MS, s1);
	CHECK(cudaDeviceSynchronize());
	CHECK(cudaFree(device));
	CHECK(cudaFreeArray(array));
	CHECK(cudaFreeHost(pinned));
	CHECK(cudaHostUnregister(registered));
	CHECK(cudaDeviceSetLimit(cudaLimitStackSize, 4096));
	launch_spin(5 * MS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("device kernel 3");
	expect("not_blocked cudaFree below=1");
	expect("not_blocked cudaFreeArray below=1");
	expect("not_blocked cudaFreeHost below=1");
	expect("not_blocked cudaHostUnregister below=1");
	expect("not_blocked cudaDeviceSetLimit below=1");
	expect("nothing_serialized");
	return done();
}
