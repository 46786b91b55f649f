/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "tools/interrupt.h"
#include "tools/tool.h"

extern char **environ;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The settings of the library are ours here, but for where CUPTI is. */
static void forget_settings(void)
{
	char name[256];

	for (char **e = environ; *e;) {
		size_t length = strcspn(*e, "=");

		if (strncmp(*e, "CUTRACE_", 8) != 0 || length >= sizeof(name) ||
		    strncmp(*e, "CUTRACE_CUPTI_LIBRARY=", 22) == 0) {
			e++;
			continue;
		}
		memcpy(name, *e, length);
		name[length] = '\0';
		unsetenv(name); /* what comes behind moves here */
	}
}

static bool set_up(const struct ct_trials *trials, enum ct_trial_kind kind)
{
	char path[PATH_MAX];

	forget_settings();
	if (kind == CT_TRIAL_PLAIN)
		return true;
	snprintf(path, sizeof(path), "%s/counts", trials->folder);
	setenv("CUTRACE_FIX_COUNTS", path, 1);
	setenv("CUTRACE_QUIET", "1", 1);
	setenv("CUTRACE_REPORT", "0", 1);
	if (kind == CT_TRIAL_FIXED)
		setenv("CUTRACE_FIX", trials->fix, 1);
	snprintf(path, sizeof(path), "%s/trace.%%p", trials->folder);
	if (kind == CT_TRIAL_TRACED)
		setenv("CUTRACE_OUTPUT", path, 1);
	else
		setenv("CUTRACE_DISABLE", "1", 1);
	return ct_preload() == 0;
}

