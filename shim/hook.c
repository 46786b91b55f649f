/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/hook.h"

#include "shim/log.h"
#include "shim/mode.h"
#include "shim/shim.h"
#include "shim/stack.h"
#include "shim/thread.h"
#include "shim/totals.h"
#include "trace/flight.h"

#define TIMED_EVERY 64 /* not the first ones, whose stacks are new */

/* What recording the calls that were timed took, since the last note. */
static struct {
	uint64_t ns, calls;
} cost;

/* Outside of what the call itself is said to have taken: before it began and since it ended. */
static void add_cost(const struct ct_thread *thread, const struct ct_call *call)
{
	uint64_t before = call->enter_ns > thread->timed_ns ? call->enter_ns - thread->timed_ns : 0;

	__atomic_fetch_add(&cost.ns, before + ct_now_ns() - call->leave_ns, __ATOMIC_RELAXED);
	__atomic_fetch_add(&cost.calls, 1, __ATOMIC_RELAXED);
}

void ct_hook_note_cost(bool last)
{
	static uint64_t noted;
	uint64_t calls = __atomic_load_n(&cost.calls, __ATOMIC_RELAXED);

	if (!calls || (!last && calls < noted))
		return;
	calls = __atomic_exchange_n(&cost.calls, 0, __ATOMIC_RELAXED);
	noted += calls;
	ct_shim_note(CT_NOTE_OWN_COST, __atomic_exchange_n(&cost.ns, 0, __ATOMIC_RELAXED), "%llu",
		     (unsigned long long)calls);
}

static struct ct_call *open_call(struct ct_thread *thread, enum ct_api api, enum ct_origin origin)
{
	struct ct_call *call = &thread->call;

	/* first: from here on a signal handler's calls find it taken */
	thread->in_call = true;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ct_writer_expect(&thread->writer);
	*call = (struct ct_call){
		.api = (uint16_t)api,
		.origin = (uint8_t)origin,
		.stream = CT_STREAM_NONE,
	};
	thread->timed_ns = ++thread->opened % TIMED_EVERY ? 0 : ct_now_ns();
	thread->sets_up = CT_SETS_UP(ct_apis[api].effects);
	return call;
}

/*
 * The report is made already and cannot know of this call; a report made later does. Of the
 * driver's calls a static runtime makes its own at the end: no news to the user.
 */
static void lose_late(enum ct_origin origin)
{
	struct ct_thread *thread = ct_thread_peek();

	ct_file_lose(&ct_shim.file, CT_LOSS_LATE, 1);
	if (thread && thread->ending && !thread->said_late && origin != CT_ORIGIN_ENTRY) {
		thread->said_late = true;
		ct_warn("CUDA calls of exit handlers came after the report and are not in it; "
			"`cutrace report %s` counts them", ct_shim.directory);
	}
}

/* Opened by a wrapper, which will close it; else a callback does. */
static bool of_wrapper(const struct ct_call *call)
{
	return call->origin == CT_ORIGIN_PLT || call->origin == CT_ORIGIN_ENTRY;
}

static bool cupti_leaving, cupti_gone;

void ct_hook_cupti_leaving(void)
{
	__atomic_store_n(&cupti_leaving, true, __ATOMIC_RELEASE);
}

void ct_hook_cupti_gone(void)
{
	__atomic_store_n(&cupti_gone, true, __ATOMIC_RELEASE);
}

/* CUPTI opened this call and was given up before it could say that it ended. */
static bool cut(const struct ct_thread *thread)
{
	return thread->in_call && !thread->in_tool && !of_wrapper(&thread->call) &&
	       __atomic_load_n(&cupti_gone, __ATOMIC_ACQUIRE);
}

/* CUPTI opened this call, and the callback that would close it was then switched off. */
static bool abandoned(const struct ct_thread *thread)
{
	return thread->in_call && !thread->in_tool && !of_wrapper(&thread->call) &&
	       ct_mode_cut(&thread->call);
}

/* What the runtime or cutrace calls in the driver is part of the call that is open. */
static bool part_of_open(const struct ct_thread *thread, enum ct_origin origin)
{
	return origin == CT_ORIGIN_ENTRY &&
	       (thread->in_tool || thread->call.origin != CT_ORIGIN_ENTRY);
}

/* Start if need be. The mode is known only then: is this call, too, one to leave alone? */
static bool start_for(enum ct_api api, enum ct_origin origin)
{
	if (ct_shim_alive())
		return true;
	if (ct_shim_start())
		return !ct_mode_leaves(ct_apis[api].effects);
	if (ct_shim_closed())
		lose_late(origin);
	else if (ct_shim_starting())
		ct_shim_miss(origin == CT_ORIGIN_ENTRY);
	return false;
}

struct ct_call *ct_hook_open(enum ct_api api, enum ct_origin origin)
{
	struct ct_thread *thread;

