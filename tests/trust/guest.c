/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `guest MODE [ARGUMENT...]` uses CUDA and prints what a program can see of its own process;
 * or it ends in a given way. Bare and traced it must print the same and end the same.
 */
#include <cuda_runtime_api.h>
#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 3000 /* rounds of calls: more than a chunk of the trace holds */

static int work(int rounds)
{
	int bad = 0;

	for (int i = 0; i < rounds; i++) {
		void *memory = NULL;

		bad += cudaMalloc(&memory, 4096) || cudaMemset(memory, 0, 4096) ||
		       cudaDeviceSynchronize() || cudaFree(memory);
	}
	return bad;
}

static void must_work(int rounds)
{
	if (work(rounds))
		puts("a call failed");
}

/* How: return, exit, _exit, _Exit, group (the system call), thread (exit() in another one). */
static void *exit_in_thread(void *status)
{
	exit((int)(intptr_t)status);
}

static int ends(char **how_status)
{
	int status = atoi(how_status[1]);
	pthread_t thread;

	must_work(2);
	fflush(stdout);
	if (strcmp(how_status[0], "exit") == 0)
		exit(status);
	if (strcmp(how_status[0], "_exit") == 0)
		_exit(status);
	if (strcmp(how_status[0], "_Exit") == 0)
		_Exit(status);
	if (strcmp(how_status[0], "group") == 0)
		syscall(SYS_exit_group, status);
	if (strcmp(how_status[0], "thread") == 0) {
		pthread_create(&thread, NULL, exit_in_thread, (void *)(intptr_t)status);
		pause();
	}
	return status;
}

/* To itself, so that it arrives in the thread that called CUDA. */
static int dies(char **signal_number)
{
	must_work(2);
	raise(atoi(signal_number[0]));
	return 100;
}

/* Bytes that are no text, lines in pieces, both streams in turns; copies its input. */
static int talks(char **unused)
{
	char input[256];
	size_t n = fread(input, 1, sizeof(input), stdin);

	(void)unused;
	for (int i = 0; i < 300; i++) {
		unsigned char bytes[4] = { (unsigned char)i, 0, 0xff, (unsigned char)(i >> 4) };

		must_work(1);
		fwrite(bytes, 1, sizeof(bytes), stdout);
		if (i % 3 == 0)
			fprintf(stderr, "%d", i);
		if (i % 7 == 0)
			fflush(stdout);
		if (i % 50 == 49)
			dprintf(STDERR_FILENO, " half a line");
	}
	fwrite(input, 1, n, stdout);
	return fflush(stdout) ? 31 : 30;
}

static void say_errors(const char *when)
{
	int peeked = cudaPeekAtLastError(), again = cudaPeekAtLastError();
	int got = cudaGetLastError(), none = cudaGetLastError();

	printf("%s: %d %d %d %d\n", when, peeked, again, got, none);
}

static void *fails_alone(void *unused)
{
	say_errors("thread, fresh");
	cudaMemcpy(NULL, NULL, 1, (enum cudaMemcpyKind)77);
	say_errors("thread, after a failure");
	return unused;
}

/* Calls that fail, calls that work after them, in two threads. */
static int errs(char **unused)
{
	pthread_t thread;

	(void)unused;
	say_errors("before anything");
	printf("malloc: %d\n", cudaMalloc(NULL, 4096));
	say_errors("after malloc");
	printf("memcpy: %d\n", cudaMemcpy(NULL, NULL, 1, (enum cudaMemcpyKind)77));
	pthread_create(&thread, NULL, fails_alone, NULL);
	pthread_join(thread, NULL);
	must_work(1);
	say_errors("kept over calls that work");
	printf("free: %d\n", cudaFree((void *)8));
	must_work(MANY);
	say_errors("kept over many calls");
	say_errors("none since");
	return 32;
}

struct control {
	uint32_t mxcsr;
	uint16_t x87;
	int rounding, raised, trapped;
};

