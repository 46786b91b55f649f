/* SPDX-License-Identifier: Apache-2.0 */
/* Programs whose recording begins and ends while they run. */
#include <cuda_profiler_api.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define SHORT_NS 1000
#define LONG_NS 800000000
#define BYTES 4096

/* So many rounds, a kernel and a copy in each: six calls and three device operations. */
static void rounds(int count)
{
	char host[BYTES];
	void *memory;

	for (int i = 0; i < count; i++) {
		victim_must(victim_kernel(SHORT_NS), "launching");
		victim_must(cudaMalloc(&memory, BYTES), "allocating");
		victim_must(cudaMemset(memory, 0, BYTES), "filling");
		victim_must(cudaMemcpy(host, memory, BYTES, cudaMemcpyDeviceToHost), "copying");
		victim_must(cudaDeviceSynchronize(), "waiting");
		victim_must(cudaFree(memory), "freeing");
	}
}

/* A server: for each line of input, as many rounds as it says. */
static int serve(const char *unused)
{
	char line[64];

	(void)unused;
	while (fgets(line, sizeof(line), stdin)) {
		rounds(atoi(line));
		victim_say("%d rounds served", atoi(line));
	}
	return 0;
}

static volatile sig_atomic_t taken;

static void on_signal(int unused)
{
	(void)unused;
	taken++;
}

/* The same, with a handler of SIGUSR2 of its own. */
static int serve_signals(const char *unused)
{
	signal(SIGUSR2, on_signal);
	serve(unused);
	victim_say("%d signals", (int)taken);
	return 0;
}

/* A child that SIGUSR2 ends, as nobody but the parent was told otherwise. */
static int signalled_fork(const char *unused)
{
	int status = 0;
	pid_t child;

	(void)unused;
	rounds(1);
	child = fork();
	if (child == 0) {
		alarm(5);
		for (;;)
			pause();
	}
	victim_must(child < 0 || kill(child, SIGUSR2), "signalling a child");
	victim_must(waitpid(child, &status, 0) != child, "a child");
	victim_say("it ended by signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	return 0;
}

static void start(void)
{
	errno = 77;
	victim_must(cudaProfilerStart(), "starting the profiler");
	victim_must(errno != 77, "errno of cudaProfilerStart()");
}

static void stop(void)
{
	errno = 77;
	victim_must(cudaProfilerStop(), "stopping the profiler");
	victim_must(errno != 77, "errno of cudaProfilerStop()");
}

static int told(void)
{
	unsigned *calls = dlsym(dlopen("libcuda.so.1", RTLD_NOW), "fake_profiler_calls");

	return calls ? (int)*calls : -1;
}

/* Two windows by the profiler's functions; each function is called twice in a row. */
static int profiled(const char *unused)
{
	(void)unused;
	rounds(2);
	start();
	rounds(3);
	start();
	rounds(1);
	stop();
	rounds(5);
	stop();
	start();
	rounds(2);
	stop();
	rounds(1);
	victim_say("the driver was told %d times", told());
	return 0;
}

/* A window in which a child says that it begins and ends. */
static int profiled_fork(const char *unused)
{
	pid_t child;
	int status;

	(void)unused;
	start();
	rounds(1);
	child = fork();
	if (child == 0) {
		stop();
		start();
		stop();
		_exit(7);
	}
	victim_must(waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7, "a child");
	rounds(2);
	stop();
	return 0;
}

/* Windows whose work ends when all have: a kernel in each, of which the first is long. */
static int profiled_behind(const char *count)
{
	for (int i = 0; i < atoi(count); i++) {
		start();
		victim_must(victim_kernel(i ? SHORT_NS : LONG_NS), "launching");
		stop();
	}
	victim_must(cudaDeviceSynchronize(), "waiting");
	return 0;
}

static void *start_one(void *unused)
{
	start();
	rounds(1);
	stop();
	return unused;
}

/* From several threads at once. */
static int profiled_threads(const char *unused)
{
	pthread_t threads[4];

	(void)unused;
	for (int i = 0; i < 4; i++)
		victim_must(pthread_create(&threads[i], NULL, start_one, NULL), "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	victim_say("the driver was told %d times", told());
	return 0;
}

const struct victim_mode victim_control[] = {
	{ "serve", serve },
	{ "serve_signals", serve_signals },
	{ "signalled_fork", signalled_fork },
	{ "profiled", profiled },
	{ "profiled_fork", profiled_fork },
	{ "profiled_threads", profiled_threads },
	{ "profiled_behind", profiled_behind },
	{ 0 },
};
