/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/control.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cupti/session.h"
#include "shim/flusher.h"
#include "shim/log.h"
#include "shim/mode.h"
#include "shim/modules.h"
#include "shim/shim.h"
#include "shim/thread.h"

#define SLICE_NS 50000000        /* a waiting thread looks so often whether there is anybody to wait for */
#define DEADLINE_NS 10000000000u /* starting CUPTI may take a second or two */

#define ATTENTIVE_NS 3000000000u /* for so long after an ask the next is looked for more often */
#define LOOK_NS 50000000

static uint64_t attentive_ns;        /* until then */
static uint64_t due_ns = UINT64_MAX; /* when recording begins by itself */
static uint32_t signals;             /* that have come */
static pid_t taken_by;               /* the process that they are for */
static uint32_t profiler;            /* the last call: a number << 1 | is it a start; 0 = none */
static uint32_t profiler_done;       /* the last one that was carried out */
static bool in_vain;                 /* somebody waited for that too long: nobody else is to */

static struct ct_control *header(void)
{
	return &ct_shim.file.header->control;
}

/* Words for `cutrace ctl status`. Nothing here reads them. */
static void publish(void)
{
	static uint32_t was = UINT32_MAX;
	static uint64_t windows, since_ns;
	uint32_t mode = ct_mode();
	uint64_t now_ns = ct_now_ns();

	if (mode != was) {
		windows += mode != CT_MODE_OFF && (was == CT_MODE_OFF || was == UINT32_MAX);
		since_ns = now_ns;
		was = mode;
	}
	__atomic_store_n(&header()->windows, windows, __ATOMIC_RELAXED);
	__atomic_store_n(&header()->since_ns, since_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&header()->mode, mode, __ATOMIC_RELAXED);
	__atomic_store_n(&header()->beat_ns, now_ns, __ATOMIC_RELEASE);
}

/* In a child, which has inherited the handler: what the signal does to a program without us. */
static void end_child(int number)
{
	const struct sigaction theirs = { .sa_handler = SIG_DFL };

	sigaction(number, &theirs, NULL);
	raise(number); /* comes as the handler returns */
}

/* The program may be anywhere, and this on its thread: only what signal-safety(7) allows. */
static void on_signal(int number)
{
	int saved = errno;

	if (getpid() != taken_by) {
		end_child(number);
	} else if (ct_shim_alive()) {
		__atomic_fetch_add(&signals, 1, __ATOMIC_RELAXED);
		ct_flusher_ring();
	}
	errno = saved;
}

static void take_signal(int number)
{
	struct sigaction ours = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK };
	struct sigaction theirs;

	if (sigaction(number, NULL, &theirs) < 0 || theirs.sa_handler != SIG_DFL) {
		ct_warn("%s is the program's own and stays so; `cutrace ctl %s start` begins recording",
			number == SIGUSR1 ? "SIGUSR1" : "SIGUSR2", ct_shim.directory);
		return;
	}
	taken_by = getpid();
	sigemptyset(&ours.sa_mask);
	sigaction(number, &ours, NULL);
}

void ct_control_start(void)
{
	const struct ct_start_setting *start = &ct_shim.options.start;
	uint64_t now_ns = ct_now_ns();

	publish();
	if (start->by == CT_START_DELAY && start->delay_ns < UINT64_MAX - now_ns)
		due_ns = now_ns + start->delay_ns;
	if (start->signal)
		take_signal(start->signal);
}

/* Whoever has a say in it ends the waiting for a time. */
static int record(bool on)
{
	due_ns = UINT64_MAX;
	return ct_mode_record(on);
}

void ct_control_fetch(void)
{
	if (!ct_cupti_in_use())
		return;
	ct_cupti_flush();
	__atomic_store_n(&header()->fetched_ns, ct_now_ns(), __ATOMIC_RELAXED);
}

/* The trace as it is now, for a report: stacks need to know where code was loaded. */
static int fetch(void)
{
	ct_control_fetch();
	ct_modules_refresh();
	return 0;
}

static int answer(enum ct_ask what)
{
	switch (what) {
	case CT_ASK_START:
		return record(true);
	case CT_ASK_STOP:
		return record(false);
	case CT_ASK_FETCH:
		return fetch();
	default:
		return -EINVAL;
	}
}

/* One ask a turn, whatever is written there, and however often. */
static void answer_ask(void)
{
	static uint32_t answered;
	uint32_t ask = __atomic_load_n(&header()->ask, __ATOMIC_ACQUIRE);

	if (ask == answered)
		return;
	answered = ask;
	__atomic_store_n(&header()->result, answer((enum ct_ask)CT_ASK_WHAT(ask)), __ATOMIC_RELAXED);
	publish();
	attentive_ns = ct_now_ns() + ATTENTIVE_NS;
	__atomic_store_n(&header()->answer, ask, __ATOMIC_RELEASE);
}

static void answer_profiler(void)
{
	uint32_t word = __atomic_load_n(&profiler, __ATOMIC_ACQUIRE);

	if (word == profiler_done)
		return;
	record(word & 1);
	__atomic_store_n(&in_vain, false, __ATOMIC_RELAXED);
	__atomic_store_n(&profiler_done, word, __ATOMIC_RELEASE);
	syscall(SYS_futex, &profiler_done, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Two that came before we looked undo each other. */
static void answer_signals(void)
{
	if (__atomic_exchange_n(&signals, 0, __ATOMIC_RELAXED) % 2)
		record(ct_mode() == CT_MODE_OFF);
}

uint64_t ct_control_turn(void)
{
	uint64_t now_ns = ct_now_ns(), next_ns;

	if (now_ns >= due_ns)
		record(true);
	answer_signals();
	answer_profiler();
	answer_ask();
	publish();
	next_ns = due_ns == UINT64_MAX ? UINT64_MAX : due_ns > now_ns ? due_ns - now_ns : 0;
	return now_ns < attentive_ns && next_ns > LOOK_NS ? LOOK_NS : next_ns;
}

/* Returns this call's word. */
static uint32_t ask_for(bool on)
{
	uint32_t old = __atomic_load_n(&profiler, __ATOMIC_RELAXED), word;

	do
		word = (old | 1) + 1 + on; /* the next number */
	while (!__atomic_compare_exchange_n(&profiler, &old, word, true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED));
	return word;
}

/* Until it, or one that came later, is done; or nobody is left who could. */
static void await(uint32_t word)
{
	const struct timespec slice = { .tv_nsec = SLICE_NS };
	uint64_t deadline_ns = ct_now_ns() + DEADLINE_NS;

	while (ct_shim_alive() && ct_flusher_running() && !__atomic_load_n(&in_vain, __ATOMIC_RELAXED)) {
		uint32_t done = __atomic_load_n(&profiler_done, __ATOMIC_ACQUIRE);

		if ((int32_t)(done - word) >= 0)
			return;
		if (ct_now_ns() >= deadline_ns)
			__atomic_store_n(&in_vain, true, __ATOMIC_RELAXED);
		else
			syscall(SYS_futex, &profiler_done, FUTEX_WAIT_PRIVATE, done, &slice, NULL, 0);
	}
}

void ct_control_profiler(bool on)
{
	struct ct_thread *thread;
	int saved = errno;

	if (!ct_shim_start() || ct_shim.options.start.by != CT_START_API)
		return;
	thread = ct_thread_peek();
	if (!(thread && thread->in_tool)) { /* or a signal's handler interrupted us */
		uint32_t word = ask_for(on);

		ct_flusher_ring();
		await(word);
	}
	errno = saved;
}
