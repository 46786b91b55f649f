/* SPDX-License-Identifier: Apache-2.0 */
/* To be built with sanitizers: threads that allocate, call CUDA, load a library and fork. */
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 50

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int good;
static volatile char *bytes;

static void *run(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *memory = NULL;
		char *own = strdup("some text of the program's");
		int fine = own && !cudaMalloc(&memory, 4096) && !cudaMemset(memory, 0, 4096) &&
			   !cudaDeviceSynchronize() && !cudaFree(memory);

		free(own);
		pthread_mutex_lock(&lock);
		good += fine;
		pthread_mutex_unlock(&lock);
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	int status = 0;
	pid_t child;

	bytes = malloc(16);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	child = fork();
	if (child == 0)
		_exit(3);
	waitpid(child, &status, 0);
	printf("%d of %d rounds worked, child %d, libm %d\n", good, THREADS * ROUNDS,
	       WEXITSTATUS(status), dlopen("libm.so.6", RTLD_NOW) != NULL);
	fflush(stdout);
	if (argc > 1 && strcmp(argv[1], "overflow") == 0)
		bytes[16 + (argc > 2)] = 1; /* what a checker is for: it must still see it */
	free((void *)bytes);
	return 24;
}
