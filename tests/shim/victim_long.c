/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that are long for a tracer: more calls than a small trace holds. */
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "victim.h"

#define THREADS 16
#define KERNEL_NS 100
#define BATCH 500 /* launches between waits, so that the device keeps up */

/* So many launches, each 500 followed by a wait; returns how many worked. */
static long launch(long count)
{
	long good = 0;

	for (long i = 1; i <= count; i++) {
		good += victim_kernel(KERNEL_NS) == 0;
		if (i % BATCH == 0)
			cudaDeviceSynchronize();
	}
	return good;
}

/* Launches, and at the very end one allocation. */
static int long_run(const char *count)
{
	victim_say("%ld launches worked", launch(atol(count)));
	victim_say("allocating: %d", victim_allocate());
	return 0;
}

static int long_killed(const char *count)
{
	long_run(count);
	raise(SIGKILL);
	return 1;
}

static void *thread_launches(void *arg)
{
	return (void *)launch((long)arg);
}

/* The same in 16 threads at once. */
static int long_threads(const char *count)
{
	pthread_t threads[THREADS];
	long sum = 0;
	void *good;

	for (int i = 0; i < THREADS; i++)
		victim_must(pthread_create(&threads[i], NULL, thread_launches, (void *)atol(count)),
			    "pthread_create");
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &good);
		sum += (long)good;
	}
	victim_say("%ld launches worked", sum);
	return 0;
}

const struct victim_mode victim_long[] = {
	{ "long", long_run },
	{ "long_killed", long_killed },
	{ "long_threads", long_threads },
	{ 0 },
};
