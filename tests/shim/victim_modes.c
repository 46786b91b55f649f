/* SPDX-License-Identifier: Apache-2.0 */
/* Programs with calm and bad moments, for the modes. Every launch is of one short kernel. */
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "victim.h"

#define SHORT_NS 1000
#define LONG_NS 20000000
#define ROUNDS 20
#define THREADS 3
#define BYTES 4096

/* Launch, record, fill and ask; nothing of it waits or allocates. */
static void calm(cudaStream_t stream, cudaEvent_t event, void *memory)
{
	for (int i = 0; i < ROUNDS; i++) {
		victim_must(victim_kernel(SHORT_NS), "launching");
		victim_must(cudaMemsetAsync(memory, i, BYTES, stream), "filling");
		victim_must(cudaEventRecord(event, stream), "recording");
		cudaEventQuery(event);
		usleep(100);
	}
}

/* Wait for a kernel of `ns` in three ways, of which two are asked for. */
static void bad(cudaEvent_t event, uint64_t ns)
{
	void *memory;

	victim_must(cudaMalloc(&memory, BYTES), "allocating");
	victim_must(victim_kernel(ns), "launching");
	victim_must(cudaFree(memory), "freeing");
	victim_must(victim_kernel(ns), "launching");
	victim_must(cudaEventRecord(event, NULL), "recording");
	victim_must(cudaEventSynchronize(event), "waiting for an event");
	victim_must(victim_kernel(ns), "launching");
	victim_must(cudaDeviceSynchronize(), "waiting for the device");
}

static int phases(int count, uint64_t ns, unsigned pause_us)
{
	cudaStream_t stream;
	cudaEvent_t event;
	char host[BYTES];
	void *memory;

	victim_must(cudaStreamCreate(&stream), "creating a stream");
	victim_must(cudaEventCreate(&event), "creating an event");
	victim_must(cudaMalloc(&memory, BYTES), "allocating");
	victim_must(cudaMemcpy(host, memory, BYTES, cudaMemcpyDeviceToHost), "copying");
	for (int i = 0; i < count; i++) {
		usleep(pause_us); /* the first use of CUDA took long as well: let its window pass */
		calm(stream, event, memory);
		bad(event, ns);
		usleep(pause_us / 8); /* time to wake up and switch */
		bad(event, ns);
	}
	return 0;
}

/* So many times calm, then two bad moments; pauses of that many microseconds. */
static int moments(const char *pause_us)
{
	int status = phases(2, LONG_NS, (unsigned)atoi(pause_us));

	victim_say("two phases passed");
	return status;
}

/* The same once, and an end in the window. */
static int moment_killed(const char *pause_us)
{
	phases(1, LONG_NS, (unsigned)atoi(pause_us));
	usleep(1500000); /* device records are fetched once a second */
	raise(SIGKILL);
	return 1;
}

static int moment_exit(const char *pause_us)
{
	return phases(1, LONG_NS, (unsigned)atoi(pause_us));
}

static atomic_bool enough;
static atomic_int launched;

static void *launch_on(void *unused)
{
	while (!atomic_load(&enough)) {
		victim_must(victim_kernel(SHORT_NS), "launching");
		atomic_fetch_add(&launched, 1);
		usleep(50); /* or all of a window's work would still be queued at its end */
	}
	return unused;
}

/* Threads that launch without end, and one that allocates and, now and then, takes long. */
static int switches(const char *count)
{
	pthread_t threads[THREADS];
	void *memory;

	for (int i = 0; i < THREADS; i++)
		victim_must(pthread_create(&threads[i], NULL, launch_on, NULL), "pthread_create");
	for (int i = 0; i < atoi(count); i++) {
		victim_must(cudaMalloc(&memory, BYTES), "allocating");
		victim_must(victim_kernel(LONG_NS / 4), "launching");
		victim_must(cudaFree(memory), "freeing");
		usleep(30000);
	}
	atomic_store(&enough, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	victim_must(cudaDeviceSynchronize(), "waiting for the device");
	victim_say(atomic_load(&launched) > 0 ? "launched" : "nothing was launched");
	return 0;
}

/* More launches than the queue takes. */
static int flood(const char *count)
{
	for (int i = 0; i < atoi(count); i++)
		victim_must(victim_kernel(50 * SHORT_NS), "launching");
	victim_must(cudaDeviceSynchronize(), "waiting for the device");
	return 0;
}

/*
 * Under CUDA_LAUNCH_BLOCKING=1 each launch lasts as long as its kernel: the first call of all,
 * and one that begins in a window and ends behind it. Then the thread works on.
 */
static int long_launch(const char *unused)
{
	(void)unused;
	victim_must(victim_kernel(SHORT_NS), "launching");
	victim_must(victim_kernel(2 * LONG_NS), "launching");
	victim_must(victim_cuda(1) != 1, "a first round");
	usleep(20000); /* time to wake up and switch */
	victim_must(victim_kernel(10 * LONG_NS), "launching");
	victim_work(3);
	return 0;
}

/* So many short bad moments with short pauses between them, then only launches. */
static int flicker(const char *count)
{
	for (int i = 0; i < atoi(count); i++) {
		victim_must(victim_kernel(100 * SHORT_NS), "launching");
		victim_must(cudaDeviceSynchronize(), "waiting for the device");
		usleep(300);
	}
	usleep(50000); /* time for the last window to pass */
	for (int i = 0; i < ROUNDS; i++)
		victim_must(victim_kernel(SHORT_NS), "launching");
	victim_say("launched");
	return 0;
}

const struct victim_mode victim_modes[] = {
	{ "moments", moments },
	{ "moment_killed", moment_killed },
	{ "moment_exit", moment_exit },
	{ "switches", switches },
	{ "flood", flood },
	{ "long_launch", long_launch },
	{ "flicker", flicker },
	{ 0 },
};
