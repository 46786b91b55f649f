/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: are two kinds of culprit in one loop both found?
 *
 * Ten times: a 4 ms kernel on s1, a free that waits for it, a 4 ms kernel on s2, a pageable
 * copy back on s2 that waits for that. The free makes s2's kernel late, the copy makes the
 * next round's kernel on s1 late: 80 ms, where the streams could do it in 40. Either alone
 * keeps the streams apart, only in other rounds: without the free, each round's two kernels
 * overlap; without the copy, one round's second with the next one's first.
 */
#include "expect.h"

#define ROUNDS 10
#define BYTES (64 * 1024)
#define KERNEL_NS (4 * MS)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

int main(void)
{
	void *host = pageable_memory(BYTES);
	int i, free_line, copy_line;
	cudaStream_t s1, s2;
	void *device;

	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	device = device_memory(BYTES);

	for (i = 0; i < ROUNDS; i++) {
		void *buffer = device_memory(1 * MIB);

		launch(first_spin, KERNEL_NS, s1);
		AT(free_line, cudaFree(buffer));
		launch(second_spin, KERNEL_NS, s2);
		AT(copy_line, cudaMemcpyAsync(host, device, BYTES, cudaMemcpyDeviceToHost, s2));
	}

	expect("calls cudaFree %d", ROUNDS);
	expect("calls cudaMemcpyAsync %d", ROUNDS);
	expect("device kernel %d", 2 * ROUNDS + 2);
	expect("blocked cudaFree class=device_wait on=first_spin at=%s count>=9 ns=2e6..10e6",
	       SITE(free_line));
	expect("blocked cudaMemcpyAsync class=device_wait on=second_spin at=%s count>=9 "
	       "ns=2e6..10e6", SITE(copy_line));
	expect("serialized cudaFree at=%s victim=second_spin count>=8 lost=%s", SITE(free_line),
	       about(ROUNDS * KERNEL_NS));
	expect("serialized cudaMemcpyAsync at=%s victim=first_spin count>=8 lost=%s",
	       SITE(copy_line), about((ROUNDS - 1) * KERNEL_NS));
	return done();
}
