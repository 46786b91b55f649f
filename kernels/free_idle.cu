/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a cudaFree accused only when it waited? (A decoy.)
 *
 * The first free comes after a synchronise, so the device is idle: its time is driver
 * work. The second frees NULL behind a 5 ms kernel: it returns at once.
 */
#include "expect.h"

int main(void)
{
	int idle_line, null_line, sync_line;
	cudaStream_t stream;
	void *buffer;

	warm_up();
	CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
	CHECK(cudaMalloc(&buffer, 256 * MIB));

	launch_spin(2 * MS, stream);
	CHECK(cudaStreamSynchronize(stream));
	AT(idle_line, cudaFree(buffer));

	launch_spin(5 * MS, stream);
	AT(null_line, cudaFree(NULL));
	AT(sync_line, cudaStreamSynchronize(stream));

	expect("calls cudaFree 2");
	expect("calls cudaStreamSynchronize 2");
	expect("device kernel 3");
	expect("not_blocked cudaFree at=%s below=1", SITE(idle_line));
	expect("not_blocked cudaFree at=%s", SITE(null_line));
	expect("blocked cudaStreamSynchronize class=device_wait on=spin at=%s count=1 ns=3e6..20e6",
	       SITE(sync_line));
	expect("nothing_serialized");
	return done();
}
