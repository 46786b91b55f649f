/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a free accused of keeping kernels apart that never fit together? (A decoy.)
 *
 * Each kernel fills every multiprocessor to its last thread, for 10 ms. cudaFree waits for
 * the first, and the second is launched late; but beside the first there was no room for
 * it. (The stand-in has room for everything: the report must argue from the sizes.)
 */
#include "expect.h"

#define KERNEL_NS (10 * MS)
#define THREADS 1024

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	cudaDeviceProp device;
	cudaStream_t s1, s2;
	int free_line, blocks;
	void *buffer;

	warm_up(first_spin, second_spin);
	CHECK(cudaGetDeviceProperties(&device, 0));
	blocks = device.multiProcessorCount * (device.maxThreadsPerMultiProcessor / THREADS);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	buffer = device_memory(1 * MIB);

	first_spin<<<blocks, THREADS, 0, s1>>>(KERNEL_NS);
	AT(free_line, cudaFree(buffer));
	second_spin<<<blocks, THREADS, 0, s2>>>(KERNEL_NS);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaFree 1");
	expect("device kernel 4");
	expect("blocked cudaFree class=device_wait on=first_spin at=%s count=1 ns=7e6..20e6",
	       SITE(free_line));
	expect("nothing_serialized");
	return done();
}
