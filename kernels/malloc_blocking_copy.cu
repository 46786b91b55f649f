/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is cudaMalloc asynchronous now? First program: allocate, copy to the device
 * with a blocking cudaMemcpy, free.
 *
 * Answer: the allocation waits for nothing. The copy holds the host for its own transfer
 * and for nothing else. The free waits for nothing either, because by then the device is
 * idle: what it takes is the driver unmapping memory.
 */
#include "expect.h"

#define BYTES (64 * MIB)

int main(void)
{
	char *host = (char *)malloc(BYTES);
	int malloc_line, copy_line, free_line;
	void *device;

	memset(host, 1, BYTES);
	CHECK(cudaSetDevice(0)); /* creates the context: not the question here */

	AT(malloc_line, cudaMalloc(&device, BYTES));
	AT(copy_line, cudaMemcpy(device, host, BYTES, cudaMemcpyHostToDevice));
	AT(free_line, cudaFree(device));
	free(host);

	expect("calls cudaMalloc 1");
	expect("calls cudaMemcpy 1");
	expect("calls cudaFree 1");
	expect("device copy 1");
	expect("not_blocked cudaMalloc at=%s", SITE(malloc_line));
	expect("blocked cudaMemcpy class=transfer at=%s total=1e6..", SITE(copy_line));
	expect("not_blocked cudaMemcpy at=%s", SITE(copy_line));
	expect("pageable cudaMemcpy at=%s", SITE(copy_line));
	expect("not_blocked cudaFree at=%s", SITE(free_line));
	expect("nothing_serialized");
	return done();
}
