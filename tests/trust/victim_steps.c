/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that are stopped at known places. The first few mark with SIGUSR1 where one call
 * begins and ends (stepper.c); the call number i allocates i bytes, from 1.
 */
#include <cuda_runtime_api.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "victim.h"

#define COUNTED_THREADS 8

static void mark(void)
{
	raise(SIGUSR1);
}

/* Calls `first` to `last`, all from one place, with marks around `marked`. */
__attribute__((noinline)) static void allocate(int first, int last, int marked)
{
	void *memory;

	for (int i = first; i <= last; i++) {
		if (i == marked)
			mark();
		victim_must(cudaMalloc(&memory, (size_t)i), "cudaMalloc");
		if (i == marked)
			mark();
	}
}

/* A call like the ones before. */
static int step_record(const char *before)
{
	int n = atoi(before);

	signal(SIGUSR1, SIG_IGN); /* who traces us sees it all the same */
	allocate(1, n + 1, n + 1);
	return 0;
}

/* A call from a place that is not known yet. */
static int step_stack(const char *before)
{
	void *memory;
	int n = atoi(before);

	signal(SIGUSR1, SIG_IGN);
	allocate(1, n, 0);
	mark();
	victim_must(cudaMalloc(&memory, (size_t)n + 1), "cudaMalloc");
	mark();
	return 0;
}

static void *allocate_before(void *count)
{
	allocate(1, *(int *)count, 0);
	return NULL;
}

/* The first call of a thread, which goes on in what another one has left. */
static int step_remnant(const char *before)
{
	pthread_t thread;
	int n = atoi(before);

	signal(SIGUSR1, SIG_IGN);
	victim_must(pthread_create(&thread, NULL, allocate_before, &n), "pthread_create");
	pthread_join(thread, NULL);
	allocate(n + 1, n + 1, n + 1);
	return 0;
}

/* What a thread has done, for who looks after it was killed. */
struct count {
	uint32_t tid, returned;
};

static void returned(struct count *count)
{
	__atomic_fetch_add(&count->returned, 1, __ATOMIC_RELEASE);
}

static void *count_calls(void *arg)
{
	struct count *count = arg;
	void *memory = NULL;

	count->tid = (uint32_t)syscall(SYS_gettid);
	for (;;) {
		victim_must(cudaMalloc(&memory, 4096), "cudaMalloc");
		returned(count);
		victim_must(cudaMemsetAsync(memory, 0, 4096, NULL), "cudaMemsetAsync");
		returned(count);
		victim_must(victim_kernel(1000), "cudaLaunchKernel");
		returned(count);
		victim_must(cudaFree(memory), "cudaFree");
		returned(count);
	}
	return NULL;
}

/* Threads that count their returned calls in the file `counts` until they are killed. */
static int counted(const char *counts)
{
	int fd = open(counts, O_RDWR);
	struct count *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pthread_t thread;

	victim_must(page == MAP_FAILED, "mapping the counts");
	close(fd);
	for (int i = 1; i < COUNTED_THREADS; i++)
		victim_must(pthread_create(&thread, NULL, count_calls, &page[i]), "pthread_create");
	count_calls(&page[0]);
	return 0;
}

const struct victim_mode victim_steps[] = {
	{ "step_record", step_record },
	{ "step_stack", step_stack },
	{ "step_remnant", step_remnant },
	{ "counted", counted },
	{ 0 },
};
