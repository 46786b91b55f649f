/* SPDX-License-Identifier: Apache-2.0 */
/* How programs end that free device memory with work in flight, for CUTRACE_FIX. */
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

#define LONG_NS 40000000
#define BYTES 65536
#define FAMILY_FREES 4

/* Frees behind a kernel. */
static void work_in(cudaStream_t stream, uint64_t ns)
{
	void *block;

	victim_must(cudaMalloc(&block, BYTES), "allocating");
	victim_must(victim_kernel_in(ns, stream), "launching");
	victim_must(cudaFree(block), "freeing");
}

static void work(uint64_t ns)
{
	work_in(NULL, ns);
}

/* As the real runtime does it when the program exits; notes when. */
static void end_context(void)
{
	FILE *moment = fopen(getenv("VICTIM_MOMENT"), "w");
	struct timespec now;

	if (!moment)
		_exit(5);
	clock_gettime(CLOCK_MONOTONIC, &now);
	fprintf(moment, "%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
	fclose(moment);
	cudaDeviceReset();
}

static void work_late(void)
{
	work(LONG_NS);
}

/* The child only allocates, which needs nothing that it lacks. */
static void work_in_child(void)
{
	void *block;
	pid_t child = fork();

	if (child == 0)
		_exit(cudaMalloc(&block, BYTES) ? 3 : 4);
	waitpid(child, NULL, 0);
}

/*
 * How its work ends: with the context, by waiting, by asking for its state or for free memory, in a
 * handler at exit. Or what HOW says.
 */
static int ends(const char *how)
{
	cudaStream_t stream;
	size_t unused;

	if (strcmp(how, "exit") == 0)
		atexit(end_context); /* before any CUDA call, so after what those register */
	if (strcmp(how, "handler") == 0)
		atexit(work_late);
	victim_must(cudaStreamCreate(&stream), "creating a stream");
	if (strcmp(how, "child") == 0) {
		work_in_child();
	} else if (strcmp(how, "poll") == 0) {
		victim_must(victim_kernel_in(LONG_NS, stream), "launching");
		while (cudaStreamQuery(stream) == cudaErrorNotReady)
			;
	} else {
		work(strcmp(how, "handler") ? LONG_NS : 0);
	}
	if (strcmp(how, "reset") == 0)
		victim_must(cudaDeviceReset(), "resetting");
	if (strcmp(how, "waited") == 0)
		victim_must(cudaDeviceSynchronize(), "waiting");
	if (strcmp(how, "quick_exit") == 0)
		quick_exit(0);
	if (strcmp(how, "asked") == 0)
		victim_must(cudaMemGetInfo(&unused, &unused), "asking");
	if (strcmp(how, "_exit") == 0 || strcmp(how, "waited") == 0 || strcmp(how, "asked") == 0)
		_exit(0);
	return 0;
}

/*
 * A child is the first to use CUDA, and does little; then its parent. HOW: exec: so does that, and
 * becomes another program before it does more; looked: it only looks a function up before that; alone:
 * that other one.
 */
static int family(const char *how)
{
	cudaStream_t streams[2];
	pid_t child = how && strcmp(how, "alone") == 0 ? -1 : fork();

	if (child == 0) {
		work(0);
		return 0;
	}
	if (child > 0)
		waitpid(child, NULL, 0);
	if (how && child > 0) {
		if (strcmp(how, "exec") == 0)
			work(0);
		else
			dlsym(dlopen("libcuda.so.1", RTLD_NOW), "cuInit");
		return execl("/proc/self/exe", "victim", "fix_family", "alone", NULL);
	}
	for (int i = 0; i < 2; i++)
		victim_must(cudaStreamCreateWithFlags(&streams[i], cudaStreamNonBlocking), "creating");
	for (int i = 0; i < FAMILY_FREES; i++)
		work_in(streams[i % 2], LONG_NS);
	return 0;
}

/* Beside a child that frees nothing, which works longer than its parent once that waits no more. */
static int beside(const char *unused)
{
	pid_t child = fork();
	cudaStream_t stream;

	if (child > 0)
		return family("alone") || waitpid(child, NULL, 0) < 0;
	(void)unused;
	victim_must(cudaStreamCreate(&stream), "creating a stream");
	victim_must(victim_kernel_in(LONG_NS * 9 / 4, stream), "launching");
	victim_must(cudaStreamSynchronize(stream), "waiting");
	return 0;
}

const struct victim_mode victim_fix_ends[] = {
	{ "fix_ends", ends },
	{ "fix_family", family },
	{ "fix_beside", beside },
	{ NULL, NULL },
};
