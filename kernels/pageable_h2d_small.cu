/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a pageable copy accused only when it waited? (A decoy.)
 *
 * Runtime API, API synchronization behavior: a pageable copy to the device may return once
 * its source is staged. Measured on an H200: 64 KiB are staged at once though a 20 ms
 * kernel runs on the copy's stream, so the kernel on s2 is not late.
 */
#include "expect.h"

#define BYTES (64 * 1024)
#define KERNEL_NS (20 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	void *host = pageable_memory(BYTES);
	cudaStream_t s1, s2;
	void *device;
	int copy_line;

	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	device = device_memory(BYTES);

	launch(first_spin, KERNEL_NS, s1);
	AT(copy_line, cudaMemcpyAsync(device, host, BYTES, cudaMemcpyHostToDevice, s1));
	launch(second_spin, KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMemcpyAsync 1");
	expect("device copy 1");
	expect("device kernel 4");
	expect("not_blocked cudaMemcpyAsync at=%s", SITE(copy_line));
	expect("nothing_serialized");
	return done();
}
