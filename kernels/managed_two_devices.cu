/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what waits for whom over managed memory that two devices touch?
 *
 * Device 0 writes it, device 1 reads it behind an event, then the host; it is freed with
 * device 0 current while device 1 still works. What the free waits for is not documented; two
 * H200 waited for nothing.
 */
#include "expect.h"

#define BYTES (4 * MIB)
#define KERNEL_NS (20 * MS)

__global__ void write_spin(long long ns, char *memory)
{
	for (unsigned long i = 0; i < BYTES; i += 4096)
		memory[i] = 1;
	spin_for(ns);
}

__global__ void read_spin(long long ns, const char *memory, int *sum)
{
	for (unsigned long i = 0; i < BYTES; i += 4096)
		*sum += memory[i];
	spin_for(ns);
}

int main(void)
{
	cudaStream_t s0, s1;
	cudaEvent_t written;
	char *memory;
	int *sum, sync_line, free_line;
	long long took;

	need_devices(2);
	warm_up_two(spin);
	s1 = non_blocking_stream_on(1);
	sum = (int *)device_memory(sizeof(*sum));
	s0 = non_blocking_stream_on(0);
	CHECK(cudaEventCreateWithFlags(&written, cudaEventDisableTiming));
	CHECK(cudaMallocManaged((void **)&memory, BYTES));

	write_spin<<<1, 1, 0, s0>>>(KERNEL_NS, memory);
	CHECK(cudaEventRecord(written, s0));
	CHECK(cudaSetDevice(1));
	CHECK(cudaStreamWaitEvent(s1, written, 0));
	read_spin<<<1, 1, 0, s1>>>(KERNEL_NS, memory, sum);
	AT(sync_line, cudaStreamSynchronize(s1));
	memory[0] = 2;

	launch_on(1, spin, KERNEL_NS, s1);
	CHECK(cudaSetDevice(0));
	took = now_ns();
	AT(free_line, cudaFree(memory));
	took = now_ns() - took;
	CHECK(cudaSetDevice(1));
	CHECK(cudaDeviceSynchronize());

	expect("device kernel 2 device=0");
	expect("device kernel 3 device=1");
	expect("not_blocked cudaMallocManaged");
	expect("blocked cudaStreamSynchronize class=device_wait on=read_spin at=%s count=1 "
	       "ns=25e6..", SITE(sync_line));
	seen_to_wait("cudaFree of managed memory, another busy,", took, KERNEL_NS);
	expect("not_blocked cudaFree at=%s below=%lld", SITE(free_line), KERNEL_NS / 2);
	return done();
}