	if (!start_for(api, origin))
		return NULL;
	thread = ct_thread_self();
	if (!thread)
		return NULL;
	if (cut(thread)) {
		ct_file_lose(&ct_shim.file, CT_LOSS_CUT, 1);
		thread->in_call = false;
	}
	if (abandoned(thread))
		thread->in_call = false;
	if (thread->in_call || thread->in_tool) {
		thread->sets_up |= CT_SETS_UP(ct_apis[api].effects);
		if (!part_of_open(thread, origin))
			ct_file_lose(&ct_shim.file, CT_LOSS_NESTED, 1);
		return NULL;
	}
	return open_call(thread, api, origin);
}

void ct_hook_begin(struct ct_call *call)
{
	call->enter_ns = ct_now_ns();
}

void ct_hook_end(struct ct_call *call)
{
	call->leave_ns = ct_now_ns();
}

/*
 * Tells apart the ways into here, as walk.c wants it: a wrapper has one frame size. What
 * is launched, too, as callbacks do not know their site and launches come from many.
 */
static uint64_t way(const struct ct_call *call, const void *site)
{
	uint64_t what = ct_apis[call->api].effects & CT_LAUNCH ? call->addr : 0;

	return (uintptr_t)site ^ what << 8 ^ (uint64_t)call->api << 48 ^ (uint64_t)call->origin << 60;
}

/* Calls of a thread do not overlap, and none ends before it began: see clock.h. */
static void put_in_order(struct ct_thread *thread, struct ct_call *call)
{
	if (__builtin_expect(call->enter_ns < thread->closed_ns, 0))
		call->enter_ns = thread->closed_ns;
	if (__builtin_expect(call->leave_ns < call->enter_ns, 0))
		call->leave_ns = call->enter_ns;
	thread->closed_ns = call->leave_ns;
}

__attribute__((noinline)) void ct_hook_close(struct ct_call *call, int error, const void *site)
{
	struct ct_thread *thread = ct_thread_peek();

	thread->in_tool = true;
	call->error = (int16_t)error;
	put_in_order(thread, call);
	call->stack = ct_stack_take(thread, way(call, site));
	ct_writer_put(&thread->writer, CT_RECORD_CALL, call);
	ct_mode_watch(call, thread->sets_up);
	if (ct_flight_on(&ct_shim.file))
		ct_totals_add(thread, call);
	if (__builtin_expect(thread->timed_ns != 0, 0))
		add_cost(thread, call);
	thread->in_call = false;
	thread->in_tool = false;
}

struct ct_call *ct_hook_cupti_enter(enum ct_api api, enum ct_origin origin, uint32_t correlation,
				    uint32_t context)
{
	struct ct_thread *thread;
	struct ct_call *call;

	if (!ct_shim_alive())
		return NULL;
	thread = ct_thread_self();
	if (!thread || thread->in_tool)
		return NULL;
	call = &thread->call;
	if (abandoned(thread))
		thread->in_call = false;
	if (thread->in_call) {
		/* code may be loaded first, under an id of its own: the call's own id is what counts */
		if (of_wrapper(call) && (!call->correlation || call->api == api)) {
			call->correlation = correlation;
			call->flags |= CT_CALL_CUPTI_SEEN;
		}
		if (!call->context)
			call->context = context;
		thread->sets_up |= CT_SETS_UP(ct_apis[api].effects);
		return NULL;
	}
	if (__atomic_load_n(&cupti_leaving, __ATOMIC_ACQUIRE) || ct_mode_leaves(ct_apis[api].effects))
		return NULL;
	call = open_call(thread, api, origin);
	call->correlation = correlation;
	call->context = context;
	return call;
}

/*
 * Did this call load us? One of a kind that the light mode leaves alone did not: its
 * callback was not enabled then, but was since, in the middle of the call.
 */
static bool loaded_us(const struct ct_thread *thread, enum ct_api api, enum ct_origin origin)
{
	return !thread->in_call && thread->injected_ns && origin == CT_ORIGIN_RUNTIME &&
	       (ct_shim.options.mode == CT_LEVEL_FULL || !CT_LEFT_BY_LIGHT(ct_apis[api].effects));
}

/* The call that loaded us: it began, at the latest, when the driver injected us. */
static struct ct_call *first_call(struct ct_thread *thread, enum ct_api api, enum ct_origin origin,
				  uint32_t correlation)
{
	struct ct_call *call = open_call(thread, api, origin);

	call->correlation = correlation;
	call->flags = CT_CALL_LATE_ENTER;
	call->enter_ns = thread->injected_ns;
	thread->injected_ns = 0;
	return call;
}

struct ct_call *ct_hook_cupti_exit(enum ct_api api, enum ct_origin origin, uint32_t correlation,
				   uint32_t context)
{
	struct ct_thread *thread = ct_thread_peek();
	struct ct_call *call;

	if (!thread || thread->in_tool || !ct_shim_alive())
		return NULL;
	call = &thread->call;
	if (loaded_us(thread, api, origin))
		call = first_call(thread, api, origin, correlation);
	else if (!thread->in_call || of_wrapper(call) || call->api != api ||
		 call->correlation != correlation)
		return NULL;
	if (!call->context)
		call->context = context;
	ct_hook_end(call);
	return call;
}
