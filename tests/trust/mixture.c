/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A short program with some of everything, for faults.py: two threads, each with a stream,
 * allocate, fill, launch, copy, record an event and wait; a child is forked; it prints what
 * came out and ends with exit(), or as `mixture fast` with _exit().
 */
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 2
#define ROUNDS 3
#define BYTES 4096
#define KERNEL_NS 1000

void **__cudaRegisterFatBinary(void *image);
void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
			    int thread_limit, uint3 *tid, uint3 *bid, dim3 *block, dim3 *grid,
			    int *warp);

static const char kernel; /* what nvcc makes of one; the fake knows "spin" */

__attribute__((constructor)) static void register_kernel(void)
{
	__cudaRegisterFunction(__cudaRegisterFatBinary(NULL), &kernel, NULL, "spin", -1, NULL, NULL,
			       NULL, NULL, NULL);
}

static int launch(cudaStream_t stream)
{
	const dim3 one = { 1, 1, 1 };
	uint64_t ns = KERNEL_NS;
	void *arguments[] = { &ns };

	return cudaLaunchKernel(&kernel, one, one, arguments, 0, stream);
}

struct part {
	pthread_t thread;
	int number, bad;
	unsigned sum; /* of the bytes that came back */
};

static int round_of(struct part *part, cudaStream_t stream, cudaEvent_t event, int value)
{
	unsigned char host[BYTES];
	void *memory = NULL;
	int bad = cudaMalloc(&memory, BYTES) || cudaMemsetAsync(memory, value, BYTES, stream) ||
		  launch(stream) || cudaEventRecord(event, stream) ||
		  cudaMemcpyAsync(host, memory, BYTES, cudaMemcpyDeviceToHost, stream) ||
		  cudaEventSynchronize(event) || cudaStreamSynchronize(stream) || cudaFree(memory);

	for (int i = 0; !bad && i < BYTES; i++)
		part->sum += host[i];
	return bad;
}

static void *work(void *arg)
{
	struct part *part = arg;
	cudaStream_t stream = NULL;
	cudaEvent_t event = NULL;

	part->bad = cudaStreamCreate(&stream) || cudaEventCreate(&event);
	for (int i = 0; i < ROUNDS; i++)
		part->bad += round_of(part, stream, event, part->number + i);
	part->bad += cudaEventDestroy(event) || cudaStreamDestroy(stream);
	return NULL;
}

int main(int argc, char **argv)
{
	struct part parts[THREADS] = { 0 };
	int status = -1;
	pid_t child;

	printf("first: %d\n", cudaFree(NULL));
	for (int i = 0; i < THREADS; i++) {
		parts[i].number = i;
		if (pthread_create(&parts[i].thread, NULL, work, &parts[i]))
			return 1;
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(parts[i].thread, NULL);
		printf("thread %d: %d bad, sum %u\n", i, parts[i].bad, parts[i].sum);
	}
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(7);
	waitpid(child, &status, 0);
	printf("child: %d, last error %d\n", WEXITSTATUS(status), cudaGetLastError());
	fflush(stdout);
	fprintf(stderr, "done\n");
	if (argc > 1 && strcmp(argv[1], "fast") == 0)
		_exit(21);
	return 20;
}
