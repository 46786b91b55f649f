/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does an asynchronous copy to ordinary (pageable) host memory wait for?
 *
 * Behind a 20 ms kernel on stream s1 the program copies 1 MiB back on s1, then launches a
 * 20 ms kernel on s2. Into pageable memory the copy returns only when s1's kernel and the
 * copy itself are done, so s2's kernel is 20 ms late. Decoy: the same with pinned memory.
 */
#include "expect.h"

#define BYTES (1 * MIB)
#define KERNEL_NS (20 * MS)

static cudaStream_t s1, s2;
static int pageable_line, pinned_line;

static void copy_to_pageable(void *host, void *device)
{
	launch_spin(KERNEL_NS, s1);
	AT(pageable_line, cudaMemcpyAsync(host, device, BYTES, cudaMemcpyDeviceToHost, s1));
	launch_spin(KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());
}

static void copy_to_pinned(void *host, void *device)
{
	launch_spin(KERNEL_NS, s1);
	AT(pinned_line, cudaMemcpyAsync(host, device, BYTES, cudaMemcpyDeviceToHost, s1));
	launch_spin(KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());
}

int main(void)
{
	void *pageable = malloc(BYTES);
	void *pinned, *device;

	memset(pageable, 0, BYTES);
	warm_up();
	CHECK(cudaMallocHost(&pinned, BYTES));
	CHECK(cudaMalloc(&device, BYTES));
	CHECK(cudaStreamCreateWithFlags(&s1, cudaStreamNonBlocking));
	CHECK(cudaStreamCreateWithFlags(&s2, cudaStreamNonBlocking));

	copy_to_pageable(pageable, device);
	copy_to_pinned(pinned, device);

	expect("calls cudaMemcpyAsync 2");
	expect("calls cudaLaunchKernel 5");
	expect("device copy 2");
	expect("pageable cudaMemcpyAsync at=%s", SITE(pageable_line));
	expect("blocked cudaMemcpyAsync class=device_wait on=spin at=%s count=1 ns=15e6..40e6",
	       SITE(pageable_line));
	expect("not_blocked cudaMemcpyAsync at=%s", SITE(pinned_line));
	expect("serialized cudaMemcpyAsync at=%s victim=spin lost=%s", SITE(pageable_line),
	       about(KERNEL_NS));
	expect("not_serialized cudaMemcpyAsync at=%s", SITE(pinned_line));
	return done();
}
