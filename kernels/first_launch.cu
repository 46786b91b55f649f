/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is the price of a kernel's first launch told apart from waiting?
 *
 * Programming guide, 4.7: with lazy loading a function's code is loaded by its first
 * launch. Measured on an H200: about 50 us for a small kernel, also while another runs.
 * The second launch of the same kernel costs nothing of the kind.
 */
#include "expect.h"

SPIN_KERNEL(new_spin)

int main(void)
{
	int first_line, second_line;
	cudaStream_t s1, s2;

	setenv("CUDA_MODULE_LOADING", "LAZY", 1);
	warm_up();
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();

	launch_spin(10 * MS, s1);
	first_line = __LINE__ + 1;
	new_spin<<<1, 1, 0, s2>>>(1 * MS);
	second_line = __LINE__ + 1;
	new_spin<<<1, 1, 0, s2>>>(1 * MS);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaLaunchKernel 4");
	expect("device kernel 4");
	expect("blocked cudaLaunchKernel class=first_use at=%s", SITE(first_line));
	expect("blocked cudaLaunchKernel class=first_use at=%s count=0", SITE(second_line));
	expect("not_blocked cudaLaunchKernel");
	if (on_fake_device()) {
		expect("nothing_serialized");
	} else { /* seen on an H200: loading waited for the other stream's kernel */
		expect("serialized cudaLaunchKernel at=%s victim=new_spin lost=%s",
		       SITE(first_line), about(1 * MS));
		expect("site_lost cudaLaunchKernel at=%s ns=%s", SITE(first_line), about(2 * MS));
	}
	return done();
}
