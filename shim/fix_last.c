/* SPDX-License-Identifier: Apache-2.0 */
/* What a program's last frees would have waited for is waited for when it exits. */
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#include <stdlib.h>
#include <unistd.h>

#include "shim/fix.h"

static const struct ct_fix_driver *real;
static void *last; /* event of the free deferred last; NULL = none */
static uint64_t number; /* of that free, from 1 */
static pid_t pid;  /* a forked child has our handler, but no CUDA */
static bool exiting;

uint64_t ct_fix_pending(void)
{
	return __atomic_load_n(&ct_fix_counts()->pending, __ATOMIC_ACQUIRE);
}

/* Another free may have been deferred since; then that is pending. */
void ct_fix_drained(uint64_t pending)
{
	if (pending)
		__atomic_compare_exchange_n(&ct_fix_counts()->pending, &pending, 0, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* Returns whether nothing of it is left, be it for a fault: not if the driver has gone away before. */
static bool wait_for(void *event)
{
	int error = real->event_query(event);

	if (error == CUDA_ERROR_NOT_READY) {
		error = real->event_wait(event);
		ct_fix_ends();
	}
	return error != CUDA_ERROR_DEINITIALIZED;
}

static void wait_for_last(void)
{
	uint64_t pending = ct_fix_pending();
	void *event = __atomic_load_n(&last, __ATOMIC_ACQUIRE);
	bool hidden;

	if (!event || pid != getpid())
		return;
	hidden = ct_fix_hide();
	if (!hidden && wait_for(event))
		ct_fix_drained(pending);
	ct_fix_show(hidden);
}

/* Else that work would seem to take no time, or be cut off. */
static void wait_at_exit(void)
{
	__atomic_store_n(&exiting, true, __ATOMIC_RELAXED);
	wait_for_last();
}

bool ct_fix_exiting(void)
{
	return __atomic_load_n(&exiting, __ATOMIC_RELAXED);
}

/*
 * Registered when there is a context, so after the driver's own handler, and called before it. What
 * handlers of the program that come later free is waited for at once.
 */
void ct_fix_last(const struct ct_fix_driver *driver, void *event)
{
	if (!real && event) {
		real = driver;
		pid = getpid();
		atexit(wait_at_exit);
		at_quick_exit(wait_at_exit);
	}
	__atomic_store_n(&last, event, __ATOMIC_RELEASE);
	__atomic_store_n(&ct_fix_counts()->pending, event ? ++number : 0, __ATOMIC_RELEASE);
	if (event && ct_fix_exiting())
		wait_for_last();
}
