/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a synchronise that gives memory back told apart from one that waits?
 *
 * Programming guide, 4.3.4: at the next stream, event or device synchronise a pool returns
 * what it holds above its release threshold, by default zero. So the stream synchronise
 * waits 10 ms for its kernel, then works on returning 1 GiB. With the threshold raised the
 * same synchronise only waits.
 */
#include "expect.h"

#define BYTES (1024 * MIB)
#define KERNEL_NS (10 * MS)

static cudaStream_t stream;

static void allocate_and_free(void)
{
	void *buffer;

	CHECK(cudaMallocAsync(&buffer, BYTES, stream));
	launch_spin(KERNEL_NS, stream);
	CHECK(cudaFreeAsync(buffer, stream));
}

int main(void)
{
	uint64_t all = UINT64_MAX;
	int trim_line, keep_line;
	cudaMemPool_t pool;

	warm_up();
	stream = non_blocking_stream();
	allocate_and_free();
	AT(trim_line, cudaStreamSynchronize(stream));

	CHECK(cudaDeviceGetDefaultMemPool(&pool, 0));
	CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all));
	allocate_and_free();
	AT(keep_line, cudaStreamSynchronize(stream));

	expect("calls cudaMallocAsync 2");
	expect("calls cudaFreeAsync 2");
	expect("not_blocked cudaFreeAsync");
	expect("blocked cudaStreamSynchronize class=device_wait on=spin at=%s count=1 ns=..11e6",
	       SITE(trim_line));
	expect("blocked cudaStreamSynchronize class=driver_work at=%s total=1e5..",
	       SITE(trim_line));
	expect("blocked cudaStreamSynchronize class=device_wait on=spin at=%s count=1 ns=..11e6",
	       SITE(keep_line));
	expect("nothing_serialized");
	return done();
}
