/* SPDX-License-Identifier: Apache-2.0 */
/* Children made in every other way than fork(): no fork handler runs for most of them. */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define ROUNDS 5
#define STORM 1000
#define STACK_BYTES (1 << 20)
#ifdef __x86_64__
#define TRAP_BYTE 0xcc /* int3 */
#else
#define TRAP_BYTE 0 /* udf #0 */
#endif

static void await(pid_t pid)
{
	int status = 0;

	victim_must(pid < 0, "starting a child");
	victim_must(waitpid(pid, &status, 0) != pid, "waitpid");
	if (WIFEXITED(status))
		victim_say("child exited with %d", WEXITSTATUS(status));
	else
		victim_say("child killed by %d", WTERMSIG(status));
}

/* What fork() does, without the C library's knowing. */
static pid_t raw_fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static int child_of_clone(void *run)
{
	exit(((int (*)(void))run)()); /* else threads that CUDA started would stay */
}

/* how: "clone", "_Fork" or "SYS_fork"; run: what the child does, and its exit status. */
static pid_t start(const char *how, int (*run)(void))
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));
	pid_t pid;

	if (strcmp(how, "clone") == 0)
		return clone(child_of_clone, stack + sizeof(stack), SIGCHLD, (void *)run);
	pid = strcmp(how, "_Fork") ? raw_fork() : _Fork();
	if (pid == 0)
		exit(run());
	return pid;
}

/* CUDA does not work there, and must not be traced. */
static int use_inherited(void)
{
	int errors = 0;

	for (int i = 0; i < 1000; i++) /* more than the parent overwrites later */
		errors += victim_allocate() != 0;
	victim_say("allocating in the child: %d errors", errors);
	return 31;
}

static int only_end(void)
{
	victim_say("in the child");
	_exit(32);
}

static int work(void)
{
	victim_work(ROUNDS);
	return 33;
}

/* Children of a process that uses CUDA. */
static int child_after(const char *how)
{
	victim_work(ROUNDS);
	await(start(how, use_inherited));
	await(start(how, only_end));
	victim_work(ROUNDS);
	return 0;
}

/* One that uses CUDA itself, of a process that has not done so yet. */
static int child_before(const char *how)
{
	await(start(how, work));
	victim_work(2 * ROUNDS);
	return 0;
}

static int end_shared(void *unused)
{
	(void)unused;
	_exit(34); /* interposed: it must not end the parent's trace */
}

/* A child in our memory, which runs beside us: by its pid alone it is another process. */
static int child_in_memory(const char *unused)
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));

	(void)unused;
	victim_work(ROUNDS);
	await(clone(end_shared, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
	victim_work(ROUNDS);
	return 0;
}

/*
 * The tests wait for the end of our output: a daemon keeps it open. When daemon() returns
 * its parent may still be at its end.
 */
static int daemon_before(const char *unused)
{
	(void)unused;
	victim_must(daemon(1, 1), "daemon");
	victim_work(ROUNDS);
	return 0;
}

static int daemon_after(const char *unused)
{
	(void)unused;
	victim_work(ROUNDS);
	victim_must(daemon(1, 1), "daemon");
	use_inherited();
	return 0;
}

/* The child ends at once, its own child works on. */
static int fork_twice(const char *used)
{
	pid_t pid;

	if (used)
		victim_work(2 * ROUNDS);
	pid = fork();
	if (pid == 0) {
		if (fork() == 0)
			exit(used ? use_inherited() : work());
		exit(35);
	}
	await(pid);
	return 0;
}

static atomic_bool storm_is_over;

static void *work_in_storm(void *unused)
{
	(void)unused;
	while (!atomic_load(&storm_is_over))
		victim_cuda(1);
	return NULL;
}

/* A thousand children while three threads use CUDA. */
static int storm(const char *unused)
{
	static atomic_uint returned;
	pthread_t threads[3];
	int good = 0;

	(void)unused;
	victim_returned = &returned;
	victim_cuda(1);
	for (int i = 0; i < 3; i++)
		victim_must(pthread_create(&threads[i], NULL, work_in_storm, NULL), "pthread_create");
	for (int i = 0; i < STORM; i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0 && i % 2)
			exit(36);
		if (pid == 0)
			_exit(36);
		waitpid(pid, &status, 0);
		good += WIFEXITED(status) && WEXITSTATUS(status) == 36;
	}
	atomic_store(&storm_is_over, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	victim_say("%d children ended well", good);
	victim_say("%u calls", atomic_load(&returned));
	return 0;
}

/* Whoever calls one of CUPTI's functions now dies of it. Returns how many there are. */
static int forbid_cupti(void)
{
	static const char *const names[] = {
		"cuptiSubscribe", "cuptiUnsubscribe", "cuptiEnableCallback", "cuptiEnableDomain",
		"cuptiActivityRegisterCallbacks", "cuptiActivityEnable", "cuptiActivityDisable",
		"cuptiActivityFlushAll", "cuptiActivityFlushPeriod", "cuptiActivityGetNextRecord",
		"cuptiActivityGetNumDroppedRecords", "cuptiActivityGetAttribute", "cuptiGetTimestamp",
		"cuptiGetDeviceId", "cuptiGetStreamIdEx", "cuptiFinalize",
	};
	void *library = dlopen("libcupti.so.13", RTLD_NOW | RTLD_NOLOAD);
	int found = 0;

	for (size_t i = 0; library && i < sizeof(names) / sizeof(names[0]); i++) {
		char *code = dlsym(library, names[i]);
		char *page = (char *)((uintptr_t)code & ~4095ul);

		if (!code)
			continue;
		victim_must(mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC), "mprotect");
		memset(code, TRAP_BYTE, 4);
		found++;
	}
	return found;
}

/* A child in which CUPTI's code may not be run lives on for a while, and ends in its own ways. */
static int without_cupti(const char *unused)
{
	(void)unused;
	victim_work(ROUNDS);
	for (int way = 0; way < 3; way++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (forbid_cupti() < 8 && getenv("VICTIM_CUPTI"))
				_exit(97);
			usleep(1200 * 1000); /* longer than the period in which cutrace asks CUPTI */
			if (way == 0)
				exit(37);
			if (way == 1)
				quick_exit(37);
			_exit(37);
		}
		await(pid);
	}
	victim_work(ROUNDS);
	return 0;
}

const struct victim_mode victim_forks[] = {
	{ "child_after", child_after },
	{ "child_before", child_before },
	{ "child_in_memory", child_in_memory },
	{ "daemon_before", daemon_before },
	{ "daemon_after", daemon_after },
	{ "fork_twice", fork_twice },
	{ "storm", storm },
	{ "without_cupti", without_cupti },
	{ 0 },
};
