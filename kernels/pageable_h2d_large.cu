/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does an "asynchronous" copy FROM ordinary (pageable) host memory wait?
 *
 * Runtime API, API synchronization behavior: it may be synchronous, and the driver may
 * wait for the stream and stage. Measured on an H200: up to 1 MiB it does not wait; 64 MiB
 * on a busy stream run out of staging buffers, so the host waits for the stream's kernel,
 * then stages for about 9 ms. The kernel that follows on s2 could have run beside s1's for
 * 20 ms, and waits for all that.
 */
#include "expect.h"

#define BYTES (64 * MIB)
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
	expect("device kernel 4");
	expect("pageable cudaMemcpyAsync at=%s", SITE(copy_line));
	expect("blocked cudaMemcpyAsync class=device_wait on=first_spin at=%s count=1 "
	       "ns=12e6..30e6", SITE(copy_line));
	expect("blocked cudaMemcpyAsync class=transfer at=%s", SITE(copy_line));
	expect("serialized cudaMemcpyAsync at=%s victim=second_spin count=1 lost=%s",
	       SITE(copy_line), about(KERNEL_NS));
	return done();
}
