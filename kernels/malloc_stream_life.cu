/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is cudaMalloc asynchronous now? Third program: allocate around the creation
 * and the destruction of a stream.
 *
 * Answer: none of these calls waits for anything. Nothing runs on the device, so nothing
 * could be waited for; whatever time they take is the driver's own work.
 */
#include "expect.h"

#define BYTES (16 * MIB)

int main(void)
{
	void *before, *between, *after;
	cudaStream_t stream;

	CHECK(cudaSetDevice(0)); /* creates the context: not the question here */

	CHECK(cudaMalloc(&before, BYTES));
	CHECK(cudaStreamCreate(&stream));
	CHECK(cudaMalloc(&between, BYTES));
	CHECK(cudaStreamDestroy(stream));
	CHECK(cudaMalloc(&after, BYTES));
	CHECK(cudaFree(before));
	CHECK(cudaFree(between));
	CHECK(cudaFree(after));

	expect("calls cudaMalloc 3");
	expect("calls cudaStreamCreate 1");
	expect("calls cudaStreamDestroy 1");
	expect("calls cudaFree 3");
	expect("device kernel 0");
	expect("device copy 0");
	expect("not_blocked cudaMalloc");
	expect("not_blocked cudaStreamCreate");
	expect("not_blocked cudaStreamDestroy");
	expect("not_blocked cudaFree");
	expect("nothing_serialized");
	return done();
}
