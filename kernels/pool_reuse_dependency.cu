/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is the order seen that the stream-ordered allocator puts between streams?
 *
 * Programming guide, 4.3.4.4: where a pool cannot grow, cudaMallocAsync may reuse memory
 * freed in another stream, and makes its own stream wait for that free. The pool here has
 * room for one buffer. s1 uses it for 20 ms and frees it; s2 allocates, and its kernel,
 * which has nothing to do with s1's, begins when s1's has ended. No host call waits.
 */
#include "expect.h"

#define BYTES (64 * MIB)
#define KERNEL_NS (20 * MS)
#define SKIPPED 77

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

static cudaMemPool_t pool_for_one_buffer(void)
{
	cudaMemPoolProps props = {};
	cudaMemPool_t pool;

	props.allocType = cudaMemAllocationTypePinned;
	props.location.type = cudaMemLocationTypeDevice;
	props.maxSize = BYTES;
	CHECK(cudaMemPoolCreate(&pool, &props));
	return pool;
}

int main(void)
{
	cudaStream_t s1, s2;
	cudaMemPool_t pool;
	void *one, *two;
	int reuse_line;

	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	pool = pool_for_one_buffer();
	CHECK(cudaMallocFromPoolAsync(&one, BYTES, pool, s1));

	launch(first_spin, KERNEL_NS, s1);
	CHECK(cudaFreeAsync(one, s1));
	reuse_line = __LINE__ + 1;
	if (cudaMallocFromPoolAsync(&two, BYTES, pool, s2) == cudaErrorMemoryAllocation)
		return SKIPPED; /* this driver's pools make no such order */
	launch(second_spin, KERNEL_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaMallocFromPoolAsync 2");
	expect("calls cudaFreeAsync 1");
	expect("device kernel 4");
	expect("not_blocked cudaMallocFromPoolAsync");
	expect("serialized cudaMallocFromPoolAsync at=%s victim=second_spin count=1 lost=%s",
	       SITE(reuse_line), about(KERNEL_NS));
	return done();
}
