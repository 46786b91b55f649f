/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What calls leave cold. A call that works longer than CT_COLD_KERNEL_NS in the driver goes into the
 * kernel's, whose code and data take the caches. Its thread is slower for it until it has them back: what it
 * does, between calls and in them, takes longer, until CT_COLD_TENTHS of what the call worked are
 * lost, or CT_COLD_MOST_NS. Measured on an H200's host (tests/gpu/results/cold-h200.txt):
 * - half a MiB of code takes 22 us, right behind two such calls 35 to 45 (kernels/cold_after_free.cu);
 *   behind calls of less than 10 us 2 more, and CuPy, which makes but such, saves no more than they take;
 * - PyTorch without its caching allocator loses 180 to 240 and 310 us a step in no call, beside 730 and 780 in
 *   calls, 510 of the latter in those of more than 10 us; where it frees and allocates besides, 150 to 200 beside
 *   390 and 450 in calls. Long after the last of them launches take an eighth longer, and the time between them
 *   a quarter.
 * Tracing makes calls longer, too: so four tenths of them are taken, less than was measured bare.
 */
#ifndef CT_ANALYZE_COLD_H
#define CT_ANALYZE_COLD_H

#include <stdint.h>

#define CT_COLD_KERNEL_NS 10000
#define CT_COLD_TENTHS 4        /* of what calls worked; and of what is done behind them */
#define CT_COLD_MOST_NS 40000

/* How slow a thread is, as the ns that it has yet to lose, behind a call that worked so long in the driver. */
static inline uint32_t ct_cold_add(uint32_t left_ns, uint64_t work_ns)
{
	uint64_t sum = left_ns + work_ns / 10 * CT_COLD_TENTHS;

	if (work_ns <= CT_COLD_KERNEL_NS)
		return left_ns;
	return sum < CT_COLD_MOST_NS ? (uint32_t)sum : CT_COLD_MOST_NS;
}

/* Of time that was spent so: what is not lost if the calls are not made. It is taken from *left_ns. */
static inline uint32_t ct_cold_take(uint32_t *left_ns, uint64_t ns)
{
	uint64_t lost = ns / 10 * CT_COLD_TENTHS;
	uint32_t take = lost < *left_ns ? (uint32_t)lost : *left_ns;

	*left_ns -= take;
	return take;
}

#endif
