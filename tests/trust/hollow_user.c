/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program on a runtime whose calls do nothing (hollow.c) and take no lock: so they may be made
 * where those of a real one might not, and what goes wrong there is cutrace's.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BYTES 4321
#define ADDRESS 0x4321

int cudaMemset(void *address, int value, size_t bytes);
int cudaFree(void *address);

static atomic_uint handled;

static void must(int result, const char *doing)
{
	if (!result)
		return;
	fprintf(stderr, "hollow_user: %s: %s\n", doing, strerror(result < 0 ? errno : result));
	_exit(98);
}

/* The program's own call, and its handler's. */
static void call(void)
{
	cudaMemset(NULL, 0, BYTES);
}

/* Calls that come as fast as they can would fill the disk. */
static void call_slowly(void)
{
	call();
	for (volatile int i = 0; i < 1000; i++)
		;
}

static void handle(int unused)
{
	(void)unused;
	cudaFree((void *)(uintptr_t)ADDRESS);
	atomic_fetch_add(&handled, 1);
}

static void install(int number, int flags)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = flags };

	sigemptyset(&action.sa_mask);
	must(sigaction(number, &action, NULL), "sigaction");
}

static timer_t every(int number, long ns)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
	const struct itimerspec spec = { { 0, ns }, { 0, ns } };
	timer_t timer;

	must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
	must(timer_settime(timer, 0, &spec, NULL), "timer_settime");
	return timer;
}

/* Calls until the handler has come so often; whatever it interrupted. */
static int handler(const char *count)
{
	unsigned int wanted = (unsigned int)atoi(count), calls = 0;
	timer_t timer;

	call();
	install(SIGALRM, SA_RESTART);
	timer = every(SIGALRM, 200 * 1000);
	for (calls = 1; atomic_load(&handled) < wanted; calls++)
		call_slowly();
	timer_delete(timer);
	printf("%u calls, %u of the handler\n", calls, atomic_load(&handled));
	return 0;
}

/* Signals come in the middle of the first call, which starts cutrace: see interrupter.c. */
static int first_call(const char *count)
{
	int wanted = atoi(count);

	install(SIGUSR2, 0);
	for (int i = 0; i < wanted; i++)
		call();
	signal(SIGUSR2, SIG_IGN);
	printf("%d calls, %u of the handler\n", wanted, atomic_load(&handled));
	return 0;
}

/* One call between marks at a time, for stepper.c, which has a handler come in each. */
static int nested(const char *count)
{
	unsigned int most = (unsigned int)atoi(count), calls = 1;

	signal(SIGUSR1, SIG_IGN);
	install(SIGUSR2, 0);
	call();
	do {
		raise(SIGUSR1);
		call();
		raise(SIGUSR1);
		calls++;
	} while (atomic_load(&handled) == calls - 1 && calls < most);
	printf("%u calls, %u of the handler\n", calls, atomic_load(&handled));
	return calls == most;
}

/* Handlers on a stack of the usual size for that, with nothing mapped below. */
static void *alternate(void *unused)
{
	size_t bytes = (size_t)sysconf(_SC_SIGSTKSZ);
	char *area = mmap(NULL, bytes + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = area + 4096, .ss_size = bytes };

	(void)unused;
	must(area == MAP_FAILED || mprotect(stack.ss_sp, bytes, PROT_READ | PROT_WRITE), "mmap");
	must(sigaltstack(&stack, NULL), "sigaltstack");
	for (int i = 0; i < 2000; i++) { /* the first call of the thread is the handler's */
		raise(SIGUSR2);
		call();
	}
	return NULL;
}