/* Never returns. What exec says of failure goes into the pipe, which success closes. */
static void become(const struct ct_trials *trials, enum ct_trial_kind kind, int out, int failed)
{
	int nothing = open("/dev/null", O_RDWR), why;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (!set_up(trials, kind))
		_exit(CT_EXIT_FAILED);
	dup2(nothing, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(nothing, STDERR_FILENO);
	execvp(trials->argv[0], trials->argv);
	why = errno;
	if (write(failed, &why, sizeof(why)) < 0)
		_exit(126);
	_exit(127);
}

/* FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv). */
static uint64_t hash(uint64_t before, int byte)
{
	return (before ^ (uint64_t)(unsigned char)byte) * 0x100000001b3u;
}

static int read_output(int fd, struct ct_trial *trial)
{
	FILE *from = lseek(fd, 0, SEEK_SET) == 0 ? fdopen(fd, "r") : NULL;
	bool number = false;
	int c;

	if (!from)
		return -errno;
	trial->print = trial->print_but_numbers = 0xcbf29ce484222325u;
	while ((c = getc(from)) != EOF) {
		bool digit = strchr("0123456789.", c) && c;

		trial->print = hash(trial->print, c);
		if (!digit || !number)
			trial->print_but_numbers = hash(trial->print_but_numbers, digit ? '0' : c);
		number = digit;
	}
	fclose(from);
	return 0;
}

/* A fresh file of this name in the folder. */
static int make_file(const struct ct_trials *trials, const char *name, size_t bytes)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", trials->folder, name);
	unlink(path); /* a process of the run before may be there still, and write to its own */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
		return fd;
	ct_fail(path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Returns the errno of its exec, 0 if that worked, or -1 if there is no child. */
static int start(const struct ct_trials *trials, enum ct_trial_kind kind, int out, pid_t *ret)
{
	int ends[2], why = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	*ret = ct_interrupt_fork();
	if (*ret == 0)
		become(trials, kind, out, ends[1]);
	close(ends[1]);
	if (*ret < 0 || read(ends[0], &why, sizeof(why)) < 0)
		why = -1;
	close(ends[0]);
	return why;
}

static int run(const struct ct_trials *trials, enum ct_trial_kind kind, int out,
	       struct ct_trial *trial)
{
	uint64_t begin_ns = now_ns();
	pid_t pid;
	int why = start(trials, kind, out, &pid);

	if (why < 0)
		return ct_fail(trials->argv[0], strerror(errno));
	trial->status = ct_interrupt_wait(pid);
	trial->ns = now_ns() - begin_ns;
	if (ct_interrupted())
		return CT_EXIT_FAILED;
	return why ? ct_fail(trials->argv[0], strerror(why)) : 0;
}

/* How long a process worked; 0: it gave the device no work. */
static uint64_t span_of(const struct ct_fix_counts *slot)
{
	return slot->began_ns && slot->began_ns < slot->ended_ns ? slot->ended_ns - slot->began_ns : 0;
}

static uint64_t off(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/*
 * Is it rather this process than that one that is looked at? The one most like the one looked at before, by
 * what no fix changes: as it waits no more, another may work longer than it.
 */
static bool is_rather(const struct ct_fix_counts *like, const struct ct_fix_counts *slot,
		      const struct ct_fix_counts *other)
{
	uint64_t from = like ? off(like->mallocs, slot->mallocs) + off(like->frees, slot->frees) : 0;
	uint64_t other_from = like ? off(like->mallocs, other->mallocs) + off(like->frees, other->frees) : 0;

	return from != other_from ? from < other_from : span_of(slot) > span_of(other);
}

static void put_trace(uint32_t pid, int n, char ret[32])
{
	if (n)
		snprintf(ret, 32, "trace.%u.%d", pid, n);
	else
		snprintf(ret, 32, "trace.%u", pid);
}

static bool has_trace(const struct ct_trials *trials, uint32_t pid, int n)
{
	char path[PATH_MAX], name[32];

	put_trace(pid, n, name);
	snprintf(path, sizeof(path), "%s/%s", trials->folder, name);
	return access(path, F_OK) == 0;
}

/*
 * One that has become another program by exec has the same pid: the library numbers their traces. There
 * may be none of a program that did no work, and only looked for functions.
 */
static void name_trace(const struct ct_trials *trials, const struct ct_fix_file *file,
		       const struct ct_fix_counts *slot, char ret[32])
{
	int all = 0, before = 0, worked = 0;

	for (const struct ct_fix_counts *s = file->slots; s < file->slots + CT_FIX_SLOTS; s++) {
		all += s->pid == slot->pid;
		before += s->pid == slot->pid && s < slot;
		worked += s->pid == slot->pid && s < slot && span_of(s);
	}
	put_trace(slot->pid, has_trace(trials, slot->pid, all - 1) ? before : worked, ret);
}

static void sum_up(const struct ct_trials *trials, const struct ct_fix_file *file,
		   struct ct_trial *trial)
{
	const struct ct_fix_counts *chosen = file->slots, *slot = file->slots;
	uint64_t began_ns = UINT64_MAX, ended_ns = 0;

	for (; slot < file->slots + CT_FIX_SLOTS && slot->pid; slot++) {
		trial->processes++;
		trial->pending |= slot->pending != 0;
		trial->calls_ns += slot->calls_ns;
		if (!span_of(slot))
			continue;
		if (!span_of(chosen) || is_rather(trials->like, slot, chosen))
			chosen = slot;
		began_ns = slot->began_ns < began_ns ? slot->began_ns : began_ns;
		ended_ns = slot->ended_ns > ended_ns ? slot->ended_ns : ended_ns;
	}
	if (began_ns < ended_ns && !file->others)
		trial->work_ns = ended_ns - began_ns;
	trial->processes += file->others;
	trial->counts = *chosen;
	name_trace(trials, file, chosen, trial->trace);
}

/* Returns 0 or -errno. */
static int read_counts(const struct ct_trials *trials, int fd, struct ct_trial *trial)
{
	struct ct_fix_file file = { 0 };

	if (pread(fd, &file, sizeof(file), 0) < 0)
		return -errno;
	sum_up(trials, &file, trial);
	return 0;
}

int ct_trial_run(const struct ct_trials *trials, enum ct_trial_kind kind, struct ct_trial *ret)
{
	int counts = make_file(trials, "counts", sizeof(struct ct_fix_file));
	int out = make_file(trials, "stdout", 0);
	int failed = counts < 0 || out < 0 ? CT_EXIT_FAILED : 0;
	struct ct_trial trial = { 0 };

	if (!failed)
		failed = run(trials, kind, out, &trial);
	if (!failed && read_counts(trials, counts, &trial) < 0)
		failed = ct_fail("counts", strerror(errno));
	if (!failed && read_output(out, &trial) < 0)
		failed = ct_fail("standard output of the program", strerror(errno));
	else if (failed && out >= 0)
		close(out);
	if (counts >= 0)
		close(counts);
	if (!failed)
		*ret = trial;
	return failed;
}
