/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/once.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* No thread has such an id, so the half that is waited for tells it, too. */
#define DONE UINT32_MAX
#define GIVEN_UP (UINT32_MAX - 1)

uint64_t ct_once_patience_ns = 10000000000u;

static uint64_t self(void)
{
	return (uint64_t)getpid() << 32 | (uint32_t)syscall(SYS_gettid);
}

/* The half that has the thread's id: all our machines are little-endian. */
static uint32_t *low_half(ct_once_state *state)
{
	return (uint32_t *)state;
}

/* One step, so that a handler that comes before it is first itself, and one after it knows. */
static bool take(ct_once_state *state, uint64_t *seen, uint64_t me)
{
	return __atomic_compare_exchange_n(state, seen, me, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_ACQUIRE);
}

/* Until it is not `seen` any more, or somebody wakes us in vain, or patience is at its end. */
static uint64_t await(ct_once_state *state, uint64_t seen)
{
	const struct timespec patience = {
		.tv_sec = (time_t)(ct_once_patience_ns / 1000000000u),
		.tv_nsec = (long)(ct_once_patience_ns % 1000000000u),
	};
	bool late = syscall(SYS_futex, low_half(state), FUTEX_WAIT_PRIVATE, (uint32_t)seen, &patience,
			    NULL, 0) < 0 && errno == ETIMEDOUT;

	if (late && __atomic_compare_exchange_n(state, &seen, GIVEN_UP, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
		syscall(SYS_futex, low_half(state), FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	return __atomic_load_n(state, __ATOMIC_ACQUIRE);
}

bool ct_once(ct_once_state *state, void (*run)(void))
{
	uint64_t seen = __atomic_load_n(state, __ATOMIC_ACQUIRE), me;

	if (seen == DONE)
		return true;
	me = self();
	seen = 0;
	if (take(state, &seen, me)) {
		run();
		__atomic_store_n(state, DONE, __ATOMIC_RELEASE);
		syscall(SYS_futex, low_half(state), FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
		return true;
	}
	while (seen != DONE) {
		if (seen == me || seen == GIVEN_UP || seen >> 32 != me >> 32)
			return false;
		seen = await(state, seen);
	}
	return true;
}

bool ct_once_given_up(const ct_once_state *state)
{
	return __atomic_load_n(state, __ATOMIC_RELAXED) == GIVEN_UP;
}

bool ct_once_inside(const ct_once_state *state)
{
	uint64_t seen = __atomic_load_n(state, __ATOMIC_RELAXED);

	return seen && seen != DONE && seen == self();
}
