/* SPDX-License-Identifier: Apache-2.0 */
/* Workers of a parallel run, of which one is slow on purpose. */
#include <cuda_runtime_api.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "victim.h"

#define STEPS 3
#define MS 1000000ull
#define QUICK_NS (2 * MS)
#define SLOW_NS (200 * MS)
#define REDUCTIONS 6
#define LATE_NS (30 * MS)

void **__cudaRegisterFatBinary(void *image);
void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
			    int thread_limit, uint3 *tid, uint3 *bid, dim3 *block, dim3 *grid,
			    int *warp);

/* What nvcc makes of kernels: host functions that stand for them. The fake knows "spin". */
static const char work_kernel, collective_kernel, meeting_kernel;

__attribute__((constructor)) static void register_kernels(void)
{
	void **handle = __cudaRegisterFatBinary(NULL);

	__cudaRegisterFunction(handle, &work_kernel, NULL, "spin_work", -1, NULL, NULL, NULL, NULL,
			       NULL);
	__cudaRegisterFunction(handle, &collective_kernel, NULL, "ncclDevKernel_spin", -1, NULL, NULL,
			       NULL, NULL, NULL);
	__cudaRegisterFunction(handle, &meeting_kernel, NULL, "ncclDevKernel_AllReduce_Sum_f32_meet", -1, NULL,
			       NULL, NULL, NULL, NULL);
}

static int launch(const void *kernel, uint64_t ns, cudaStream_t stream)
{
	const dim3 one = { 1, 1, 1 };
	void *arguments[] = { &ns };

	return cudaLaunchKernel(kernel, one, one, arguments, 0, stream);
}

int victim_kernel(uint64_t ns)
{
	return launch(&work_kernel, ns, NULL);
}

int victim_kernel_in(uint64_t ns, cudaStream_t stream)
{
	return launch(&work_kernel, ns, stream);
}

static bool slow_one(void)
{
	const char *rank = getenv("RANK"), *slow = getenv("VICTIM_SLOW");

	return rank && slow && strcmp(rank, slow) == 0;
}

/* All ranks alike. */
__attribute__((noinline)) static void quick_step(void)
{
	void *memory;

	victim_must(cudaMalloc(&memory, 4096), "cudaMalloc");
	victim_must(launch(&work_kernel, QUICK_NS, NULL), "cudaLaunchKernel");
	victim_must(cudaFree(memory), "cudaFree");
}

/* What the slow rank does besides: the free waits for a kernel. */
__attribute__((noinline)) static void slow_step(void)
{
	void *memory;

	victim_must(cudaMalloc(&memory, 4096), "cudaMalloc");
	victim_must(launch(&work_kernel, SLOW_NS, NULL), "cudaLaunchKernel");
	victim_must(cudaFree(memory), "cudaFree");
}

/*
 * A collective: a kernel that lasts until the slow rank comes. The others, having had
 * less to do, wait in it for as long.
 */
__attribute__((noinline)) static void meet(bool slow)
{
	victim_must(launch(&collective_kernel, slow ? MS : MS + SLOW_NS, NULL), "cudaLaunchKernel");
	victim_must(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

/* The launcher lets all ranks go on when the last is here (launcher.py). */
static void wait_for_all(void)
{
	const char *ready = getenv("VICTIM_READY"), *go = getenv("VICTIM_GO");
	char byte = 0;

	if (!ready || !go)
		return;
	victim_must(write(atoi(ready), &byte, 1) != 1, "saying that we are ready");
	victim_must(read(atoi(go), &byte, 1) != 0, "waiting for the others");
}

static int run_steps(bool collectives)
{
	bool slow = slow_one();

	victim_work(1);
	wait_for_all();
	for (int i = 0; i < STEPS; i++) {
		quick_step();
		if (slow)
			slow_step();
		if (collectives)
			meet(slow);
	}
	return 0;
}

/* Ranks that know nothing of each other: the slow one ends last. */
static int lonely_rank(const char *unused)
{
	(void)unused;
	return run_steps(false);
}

/* Ranks that meet after each step, and so end together. */
static int meeting_rank(const char *unused)
{
	(void)unused;
	return run_steps(true);
}

/* What the fake needs of each collective. */
struct meeting {
	uint64_t words[2];
};

/* Memory that all ranks share: the file VICTIM_MEET. */
static struct meeting *shared_meetings(void)
{
	const char *path = getenv("VICTIM_MEET");
	int fd = path ? open(path, O_RDWR) : -1;
	void *memory = mmap(NULL, REDUCTIONS * sizeof(struct meeting), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	victim_must(memory == MAP_FAILED, "mapping VICTIM_MEET");
	close(fd);
	return memory;
}

/* A collective that does wait for the others. */
__attribute__((noinline)) static void all_reduce(struct meeting *at, uint32_t all, cudaStream_t stream)
{
	const dim3 one = { 1, 1, 1 };
	void *arguments[] = { &at, &all };

	victim_must(cudaLaunchKernel(&meeting_kernel, one, one, arguments, 0, stream), "cudaLaunchKernel");
	victim_must(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

/* The slow one frees memory while its device is at work, each time before it comes. */
static int reducing_rank(const char *unused)
{
	struct meeting *meetings = shared_meetings();
	uint32_t ranks = (uint32_t)atoi(getenv("WORLD_SIZE"));
	cudaStream_t stream;
	void *memory;

	(void)unused;
	victim_must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
	for (int i = 0; i < REDUCTIONS; i++) {
		victim_must(cudaMalloc(&memory, 4096), "cudaMalloc");
		if (slow_one())
			victim_must(launch(&work_kernel, LATE_NS, NULL), "cudaLaunchKernel");
		victim_must(cudaFree(memory), "cudaFree");
		all_reduce(&meetings[i], ranks, stream);
	}
	return 0;
}

const struct victim_mode victim_ranks[] = {
	{ "lonely_rank", lonely_rank },
	{ "meeting_rank", meeting_rank },
	{ "reducing_rank", reducing_rank },
	{ 0 },
};
