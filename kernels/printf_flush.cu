/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does a kernel that prints confuse the account of a synchronise?
 *
 * Programming guide, C++ language support: the buffer of the device's printf is flushed by
 * explicit synchronisation, among others, so the call is longer than its wait. It waited
 * for the kernel and for nothing else. (The stand-in prints nothing.)
 */
#include "expect.h"

#define LINES 200

__global__ void print_spin(long long ns)
{
	for (int i = 0; i < LINES; i++)
		printf("line %d of the device\n", i);
	spin_for(ns);
}

int main(void)
{
	cudaStream_t stream;
	int sync_line;

	warm_up();
	stream = non_blocking_stream();
	fflush(stdout);
	print_spin<<<1, 1, 0, stream>>>(10 * MS);
	CHECK(cudaGetLastError());
	AT(sync_line, cudaDeviceSynchronize());

	expect("calls cudaDeviceSynchronize 2");
	expect("device kernel 2");
	expect("blocked cudaDeviceSynchronize class=device_wait on=print_spin at=%s count=1 "
	       "ns=8e6..30e6", SITE(sync_line));
	expect("nothing_serialized");
	return done();
}
