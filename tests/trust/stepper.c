/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program under ptrace and one instruction at a time through the stretches that it marks
 * with SIGUSR1 at their begin and end. Only its first thread is stepped, the others run.
 *
 *   stepper kill N TRACE program ..   SIGKILL it when the file TRACE has changed N times in the
 *                                     stretch
 *   stepper keep N TRACE program ..   copy TRACE to N.NUMBER after each of its changes: what a kill
 *                                     at any instruction would leave is one of these files, as all
 *                                     of the trace is stored by shared mappings. Of many changes,
 *                                     some that follow each other are kept, and a selection
 *   stepper signal N program ..       in the i-th stretch let SIGUSR2 come before instruction i * N,
 *                                     until a stretch has ended before that
 *
 * Prints what it did. Exit status: 0 done, 77 ptrace is not allowed here, 2 anything else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEADER_BYTES 4096 /* of the trace; from there to the first chunk nothing is written */
#define UNIT_BYTES 65536
#define TRACE_MAX (16 << 20)
#define KEPT_ALL 30 /* changes that follow each other */
#define KEPT_EACH 97

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "stepper: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* The trace as it is, and as it was when changed() last looked. */
struct view {
	int fd;
	size_t bytes;
	const uint8_t *now;
	uint8_t *before;
};

static void view_open(struct view *view, const char *path)
{
	view->fd = open(path, O_RDONLY | O_CLOEXEC);
	must(view->fd >= 0, path);
	view->now = mmap(NULL, TRACE_MAX, PROT_READ, MAP_SHARED, view->fd, 0);
	view->before = calloc(1, TRACE_MAX);
	must(view->now != MAP_FAILED && view->before, "mapping the trace");
	view->bytes = 0;
}

static bool changed_part(struct view *view, size_t from, size_t to)
{
	if (memcmp(view->now + from, view->before + from, to - from) == 0)
		return false;
	memcpy(view->before + from, view->now + from, to - from);
	return true;
}

static bool changed(struct view *view)
{
	struct stat st;
	bool is = false;

	must(fstat(view->fd, &st) == 0 && st.st_size <= TRACE_MAX, "looking at the trace");
	is = (size_t)st.st_size != view->bytes;
	view->bytes = (size_t)st.st_size;
	is |= changed_part(view, 0, HEADER_BYTES);
	for (size_t at = UNIT_BYTES; at < view->bytes; at += UNIT_BYTES)
		is |= changed_part(view, at, at + UNIT_BYTES);
	return is;
}

static pid_t start(char **program)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0, "fork");
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		execv(program[0], program);
		_exit(2);
	}
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFEXITED(status))
		exit(WEXITSTATUS(status));
	return pid;
}

/*
 * Let the program run by `request` until it stops. Returns the signal that stopped it; 0: it has
 * ended, and how is said.
 */
static int advance(pid_t pid, int request, int signal_number)
{
	int status;

	must(ptrace(request, pid, NULL, signal_number) == 0, "ptrace");
	must(waitpid(pid, &status, __WALL) == pid, "waitpid");
	if (WIFSTOPPED(status))
		return WSTOPSIG(status);
	printf("the program ended with status %#x\n", (unsigned)status);
	return 0;
}

/* Run to the next mark. False: it has ended before. */
static bool run_to_mark(pid_t pid, int signal_number)
{
	int stopped = signal_number;

	do
		stopped = advance(pid, PTRACE_CONT, stopped == SIGTRAP ? 0 : stopped);
	while (stopped && stopped != SIGUSR1);
	return stopped == SIGUSR1;
}

/* One instruction. False: a mark was reached instead. Signals of the program's own go on. */
static bool step(pid_t pid, int signal_number)
{
	int stopped = advance(pid, PTRACE_SINGLESTEP, signal_number);

	while (stopped && stopped != SIGTRAP && stopped != SIGUSR1)
		stopped = advance(pid, PTRACE_SINGLESTEP, stopped);
	must(stopped, "the program ended while it was stepped");
	return stopped == SIGTRAP;
}

static int kill_after(long wanted, const char *trace, char **program)
{
	struct view view;
	pid_t pid = start(program);
	long instructions = 0, changes = 0;
	int status;

	must(run_to_mark(pid, 0), "no mark");
	view_open(&view, trace);
	changed(&view);
	while (changes < wanted && step(pid, 0)) {
		instructions++;
		changes += changed(&view);
	}
	printf("%ld instructions, %ld changes\n", instructions, changes);
	if (changes < wanted) {
		run_to_mark(pid, 0);
		return 0;
	}
	must(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, __WALL) == pid, "kill");
	must(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it was not killed");
	return 0;
}

static void keep(const struct view *view, const char *name, long number)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s.%ld", name, number);
	file = fopen(path, "w");
	must(file && fwrite(view->before, view->bytes, 1, file) == 1 && !fclose(file), path);
}

static int keep_each(const char *name, const char *trace, char **program)
{
	struct view view;
	pid_t pid = start(program);
	long instructions = 0, changes = 0, kept = 0;

	must(run_to_mark(pid, 0), "no mark");
	view_open(&view, trace);
	changed(&view);
	keep(&view, name, 0);
	for (; step(pid, 0); instructions++) {
		if (!changed(&view))
			continue;
		changes++;
		if (changes <= KEPT_ALL || changes % KEPT_EACH == 0)
			keep(&view, name, kept = changes);
	}
	if (kept < changes)
		keep(&view, name, changes);
	printf("%ld instructions, %ld changes\n", instructions, changes);
	run_to_mark(pid, 0);
	return 0;
}

static int interrupt_each(long stride, char **program)
{
	pid_t pid = start(program);
	long stretches = 0, left = 0;

	while (left == 0 && run_to_mark(pid, 0)) {
		for (left = stretches++ * stride; left && step(pid, 0); left--)
			;
		if (left == 0)
			must(run_to_mark(pid, SIGUSR2), "a stretch has no end");
	}
	while (run_to_mark(pid, 0))
		;
	printf("%ld stretches, every %ld. instruction\n", stretches, stride);
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 4 && strcmp(argv[1], "kill") == 0)
		return kill_after(atol(argv[2]), argv[3], argv + 4);
	if (argc > 4 && strcmp(argv[1], "keep") == 0)
		return keep_each(argv[2], argv[3], argv + 4);
	if (argc > 3 && strcmp(argv[1], "signal") == 0)
		return interrupt_each(atol(argv[2]), argv + 3);
	fprintf(stderr, "stepper: bad usage\n");
	return 2;
}
