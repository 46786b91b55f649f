/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does a helper cost that knows of no streams?
 *
 * Two streams have 2 ms kernels to run side by side; after each a library's helper counts
 * something, with a kernel of 20 us in the legacy default stream. It waits for both streams,
 * and both wait for it: 4 ms instead of 2, and no host call waits. Fixed: the helper has a
 * non-blocking stream of its own.
 */
#include "larger.h"

#define ROUNDS 100
#define BYTES (1 * MIB)
#define KERNEL_NS (2 * MS)
#define HELPER_NS (20 * US)

static int helper_line;

__global__ void count_spin(long long ns, uint32_t *counter)
{
	long long start = device_ns();

	if (threadIdx.x == 0)
		*counter += 1;
	spin_rest(start, ns);
}

static void count(uint32_t *counter, cudaStream_t helper)
{
	helper_line = __LINE__ + 1;
	count_spin<<<1, 32, 0, helper>>>(HELPER_NS, counter);
	CHECK(cudaGetLastError());
}

static void run(cudaStream_t helper, cudaStream_t s1, cudaStream_t s2, uint32_t *buffers[3])
{
	for (int i = 0; i < ROUNDS; i++) {
		launch_mix(KERNEL_NS, buffers[0], BYTES, s1);
		count(buffers[2], helper);
		launch_mix(KERNEL_NS, buffers[1], BYTES, s2);
		count(buffers[2], helper);
	}
	CHECK(cudaDeviceSynchronize());
}

static uint64_t read_results(uint32_t *buffers[3])
{
	void *host = pageable_memory(BYTES);
	uint64_t sum = 0;

	for (int i = 0; i < 3; i++) {
		CHECK(cudaMemcpy(host, buffers[i], BYTES, cudaMemcpyDeviceToHost));
		sum = sum_words(sum, host, BYTES);
	}
	return sum;
}

int main(int argc, char **argv)
{
	bool fixed = wants_fixed(argc, argv);
	cudaStream_t s1, s2, helper = 0;
	uint32_t *buffers[3];
	long long start;

	warm_up_mix();
	count_spin<<<1, 32>>>(1000, (uint32_t *)zeroed_device_memory(4));
	for (int i = 0; i < 3; i++)
		buffers[i] = (uint32_t *)zeroed_device_memory(BYTES);
	s1 = blocking_stream();
	s2 = blocking_stream();
	if (fixed)
		helper = non_blocking_stream();
	CHECK(cudaDeviceSynchronize());
	start = now_ns();
	run(helper, s1, s2, buffers);
	print_result(read_results(buffers));
	print_work(start);

	expect("not_blocked cudaLaunchKernel");
	if (fixed)
		expect("nothing_serialized");
	else
		expect("serialized cudaLaunchKernel at=%s victim=mix_spin", SITE(helper_line));
	return done();
}
