/* SPDX-License-Identifier: Apache-2.0 */
#include "cupti/session.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "cupti/activity.h"
#include "cupti/callbacks.h"
#include "cupti/library.h"
#include "cupti/window.h"

#define CLOCK_TRIES 100
#define FOLLOW_TRIES 20
#define CLOCK_DRIFT_NS 1000    /* what it moved less than that is how we measure */
#define CLOCK_STEP_NS 1000000  /* it did not drift so far in a second: it was set */
#define BUFFER_TRIES 20
#define PAUSE_NS 500000

static const struct ct_cupti_host *host;
static CUpti_SubscriberHandle subscriber;
static bool running; /* subscribed, and at work */
static bool our_clock;         /* CUPTI reads our clock */
static int64_t clock_ahead_ns; /* of ours, if not */

/*
 * Held while CUPTI is started, flushed or given up. CUPTI calls our buffer functions and
 * callbacks meanwhile: those never take it.
 */
static pthread_mutex_t using = PTHREAD_MUTEX_INITIALIZER;

static uint64_t CUPTIAPI timestamp(void)
{
	return host->now_ns();
}

static const char *result_text(CUptiResult result)
{
	const char *text = NULL;

	if (ct_cupti.cuptiGetResultString)
		ct_cupti.cuptiGetResultString(result, &text);
	return text ? text : "unknown CUPTI error";
}

static int explain(CUptiResult result, const char *doing, char *why, size_t size)
{
	switch (result) {
	case CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED:
	case CUPTI_ERROR_MAX_LIMIT_REACHED:
		snprintf(why, size, "another profiler or debugger already uses CUPTI in this "
			 "process; run one tool at a time");
		return -EBUSY;
	case CUPTI_ERROR_INSUFFICIENT_PRIVILEGES:
	case CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES:
		snprintf(why, size, "CUPTI may not be used here (%s); ask the administrator to "
			 "allow GPU profiling for users", result_text(result));
		return -EACCES;
	default:
		snprintf(why, size, "%s failed: %s (CUPTI %u, driver %d: is CUPTI newer than the "
			 "driver?)", doing, result_text(result), ct_cupti.version,
			 ct_cupti.driver_version);
		return -EIO;
	}
}

/*
 * How far CUPTI's clock is ahead of ours: it was read between two readings of ours. Returns
 * the width of the narrowest such bracket, which bounds the error; UINT64_MAX on failure.
 */
static uint64_t measure_clock(int tries, int64_t *ret_ahead_ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < tries; i++) {
		uint64_t before = host->now_ns(), theirs = 0, after;

		if (ct_cupti.cuptiGetTimestamp(&theirs) != CUPTI_SUCCESS)
			return UINT64_MAX;
		after = host->now_ns();
		if (after - before >= best)
			continue;
		best = after - before;
		*ret_ahead_ns = (int64_t)(theirs - before - best / 2);
	}
	return best;
}

/*
 * With our clock in CUPTI the two are the same, but for the time it takes to ask. CUPTI's
 * own is the time of day, which runs at the same rate: its distance is taken off.
 */
static void note_clock(void)
{
	int64_t ahead_ns = 0;
	uint64_t error = measure_clock(CLOCK_TRIES, &ahead_ns);

	if (error == UINT64_MAX)
		return;
	if (our_clock) {
		error += (uint64_t)(ahead_ns < 0 ? -ahead_ns : ahead_ns);
	} else {
		clock_ahead_ns = ahead_ns;
		ct_activity_set_offset(ahead_ns);
	}
	host->note(CT_NOTE_CLOCK_ERROR, error, "distance of CUPTI's clock from CLOCK_MONOTONIC");
}

/* It may drift, or be set while we run: what was fetched since the last look is off then. */
static void follow_clock(void)
{
	int64_t ahead_ns = clock_ahead_ns, moved;
	uint64_t error = our_clock ? UINT64_MAX : measure_clock(FOLLOW_TRIES, &ahead_ns);

	moved = ahead_ns - clock_ahead_ns;
	moved = moved < 0 ? -moved : moved;
	if (error > CLOCK_DRIFT_NS || moved < CLOCK_DRIFT_NS)
		return;
	clock_ahead_ns = ahead_ns;
	ct_activity_set_offset(ahead_ns);
	if (moved >= CLOCK_STEP_NS)
		host->note(CT_NOTE_PARTIAL_CUPTI, 0, "right times of device work in a second or so: "
			   "the system's clock was set by %lld us during the run",
			   (long long)moved / 1000);
}

static bool attribute(CUpti_ActivityAttribute which, size_t *ret)
{
	size_t bytes = sizeof(*ret);

	return ct_cupti.cuptiActivityGetAttribute &&
	       ct_cupti.cuptiActivityGetAttribute(which, &bytes, ret) == CUPTI_SUCCESS;
}

/* CUPTI's settings are all there is to know: its allocations cannot be told from the program's. */
static void note_gpu_memory(void)
{
	size_t bytes, count, limit;

	if (attribute(CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_SIZE, &bytes) &&
	    attribute(CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_PRE_ALLOCATE_VALUE, &count) &&
	    attribute(CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_POOL_LIMIT, &limit))
		host->note(CT_NOTE_GPU_MEMORY, bytes * count, "%zu buffers of %zu bytes, more where work "
			   "comes faster than its times are fetched, up to %zu", count, bytes, limit);
}

