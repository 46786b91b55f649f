/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that have children. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define ROUNDS 5

static const char self_path[] = "/proc/self/exe";

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

/* how: "exit" or "_exit" */
static int fork_only(const char *how)
{
	pid_t pid;

	victim_work(ROUNDS);
	pid = fork();
	if (pid == 0) {
		victim_say("in the child");
		if (strcmp(how, "exit") == 0)
			exit(21);
		_exit(22);
	}
	await(pid);
	victim_work(ROUNDS);
	return 0;
}

/* CUDA does not work in a forked child; what it says must be the same as without cutrace. */
static int fork_and_cuda(const char *unused)
{
	int errors = 0;
	pid_t pid;

	(void)unused;
	victim_work(ROUNDS);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 1000; i++) /* more than the parent overwrites later */
			errors += victim_allocate() != 0;
		victim_say("allocating in the child: %d errors", errors);
		exit(23);
	}
	await(pid);
	victim_work(ROUNDS);
	return 0;
}

static int vfork_exec(const char *unused)
{
	pid_t pid;

	(void)unused;
	victim_work(ROUNDS);
	pid = vfork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "echo from the shell; exit 24", (char *)NULL);
		_exit(127);
	}
	await(pid);
	pid = vfork();
	if (pid == 0) {
		execl("/nonexistent", "nonexistent", (char *)NULL);
		_exit(25);
	}
	await(pid);
	victim_work(ROUNDS);
	return 0;
}

static int spawn(const char *unused)
{
	extern char **environ;
	char *const arguments[] = { "sh", "-c", "echo from the shell; exit 26", NULL };
	pid_t pid;

	(void)unused;
	victim_work(ROUNDS);
	victim_must(posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ), "posix_spawn");
	await(pid);
	victim_work(ROUNDS);
	return 0;
}

static int by_system(const char *unused)
{
	(void)unused;
	victim_work(ROUNDS);
	victim_say("system() returned %d", WEXITSTATUS(system("echo from the shell; exit 27")));
	victim_work(ROUNDS);
	return 0;
}

/* Runs this program again, which uses CUDA: for itself, or only in the child. */
static int run_self(bool parent_too)
{
	pid_t pid;

	if (parent_too)
		victim_work(ROUNDS);
	pid = fork();
	if (pid == 0) {
		execl(self_path, "victim", "return", (char *)NULL);
		_exit(127);
	}
	await(pid);
	return 0;
}

static int cuda_in_both(const char *unused)
{
	(void)unused;
	return run_self(true);
}

static int cuda_in_child(const char *unused)
{
	(void)unused;
	return run_self(false);
}

/* Forked before any use of CUDA, so both may use it. */
static int fork_first(const char *unused)
{
	pid_t pid = fork();

	(void)unused;
	if (pid == 0) {
		victim_work(ROUNDS);
		exit(29);
	}
	await(pid);
	victim_work(ROUNDS);
	return 0;
}

/* This program again, which uses CUDA, in a child started otherwise than by fork(). */
static int spawn_self(const char *unused)
{
	extern char **environ;
	char *const arguments[] = { "victim", "return", NULL };
	pid_t pid;

	(void)unused;
	victim_work(ROUNDS);
	victim_must(posix_spawn(&pid, self_path, NULL, NULL, arguments, environ), "posix_spawn");
	await(pid);
	victim_work(ROUNDS);
	return 0;
}

static int vfork_self(const char *unused)
{
	pid_t pid;

	(void)unused;
	victim_work(ROUNDS);
	pid = vfork();
	if (pid == 0) {
		execl(self_path, "victim", "return", (char *)NULL);
		_exit(127);
	}
	await(pid);
	victim_work(ROUNDS);
	return 0;
}

/* Becomes a program that uses CUDA, having used it itself or not. */
static int exec_self(bool used)
{
	if (used)
		victim_work(2 * ROUNDS);
	execl(self_path, "victim", "return", (char *)NULL);
	return 1;
}

static int exec_before(const char *unused)
{
	(void)unused;
	return exec_self(false);
}

static int exec_after(const char *unused)
{
	(void)unused;
	return exec_self(true);
}

/* exec over a traced program: what it recorded must remain. */
static int exec_over(const char *unused)
{
	(void)unused;
	victim_work(ROUNDS);
	execl("/bin/sh", "sh", "-c", "echo replaced; exit 28", (char *)NULL);
	return 1;
}

static atomic_int child_signals;

static void count_child(int signal_number)
{
	(void)signal_number;
	atomic_fetch_add(&child_signals, 1);
}

static void *wait_for_any(void *unused)
{
	(void)unused;
	for (;;) {
		pid_t pid = waitpid(-1, NULL, 0);

		if (pid >= 0)
			victim_say("waitpid(-1) found a child");
	}
	return NULL;
}

/* Runs after cutrace's end, which has had a child of its own. */
static void say_children(void)
{
	victim_say("%d SIGCHLD", atomic_load(&child_signals));
}

/* A thread waits for any child, of which there is a sleeping one, when the program ends. */
static int wait_at_end(const char *unused)
{
	pthread_t thread;
	pid_t pid;

	(void)unused;
	signal(SIGCHLD, count_child);
	atexit(say_children);
	victim_work(ROUNDS);
	pid = fork();
	victim_must(pid < 0, "fork");
	if (pid == 0) {
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		alarm(20);
		for (;;)
			pause();
	}
	victim_must(pthread_create(&thread, NULL, wait_for_any, NULL), "pthread_create");
	usleep(20 * 1000);
	return 0;
}

/* Children are reaped by the kernel: waiting for one says ECHILD. */
static int ignore_children(const char *unused)
{
	(void)unused;
	signal(SIGCHLD, SIG_IGN);
	victim_work(ROUNDS);
	return 0;
}

const struct victim_mode victim_processes[] = {
	{ "fork", fork_only },
	{ "fork_and_cuda", fork_and_cuda },
	{ "vfork_exec", vfork_exec },
	{ "spawn", spawn },
	{ "system", by_system },
	{ "cuda_in_both", cuda_in_both },
	{ "cuda_in_child", cuda_in_child },
	{ "exec_over", exec_over },
	{ "fork_first", fork_first },
	{ "spawn_self", spawn_self },
	{ "vfork_self", vfork_self },
	{ "exec_before", exec_before },
	{ "exec_after", exec_after },
	{ "wait_at_end", wait_at_end },
	{ "ignore_children", ignore_children },
	{ 0 },
};
