/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `many CALLS THREADS` makes so many calls of a runtime that does nothing, as fast as it can,
 * and prints how many were made, how long they took and what memory that took at most.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS_MAX 64

struct dim3 {
	unsigned int x, y, z;
};
int cudaLaunchKernel(const void *function, struct dim3 grid, struct dim3 block, void **arguments,
		     size_t shared_bytes, void *stream);

static long each;

static void *launch(void *ret_made)
{
	static const struct dim3 one = { 1, 1, 1 };

	for (long i = 0; i < each; i++) {
		cudaLaunchKernel(&one, one, one, NULL, 0, NULL);
		++*(long *)ret_made;
	}
	return NULL;
}

/* The most that was resident at once, in kB. */
static long peak(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	long kilobytes = -1;

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmHWM: %ld", &kilobytes) == 1)
			break;
	if (status)
		fclose(status);
	return kilobytes;
}

int main(int argc, char **argv)
{
	static struct {
		_Alignas(64) long count;
	} made[THREADS_MAX];
	long threads = argc > 2 ? atol(argv[2]) : 0, sum = 0;
	pthread_t thread[THREADS_MAX];
	struct timespec start, end;

	if (threads < 1 || threads > THREADS_MAX)
		return 2;
	each = atol(argv[1]) / threads;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, launch, &made[i].count))
			return 1;
	for (long i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		sum += made[i].count;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("made %ld\nms %ld\nkB %ld\n", sum,
	       (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000, peak());
	return 0;
}
