/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: are streams of every kind told apart, and copies that are neither to nor from
 * the host seen?
 *
 * One stream of each priority that the device has, the legacy and the per-thread default
 * stream, a peer copy (of the device with itself), managed memory moved by a prefetch.
 */
#include "expect.h"

#define BYTES (1 * MIB)
#define KERNEL_NS (2 * MS)

static void prefetch(void *memory, cudaStream_t stream)
{
#if CUDART_VERSION >= 13000
	cudaMemLocation to = { cudaMemLocationTypeDevice, 0 };

	CHECK(cudaMemPrefetchAsync(memory, BYTES, to, 0, stream));
#else
	CHECK(cudaMemPrefetchAsync(memory, BYTES, 0, stream));
#endif
}

int main(void)
{
	int least, greatest, sync_line;
	cudaStream_t low, high;
	void *from, *to, *managed;

	if (on_fake_device()) {
		fputs("skipped: the stand-in has no managed memory to move\n", stderr);
		return 77;
	}
	warm_up();
	CHECK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
	CHECK(cudaStreamCreateWithPriority(&low, cudaStreamNonBlocking, least));
	CHECK(cudaStreamCreateWithPriority(&high, cudaStreamDefault, greatest));
	from = device_memory(BYTES);
	to = device_memory(BYTES);
	CHECK(cudaMallocManaged(&managed, BYTES));
	memset(managed, 1, BYTES);

	launch_spin(KERNEL_NS, low);
	launch_spin(KERNEL_NS, high);
	launch_spin(KERNEL_NS, cudaStreamPerThread);
	launch_spin(KERNEL_NS, cudaStreamLegacy);
	CHECK(cudaDeviceSynchronize());
	CHECK(cudaMemcpyPeerAsync(to, 0, from, 0, BYTES, low));
	prefetch(managed, high);
	launch_spin(KERNEL_NS, high);
	AT(sync_line, cudaStreamSynchronize(high));
	CHECK(cudaStreamSynchronize(low));

	expect("calls cudaMemcpyPeerAsync 1");
	expect("calls cudaMemPrefetchAsync 1");
	expect("device kernel 6");
	expect("device copy 1");
	expect("stream non-blocking 1 priority=%d", least);
	expect("stream blocking 1 priority=%d", greatest);
	expect("stream per-thread\\ default 1");
	expect("stream legacy\\ default 1");
	expect("blocked cudaStreamSynchronize class=device_wait on=spin at=%s count=1 ns=1e6..6e6",
	       SITE(sync_line));
	return done();
}
