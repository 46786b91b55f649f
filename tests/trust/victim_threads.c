/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that end in unusual ways, and ends of programs with threads. */
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

#define ROUNDS 5
#define DETACHED 64
#define BUSY 64
#define DESTROYED 20

static atomic_uint done;

static void *work_detached(void *unused)
{
	(void)unused;
	victim_cuda(ROUNDS);
	atomic_fetch_add(&done, 1);
	return NULL;
}

static void *work_and_stay(void *unused)
{
	work_detached(unused);
	for (;;)
		pause();
	return NULL;
}

/* Nobody waits for them; some are still there at the end. */
static int detached(const char *unused)
{
	pthread_attr_t attr;
	pthread_t thread;

	(void)unused;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < DETACHED; i++)
		victim_must(pthread_create(&thread, &attr, i % 4 ? work_detached : work_and_stay, NULL),
			    "pthread_create");
	while (atomic_load(&done) < DETACHED)
		usleep(1000);
	victim_say("%d threads worked", DETACHED);
	return 0;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void *launch_and_end(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20; i++)
		victim_must(victim_kernel(1000), "cudaLaunchKernel");
	return NULL;
}

/*
 * For so many seconds threads come, launch and end; CUPTI is flushed once a second. At the end the
 * device has done it all: work that a program leaves behind has no record.
 */
static int ends_in_flush(const char *seconds)
{
	int64_t until = now_ns() + atoi(seconds) * 1000000000ll;
	pthread_t threads[4];
	int launches = 0;

	do {
		for (int i = 0; i < 4; i++)
			victim_must(pthread_create(&threads[i], NULL, launch_and_end, NULL),
				    "pthread_create");
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		launches += 4 * 20;
	} while (now_ns() < until);
	victim_must(cudaDeviceSynchronize(), "waiting for the device");
	victim_say("%d launches", launches);
	return 0;
}

static pthread_key_t before, after;

int __cxa_thread_atexit_impl(void (*function)(void *), void *object, void *library);

static void work_last(void *unused)
{
	(void)unused;
	victim_cuda(1);
}

/* Each time the last thread-specific data have been destroyed there is some again. */
static void work_again(void *value)
{
	intptr_t left = (intptr_t)value;

	victim_cuda(1);
	if (left > 1)
		pthread_setspecific(after, (void *)(left - 1));
}

static void *set_values(void *unused)
{
	static char library; /* any address of ours */

	(void)unused;
	victim_must(__cxa_thread_atexit_impl(work_last, NULL, &library), "__cxa_thread_atexit_impl");
	pthread_setspecific(before, &library);
	pthread_setspecific(after, (void *)(intptr_t)4); /* PTHREAD_DESTRUCTOR_ITERATIONS */
	victim_cuda(1);
	return NULL;
}

/* Keys are destroyed in their order: one was made before cutrace's, one after. */
static int destructors(const char *unused)
{
	pthread_t thread;

	(void)unused;
	victim_must(pthread_key_create(&before, work_last), "pthread_key_create");
	victim_cuda(1);
	victim_must(pthread_key_create(&after, work_again), "pthread_key_create");
	for (int i = 0; i < DESTROYED; i++) {
		victim_must(pthread_create(&thread, NULL, set_values, NULL), "pthread_create");
		pthread_join(thread, NULL);
	}
	victim_say("%d threads with destructors", DESTROYED);
	return 0;
}

static void *outlive_main(void *unused)
{
	(void)unused;
	usleep(200 * 1000); /* main has left by then; if not, this thread still is the last to end */
	victim_work(ROUNDS);
	exit(42);
}

/* Another thread than the first one, which is gone, ends the program: CUDA has threads of its own. */
static int main_leaves(const char *unused)
{
	pthread_t thread;

	(void)unused;
	victim_work(ROUNDS);
	victim_must(pthread_create(&thread, NULL, outlive_main, NULL), "pthread_create");
	pthread_exit(NULL);
}

static struct {
	long tid;
	atomic_uint returned;
} busy[BUSY];

static void *work_busily(void *number)
{
	int i = (int)(intptr_t)number;

	busy[i].tid = syscall(SYS_gettid);
	for (;;) {
		victim_must(victim_allocate(), "cudaMalloc");
		atomic_fetch_add(&busy[i].returned, 1);
	}
	return NULL;
}

