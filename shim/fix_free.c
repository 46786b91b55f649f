/* SPDX-License-Identifier: Apache-2.0 */
/* Frees that do not wait: which are deferred, who gets the memory next, when it is given back. */
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#include <pthread.h>
#include <unistd.h>

#include "shim/fix.h"
#include "shim/fix_blocks.h"

/* No more than this part of what was free at first is kept: others may use the device as well. */
#define KEPT_PART 4

static struct ct_fix_driver real;
static bool frees; /* are deferred; set once */
static pid_t pid;  /* a forked child can use no CUDA, and may hold a copy of a taken lock */

/*
 * Of what follows and of the blocks. Held while the driver is asked about events, never while it
 * frees: a free waits for the device.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *context;   /* the only one so far; NULL = none yet */
static unsigned captures;
static uint64_t coming; /* bytes that the driver is being asked for */
static uint64_t kept_most; /* bytes; 0 = not known yet */

static pthread_mutex_t giving = PTHREAD_MUTEX_INITIALIZER; /* one gives back, the others wait */
static uint64_t given;

static bool ours(void)
{
	return pid == getpid();
}

static void count_memory(int64_t live, int64_t held)
{
	struct ct_fix_counts *counts = ct_fix_counts();

	counts->live_bytes += (uint64_t)live;
	counts->held_bytes += (uint64_t)held;
	if (counts->live_bytes + counts->held_bytes > counts->peak_bytes)
		counts->peak_bytes = counts->live_bytes + counts->held_bytes;
	if (counts->live_bytes > counts->own_peak_bytes)
		counts->own_peak_bytes = counts->live_bytes;
}

static bool going_on(void)
{
	return frees && !__atomic_load_n(&ct_fix_counts()->stopped, __ATOMIC_RELAXED);
}

/* Our own calls, hidden. The lock is held, so one at a time. */

static void *current_context(void)
{
	bool hidden = ct_fix_hide();
	void *current = NULL;

	if (real.context_get(&current) != CUDA_SUCCESS)
		current = NULL;
	ct_fix_show(hidden);
	return current;
}

/* Is all done that the context had been given when this block was freed? Never waits. */
static bool done(const struct ct_block *block)
{
	bool hidden = ct_fix_hide();
	int error = real.event_query(block->event);

	ct_fix_show(hidden);
	return error == CUDA_SUCCESS;
}

/* Mark in all that the context has been given. False if that fails, also for an earlier fault. */
static bool mark(struct ct_block *block)
{
	bool hidden = ct_fix_hide();
	int error = block->event ? CUDA_SUCCESS
				 : real.event_create(&block->event, CU_EVENT_DISABLE_TIMING);

	if (error == CUDA_SUCCESS)
		error = real.context_record(context, block->event);
	ct_fix_show(hidden);
	return error == CUDA_SUCCESS;
}

static uint64_t most(void)
{
	size_t free_bytes, total_bytes;
	bool hidden;

	if (kept_most)
		return kept_most;
	hidden = ct_fix_hide();
	if (real.memory_info(&free_bytes, &total_bytes) == CUDA_SUCCESS)
		kept_most = free_bytes / KEPT_PART;
	ct_fix_show(hidden);
	return kept_most;
}

/* If it fails, so will the query that follows. */
static void wait_for(void *event)
{
	bool hidden = ct_fix_hide();

	real.event_wait(event);
	ct_fix_show(hidden);
}

/* Would so much more of its own, and others that are on their way, stay below the bound? */
static bool fits(size_t bytes, uint64_t others)
{
	const struct ct_fix_counts *counts = ct_fix_counts();
	uint64_t live = counts->live_bytes + bytes;
	uint64_t own = live > counts->own_peak_bytes ? live : counts->own_peak_bytes;

	return live + others + counts->held_bytes <=
	       own + (own > CT_FIX_KEPT_LEAST ? own : CT_FIX_KEPT_LEAST);
}

static uint64_t use_again(struct ct_block *block)
{
	ct_blocks_take(block);
	count_memory((int64_t)block->bytes, -(int64_t)block->bytes);
	ct_fix_counts()->mallocs++;
	ct_fix_counts()->reused++;
	return block->at;
}

/*
 * Where an allocation comes from. AGAIN: a deferred block whose time has come. There is no room for
 * another one: LATER, a block once its event has passed; NO_ROOM, the driver once one was freed.
 */
enum source { AGAIN, DRIVER, LATER, NO_ROOM };

/* Returns also, of AGAIN, where the block is, and of LATER, the event. */
static enum source source_of(size_t bytes, bool may_wait, uint64_t *ret_at, void **ret_event)
{
	bool able = going_on() && !captures && context && current_context() == context;
	struct ct_block *block = able ? ct_blocks_oldest(bytes) : NULL;

	if (block && done(block)) {
		*ret_at = use_again(block);
		return AGAIN;
	}
	if (able && !fits(bytes, coming) && ct_blocks_first()) {
		if (!block || !may_wait)
			return NO_ROOM;
		*ret_event = block->event;
		return LATER;
	}
	coming += bytes;
	return DRIVER;
}