/* Once per process and before any kind is enabled: CUPTI's rules for its clock. */
static void set_clock(bool own_clock)
{
	if (ct_cupti.cuptiSetThreadIdType)
		ct_cupti.cuptiSetThreadIdType(CUPTI_ACTIVITY_THREAD_ID_TYPE_SYSTEM);
	our_clock = own_clock && ct_cupti.cuptiActivityRegisterTimestampCallback &&
		    ct_cupti.cuptiActivityRegisterTimestampCallback(timestamp) == CUPTI_SUCCESS;
}

/* CUPTI is somebody else's from now on. */
static void unsubscribe(void)
{
	if (ct_cupti.cuptiUnsubscribe)
		ct_cupti.cuptiUnsubscribe(subscriber);
	if (ct_cupti.cuptiSetThreadIdType)
		ct_cupti.cuptiSetThreadIdType(CUPTI_ACTIVITY_THREAD_ID_TYPE_DEFAULT);
	if (ct_cupti.cuptiActivityEnableAllSyncRecords)
		ct_cupti.cuptiActivityEnableAllSyncRecords(1);
}

static int start(const struct ct_cupti_setup *setup, char *why, size_t why_size)
{
	CUptiResult result;
	int r;

	if (!setup->wanted())
		return -ECANCELED;
	host->note(CT_NOTE_DRIVER_VERSION, (uint64_t)ct_cupti.driver_version, "CUDA driver");
	ct_windows_begin(setup->mode); /* before another thread's call is seen */
	result = ct_cupti.cuptiSubscribe(&subscriber, ct_callbacks_handle, NULL);
	if (result != CUPTI_SUCCESS)
		return explain(result, "cuptiSubscribe", why, why_size);
	set_clock(setup->own_clock);
	ct_callbacks_enable(subscriber, host, setup->mode == CT_MODE_FULL);
	r = ct_activity_enable(host, setup->graph_nodes, setup->mode);
	if (r < 0) {
		ct_activity_disable();
		unsubscribe(); /* the program may want it */
		return explain(CUPTI_ERROR_UNKNOWN, "enabling device records", why, why_size);
	}
	note_clock();
	note_gpu_memory();
	/* last: it says from when on there are device times */
	host->note(CT_NOTE_CUPTI_VERSION, ct_cupti.version, "%s", ct_cupti.path);
	__atomic_store_n(&running, true, __ATOMIC_RELAXED);
	return 0;
}

int ct_cupti_start(const struct ct_cupti_host *to, const struct ct_cupti_setup *setup, char *why,
		   size_t why_size)
{
	int r;

	host = to;
	if (!setup->wanted())
		return -ECANCELED;
	r = ct_cupti_load(setup->library, why, why_size); /* unlocked: who waits may be in dlopen() */
	if (r < 0)
		return r;
	pthread_mutex_lock(&using);
	r = start(setup, why, why_size);
	pthread_mutex_unlock(&using);
	return r;
}

bool ct_cupti_in_use(void)
{
	return __atomic_load_n(&running, __ATOMIC_RELAXED);
}

static bool leaving_launches; /* their callbacks are to be disabled */

/* Not before it is known which calls were the last: see ct_windows_settled(). */
static void leave_launches(void)
{
	if (!leaving_launches || !ct_windows_settled())
		return;
	leaving_launches = false;
	ct_callbacks_switch(subscriber, false);
}

void ct_cupti_flush(void)
{
	pthread_mutex_lock(&using);
	if (running) {
		ct_cupti.cuptiActivityFlushAll(0);
		follow_clock();
		leave_launches();
	}
	pthread_mutex_unlock(&using);
}

/*
 * To full, callbacks first: the caller opens no calls for them yet, so no call is recorded
 * whose work is not. To less in the reverse order, for the same reason.
 */
int ct_cupti_switch(enum ct_mode mode)
{
	int r = 0;

	pthread_mutex_lock(&using);
	if (running && mode == CT_MODE_FULL) {
		leaving_launches = false;
		ct_callbacks_switch(subscriber, true);
		r = ct_activity_switch(mode);
	} else if (running) {
		ct_cupti.cuptiActivityFlushAll(0);
		ct_activity_switch(mode);
	}
	if (running && (mode != CT_MODE_FULL || r < 0)) {
		leaving_launches = true;
		leave_launches();
	}
	r = running ? r : -ENODEV;
	pthread_mutex_unlock(&using);
	return r;
}

/* Fetch everything and have no more recorded. */
static void stop(void)
{
	size_t dropped = 0;

	ct_cupti.cuptiActivityFlushAll(0);
	ct_activity_disable();
	ct_cupti.cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
	if (ct_cupti.cuptiActivityGetNumDroppedRecords(NULL, 0, &dropped) == CUPTI_SUCCESS && dropped)
		host->lose(CT_LOSS_CUPTI, dropped);
}

void ct_cupti_finish(void)
{
	pthread_mutex_lock(&using);
	if (running)
		stop();
	pthread_mutex_unlock(&using);
}

/* The buffers that CUPTI has are ours: take them back, while it is quick. */
static void take_buffers(void)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	for (int i = 0; i < BUFFER_TRIES && ct_activity_outstanding(); i++) {
		nanosleep(&pause, NULL);
		ct_cupti.cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
	}
	if (ct_activity_outstanding())
		host->note(CT_NOTE_INFO, ct_activity_outstanding(),
			   "CUPTI kept buffers of ours when it was given up");
}

bool ct_cupti_yield(void (*before)(void), void (*last)(void))
{
	bool ours;

	pthread_mutex_lock(&using);
	ours = running && ct_cupti.cuptiUnsubscribe;
	if (ours) {
		before();
		ct_activity_leave();
		stop();
		take_buffers();
		last();
		unsubscribe();
		__atomic_store_n(&running, false, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&using);
	return ours;
}
