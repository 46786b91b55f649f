/* SPDX-License-Identifier: Apache-2.0 */
/* What a program can notice of a library it did not ask for. */
#include <alloca.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "victim.h"

#define SHORT_THREADS 1000
#define SMALL_THREADS 16
#define SMALL_STACK (16 * 1024)
#define SENTINEL 1234

/* As c10/cuda/CUDACachingAllocator.cpp has it, where memory is not to be cached. */
void uncached_delete(void *) __asm__("_ZN3c104cuda20CUDACachingAllocator6Native15uncached_deleteEPv");
__attribute__((noinline)) void uncached_delete(void *memory)
{
	victim_must(cudaFree(memory), "freeing");
	__asm__ volatile(""); /* so that it has a frame */
}

/* As aten/src/ATen/native/cuda/CUDAScalar.cu has it, for tensor.item(). */
void fetch_value(void *) __asm__("_ZN2at6native24_local_scalar_dense_cudaERKNS_6TensorE");
__attribute__((noinline)) void fetch_value(void *from)
{
	float value;

	victim_must(cudaMemcpyAsync(&value, from, sizeof(value), cudaMemcpyDeviceToHost, NULL), "copying");
	victim_must(cudaStreamSynchronize(NULL), "waiting");
	__asm__ volatile("");
}

static int frees_tensors(const char *unused)
{
	void *memory;

	(void)unused;
	for (int i = 0; i < 5; i++) {
		victim_must(cudaMalloc(&memory, 4096), "allocating");
		victim_must(victim_kernel(2000000), "launching");
		fetch_value(memory);
		victim_must(victim_kernel(2000000), "launching");
		uncached_delete(memory);
	}
	return 0;
}

static int keeps_errno(const char *unused)
{
	void *memory;

	(void)unused;
	for (int i = 0; i < 2; i++) {
		errno = SENTINEL;
		cudaMalloc(&memory, 4096);
		victim_say("errno %d after the %s cudaMalloc", errno, i ? "second" : "first");
		errno = SENTINEL;
		cudaDeviceSynchronize();
		victim_say("errno %d after cudaDeviceSynchronize", errno);
		errno = SENTINEL;
		cudaFree(memory);
		victim_say("errno %d after cudaFree", errno);
	}
	return 0;
}

static void say_mask(const char *when)
{
	char text[65] = "";
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < 65; i++)
		text[i - 1] = sigismember(&mask, i) == 1 ? '1' : '0';
	victim_say("%s: signal mask %s", when, text);
}

static int keeps_mask(const char *unused)
{
	static const int watched[] = { SIGCHLD, SIGXFSZ, SIGPIPE, SIGSEGV, SIGTERM, SIGUSR1 };
	struct sigaction action;
	sigset_t mask;

	(void)unused;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	victim_work(1);
	say_mask("after the first use");
	victim_work(2000);
	say_mask("after a chunk of calls");
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
		sigaction(watched[i], NULL, &action);
		victim_say("signal %d: handler %d", watched[i], action.sa_handler != SIG_DFL);
	}
	return 0;
}

static void say_descriptor(const char *when)
{
	int fd = open("/dev/null", O_RDONLY);

	victim_say("%s: next descriptor %d", when, fd);
}

static int same_descriptors(const char *unused)
{
	(void)unused;
	say_descriptor("before");
	victim_work(1);
	say_descriptor("after the first use");
	victim_work(2000);
	say_descriptor("after a chunk of calls");
	return 0;
}

/* As daemons do. Our own output stays. */
static int closes_descriptors(const char *unused)
{
	(void)unused;
	victim_work(1);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	victim_work(2000);
	return 0;
}

static void work_once(void)
{
	victim_work(1);
}

/*
 * Calls `function` with a frame of its own that has no unwind information: walking
 * through it makes libunwind test addresses, for which it has descriptors of its own.
 */
void call_blindly(void (*function)(void));
__asm__(".text\n"
	".type call_blindly, @function\n"
	"call_blindly:\n"
#if defined(__x86_64__)
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	call *%rdi\n"
	"	pop %rbp\n"
	"	ret\n"
#elif defined(__aarch64__)
	"	stp x29, x30, [sp, #-16]!\n"
	"	mov x29, sp\n"
	"	blr x0\n"
	"	ldp x29, x30, [sp], #16\n"
	"	ret\n"
#endif
	".size call_blindly, . - call_blindly\n");

