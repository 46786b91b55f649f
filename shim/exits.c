/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/exits.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/dlsym.h"
#include "shim/log.h"
#include "shim/shim.h"
#include "shim/thread.h"

#define EXPORT __attribute__((visibility("default")))
#define HELPER_STACK (256 * 1024)
#define ENV_MAX 4096
/* Larger traces would take seconds and GBs to analyze while the program seems to hang. */
#define REPORT_BYTES_MAX (512ull << 20)

static void at_exit(void)
{
	ct_shim_finish(CT_FINISH_EXIT);
}

/*
 * The C library's own: ThreadSanitizer's clone() takes every child for a fork, and fails when
 * one that shares our memory returns (tsan_interceptors_posix.cpp).
 */
static int (*real_clone)(int (*)(void *), void *, int, void *, ...) = clone;

static void find_clone(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	void *found = libc ? ct_dlsym(libc, "clone") : NULL;

	if (found)
		*(void **)&real_clone = found;
}

void ct_exits_arm(void)
{
	find_clone();
	atexit(at_exit);
	at_quick_exit(at_exit);
}

/*
 * _exit() may be called by a signal handler that interrupted CUDA or cutrace; then
 * the last flush could wait for a lock this very thread holds, so it is left out.
 * What the flusher fetched up to then is in the trace.
 */
static void finish_fast(void)
{
	struct ct_thread *thread = ct_thread_peek();

	if (thread && (thread->in_call || thread->in_tool))
		ct_file_lose(&ct_shim.file, CT_LOSS_FLUSH, 1);
	else
		ct_shim_finish(CT_FINISH_FAST_EXIT);
}

EXPORT void _exit(int status)
{
	finish_fast();
	syscall(SYS_exit_group, status);
	__builtin_unreachable();
}

EXPORT void _Exit(int status)
{
	_exit(status);
}

static const char *const reporters[] = {
	"/../bin/cutrace",    /* PREFIX/lib */
	"/../../bin/cutrace", /* PREFIX/lib/x86_64-linux-gnu */
	"/../tools/cutrace",  /* a build tree */
};

/* Path of the cutrace command, looked for relative to the library; false if not there. */
static bool find_reporter(char *ret, size_t size)
{
	const char *slash = strrchr(ct_shim.library, '/');
	size_t length = slash ? (size_t)(slash - ct_shim.library) : 0;

	for (size_t i = 0; slash && i < sizeof(reporters) / sizeof(reporters[0]); i++) {
		if (length + strlen(reporters[i]) + 1 > size)
			continue;
		memcpy(ret, ct_shim.library, length);
		strcpy(ret + length, reporters[i]);
		if (access(ret, X_OK) == 0)
			return true;
	}
	return false;
}

struct report_job {
	char command[sizeof(ct_shim.library) + 32];
	sigset_t mask; /* the program's, for the reporter */
	char *arguments[6];
	char *environment[ENV_MAX];
};

#define NOT_RUN 255 /* the helper's exit status: the reporter could not be run, or was killed */

/* The program's environment without what would trace the reporter itself. */
static void copy_environment(struct report_job *job)
{
	extern char **environ;
	int n = 0;

	for (char **e = environ; e && *e && n < ENV_MAX - 1; e++)
		if (strncmp(*e, "LD_PRELOAD=", 11) && strncmp(*e, "LD_LIBRARY_PATH=", 16) &&
		    strncmp(*e, "CUDA_INJECTION64_PATH=", 22) && strncmp(*e, "NVTX_INJECTION64_PATH=", 22))
			job->environment[n++] = *e;
	job->environment[n] = NULL;
}

/*
 * In a helper process that shares our memory while we stand still (CLONE_VFORK); Valgrind
 * makes it a copy, so all that comes back is its exit status.
 */
static int run_reporter(void *arg)
{
	struct report_job *job = arg;
	posix_spawnattr_t attr;
	int status = -1;
	sigset_t all;
	pid_t pid;

	sigfillset(&all); /* no handler of the program runs here, in its memory */
	pthread_sigmask(SIG_SETMASK, &all, &job->mask);
	signal(SIGCHLD, SIG_DFL); /* here only: were it ignored, there would be no status */
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &job->mask);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	if (posix_spawn(&pid, job->command, NULL, &attr, job->arguments, job->environment) == 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	syscall(SYS_exit, WIFEXITED(status) ? WEXITSTATUS(status) : NOT_RUN);
	return 0;
}

/*
 * The helper is cloned without an exit signal, so the program's SIGCHLD handler and
 * wait() never learn of it; the reporter is the helper's child, not the program's. The
 * program's own signals stay as they are: SIGTERM ends it while it waits, and the report
 * is made all the same. Returns the reporter's exit status, or NOT_RUN.
 */
static int spawn_and_wait(struct report_job *job)
{
	char *stack = mmap(NULL, HELPER_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int pid, status = -1;

	if (stack == MAP_FAILED)
		return NOT_RUN;
	pid = real_clone(run_reporter, stack + HELPER_STACK, CLONE_VM | CLONE_VFORK, job);
	if (pid > 0)
		while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
			;
	munmap(stack, HELPER_STACK);
	return WIFEXITED(status) ? WEXITSTATUS(status) : NOT_RUN;
}

/*
 * `cutrace run` sums up at its end if several processes have a trace; then one that has
 * ended leaves the printing to it. The list has a line for each trace so far.
 */
static bool one_of_several(void)
{
	struct stat st;

	return *ct_shim.options.started_list && stat(ct_shim.options.started_list, &st) == 0 &&
	       st.st_size > (off_t)strlen(ct_shim.directory) + 1;
}

void ct_exits_report(void)
{
	int saved = errno;
	struct report_job *job;
	int status = NOT_RUN;

	if (!ct_shim.options.report)
		return;
	if (__atomic_load_n(&ct_shim.file.header->claimed_bytes, __ATOMIC_RELAXED) > REPORT_BYTES_MAX) {
		ct_warn("the trace is large, so no report was made at the program's end; run: cutrace "
			"report %s", ct_shim.directory);
		return;
	}
	job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (job == MAP_FAILED)
		return;
	job->arguments[0] = "cutrace";
	job->arguments[1] = "report";
	job->arguments[2] = ct_shim.options.quiet || one_of_several() ? "--write-only" : "--at-exit";
	job->arguments[3] = ct_shim.directory;
	copy_environment(job);
	if (find_reporter(job->command, sizeof(job->command)))
		status = spawn_and_wait(job);
	if (status != 0 && status != 1) /* 1: it has printed what went wrong */
		ct_warn("trace written to %s, but its report could not be made; run: cutrace "
			"report %s", ct_shim.directory, ct_shim.directory);
	munmap(job, sizeof(*job));
	errno = saved;
}
