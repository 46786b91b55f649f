/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: whom does a pageable copy hold up that has nothing to do with it?
 *
 * One thread has 3 ms kernels and copies what each brings to ordinary memory; another works in
 * steps of 1 ms, and allocates a block for each that it keeps. Measured on an H200: while a copy
 * to pageable memory waits for its stream, no other thread can allocate. So there is one
 * step to a kernel, until the first thread is done. Fixed: it copies to page-locked memory, and
 * waits for an event.
 */
#include <thread>

#include "larger.h"

#define KERNELS 60
#define STEPS 200
#define BYTES (256 * 1024UL)
#define KERNEL_NS (3 * MS)
#define STEP_NS (1 * MS)

static bool fixed;
static int copy_line;
static cudaStream_t s1, s2;
static void *table[STEPS];
static uint64_t sums[2];

static void bring(void *host, void *device, cudaEvent_t brought)
{
	for (int i = 0; i < KERNELS; i++) {
		launch_mix(KERNEL_NS, device, BYTES, s1);
		AT(copy_line, cudaMemcpyAsync(host, device, BYTES, cudaMemcpyDeviceToHost, s1));
		if (fixed) {
			CHECK(cudaEventRecord(brought, s1));
			CHECK(cudaEventSynchronize(brought));
		}
		sums[0] = sum_words(sums[0], host, 4096);
	}
}

static void grow(void *number)
{
	for (int i = 0; i < STEPS; i++) {
		CHECK(cudaMalloc(&table[i], BYTES));
		CHECK(cudaMemsetAsync(table[i], i, BYTES, s2));
		launch_mix(STEP_NS, table[i], BYTES, s2);
		CHECK(cudaMemcpyAsync(number, table[i], 8, cudaMemcpyDeviceToHost, s2));
		CHECK(cudaStreamSynchronize(s2));
		sums[1] = sum_words(sums[1], number, 8);
	}
}

int main(int argc, char **argv)
{
	void *host, *device, *number;
	cudaEvent_t brought;
	std::thread other;
	long long start;

	fixed = wants_fixed(argc, argv);
	warm_up_mix();
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	host = fixed ? pinned_memory(BYTES) : pageable_memory(BYTES);
	device = zeroed_device_memory(BYTES);
	number = pinned_memory(8);
	CHECK(cudaEventCreateWithFlags(&brought, cudaEventDisableTiming));
	CHECK(cudaDeviceSynchronize());
	start = now_ns();
	other = std::thread(grow, number);
	bring(host, device, brought);
	other.join();
	print_result(sum_words(0, sums, sizeof(sums)));
	print_work(start);

	expect("calls cudaMalloc %d", STEPS + 1);
	expect("calls cudaMemcpyAsync %d", KERNELS + STEPS);
	if (fixed) {
		expect("not_blocked cudaMemcpyAsync at=%s", SITE(copy_line));
		expect("nothing_serialized");
		return done();
	}
	expect("pageable cudaMemcpyAsync at=%s", SITE(copy_line));
	expect("blocked cudaMemcpyAsync class=device_wait on=mix_spin at=%s count>=%d",
	       SITE(copy_line), KERNELS - 5);
	expect("blocked cudaMalloc class=lock_wait on=cudaMemcpyAsync total=20e6..");
	expect("serialized cudaMemcpyAsync at=%s victim=mix_spin", SITE(copy_line));
	return done();
}
