/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what do buffers for each batch cost where batches are small?
 *
 * Each batch allocates three buffers of 4 MiB, works 30 us on the device, and frees them.
 * Nothing could run meanwhile, so nothing is serialized: the device waits for the driver, which
 * maps and unmaps memory for longer than that. Fixed: the buffers are allocated once.
 */
#include "larger.h"

#define BATCHES 400
#define BUFFERS 3
#define BYTES (4 * MIB)
#define USED_BYTES (64 * 1024UL)
#define KERNEL_NS (15 * US) /* two of them */

static bool fixed;
static cudaStream_t stream;

static void allocate(void *buffers[BUFFERS])
{
	for (int i = 0; i < BUFFERS; i++)
		CHECK(cudaMalloc(&buffers[i], BYTES));
}

/* In, through the second, and back from the third. */
static uint64_t work(uint64_t sum, uint32_t batch, void *host, void *buffers[BUFFERS])
{
	fill_words(host, USED_BYTES, batch);
	CHECK(cudaMemcpyAsync(buffers[0], host, USED_BYTES, cudaMemcpyHostToDevice, stream));
	for (int i = 1; i < BUFFERS; i++) {
		CHECK(cudaMemcpyAsync(buffers[i], buffers[i - 1], USED_BYTES, cudaMemcpyDeviceToDevice,
				      stream));
		launch_mix(KERNEL_NS, buffers[i], USED_BYTES, stream);
	}
	CHECK(cudaMemcpyAsync(host, buffers[BUFFERS - 1], USED_BYTES, cudaMemcpyDeviceToHost, stream));
	CHECK(cudaStreamSynchronize(stream));
	return sum_words(sum, host, USED_BYTES);
}

static uint64_t run(void *host)
{
	void *buffers[BUFFERS];
	uint64_t sum = 0;

	if (fixed)
		allocate(buffers);
	for (int i = 0; i < BATCHES; i++) {
		if (!fixed)
			allocate(buffers);
		sum = work(sum, (uint32_t)i, host, buffers);
		for (int j = 0; !fixed && j < BUFFERS; j++)
			CHECK(cudaFree(buffers[j]));
	}
	return sum;
}

int main(int argc, char **argv)
{
	long long start;
	void *host;

	fixed = wants_fixed(argc, argv);
	warm_up_mix();
	stream = non_blocking_stream();
	host = pinned_memory(USED_BYTES);
	start = now_ns();
	print_result(run(host));
	print_work(start);

	expect("calls cudaMalloc %d", fixed ? BUFFERS : BUFFERS * BATCHES);
	expect("calls cudaFree %d", fixed ? 0 : BUFFERS * BATCHES);
	expect("calls cudaStreamSynchronize %d", BATCHES);
	expect("nothing_serialized");
	return done();
}