/* Says what each of 64 threads had done when the program ended. */
static int exit_amid(const char *how)
{
	pthread_t thread;
	unsigned int least;

	for (intptr_t i = 0; i < BUSY; i++)
		victim_must(pthread_create(&thread, NULL, work_busily, (void *)i), "pthread_create");
	do { /* all are at it */
		usleep(10000);
		least = 100;
		for (int i = 0; i < BUSY; i++)
			if (atomic_load(&busy[i].returned) < least)
				least = atomic_load(&busy[i].returned);
	} while (least < 10);
	for (int i = 0; i < BUSY; i++)
		victim_say("%ld: %u", busy[i].tid, atomic_load(&busy[i].returned));
	if (how && strcmp(how, "_exit") == 0)
		_exit(41);
	exit(41);
}

static atomic_uint profiled;

static void count_profile(int unused)
{
	(void)unused;
	atomic_fetch_add(&profiled, 1);
}

/* Work on two threads until SIGPROF has come so often, every 100 us, whoever it hits. */
static void *work_profiled(void *ret_rounds)
{
	unsigned int wanted = *(unsigned int *)ret_rounds;

	for (*(unsigned int *)ret_rounds = 0; atomic_load(&profiled) < wanted;)
		*(unsigned int *)ret_rounds += (unsigned int)victim_cuda(1);
	return NULL;
}

static int sigprof(const char *count)
{
	struct sigaction action = { .sa_handler = count_profile }; /* no SA_RESTART: calls fail */
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF };
	const struct itimerspec spec = { { 0, 100000 }, { 0, 100000 } };
	unsigned int rounds[2] = { (unsigned int)atoi(count), (unsigned int)atoi(count) };
	pthread_t thread;
	timer_t timer;

	sigemptyset(&action.sa_mask);
	victim_must(sigaction(SIGPROF, &action, NULL), "sigaction");
	victim_must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
	victim_must(timer_settime(timer, 0, &spec, NULL), "timer_settime");
	victim_must(pthread_create(&thread, NULL, work_profiled, &rounds[0]), "pthread_create");
	work_profiled(&rounds[1]);
	pthread_join(thread, NULL);
	timer_delete(timer);
	victim_say("%u rounds worked", rounds[0] + rounds[1]);
	return 0;
}

static void say_blocked(const char *when)
{
	char text[65] = "";
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < 65; i++)
		text[i - 1] = sigismember(&mask, i) == 1 ? '1' : '0';
	victim_say("%s: signal mask %s", when, text);
}

static void *work_blocked(void *unused)
{
	(void)unused;
	victim_work(1);
	say_blocked("in a thread, after its first use");
	victim_work(2000);
	say_blocked("in a thread, after some chunks of calls");
	return NULL;
}

static void say_at_end(void)
{
	sigset_t pending;

	say_blocked("at the end");
	sigpending(&pending);
	victim_say("SIGXFSZ pending: %d, SIGTERM: %d", sigismember(&pending, SIGXFSZ),
		   sigismember(&pending, SIGTERM));
}

/* All signals are blocked, from before the first use on; what is pending stays so. */
static int all_blocked(const char *pending)
{
	pthread_t thread;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	if (pending) {
		raise(SIGXFSZ);
		kill(getpid(), SIGTERM);
	}
	atexit(say_at_end); /* runs after cutrace's own */
	say_blocked("before");
	victim_work(1);
	say_blocked("after the first use");
	victim_work(2000);
	say_blocked("after some chunks of calls");
	victim_must(pthread_create(&thread, NULL, work_blocked, NULL), "pthread_create");
	pthread_join(thread, NULL);
	return 0;
}

static atomic_uint handled;

static void allocate_in_handler(int unused)
{
	(void)unused;
	victim_must(victim_allocate(), "cudaMalloc");
	atomic_fetch_add(&handled, 1);
}

/* The first call of all, if interrupter.c is there, is that of the handler. */
static int first_interrupted(const char *unused)
{
	(void)unused;
	signal(SIGUSR2, allocate_in_handler);
	victim_cuda(1);
	signal(SIGUSR2, SIG_IGN);
	victim_work(ROUNDS);
	victim_say("%u of the handler", atomic_load(&handled));
	return 0;
}

const struct victim_mode victim_threads[] = {
	{ "first_interrupted", first_interrupted },
	{ "detached", detached },
	{ "ends_in_flush", ends_in_flush },
	{ "destructors", destructors },
	{ "main_leaves", main_leaves },
	{ "exit_amid", exit_amid },
	{ "sigprof", sigprof },
	{ "all_blocked", all_blocked },
	{ 0 },
};