/* All descriptors are closed and their numbers given to a file: nobody may touch it. */
static int reuses_descriptors(const char *file)
{
	const int last = 40;
	struct stat st, now;

	victim_work(1);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	for (int fd = 3; fd <= last; fd++)
		victim_must(open(file, O_RDWR | O_CREAT | O_APPEND, 0600) != fd, "open");
	victim_must(write(last, "some text", 9) != 9 || fstat(last, &st), "write");
	call_blindly(work_once);
	for (int fd = 3; fd <= last; fd++)
		if (fstat(fd, &now) || now.st_ino != st.st_ino || lseek(fd, 0, SEEK_CUR) % 9)
			victim_say("descriptor %d is not what it was", fd);
	victim_say("the file has %d bytes", fstat(last, &st) ? -1 : (int)st.st_size);
	unlink(file);
	return 0;
}

static void *some_work(void *ret_good)
{
	*(int *)ret_good = victim_cuda(1);
	return NULL;
}

static void run_threads(int threads, size_t stack_bytes)
{
	int good[SHORT_THREADS] = { 0 }, sum = 0;
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	if (stack_bytes)
		victim_must(pthread_attr_setstacksize(&attr, stack_bytes), "setting the stack size");
	for (int i = 0; i < threads; i++) {
		victim_must(pthread_create(&thread, &attr, some_work, &good[i]), "pthread_create");
		pthread_join(thread, NULL);
		sum += good[i];
	}
	victim_say("%d of %d threads worked", sum, threads);
}

/* Load a library whose constructor waits for a thread that calls CUDA. */
static int waiting_constructor(const char *path)
{
	victim_work(1);
	victim_say("loaded: %d", dlopen(path, RTLD_NOW) != NULL);
	return 0;
}

/* A frame of a size of its own: what lies behind it moves. */
__attribute__((noinline)) static int work_behind(size_t bytes)
{
	volatile char *frame = alloca(bytes);

	frame[0] = frame[bytes - 1] = 1;
	return victim_cuda(1);
}

/* Known by large frames near the end of the stack, then called from small ones. */
static int moving_frames(const char *unused)
{
	int good = 0;

	(void)unused;
	for (int i = 0; i < 6; i++)
		good += work_behind(900000);
	for (int i = 0; i < 6; i++)
		good += work_behind(16);
	victim_say("%d of 12 rounds worked", good);
	return 0;
}

static int small_stacks(const char *unused)
{
	(void)unused;
	victim_work(1);
	run_threads(SMALL_THREADS, SMALL_STACK);
	return 0;
}

/* The very first use of CUDA is in a thread with little stack. */
static int small_first(const char *unused)
{
	(void)unused;
	run_threads(1, SMALL_STACK);
	return 0;
}

static int short_threads(const char *unused)
{
	(void)unused;
	run_threads(SHORT_THREADS, 0);
	return 0;
}

/* Fills a trace beyond some first chunks: `rounds` of work. */
static int much_work(const char *rounds)
{
	victim_work(atoi(rounds));
	return 12;
}

/* Prints the environment that its children would get. */
static int says_environment(const char *variable)
{
	const char *value = getenv(variable);

	victim_work(1);
	victim_say("%s=%s", variable, value ? value : "(unset)");
	return 0;
}

static int managed(const char *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++) {
		void *memory = NULL;

		victim_must(cudaMallocManaged(&memory, 4096, cudaMemAttachGlobal), "managed");
		victim_must(cudaFree(memory), "cudaFree");
	}
	victim_say("managed");
	return 0;
}

static int without_cuda(const char *unused)
{
	(void)unused;
	victim_say("no CUDA here");
	return 13;
}

const struct victim_mode victim_habits[] = {
	{ "tensors", frees_tensors },
	{ "errno", keeps_errno },
	{ "mask", keeps_mask },
	{ "descriptors", same_descriptors },
	{ "close_descriptors", closes_descriptors },
	{ "reuse_descriptors", reuses_descriptors },
	{ "constructor", waiting_constructor },
	{ "managed", managed },
	{ "moving_frames", moving_frames },
	{ "small_stacks", small_stacks },
	{ "small_first", small_first },
	{ "short_threads", short_threads },
	{ "work", much_work },
	{ "environment", says_environment },
	{ "without_cuda", without_cuda },
	{ 0 },
};
