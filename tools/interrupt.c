/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

static const int asking[] = { SIGINT, SIGTERM, SIGHUP };
#define ASKING (sizeof(asking) / sizeof(asking[0]))

static struct sigaction before[ASKING];
static volatile sig_atomic_t running, asked; /* the child, 0 = none; a signal */

static void pass_on(int signal)
{
	int saved = errno;

	if (!asked)
		asked = signal;
	if (running > 0) {
		kill(-running, signal);
		alarm(CT_INTERRUPT_GRACE_S);
	}
	errno = saved;
}

static void lose_patience(int signal)
{
	int saved = errno;

	(void)signal;
	if (running > 0)
		kill(-running, SIGKILL);
	errno = saved;
}

void ct_interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = pass_on, .sa_flags = SA_RESTART };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ASKING; i++) {
		sigaction(asking[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN)
			sigaction(asking[i], &action, NULL);
	}
	action.sa_handler = lose_patience;
	sigaction(SIGALRM, &action, NULL);
}

static void restore(void)
{
	for (size_t i = 0; i < ASKING; i++)
		sigaction(asking[i], &before[i], NULL);
	signal(SIGALRM, SIG_DFL);
}

/* A signal that comes meanwhile waits until it is known whom to pass it on to. */
pid_t ct_interrupt_fork(void)
{
	sigset_t all, mask;
	pid_t child;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		restore();
	} else if (child > 0) {
		setpgid(child, child); /* whoever comes first */
		running = child;
		if (asked)
			kill(-child, SIGKILL);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return child;
}

/* The number of a child is its own until it is reaped, which comes last. */
int ct_interrupt_wait(pid_t child)
{
	siginfo_t info;
	int status = 0;

	while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	if (asked)
		kill(-child, SIGKILL);
	running = 0;
	alarm(0);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

int ct_interrupted(void)
{
	return asked;
}

void ct_interrupt_end(void)
{
	if (!asked)
		return;
	restore();
	raise(asked);
}
