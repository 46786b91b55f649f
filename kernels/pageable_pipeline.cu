/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does a pipeline of two streams lose by ordinary (pageable) buffers?
 *
 * Each round waits for its stream, fills one host buffer, and gives the stream a kernel, a copy
 * of the buffer to the device, and a kernel: as long as the copy has the host wait for the first
 * kernel, the other stream gets nothing to do. Runtime API, API synchronization behavior: it
 * may; an H200 does so for 64 MiB and does not for 1 MiB, and nothing is claimed of the 24 here,
 * but that the data come out right. The library's own change (`cutrace prove --fix pin`) is
 * measured with this program; with --frees, each round frees a block with all that in flight
 * (`--fix all`).
 */
#include "expect.h"

#define ROUNDS 12
#define BYTES (24 * MIB)
#define KERNEL_NS (4 * MS)

SPIN_KERNEL(before_spin)
SPIN_KERNEL(after_spin)

static bool is_all(const void *device, void *host, int value)
{
	const unsigned char *at = (const unsigned char *)host;

	CHECK(cudaMemcpy(host, device, BYTES, cudaMemcpyDeviceToHost));
	return at[0] == value && memcmp(at, at + 1, BYTES - 1) == 0;
}

int main(int argc, char **argv)
{
	bool frees = argc > 1 && strcmp(argv[1], "--frees") == 0;
	void *host = pageable_memory(BYTES), *device[2];
	cudaStream_t streams[2];
	int copy_line = 0;

	warm_up(before_spin, after_spin);
	for (int i = 0; i < 2; i++) {
		streams[i] = non_blocking_stream();
		device[i] = device_memory(BYTES);
	}
	for (int i = 0; i < ROUNDS; i++) {
		void *block = frees ? device_memory(MIB) : NULL, *to = device[i % 2];
		cudaStream_t stream = streams[i % 2];

		CHECK(cudaStreamSynchronize(stream));
		memset(host, i + 1, BYTES);
		launch(before_spin, KERNEL_NS, stream);
		AT(copy_line, cudaMemcpyAsync(to, host, BYTES, cudaMemcpyHostToDevice, stream));
		launch(after_spin, KERNEL_NS, stream);
		if (frees)
			CHECK(cudaFree(block));
	}
	CHECK(cudaDeviceSynchronize());
	printf("data: %s\n", is_all(device[0], host, ROUNDS - 1) && is_all(device[1], host, ROUNDS)
				     ? "right" : "wrong");
	expect("calls cudaMemcpyAsync %d", ROUNDS);
	expect("device kernel %d", 2 * ROUNDS + 2);
	expect("pageable cudaMemcpyAsync at=%s", SITE(copy_line));
	return done();
}
