/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is every call of very many threads there, once?
 *
 * 512 threads live at the same time; each allocates, clears, launches on a stream of its own
 * and frees, twice. How long they wait for each other depends on the machine.
 */
#include <thread>
#include <vector>

#include "expect.h"

#define THREADS 512
#define ROUNDS 2

static void work(void)
{
	cudaStream_t stream = non_blocking_stream();
	void *memory;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		CHECK(cudaMalloc(&memory, 4096));
		CHECK(cudaMemsetAsync(memory, 0, 4096, stream));
		launch_spin(1000, stream);
		CHECK(cudaStreamSynchronize(stream));
		CHECK(cudaFree(memory));
	}
	CHECK(cudaStreamDestroy(stream));
}

int main(void)
{
	std::vector<std::thread> threads;

	warm_up();
	for (int i = 0; i < THREADS; i++)
		threads.emplace_back(work);
	for (std::thread &thread : threads)
		thread.join();

	expect("calls cudaStreamCreateWithFlags %d", THREADS);
	expect("calls cudaMalloc %d", THREADS * ROUNDS);
	expect("calls cudaMemsetAsync %d", THREADS * ROUNDS);
	expect("calls cudaLaunchKernel %d", THREADS * ROUNDS + 1);
	expect("calls cudaStreamSynchronize %d", THREADS * ROUNDS);
	expect("calls cudaFree %d", THREADS * ROUNDS);
	expect("calls cudaStreamDestroy %d", THREADS);
	expect("device kernel %d", THREADS * ROUNDS + 1);
	expect("device memset %d", THREADS * ROUNDS);
	return done();
}