static int altstack(const char *unused)
{
	pthread_t threads[4];

	(void)unused;
	install(SIGUSR2, SA_ONSTACK);
	call();
	for (int i = 0; i < 4; i++)
		must(pthread_create(&threads[i], NULL, alternate, NULL), "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("%d calls, %u of the handler\n", 8001, atomic_load(&handled));
	return 0;
}

static atomic_uint made, ended;

static void count_end(void *unused)
{
	(void)unused;
	atomic_fetch_add(&ended, 1);
}

/* Cancelled before its first call, acted upon where the program says so: nowhere in a call. */
static void *cancelled_already(void *count)
{
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
	pthread_cancel(pthread_self());
	pthread_cleanup_push(count_end, NULL);
	for (int i = 0; i < *(int *)count; i++) {
		call();
		atomic_fetch_add(&made, 1);
	}
	pthread_testcancel();
	printf("not cancelled\n");
	pthread_cleanup_pop(0);
	return NULL;
}

/* The first call of all, the first ones of threads, and ones for which there must be a new chunk. */
static int cancel_pending(const char *count)
{
	int wanted = atoi(count);
	pthread_t thread;

	for (int i = 0; i < 4; i++) {
		must(pthread_create(&thread, NULL, cancelled_already, &wanted), "pthread_create");
		pthread_join(thread, NULL);
	}
	printf("%u calls, %u threads were cancelled\n", atomic_load(&made), atomic_load(&ended));
	return 0;
}

/* Threads that are cancelled at a cancellation point of their own, between calls, at any time. */
static void *cancelled_between(void *unused)
{
	(void)unused;
	for (;;) {
		call_slowly();
		atomic_fetch_add(&made, 1);
		pthread_testcancel();
	}
	return NULL;
}

static int cancel_running(const char *threads)
{
	pthread_t thread;
	void *result;
	int count = 0;

	for (int i = 0; i < atoi(threads); i++) {
		unsigned int before = atomic_load(&made);

		must(pthread_create(&thread, NULL, cancelled_between, NULL), "pthread_create");
		while (atomic_load(&made) < before + (unsigned int)i * 37 + 1)
			sched_yield();
		pthread_cancel(thread);
		pthread_join(thread, &result);
		count += result == PTHREAD_CANCELED;
	}
	printf("%u calls, %d threads were cancelled\n", atomic_load(&made), count);
	return 0;
}

/* Take all memory that may be had: of the limited resource. */
static void fill_memory(int resource)
{
	struct rlimit limit = { 512 << 20, 512 << 20 };
	size_t bytes = 64 << 20;

	must(setrlimit(resource, &limit), "setrlimit");
	while (bytes >= 4096)
		if (mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0) == MAP_FAILED)
			bytes /= 2;
}

static void *call_on(void *barrier)
{
	pthread_barrier_wait(barrier); /* here */
	pthread_barrier_wait(barrier); /* memory is full */
	for (int i = 0; i < 1000; i++)
		call();
	return NULL;
}

/* Old threads go on and new ones make their first calls when there is no memory left. */
static int go_on_without(int resource, const char *used)
{
	static pthread_barrier_t barrier;
	pthread_t threads[3];
	int calls = 0;

	if (atoi(used))
		for (; calls < 100; calls++)
			call();
	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 3; i++)
		must(pthread_create(&threads[i], NULL, call_on, &barrier), "pthread_create");
	pthread_barrier_wait(&barrier);
	fill_memory(resource);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 60000; i++, calls++) /* more than the chunks made beforehand hold */
		call();
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("%d calls\n", calls + 3000);
	return 14;
}

/* Nothing more can be mapped. */
static int out_of_memory(const char *used)
{
	return go_on_without(RLIMIT_AS, used);
}

/* Files can, shared: as where the kernel commits no more memory, or a control group's is used up. */
static int out_of_data(const char *used)
{
	return go_on_without(RLIMIT_DATA, used);
}

static void say_end(void)
{
	printf("%u calls at the end\n", atomic_load(&made));
}

static void *outlive_main(void *unused)
{
	(void)unused;
	usleep(100 * 1000); /* main has left by then; if not, it is the last to */
	call();
	atomic_fetch_add(&made, 1);
	return NULL;
}

/* No thread ends the program: it ends as its last one does. */
static int all_leave(const char *threads)
{
	pthread_t thread;

	atexit(say_end);
	call();
	atomic_fetch_add(&made, 1);
	for (int i = 0; i < atoi(threads); i++)
		must(pthread_create(&thread, NULL, outlive_main, NULL), "pthread_create");
	pthread_exit(NULL);
}

/* More than fills some chunks. */
static int many(const char *count)
{
	for (int i = 0; i < atoi(count); i++)
		call();
	printf("%s calls\n", count);
	return 0;
}

#define COUNTED_THREADS 8

/* What a thread has done, for who looks after it was killed. */
struct count {
	uint32_t tid, returned;
};

/* The call number i sets i bytes, from 1. */
static void *count_calls(void *arg)
{
	struct count *count = arg;

	count->tid = (uint32_t)syscall(SYS_gettid);
	for (size_t i = 1;; i++) {
		cudaMemset(NULL, 0, i);
		__atomic_store_n(&count->returned, (uint32_t)i, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Threads that count their returned calls in the file `counts` until they are killed. */
static int counted(const char *counts)
{
	int fd = open(counts, O_RDWR | O_CLOEXEC);
	struct count *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pthread_t thread;

	must(page == MAP_FAILED ? -1 : 0, "mapping the counts");
	close(fd);
	for (int i = 1; i < COUNTED_THREADS; i++)
		must(pthread_create(&thread, NULL, count_calls, &page[i]), "pthread_create");
	count_calls(&page[0]);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const char *argument);
	} modes[] = {
		{ "handler", handler },       { "nested", nested },
		{ "altstack", altstack },     { "cancel_pending", cancel_pending },
		{ "cancel", cancel_running }, { "out_of_memory", out_of_memory },
		{ "many", many },             { "first_call", first_call },
		{ "all_leave", all_leave },   { "out_of_data", out_of_data },
		{ "counted", counted },
	};

	for (size_t i = 0; argc > 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run(argv[2]);
	return 2;
}
