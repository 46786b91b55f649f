/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call costs beyond the real call: the runtime behind it does nothing.
 *
 *   hot_path [CALLS [THREADS [DEPTH]]]
 *
 * Each thread makes CALLS calls of cudaLaunchKernel from DEPTH frames down, two seconds after
 * its first: by then a tracer has settled. Prints the nanoseconds a call took, bare or preloaded:
 * the median of all threads' batches, and what a quiet tenth of them did not exceed.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREADS_MAX 64
#define BATCH 1000

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

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void *run(void *ret_ns)
{
	const struct timespec settle = { .tv_sec = 2 };
	double *ns = ret_ns;

	launch(depth, BATCH);
	nanosleep(&settle, NULL);
	for (long i = 0; i < calls / BATCH; i++) {
		uint64_t start = now_ns();

		launch(depth, BATCH);
		ns[i] = (double)(now_ns() - start) / BATCH;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 2 ? atol(argv[2]) : 1, batches;
	pthread_t thread[THREADS_MAX];
	double *ns;

	calls = argc > 1 ? atol(argv[1]) : calls;
	depth = argc > 3 ? atol(argv[3]) : depth;
	batches = calls / BATCH * threads;
	if (calls < BATCH || threads < 1 || threads > THREADS_MAX)
		return 2;
	ns = calloc((size_t)batches, sizeof(*ns));
	if (!ns)
		return 1;
	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, run, ns + i * (calls / BATCH)))
			return 1;
	for (long i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	qsort(ns, (size_t)batches, sizeof(*ns), compare);
	printf("ns %.1f\nquiet %.1f\n", ns[batches / 2], ns[batches / 10]);
	free(ns);
	return 0;
}
