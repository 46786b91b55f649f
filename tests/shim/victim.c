/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that the tests trace: `victim MODE [argument]`. Each mode uses CUDA a known
 * number of times in some awkward way and prints what a program can notice. Bare and
 * traced, it must print the same and end the same.
 */
#include "victim.h"

#include <cuda_runtime_api.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

atomic_uint *victim_returned;

void victim_say(const char *format, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	line[n++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)n) < 0)
		_exit(99);
}

void victim_must(int result, const char *doing)
{
	if (!result)
		return;
	victim_say("victim: %s failed: %d", doing, result);
	_exit(98);
}

static int check(cudaError_t error, const char *what)
{
	static atomic_int failed;

	if (victim_returned)
		atomic_fetch_add(victim_returned, 1);
	if (error && atomic_exchange(&failed, 1) == 0)
		victim_say("%s: %s", what, cudaGetErrorString(error));
	return error != cudaSuccess;
}

int victim_cuda(int rounds)
{
	int good = 0;

	for (int i = 0; i < rounds; i++) {
		void *memory = NULL;
		int bad = check(cudaMalloc(&memory, 4096), "cudaMalloc");

		bad += check(cudaMemset(memory, 0, 4096), "cudaMemset");
		bad += check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
		bad += check(cudaFree(memory), "cudaFree");
		good += !bad;
	}
	return good;
}

int victim_allocate(void)
{
	void *memory;

	return cudaMalloc(&memory, 4096);
}

void victim_work(int rounds)
{
	victim_say("%d of %d rounds worked", victim_cuda(rounds), rounds);
}

int main(int argc, char **argv)
{
	const struct victim_mode *const all[] = { victim_ends, victim_processes, victim_habits,
						   victim_ranks, victim_crowds, victim_modes, victim_long,
						   victim_steps, victim_forks, victim_threads, victim_fix,
						   victim_fix_ends, victim_pin, victim_pin_life,
						   victim_control };

	if (argc < 2)
		return 2;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const struct victim_mode *mode = all[i]; mode->name; mode++)
			if (strcmp(mode->name, argv[1]) == 0)
				return mode->run(argc > 2 ? argv[2] : NULL);
	fprintf(stderr, "victim: no mode %s\n", argv[1]);
	return 2;
}
