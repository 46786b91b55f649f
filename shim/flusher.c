/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/flusher.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cupti/session.h"
#include "shim/control.h"
#include "shim/hook.h"
#include "shim/mode.h"
#include "shim/python.h"
#include "shim/shim.h"
#include "shim/thread.h"
#include "trace/flight.h"

#define SECOND_NS 1000000000ull
#define PERIOD_NS SECOND_NS
#define DEADLINE_NS (5 * SECOND_NS)
#define STACK_BYTES (1024 * 1024) /* CUPTI may be started on it */
#define LEAVING_NS (SECOND_NS / 50)

enum { IDLE = 0, RUNG = 1, ASKED = 2, DONE = 3 };

static uint32_t request = IDLE;
static bool running;
static sigset_t program_mask; /* of the thread that started us */

/* Wait until *word is no longer `value`, or the time is up. */
static void wait_word(uint32_t *word, uint32_t value, uint64_t ns)
{
	struct timespec limit = {
		.tv_sec = (time_t)(ns / SECOND_NS),
		.tv_nsec = (long)(ns % SECOND_NS),
	};

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &limit, NULL, 0);
}

static void set_word(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* A thread that traces has taken a spare chunk of the file, a call was long, or somebody asks. */
void ct_flusher_ring(void)
{
	uint32_t idle = IDLE;

	if (__atomic_compare_exchange_n(&request, &idle, RUNG, false, __ATOMIC_RELEASE,
					__ATOMIC_RELAXED))
		syscall(SYS_futex, &request, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

bool ct_flusher_running(void)
{
	return __atomic_load_n(&running, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&request, __ATOMIC_RELAXED) <= RUNG;
}

static void last_flush(void)
{
	ct_cupti_finish();
}

/* At once, as the program may be killed. Such notes add up: each has what is new. */
static void note_clock_error(void)
{
	static uint64_t noted_ns;
	uint64_t error_ns = ct_clock_error_ns();

	if (error_ns > noted_ns &&
	    ct_shim_note(CT_NOTE_CLOCK_ERROR, error_ns - noted_ns,
			 "distance of the processor's counter, as followed, from CLOCK_MONOTONIC"))
		noted_ns = error_ns;
}

/* The first thread stays as a zombie then, and has no memory, so no program that it runs. */
static bool first_has_left(void)
{
	char byte;

	return readlink("/proc/self/exe", &byte, 1) < 0 && errno == ENOENT;
}

/* Threads of the process, a first one that has left included; 0: this system does not say. */
static uint64_t threads(void)
{
	struct stat task; /* it has two links more than threads */

	return stat("/proc/self/task", &task) == 0 && task.st_nlink > 2 ? task.st_nlink - 2 : 0;
}

/*
 * A process ends with its last thread, if none ends it before (pthread_exit(3)). This one must
 * not keep it alive: where only it and what is left of the first are there, it ends as the
 * program's last would, runs the exit handlers with it, and so makes the last flush.
 */
static bool last_one(bool *ret_leaving)
{
	uint64_t left = first_has_left() ? threads() : 0;

	*ret_leaving = left > 0;
	return left == 2;
}

static void become_last(void)
{
	running = false;
	pthread_sigmask(SIG_SETMASK, &program_mask, NULL);
}

/* Until it is to look again: for CUPTI's records, at the mode, at what is asked, whether it is the last. */
static uint64_t period_ns(bool leaving)
{
	uint64_t asked_ns = ct_control_turn(), turn_ns = ct_mode_turn();
	uint64_t most_ns = leaving ? LEAVING_NS : PERIOD_NS;

	most_ns = asked_ns < most_ns ? asked_ns : most_ns;
	return turn_ns < most_ns ? turn_ns : most_ns;
}

static void *run(void *unused)
{
	bool leaving = false;
	struct ct_thread *thread = ct_thread_self();
	uint64_t flushed_ns = ct_now_ns();

	(void)unused;
	if (!thread) {
		running = false; /* nobody waits for it at the end */
		return NULL;
	}
	thread->in_tool = true;
	ct_shim.file.ring = ct_flusher_ring;
	while (__atomic_load_n(&request, __ATOMIC_ACQUIRE) <= RUNG) {
		uint32_t rung = RUNG;

		wait_word(&request, IDLE, period_ns(leaving));
		if (__atomic_compare_exchange_n(&request, &rung, IDLE, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			ct_file_prepare(&ct_shim.file);
		if (rung <= RUNG && ct_now_ns() - flushed_ns >= PERIOD_NS) {
			ct_control_fetch();
			ct_clock_follow();
			note_clock_error();
			ct_hook_note_cost(false);
			ct_flight_sweep(&ct_shim.file);
			flushed_ns = ct_now_ns();
		}
		ct_python_settle();
		if (last_one(&leaving)) {
			become_last();
			return NULL;
		}
	}
	last_flush();
	set_word(&request, DONE);
	return NULL;
}

void ct_flusher_start(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all;

	sigfillset(&all);
	if (pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &program_mask);
	running = true; /* first, as the thread may come to write it (become_last()) */
	if (pthread_create(&thread, &attr, run, NULL) != 0)
		running = false;
	pthread_sigmask(SIG_SETMASK, &program_mask, NULL);
	pthread_attr_destroy(&attr);
	if (running)
		pthread_setname_np(thread, "cutrace");
}

bool ct_flusher_finish(void)
{
	uint64_t deadline = ct_now_ns() + DEADLINE_NS;

	if (!running) {
		last_flush();
		return true;
	}
	set_word(&request, ASKED);
	while (__atomic_load_n(&request, __ATOMIC_ACQUIRE) != DONE && ct_now_ns() < deadline)
		wait_word(&request, ASKED, SECOND_NS);
	return __atomic_load_n(&request, __ATOMIC_ACQUIRE) == DONE;
}
