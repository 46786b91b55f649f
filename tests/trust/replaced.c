/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that is installed anew while it runs: it calls CUDA, says "ready", waits for its
 * input to end, and calls again. Built with NEWER it is what takes its place on disk: the same
 * functions elsewhere, so that its lines are wrong for the one that ran.
 */
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <unistd.h>

#ifdef NEWER
__attribute__((used, noinline)) static int in_the_way(int value)
{
	volatile int array[64] = { value };

	for (int i = 1; i < 64; i++)
		array[i] = array[i - 1] * 3 + i;
	return array[63];
}
#endif

__attribute__((noinline)) static int allocates(void)
{
	void *memory = NULL;

	return cudaMalloc(&memory, 4096) || cudaFree(memory);
}

int main(void)
{
	char byte;
	int bad = allocates();

#ifdef NEWER
	bad += in_the_way(bad) == 1;
#endif
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	bad += allocates();
	printf("%d failed\n", bad);
	return 23;
}
