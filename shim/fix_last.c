/* SPDX-License-Identifier: Apache-2.0 */
/* What a program's last frees would have waited for is waited for when it exits. */
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#include <stdlib.h>
#include <unistd.h>

#include "shim/fix.h"

static const struct ct_fix_driver *real;
static void *last; /* event of the free deferred last; NULL = none */
static pid_t pid;  /* a forked child has our handler, but no CUDA */
static bool exiting;

static void wait_for_last(void)
{
	void *event = __atomic_load_n(&last, __ATOMIC_ACQUIRE);
	bool hidden;

	if (!event || pid != getpid())
		return;
	hidden = ct_fix_hide();
	if (!hidden && real->event_query(event) == CUDA_ERROR_NOT_READY &&
	    real->event_wait(event) == CUDA_SUCCESS)
		ct_fix_ends();
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
	if (event && ct_fix_exiting())
		wait_for_last();
}
