/* SPDX-License-Identifier: Apache-2.0 */
/* The ways a program ends. */
#include <cuda_runtime_api.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "victim.h"

#define ROUNDS 5
#define BUSY_THREADS 16

static int by_return(const char *unused)
{
	(void)unused;
	victim_work(ROUNDS);
	return 7;
}

static int by_exit(const char *unused)
{
	(void)unused;
	victim_work(ROUNDS);
	exit(3);
}

static int by_fast_exit(const char *unused)
{
	(void)unused;
	victim_work(ROUNDS);
	_exit(4);
}

static int by_quick_exit(const char *unused)
{
	(void)unused;
	victim_work(ROUNDS);
	quick_exit(5);
}

static int by_signal(const char *number)
{
	struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	victim_work(ROUNDS);
	raise(atoi(number));
	return 0;
}

static int by_abort(const char *unused)
{
	struct rlimit no_core = { 0, 0 };

	(void)unused;
	setrlimit(RLIMIT_CORE, &no_core);
	victim_work(ROUNDS);
	abort();
}

static void *exit_here(void *unused)
{
	(void)unused;
	victim_work(ROUNDS);
	exit(6);
}

static int in_second_thread(const char *unused)
{
	pthread_t thread;

	(void)unused;
	victim_work(ROUNDS);
	victim_must(pthread_create(&thread, NULL, exit_here, NULL), "pthread_create");
	pthread_join(thread, NULL);
	return 0;
}

static void *work_forever(void *unused)
{
	(void)unused;
	for (;;)
		victim_cuda(1);
	return NULL;
}

static void start_busy(int threads)
{
	pthread_t thread;

	for (int i = 0; i < threads; i++)
		victim_must(pthread_create(&thread, NULL, work_forever, NULL), "pthread_create");
}

static int while_busy(const char *unused)
{
	(void)unused;
	victim_cuda(1);
	start_busy(BUSY_THREADS);
	usleep(100 * 1000);
	victim_say("leaving");
	exit(8);
}

/* Counts its returned calls in a shared page of the file `counter` until it is killed. */
static int until_killed(const char *counter)
{
	int fd = open(counter, O_RDWR);
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	victim_must(page == MAP_FAILED, "mapping the counter");
	close(fd);
	victim_returned = page;
	start_busy(3);
	work_forever(NULL);
	return 0;
}

static void exit_again(void)
{
	victim_say("exit handler");
	exit(9);
}

static int in_handler(const char *unused)
{
	(void)unused;
	atexit(exit_again);
	victim_work(ROUNDS);
	return 1;
}

static void work_late(void)
{
	victim_work(ROUNDS);
}

/* The handler was registered before cutrace's own and so runs after it. */
static int cuda_in_handler(const char *unused)
{
	(void)unused;
	atexit(work_late);
	victim_work(ROUNDS);
	return 10;
}

static void leave(int signal_number)
{
	(void)signal_number;
	_exit(11);
}

static int in_signal_handler(const char *unused)
{
	(void)unused;
	signal(SIGALRM, leave);
	victim_work(ROUNDS);
	alarm(1);
	start_busy(2);
	work_forever(NULL);
	return 0;
}

/* In the middle of a call that waits. */
static int in_call(const char *unused)
{
	const struct itimerval soon = { .it_value.tv_usec = 100 * 1000 };

	(void)unused;
	signal(SIGALRM, leave);
	victim_work(ROUNDS);
	victim_must(victim_kernel(10000000000), "launching");
	setitimer(ITIMER_REAL, &soon, NULL);
	victim_cuda(1);
	return 0;
}

/* The device has done so many kernels when the program ends, and is at work on two more. */
static int amid_work(const char *done)
{
	for (int i = 0; i < atoi(done); i++)
		victim_must(victim_kernel(1000), "launching");
	victim_must(cudaDeviceSynchronize(), "waiting for the device");
	for (int i = 0; i < 2; i++)
		victim_must(victim_kernel(10000000000), "launching");
	return 0;
}

const struct victim_mode victim_ends[] = {
	{ "return", by_return },
	{ "exit", by_exit },
	{ "_exit", by_fast_exit },
	{ "quick_exit", by_quick_exit },
	{ "signal", by_signal },
	{ "abort", by_abort },
	{ "exit_in_thread", in_second_thread },
	{ "exit_while_busy", while_busy },
	{ "until_killed", until_killed },
	{ "exit_in_handler", in_handler },
	{ "cuda_in_handler", cuda_in_handler },
	{ "exit_in_signal_handler", in_signal_handler },
	{ "exit_in_call", in_call },
	{ "exit_amid_work", amid_work },
	{ 0 },
};
