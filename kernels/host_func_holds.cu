/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: can a host function of one stream make another stream late?
 *
 * Runtime API, execution control: cudaLaunchHostFunc holds its stream until the function
 * returns, and functions of independent streams may be serialized. A 10 ms function on s1
 * and a 1 ms function on s2 are queued beside a 30 ms kernel on s3; other_spin on s2 begins
 * when both have run, about 9 ms late. No host call waits for any of it. after_spin on s1
 * had to wait.
 */
#include "expect.h"

SPIN_KERNEL(beside_spin)
SPIN_KERNEL(after_spin)
SPIN_KERNEL(other_spin)

static void CUDART_CB take_10_ms(void *)
{
	sleep_ns(10 * MS);
}

static void CUDART_CB take_1_ms(void *)
{
	sleep_ns(1 * MS);
}

int main(void)
{
	int long_line, sync_line;
	cudaStream_t s1, s2, s3;

	warm_up(beside_spin, after_spin, other_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	s3 = non_blocking_stream();

	launch(beside_spin, 30 * MS, s3);
	AT(long_line, cudaLaunchHostFunc(s1, take_10_ms, NULL));
	launch(after_spin, 2 * MS, s1);
	sleep_ns(1 * MS); /* so that the first function has begun */
	CHECK(cudaLaunchHostFunc(s2, take_1_ms, NULL));
	launch(other_spin, 10 * MS, s2);
	AT(sync_line, cudaStreamSynchronize(s1));
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaLaunchHostFunc 2");
	expect("device kernel 6");
	expect("not_blocked cudaLaunchHostFunc");
	expect("not_blocked cudaLaunchKernel");
	expect("blocked cudaStreamSynchronize class=device_wait on=after_spin at=%s count=1 "
	       "ns=8e6..25e6", SITE(sync_line));
	expect("serialized cudaLaunchHostFunc at=%s victim=other_spin count=1 lost=%s",
	       SITE(long_line), about(9 * MS));
	expect("not_serialized cudaLaunchHostFunc victim=after_spin");
	return done();
}
