/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call costs beyond the real call: the runtime behind it does nothing.
 *
 *   hot_path [CALLS [THREADS [DEPTH]]]
 *
 * Each thread makes CALLS calls of cudaLaunchKernel from DEPTH frames down. Prints the
 * nanoseconds a call took, bare or preloaded.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREADS_MAX 64

struct dim3 {
	unsigned int x, y, z;
};
int cudaLaunchKernel(const void *function, struct dim3 grid, struct dim3 block, void **arguments,
		     size_t shared_bytes, void *stream);

static long calls = 1000000;
static long depth = 10;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

__attribute__((noinline)) static long launch(long left, long count)
{
	static const struct dim3 one = { 1, 1, 1 };
	long done = 0;

	if (left > 0)
		return launch(left - 1, count) + 1;
	for (; done < count; done++)
		cudaLaunchKernel(&one, one, one, NULL, 0, NULL);
	return done;
}

static void *run(void *ret_ns)
{
	uint64_t start;

	launch(depth, 1000);
	start = now_ns();
	launch(depth, calls);
	*(double *)ret_ns = (double)(now_ns() - start) / (double)calls;
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 2 ? atol(argv[2]) : 1;
	pthread_t thread[THREADS_MAX];
	double ns[THREADS_MAX], sum = 0;

	calls = argc > 1 ? atol(argv[1]) : calls;
	depth = argc > 3 ? atol(argv[3]) : depth;
	if (calls < 1 || threads < 1 || threads > THREADS_MAX)
		return 2;
	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, run, &ns[i]))
			return 1;
	for (long i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		sum += ns[i];
	}
	printf("ns %.1f\n", sum / (double)threads);
	return 0;
}
