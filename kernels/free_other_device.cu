/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: whose work does a free wait for, where there are two devices?
 *
 * Device 1 runs a 40 ms kernel and device 0 nothing. Freed meanwhile, with device 0 current:
 * memory of device 0, memory of device 1, page-locked memory and managed memory. One device's
 * frees wait for all work on the device (free_serializes). Of two, nothing is documented; two
 * H200 waited for that of the device that was current when the memory was allocated.
 */
#include "expect.h"

#define KERNEL_NS (40 * MS)

static cudaStream_t stream;

static void occupy_other(void)
{
	launch_on(1, spin, KERNEL_NS, stream);
	CHECK(cudaSetDevice(0));
}

static void wait_for_other(void)
{
	CHECK(cudaSetDevice(1));
	CHECK(cudaDeviceSynchronize());
	CHECK(cudaSetDevice(0));
}

int main(void)
{
	void *here, *there, *pinned, *managed;
	int here_line, there_line, pinned_line, managed_line;
	long long here_ns, there_ns, pinned_ns, managed_ns;

	need_devices(2);
	warm_up_two(spin);
	stream = non_blocking_stream_on(1);
	there = device_memory(1 * MIB);
	CHECK(cudaSetDevice(0));
	here = device_memory(1 * MIB);
	pinned = pinned_memory(1 * MIB);
	CHECK(cudaMallocManaged(&managed, 1 * MIB));

	occupy_other();
	here_ns = now_ns();
	AT(here_line, cudaFree(here));
	here_ns = now_ns() - here_ns;
	wait_for_other();

	occupy_other();
	there_ns = now_ns();
	AT(there_line, cudaFree(there));
	there_ns = now_ns() - there_ns;
	wait_for_other();

	occupy_other();
	pinned_ns = now_ns();
	AT(pinned_line, cudaFreeHost(pinned));
	pinned_ns = now_ns() - pinned_ns;
	wait_for_other();

	occupy_other();
	managed_ns = now_ns();
	AT(managed_line, cudaFree(managed));
	managed_ns = now_ns() - managed_ns;
	wait_for_other();

	expect("calls cudaFree 3");
	expect("device kernel 5 device=1");
	expect("device kernel 1 device=0");
	seen_to_wait("cudaFree of an idle device's memory", here_ns, KERNEL_NS);
	seen_to_wait("cudaFree of a busy device's memory, another current,", there_ns, KERNEL_NS);
	seen_to_wait("cudaFreeHost, another device busy,", pinned_ns, KERNEL_NS);
	seen_to_wait("cudaFree of managed memory, another device busy,", managed_ns, KERNEL_NS);
	expect("not_blocked cudaFree at=%s below=%lld", SITE(here_line), KERNEL_NS / 2);
	expect("blocked cudaFree class=device_wait on=spin at=%s count=1", SITE(there_line));
	expect("not_blocked cudaFreeHost at=%s below=%lld", SITE(pinned_line), KERNEL_NS / 2);
	expect("not_blocked cudaFree at=%s below=%lld", SITE(managed_line), KERNEL_NS / 2);
	return done();
}
