/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: are the losses of two culprits told apart?
 *
 * Two frees at two lines of the source, with a synchronise between, each keep two kernels
 * from running at once: the first for 20 ms, the second for 12 ms.
 */
#include "expect.h"

#define LONG_NS (20 * MS)
#define SHORT_NS (12 * MS)

SPIN_KERNEL(long_spin)
SPIN_KERNEL(short_spin)

int main(void)
{
	int long_line, short_line;
	cudaStream_t s1, s2;
	void *one, *two;

	warm_up(long_spin, short_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	one = device_memory(1 * MIB);
	two = device_memory(1 * MIB);

	launch(long_spin, LONG_NS, s1);
	AT(long_line, cudaFree(one));
	launch(long_spin, LONG_NS, s2);
	CHECK(cudaDeviceSynchronize());

	launch(short_spin, SHORT_NS, s1);
	AT(short_line, cudaFree(two));
	launch(short_spin, SHORT_NS, s2);
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaFree 2");
	expect("device kernel 6");
	expect("blocked cudaFree class=device_wait on=long_spin at=%s count=1", SITE(long_line));
	expect("blocked cudaFree class=device_wait on=short_spin at=%s count=1",
	       SITE(short_line));
	expect("serialized cudaFree at=%s count=1 victim=long_spin lost=%s", SITE(long_line),
	       about(LONG_NS));
	expect("serialized cudaFree at=%s count=1 victim=short_spin lost=%s", SITE(short_line),
	       about(SHORT_NS));
	return done();
}
