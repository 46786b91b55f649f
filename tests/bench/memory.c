/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What memory a long run takes, on the fake device.
 *
 *   memory [CALLS [THREADS]]
 *
 * Each thread makes CALLS calls, from 1024 stacks in turn: 256 places by 4 ways each, so that
 * all that is kept for stacks fills up. Four times on the way
 * the resident memory of the process is printed, and how much of it is the trace file's and
 * how much anonymous: bare, and preloaded, the difference of which is the tracer's own, with
 * CUPTI's buffers.
 */
#include <ctype.h>
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 64
#define STACKS 1024
#define QUARTERS 4
#define BATCH 200  /* calls between waits, so that the device keeps up */

static long calls = 200000;
static pthread_barrier_t quarter;
static void *memory;

/* 256 functions with a call each; the value makes each another one. */
#define PLACE(n)                                                                                   \
	__attribute__((noinline)) static int place_##n(void)                                       \
	{                                                                                          \
		return cudaMemsetAsync(memory, 0x##n, 64, 0);                                      \
	}
#define EACH_LOW(X, h)                                                                             \
	X(h##0) X(h##1) X(h##2) X(h##3) X(h##4) X(h##5) X(h##6) X(h##7)                            \
	X(h##8) X(h##9) X(h##a) X(h##b) X(h##c) X(h##d) X(h##e) X(h##f)
#define EACH(X)                                                                                    \
	EACH_LOW(X, 0) EACH_LOW(X, 1) EACH_LOW(X, 2) EACH_LOW(X, 3)                                \
	EACH_LOW(X, 4) EACH_LOW(X, 5) EACH_LOW(X, 6) EACH_LOW(X, 7)                                \
	EACH_LOW(X, 8) EACH_LOW(X, 9) EACH_LOW(X, a) EACH_LOW(X, b)                                \
	EACH_LOW(X, c) EACH_LOW(X, d) EACH_LOW(X, e) EACH_LOW(X, f)
EACH(PLACE)

#define ENTRY(n) place_##n,
static int (*const places[])(void) = { EACH(ENTRY) };

/* Ten frames down, by a way of which two bits are chosen. */
__attribute__((noinline)) static int descend(unsigned number, int left)
{
	int below;

	if (!left)
		return places[number >> 2]() + 1;
	if (left <= 2 && number >> (left - 1) & 1) {
		below = descend(number, left - 1);
		__asm__ volatile(""); /* or the two calls would be made one */
		return below + 1;
	}
	return descend(number, left - 1) + 2;
}

static void *run(void *number)
{
	unsigned at = (unsigned)(size_t)number * 17;

	for (int q = 0; q < QUARTERS; q++) {
		for (long i = 1; i <= calls / QUARTERS; i++) {
			descend(at++ % STACKS, 10);
			if (i % BATCH == 0)
				cudaStreamSynchronize(0);
		}
		pthread_barrier_wait(&quarter); /* they are read */
		pthread_barrier_wait(&quarter);
	}
	return NULL;
}

/* Of all mappings, kilobytes. */
static void print_resident(int q)
{
	unsigned long all = 0, trace = 0, anonymous = 0, kb;
	FILE *maps = fopen("/proc/self/smaps", "r");
	bool of_trace = false;
	char line[4096];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (isdigit((unsigned char)*line) || islower((unsigned char)*line)) /* an address */
			of_trace = strstr(line, "trace.cutrace") != NULL;
		if (sscanf(line, "Rss: %lu kB", &kb) == 1) {
			all += kb;
			trace += of_trace ? kb : 0;
		} else if (sscanf(line, "Anonymous: %lu kB", &kb) == 1) {
			anonymous += kb;
		}
	}
	if (maps)
		fclose(maps);
	printf("quarter %d: resident %lu kB, of the trace file %lu kB, anonymous %lu kB\n", q + 1, all,
	       trace, anonymous);
}

int main(int argc, char **argv)
{
	long threads = argc > 2 ? atol(argv[2]) : 16;
	pthread_t thread[THREADS_MAX];

	calls = argc > 1 ? atol(argv[1]) : calls;
	if (calls < QUARTERS || threads < 1 || threads > THREADS_MAX)
		return 2;
	if (cudaMalloc(&memory, 4096))
		return 1;
	pthread_barrier_init(&quarter, NULL, (unsigned)threads + 1);
	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, run, (void *)i))
			return 1;
	for (int q = 0; q < QUARTERS; q++) {
		pthread_barrier_wait(&quarter);
		print_resident(q);
		pthread_barrier_wait(&quarter);
	}
	for (long i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
