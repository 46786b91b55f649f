/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/tool.h"

#define FIRST_MS 1000
#define EVERY_MS 200
#define WHOLE 1000 /* of a trace: it is counted in thousandths */

static struct {
	size_t traces;
	atomic_size_t done, thousandths;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ending;
	/* of the lock: */
	bool running, shown, eager;
	unsigned long ms; /* since it began */
} progress = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Of the lock. */
static void erase(void)
{
	if (progress.shown)
		fputs("\r\033[K", stderr);
	progress.shown = false;
}

/* Of the lock. One trace has no number; how far it is, is only known of long ones. */
static void show(void)
{
	size_t done = atomic_load(&progress.done), share = atomic_load(&progress.thousandths);
	char count[64] = "", percent[32] = "";

	if (progress.traces > 1)
		snprintf(count, sizeof(count), " %zu of %zu traces,", done, progress.traces);
	if (share && progress.traces)
		snprintf(percent, sizeof(percent), " %zu %%,", share * 100 / WHOLE / progress.traces);
	fprintf(stderr, "\r\033[Kcutrace: analyzed%s%s %lu s", count, percent, progress.ms / 1000);
	fflush(stderr);
	progress.shown = true;
}

/* For tests: show it now, and not only by the clock. */
static void show_eagerly(void)
{
	pthread_mutex_lock(&progress.lock);
	if (progress.running && progress.eager)
		show();
	pthread_mutex_unlock(&progress.lock);
}

/* Wait so long, or until it ends. Of the lock. */
static void wait_for(unsigned long ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (progress.running && pthread_cond_timedwait(&progress.ending, &progress.lock, &until) == 0)
		;
	progress.ms += ms;
}

static void *tick(void *arg)
{
	pthread_mutex_lock(&progress.lock);
	wait_for(FIRST_MS);
	while (progress.running) {
		show();
		wait_for(EVERY_MS);
	}
	erase();
	pthread_mutex_unlock(&progress.lock);
	return arg;
}

static bool wanted(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0 &&
	       !ct_switched_on("CUTRACE_QUIET", false);
}

void ct_progress_begin(size_t traces, bool eager)
{
	pthread_condattr_t attr;
	sigset_t all, before;

	if (!wanted() || progress.running)
		return;
	progress.traces = traces;
	progress.ms = 0;
	progress.eager = eager;
	atomic_store(&progress.done, 0);
	atomic_store(&progress.thousandths, 0);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&progress.ending, &attr);
	pthread_condattr_destroy(&attr);
	sigfillset(&all); /* signals are for those who work */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	progress.running = true;
	if (pthread_create(&progress.thread, NULL, tick, NULL) != 0)
		progress.running = false;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	show_eagerly();
}

void ct_progress_part(void *arg, size_t done, size_t all)
{
	struct ct_progress *trace = arg;
	unsigned now = all ? (unsigned)(done * WHOLE / all) : 0;

	if (now > trace->told)
		atomic_fetch_add(&progress.thousandths, now - trace->told);
	trace->told = now > trace->told ? now : trace->told;
	show_eagerly();
}

void ct_progress_trace(struct ct_progress *trace)
{
	ct_progress_part(trace, 1, 1);
	atomic_fetch_add(&progress.done, 1);
	show_eagerly();
}

void ct_progress_end(void)
{
	bool running;

	pthread_mutex_lock(&progress.lock);
	running = progress.running;
	progress.running = false;
	if (running)
		pthread_cond_signal(&progress.ending);
	pthread_mutex_unlock(&progress.lock);
	if (!running)
		return;
	pthread_join(progress.thread, NULL);
	pthread_cond_destroy(&progress.ending);
}
