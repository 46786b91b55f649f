/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is cudaMalloc asynchronous now? Second program: allocate, create a stream, and
 * copy asynchronously from and to ordinary (pageable) host memory around a kernel on that
 * stream, with stream synchronises between. Then the same kernel and copy back once more
 * without a synchronise between them.
 *
 * Answer: the allocation waits for nothing, and the "asynchronous" copies are not
 * asynchronous. Each holds the host for its own transfer; the copy back that comes right
 * behind the kernel also holds it until the kernel ends. The stream synchronise after such
 * a copy finds nothing left to wait for.
 */
#include "expect.h"

#define BYTES (4 * MIB)

static char *in, *out;
static void *device;
static cudaStream_t stream;

static int to_line, sync_line, from_line, late_line, empty_line;

static void synchronise_between(void)
{
	AT(to_line, cudaMemcpyAsync(device, in, BYTES, cudaMemcpyHostToDevice, stream));
	CHECK(cudaStreamSynchronize(stream));
	launch_spin(5 * MS, stream);
	AT(sync_line, cudaStreamSynchronize(stream));
	AT(from_line, cudaMemcpyAsync(out, device, BYTES, cudaMemcpyDeviceToHost, stream));
	CHECK(cudaStreamSynchronize(stream));
}

static void copy_back_behind_the_kernel(void)
{
	launch_spin(5 * MS, stream);
	AT(late_line, cudaMemcpyAsync(out, device, BYTES, cudaMemcpyDeviceToHost, stream));
	AT(empty_line, cudaStreamSynchronize(stream));
}

int main(void)
{
	int malloc_line, create_line;

	in = (char *)malloc(BYTES);
	out = (char *)malloc(BYTES);
	memset(in, 1, BYTES);
	memset(out, 2, BYTES);
	warm_up();

	AT(malloc_line, cudaMalloc(&device, BYTES));
	AT(create_line, cudaStreamCreate(&stream));
	synchronise_between();
	copy_back_behind_the_kernel();
	CHECK(cudaStreamDestroy(stream));
	CHECK(cudaFree(device));

	expect("calls cudaMalloc 1");
	expect("calls cudaMemcpyAsync 3");
	expect("calls cudaStreamSynchronize 4");
	expect("calls cudaLaunchKernel 3");
	expect("device copy 3");
	expect("device kernel 3");
	expect("not_blocked cudaMalloc at=%s", SITE(malloc_line));
	expect("not_blocked cudaStreamCreate at=%s", SITE(create_line));
	expect("pageable cudaMemcpyAsync at=%s", SITE(to_line));
	expect("pageable cudaMemcpyAsync at=%s", SITE(from_line));
	expect("pageable cudaMemcpyAsync at=%s", SITE(late_line));
	expect("blocked cudaMemcpyAsync class=transfer at=%s", SITE(to_line));
	expect("not_blocked cudaMemcpyAsync at=%s", SITE(to_line));
	expect("blocked cudaStreamSynchronize class=device_wait on=spin at=%s count=1 ns=4e6..20e6",
	       SITE(sync_line));
	expect("blocked cudaMemcpyAsync class=transfer at=%s", SITE(from_line));
	expect("not_blocked cudaMemcpyAsync at=%s", SITE(from_line));
	expect("blocked cudaMemcpyAsync class=device_wait on=spin at=%s count=1 ns=4e6..20e6",
	       SITE(late_line));
	expect("not_blocked cudaStreamSynchronize at=%s", SITE(empty_line));
	expect("not_blocked cudaStreamDestroy");
	expect("not_blocked cudaFree");
	expect("nothing_serialized");
	return done();
}
