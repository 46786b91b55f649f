/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does an allocation or a free cost the program after it has returned?
 *
 * Both may go into the kernel's driver, whose code and data push the program's out of the caches.
 * So the same work of the host takes longer right after them: here half a MiB of data that is
 * followed, and half a MiB of code that is run, both at home in the second-level cache. What that is
 * by call no trace shows; it is printed, for the most likely savings (analyze/replay.h).
 */
#include "expect.h"

#include <algorithm>

#define ROUNDS 301
#define SMALL_BYTES (256 * 1024UL) /* from a piece of memory that the driver has */
#define LARGE_BYTES (4 * MIB)      /* mapped and unmapped by each pair */
#define LINES 8192 /* half a MiB of them */

/* A line of the cache, and where the next one is: in no order. */
static struct line {
	uint32_t next;
	char rest[60];
} lines[LINES];

/* One cycle through all (Sattolo, Information Processing Letters 22, 1986). */
static void mix_lines(void)
{
	uint32_t random = 1;

	for (uint32_t i = 0; i < LINES; i++)
		lines[i].next = i;
	for (uint32_t i = LINES - 1; i > 0; i--) {
		random = random * 1664525 + 1013904223;
		std::swap(lines[i].next, lines[(uint64_t)random * i >> 32].next);
	}
}

static void follow_data(void)
{
	static volatile uint32_t end;
	uint32_t at = 0;

	for (int i = 0; i < LINES; i++)
		at = lines[at].next;
	end = at;
}

/* 8192 jumps to the next line of the cache. */
static void run_code(void)
{
#ifdef __x86_64__
	asm volatile(".balign 64\n\t.rept 8192\n\tjmp 1f\n\t.balign 64\n1:\n\t.endr" ::: "memory");
#endif
}

static void allocate_and_free(size_t bytes)
{
	void *block;

	CHECK(cudaMalloc(&block, bytes));
	CHECK(cudaFree(block));
}

/* Median, in nanoseconds, of the work behind such a pair; bytes 0: behind itself. */
static long long time_work(void (*work)(void), size_t bytes)
{
	static long long times[ROUNDS];

	work();
	for (int i = 0; i < ROUNDS; i++) {
		long long start;

		if (bytes)
			allocate_and_free(bytes);
		start = now_ns();
		work();
		times[i] = now_ns() - start;
	}
	std::sort(times, times + ROUNDS);
	return times[ROUNDS / 2];
}

static void measure(const char *name, void (*work)(void))
{
	long long alone = time_work(work, 0), small = time_work(work, SMALL_BYTES);
	long long large = time_work(work, LARGE_BYTES);

	printf("measured: %s alone %lld ns, behind a small pair %+lld, behind a large one %+lld\n", name,
	       alone, small - alone, large - alone);
}

int main(void)
{
	void *kept;

	warm_up();
	CHECK(cudaMalloc(&kept, SMALL_BYTES)); /* so that a small block maps nothing */
	mix_lines();
	measure("data", follow_data);
	measure("code", run_code);

	expect("calls cudaMalloc %d", 4 * ROUNDS + 1);
	expect("calls cudaFree %d", 4 * ROUNDS);
	expect("nothing_serialized");
	return done();
}