static struct control read_control(void)
{
	struct control now = { 0 };

#if defined(__x86_64__)
	__asm__ volatile("stmxcsr %0" : "=m"(now.mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(now.x87));
#endif
	now.rounding = fegetround();
	now.raised = fetestexcept(FE_ALL_EXCEPT);
	now.trapped = fegetexcept();
	return now;
}

static void say_control(const char *when)
{
	struct control now = read_control();

	printf("%s: mxcsr %x, x87 %x, rounding %x, raised %x, trapped %x\n", when, now.mxcsr, now.x87,
	       now.rounding, now.raised, now.trapped);
}

/* Flush denormals, round up, single precision in the x87, and traps on every exception. */
static void set_odd_control(void)
{
#if defined(__x86_64__)
	uint32_t mxcsr;
	uint16_t x87 = 0x007f;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	mxcsr |= 0x8040;
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	__asm__ volatile("fldcw %0" : : "m"(x87));
#endif
	fesetround(FE_UPWARD);
}

/* What traps would kill if a library divided or rounded in the program's name. */
static int computes(char **unused)
{
	(void)unused;
	set_odd_control();
	say_control("before");
	must_work(1);
	say_control("after the first use");
	must_work(MANY);
	say_control("after many calls");
	feraiseexcept(FE_UNDERFLOW);
	feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
	must_work(MANY);
	say_control("with traps");
	return 33;
}

static void *takes_signal(void *unused)
{
	sigset_t mask;
	int got = 0;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigwait(&mask, &got);
	printf("taken by the thread that waits: %d\n", got);
	return unused;
}

static void say_mask(const char *when)
{
	sigset_t mask, pending;
	stack_t stack;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	sigpending(&pending);
	sigaltstack(NULL, &stack);
	printf("%s: blocked ", when);
	for (int i = 1; i < NSIG; i++)
		putchar(sigismember(&mask, i) == 1 ? '1' : '0');
	printf(", pending %d, stack %d\ndispositions ", sigismember(&pending, SIGUSR2), stack.ss_flags);
	for (int i = 1; i < NSIG; i++) {
		struct sigaction action = { 0 };

		sigaction(i, NULL, &action);
		putchar(action.sa_handler == SIG_DFL ? 'd' : action.sa_handler == SIG_IGN ? 'i' : 'h');
	}
	putchar('\n');
}

/* Signals that all threads of the program block once it uses CUDA: nobody else may take them. */
static int blocks(char **unused)
{
	pthread_t thread;
	sigset_t mask;

	(void)unused;
	say_mask("before");
	must_work(1);
	say_mask("after the first use");
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	kill(getpid(), SIGUSR2);
	must_work(MANY);
	say_mask("after many calls");
	pthread_create(&thread, NULL, takes_signal, NULL);
	kill(getpid(), SIGUSR1);
	pthread_join(thread, NULL);
	sigfillset(&mask);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	must_work(MANY);
	say_mask("all blocked");
	return 34;
}

/* What children get: by fork and exec, with an environment of their own, and the shell's. */
static int bears(char **unused)
{
	char *const own[] = { "ONLY=this", NULL }, *const arguments[] = { "env", NULL };
	extern char **environ;

	(void)unused;
	must_work(1);
	setenv("SET_BY_PROGRAM", "yes", 1);
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		if (child == 0)
			execve("/usr/bin/env", arguments, i ? own : environ);
		waitpid(child, NULL, 0);
		dprintf(STDOUT_FILENO, "--\n");
	}
	if (system("env"))
		return 1;
	dprintf(STDOUT_FILENO, "--\n");
	clearenv();
	must_work(1);
	return system("env") ? 1 : 35;
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(char **arguments);
} modes[] = {
	{ "ends", 2, ends },	 { "dies", 1, dies },	      { "talks", 0, talks },
	{ "errs", 0, errs },	 { "computes", 0, computes }, { "blocks", 0, blocks },
	{ "bears", 0, bears },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, argv[1]) == 0 && argc >= 2 + modes[i].arguments)
			return modes[i].run(&argv[2]);
	fprintf(stderr, "guest: no such mode\n");
	return 2;
}
