/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a program traced that never touches the CUDA runtime?
 *
 * It finds libcuda.so.1 with dlopen, loads a kernel from PTX, copies 1 MiB to the device,
 * and frees a buffer behind the 20 ms kernel: cuMemFree waits for it, as cudaFree does.
 * Without a driver it says so and exits with 77.
 */
#define _POSIX_C_SOURCE 200809L

#include "driver.h"

#define BYTES (1 * MIB)

int main(void)
{
	void *host = calloc(1, BYTES);
	int copy_line, free_line;
	void *function;
	uint64_t memory;

	start_driver();
	function = load_spin();
	launch(function, 1000, NULL);
	CALL(cuCtxSynchronize, (void));

	CALL(cuMemAlloc_v2, (uint64_t *, size_t), &memory, BYTES);
	CALL_AT(copy_line, cuMemcpyHtoD_v2, COPY_TYPES, memory, host, BYTES);
	launch(function, 20 * MS, NULL);
	CALL_AT(free_line, cuMemFree_v2, (uint64_t), memory);
	free(host);

	expect("calls cuMemAlloc 1");
	expect("calls cuMemcpyHtoD 1");
	expect("calls cuLaunchKernel 2");
	expect("calls cuMemFree 1");
	expect("device kernel 2");
	expect("device copy 1");
	expect("not_blocked cuMemAlloc");
	expect("not_blocked cuMemcpyHtoD at=%s", SITE(copy_line));
	expect("blocked cuMemFree class=device_wait on=spin at=%s count=1 ns=12e6..40e6",
	       SITE(free_line));
	expect("nothing_serialized");
	return done();
}
