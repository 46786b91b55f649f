/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is each kernel reported on its device, by a program that switches all the time?
 *
 * 100 times: a 20 us kernel on device 0, one on device 1, in streams to which CUPTI may give
 * the same number. Switching waits for nothing; the devices work beside each other. Decoy.
 */
#include "expect.h"

#define TIMES 100

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	cudaStream_t s0, s1;
	int i, set_line = 0, sync_line;

	need_devices(2);
	warm_up_two(first_spin, second_spin);
	s0 = non_blocking_stream_on(0);
	s1 = non_blocking_stream_on(1);

	launch_on(0, first_spin, 20 * MS, s0);
	for (i = 0; i < TIMES; i++) {
		AT(set_line, cudaSetDevice(i % 2));
		launch(i % 2 ? second_spin : first_spin, 20000, i % 2 ? s1 : s0);
	}
	CHECK(cudaSetDevice(1));
	AT(sync_line, cudaDeviceSynchronize());
	CHECK(cudaSetDevice(0));
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaSetDevice %d at=%s", TIMES, SITE(set_line));
	expect("device kernel %d device=0", TIMES / 2 + 3);
	expect("device kernel %d device=1", TIMES / 2 + 2);
	expect("not_blocked cudaSetDevice");
	expect("not_blocked cudaLaunchKernel");
	expect("not_blocked cudaDeviceSynchronize at=%s below=15e6", SITE(sync_line));
	expect("nothing_serialized");
	return done();
}