/* The block is the driver's again, or soon. */
static void forget(struct ct_block *block)
{
	if (!block->other)
		count_memory(-(int64_t)(block->deferred ? 0 : block->bytes),
			     -(int64_t)(block->deferred ? block->bytes : 0));
	ct_blocks_remove(block);
}

/*
 * The driver has handed out memory. One of the address may be there that was freed unseen. Returns
 * NULL if there is no room for it.
 */
static struct ct_block *track(uint64_t at, size_t bytes)
{
	struct ct_block *block = ct_blocks_find(at);

	if (block)
		forget(block);
	block = ct_blocks_add(at, bytes);
	ct_fix_counts()->untracked += !block;
	return block;
}

static void track_malloc(uint64_t at, size_t bytes)
{
	ct_fix_counts()->mallocs++;
	if (track(at, bytes))
		count_memory((int64_t)bytes, 0);
}

void ct_fix_other(uint64_t at, uint64_t bytes, enum ct_fix_left kind)
{
	struct ct_block *block;

	if (!ours())
		return;
	pthread_mutex_lock(&lock);
	block = track(at, bytes);
	if (block)
		block->other = (uint8_t)kind;
	pthread_mutex_unlock(&lock);
}

void ct_fix_leave(enum ct_fix_left kind)
{
	__atomic_fetch_add(&ct_fix_counts()->left[kind], 1, __ATOMIC_RELAXED);
}

/* Remove the deferred block that was freed first. Returns its address; 0: there is none. */
static uint64_t take_first(void **ret_context)
{
	struct ct_block *block;
	uint64_t at = 0;

	pthread_mutex_lock(&lock);
	block = ct_blocks_first();
	if (block) {
		at = block->at;
		*ret_context = context;
		count_memory(0, -(int64_t)block->bytes);
		ct_blocks_remove(block);
	}
	pthread_mutex_unlock(&lock);
	return at;
}

/* In its own context: the calling thread may have none, or another. */
static void free_there(uint64_t at, void *there)
{
	bool hidden = ct_fix_hide();
	void *popped;

	if (real.context_push(there) == CUDA_SUCCESS) {
		real.release(at);
		real.context_pop(&popped);
	}
	ct_fix_show(hidden);
}

