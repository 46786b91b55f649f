/* SPDX-License-Identifier: Apache-2.0 */
/* How cutrace gets into a process: the constructor, and the driver's injection hook. */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "shim/inject.h"

#include "cupti/session.h"
#include "shim/entry.h"
#include "shim/exits.h"
#include "shim/fix_linked.h"
#include "shim/flusher.h"
#include "shim/hook.h"
#include "shim/log.h"
#include "shim/mode.h"
#include "shim/nvtx.h"
#include "shim/self.h"
#include "shim/shim.h"
#include "shim/thread.h"
#include "shim/yield.h"
#include "trace/keep.h"

#define INJECTION_VARIABLE "CUDA_INJECTION64_PATH"

static bool taken_by_other; /* another tool has the driver's injection slot */
static bool injected;       /* the driver called us */

/*
 * LD_PRELOAD puts this library into every shell and compiler a program starts, so
 * nothing happens here but telling the driver where we are, should it ever load.
 */
__attribute__((constructor)) static void constructor(void)
{
	const char *before = getenv(INJECTION_VARIABLE);
	Dl_info info;

	if (getauxval(AT_SECURE) || !ct_self_first() || !dladdr((void *)ct_shim_start, &info))
		return;
	if (!before || !*before)
		setenv(INJECTION_VARIABLE, info.dli_fname, 1);
	else
		taken_by_other = strcmp(before, info.dli_fname) != 0;
	ct_nvtx_offer(info.dli_fname);
	ct_fix_linked();
}

/* A program that used CUDA and of which we saw nothing must not look like one without CUDA. */
__attribute__((destructor)) static void destructor(void)
{
	void *driver;

	ct_fix_linked_end();
	if (ct_shim_alive() || ct_shim_closed() || !taken_by_other)
		return;
	driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
	if (driver)
		ct_warn("nothing was recorded although CUDA was used: " INJECTION_VARIABLE
			" belongs to another tool; unset it, or run that tool separately");
}

/* Say in the trace and to the user that there will be no device times, and why. */
static void explain_blindness(const char *why)
{
	ct_shim_note(CT_NOTE_NO_CUPTI, 0, "%s", why);
	ct_warn("no device times, only when the host called what: %s", why);
}

void ct_inject_explain(void)
{
	if (injected)
		return;
	explain_blindness(taken_by_other
			  ? INJECTION_VARIABLE " belongs to another tool, so the driver did not "
			    "load cutrace; unset it"
			  : "the CUDA driver was never initialised (no driver or device, or no call "
			    "that needed it); `cutrace doctor` says more");
}

static bool put(enum ct_record_type type, const void *record)
{
	struct ct_thread *thread = ct_thread_self();

	return thread && ct_keep_put(&thread->writer, type, record);
}

static void *reserve(uint32_t bytes)
{
	struct ct_thread *thread = ct_thread_self();

	return thread ? ct_keep_reserve(&thread->writer, bytes) : NULL;
}

static void lose(enum ct_loss what, uint64_t n)
{
	ct_file_lose(&ct_shim.file, what, n);
}

/* CUPTI runs our code on threads of its own choosing; calls made there are not the program's. */
static void close_call(struct ct_call *call, int error)
{
	ct_hook_close(call, error, NULL);
}

static const struct ct_cupti_host host = {
	.enter = ct_hook_cupti_enter,
	.begin = ct_hook_begin,
	.exit = ct_hook_cupti_exit,
	.close = close_call,
	.put = put,
	.reserve = reserve,
	.commit = ct_writer_commit,
	.lose = lose,
	.note = ct_shim_note,
	.now_ns = ct_now_ns,
};

/* Nobody can start or give up CUPTI while this is asked. */
static bool still_ours(void)
{
	return ct_shim.options.cupti == CT_CUPTI_ON || !ct_yield_first_use();
}

static int start_cupti(void)
{
	const struct ct_cupti_setup setup = {
		.library = ct_shim.options.cupti_library,
		.graph_nodes = ct_shim.options.graph_nodes,
		.own_clock = ct_shim.options.cupti == CT_CUPTI_ON,
		.mode = ct_mode(),
		.wanted = still_ours,
	};
	char why[512];
	int r = ct_cupti_start(&host, &setup, why, sizeof(why));

	if (r == -ECANCELED)
		ct_shim_note(CT_NOTE_NO_CUPTI, 0, "the program's own profiler uses CUPTI since before "
			     "%s (%s)", ct_shim.options.cupti == CT_CUPTI_LATE ?
			     "the first window" : "the first CUDA call", ct_yield_first_use());
	else if (r < 0)
		explain_blindness(why);
	ct_exits_arm(); /* again, now that CUPTI is loaded: before its destructors run */
	return r;
}

/* Quiet first: if the program takes CUPTI at once, they record again, and that must stay. */
static void start_at_once(void)
{
	ct_entry_decide(CT_ENTRY_QUIET);
	if (start_cupti() < 0)
		ct_entry_decide(CT_ENTRY_RECORDS);
}

static void begin(void)
{
	if (ct_cupti_at_start(ct_shim.options.cupti))
		start_at_once();
	else if (ct_shim.options.cupti == CT_CUPTI_OFF)
		ct_shim_note(CT_NOTE_NO_CUPTI, 0, "%s", ct_shim.options.mode == CT_LEVEL_LIGHT ?
			     "CUPTI is switched off in the light mode, as it would slow down every launch; "
			     "CUTRACE_CUPTI=on uses it all the same" :
			     "CUPTI was switched off (CUTRACE_CUPTI=off)");
}

static bool tried_late;

bool ct_inject_pending(void)
{
	return ct_shim.options.cupti == CT_CUPTI_LATE && !tried_late &&
	       __atomic_load_n(&injected, __ATOMIC_ACQUIRE);
}

void ct_inject_late(void)
{
	tried_late = true;
	start_cupti();
}

/* Time that our start took inside the call of the program that caused it. */
static void record_start_cost(struct ct_thread *thread, uint64_t start_ns)
{
	struct ct_overhead cost = {
		.start_ns = start_ns,
		.end_ns = ct_now_ns(),
		.tid = thread->tid,
		.kind = CT_OVERHEAD_CUTRACE,
	};

	put(CT_RECORD_OVERHEAD, &cost);
}

__attribute__((visibility("default"))) int InitializeInjection(void);

static bool too_early;

/* Called once by the driver, inside the first cuInit(), before any context exists. */
int InitializeInjection(void)
{
	static uint32_t once;
	uint64_t start_ns = ct_now_ns();
	struct ct_thread *thread;

	ct_fix_linked();
	if (!ct_shim_start()) {
		too_early = ct_shim_starting();
		return 1;
	}
	if (__atomic_exchange_n(&once, 1, __ATOMIC_RELAXED))
		return 1;
	__atomic_store_n(&injected, true, __ATOMIC_RELEASE);
	thread = ct_thread_self();
	if (!thread)
		return 1;
	thread->in_tool = true;
	begin();
	record_start_cost(thread, start_ns);
	if (!thread->in_call && ct_cupti_at_start(ct_shim.options.cupti) &&
	    ct_mode() != CT_MODE_OFF)
		thread->injected_ns = start_ns;
	thread->sets_up = true;
	thread->in_tool = false;
	if (ct_inject_pending() && ct_mode() == CT_MODE_FULL)
		ct_flusher_ring(); /* a window has begun before */
	return 1;
}

void ct_inject_deferred(struct ct_thread *thread)
{
	if (!too_early)
		return;
	InitializeInjection();
	thread->injected_ns = 0; /* not inside the call that the program is about to make */
	thread->in_tool = true;
}
