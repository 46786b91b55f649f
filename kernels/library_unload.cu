/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does unloading code wait for the device?
 *
 * NVIDIA's manual does not say, and drivers may differ, so the program times the call
 * itself. Behind a 20 ms kernel it unloads a library that nothing uses: either the call is
 * long, and then it waited for the kernel, or it is short and waited for nothing.
 */
#include "expect.h"

static const char ptx[] = ".version 6.4\n.target sm_75\n.address_size 64\n"
			  ".visible .entry unused()\n{\n\tret;\n}\n";

int main(void)
{
	cudaLibrary_t library;
	cudaStream_t stream;
	int unload_line;
	long long start, took;

	warm_up();
	stream = non_blocking_stream();
	CHECK(cudaLibraryLoadData(&library, ptx, NULL, NULL, 0, NULL, NULL, 0));

	launch_spin(20 * MS, stream);
	start = now_ns();
	AT(unload_line, cudaLibraryUnload(library));
	took = now_ns() - start;
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaLibraryLoadData 1");
	expect("calls cudaLibraryUnload 1");
	expect("device kernel 2");
	if (took > 10 * MS)
		expect("blocked cudaLibraryUnload class=device_wait on=spin at=%s count=1 "
		       "ns=10e6..40e6", SITE(unload_line));
	else
		expect("not_blocked cudaLibraryUnload at=%s below=10e6", SITE(unload_line));
	expect("nothing_serialized");
	return done();
}