/* The first free waits for the device; those that follow find it idle. */
static void release_first(void)
{
	void *there;
	uint64_t at;

	pthread_mutex_lock(&giving);
	at = take_first(&there);
	if (at) {
		free_there(at, there);
		ct_fix_counts()->released++;
		__atomic_store_n(&given, given + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&giving);
}

/* Returns a deferred block of this size that may be used, or 0: ask the driver. */
static uint64_t used_again(size_t bytes)
{
	bool may_wait = true;
	enum source source;
	uint64_t at = 0;
	void *event;

	for (;;) {
		pthread_mutex_lock(&lock);
		source = source_of(bytes, may_wait, &at, &event);
		ct_fix_counts()->waited += source == LATER;
		pthread_mutex_unlock(&lock);
		if (source == AGAIN || source == DRIVER)
			return at;
		if (source == LATER) {
			wait_for(event); /* then the block is done, unless somebody else has it */
			may_wait = false;
		} else {
			release_first();
		}
	}
}

int ct_fix_malloc(uint64_t *ret, size_t bytes)
{
	uint64_t at;
	void *current;
	int error;

	if (!ret || !ours())
		return real.malloc(ret, bytes);
	at = used_again(bytes);
	if (at) {
		*ret = at;
		return CUDA_SUCCESS;
	}
	error = real.malloc(ret, bytes);
	pthread_mutex_lock(&lock);
	coming -= bytes;
	current = current_context();
	if (error == CUDA_SUCCESS)
		track_malloc(*ret, bytes);
	pthread_mutex_unlock(&lock);
	if (error == CUDA_SUCCESS)
		ct_fix_context(current);
	return error;
}

/*
 * What is to become of a free. TWICE: it is deferred already, the program's mistake, which it is
 * told of as ever. FULL: it is a real one, and all that is deferred goes before it.
 */
enum way { REAL, DEFERRED, TWICE, FULL };

/* Why a block of cuMemAlloc() is not deferred; CT_FIX_LEFTS: it is. */
static enum ct_fix_left defer(struct ct_block *block)
{
	struct ct_fix_counts *counts = ct_fix_counts();

	if (!going_on())
		return CT_FIX_LEFT_STOPPED;
	if (captures)
		return CT_FIX_LEFT_CAPTURED;
	if (block->shared)
		return CT_FIX_LEFT_SHARED;
	if (!context || current_context() != context)
		return CT_FIX_LEFT_CONTEXT;
	if (counts->held_bytes + block->bytes > most())
		return CT_FIX_LEFT_SHARE;
	if (!mark(block))
		return CT_FIX_LEFT_FAULT;
	ct_blocks_defer(block);
	ct_fix_last(&real, block->event);
	counts->deferred++;
	counts->frees++;
	count_memory(-(int64_t)block->bytes, (int64_t)block->bytes);
	return CT_FIX_LEFTS;
}

/* Also, of a real free, what it is to be counted as if it succeeds. */
static enum way way_of(uint64_t at, enum ct_fix_left *ret_left)
{
	struct ct_block *block = ct_blocks_find(at);

	*ret_left = CT_FIX_LEFT_OTHER;
	if (!block)
		return REAL;
	if (block->deferred)
		return TWICE;
	*ret_left = block->other ? (enum ct_fix_left)block->other : defer(block);
	if (*ret_left == CT_FIX_LEFTS)
		return DEFERRED;
	forget(block); /* before the driver can hand the address out again */
	return *ret_left == CT_FIX_LEFT_SHARE ? FULL : REAL;
}

int ct_fix_free(uint64_t at)
{
	enum ct_fix_left left;
	enum way way;
	int error;
	bool over;

	if (!at || !ours())
		return real.free(at);
	pthread_mutex_lock(&lock);
	way = way_of(at, &left);
	over = way == DEFERRED && !fits(0, coming); /* by allocations that were under way all at once */
	pthread_mutex_unlock(&lock);
	if (over)
		release_first();
	if (way == DEFERRED)
		return CUDA_SUCCESS;
	if (way == TWICE)
		return CUDA_ERROR_INVALID_VALUE;
	if (way == FULL)
		ct_fix_give_back(0, CT_FIX_GIVE_SHARE);
	error = real.free(at);
	if (error == CUDA_SUCCESS) {
		pthread_mutex_lock(&lock);
		ct_fix_counts()->frees += left < CT_FIX_LEFT_MANAGED;
		pthread_mutex_unlock(&lock);
		ct_fix_leave(left);
	}
	return error;
}

uint64_t ct_fix_given(void)
{
	return __atomic_load_n(&given, __ATOMIC_ACQUIRE);
}

bool ct_fix_give_back(uint64_t before, enum ct_fix_give why)
{
	bool any = false;
	void *there;
	uint64_t at;

	if (!ours())
		return false;
	pthread_mutex_lock(&giving);
	while ((at = take_first(&there))) {
		free_there(at, there);
		any = true;
	}
	if (any) {
		ct_fix_counts()->given[why]++;
		__atomic_store_n(&given, given + 1, __ATOMIC_RELEASE);
	}
	any = given != before;
	pthread_mutex_unlock(&giving);
	return any;
}

void ct_fix_shares(uint64_t at)
{
	struct ct_block *block;

	if (!ours())
		return;
	pthread_mutex_lock(&lock);
	block = ct_blocks_around(at);
	if (block)
		block->shared = true;
	pthread_mutex_unlock(&lock);
}

/* First the number, then what is deferred: nothing more comes meanwhile. */
void ct_fix_capture_begins(void)
{
	if (!ours())
		return;
	pthread_mutex_lock(&lock);
	captures++;
	pthread_mutex_unlock(&lock);
	ct_fix_give_back(0, CT_FIX_GIVE_CAPTURE);
}

void ct_fix_capture_ends(void)
{
	if (!ours())
		return;
	pthread_mutex_lock(&lock);
	if (captures)
		captures--;
	pthread_mutex_unlock(&lock);
}

/* The lock: no capture begins meanwhile. */
bool ct_fix_mark(void *there, void *event)
{
	bool marked;

	pthread_mutex_lock(&lock);
	marked = !captures && real.context_record && !real.context_record(there, event);
	pthread_mutex_unlock(&lock);
	return marked;
}

void ct_fix_stop(enum ct_fix_stop why)
{
	uint32_t going = CT_FIX_GOES_ON;

	if (!ours() || !frees)
		return;
	pthread_mutex_lock(&lock);
	__atomic_compare_exchange_n(&ct_fix_counts()->stopped, &going, why, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	pthread_mutex_unlock(&lock);
	ct_fix_give_back(0, CT_FIX_GIVE_STOP);
}

void ct_fix_context(void *now)
{
	bool second;

	if (!now || !ours())
		return;
	pthread_mutex_lock(&lock);
	if (!context)
		context = now;
	second = context != now;
	pthread_mutex_unlock(&lock);
	if (second)
		ct_fix_stop(CT_FIX_STOP_CONTEXTS);
}

/* If it does not end after all, its blocks are unknown from now on, so left alone. */
void ct_fix_free_context_ends(void)
{
	if (!ours())
		return;
	ct_fix_give_back(0, CT_FIX_GIVE_CONTEXT);
	pthread_mutex_lock(&lock);
	ct_blocks_clear();
	ct_fix_counts()->live_bytes = ct_fix_counts()->held_bytes = 0;
	context = NULL;
	pthread_mutex_unlock(&lock);
}

void ct_fix_free_start(const struct ct_fix_driver *driver, bool defers)
{
	real = *driver;
	frees = defers;
	pid = getpid();
}
