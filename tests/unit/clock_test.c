/* SPDX-License-Identifier: Apache-2.0 */
/* The counter, followed, against the clock that it stands for. Linked with --wrap. */
#include "shim/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "tests/unit/unit.h"

#define OFF_NS 20000 /* what clock.c tolerates */

static int interruptions = 3; /* so many calls more are interrupted by a signal */

int __real_open64(const char *name, int flags, mode_t mode);
int __wrap_open64(const char *name, int flags, mode_t mode);

int __wrap_open64(const char *name, int flags, mode_t mode)
{
	if (!interruptions)
		return __real_open64(name, flags, mode);
	interruptions--;
	errno = EINTR;
	return -1;
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void compare_for(uint64_t ns)
{
	uint64_t end = clock_ns() + ns, before, now, after;

	do {
		before = clock_ns();
		now = ct_now_ns();
		after = clock_ns();
		assert_true(now + OFF_NS >= before);
		assert_true(now <= after + OFF_NS);
	} while (after < end);
}

/* Does the kernel keep time by the counter, so that we may? */
static bool counter_is_clock(void)
{
	FILE *source = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");
	char name[16] = "";

	if (source) {
		(void)!fgets(name, sizeof(name), source);
		fclose(source);
	}
	return !strcmp(name, "tsc\n");
}

/* Before there is a line, along several, and after the last one has expired. */
static void follows_clock(void **state)
{
	(void)state;
	ct_clock_init();
	assert_int_equal(interruptions, 0);
	compare_for(20000000);
	for (int i = 0; i < 4; i++) {
		compare_for(100000000);
		ct_clock_follow();
		assert_int_equal(ct_clock_counts(), counter_is_clock());
	}
	compare_for(1000000000);
	assert_true(ct_clock_error_ns() <= OFF_NS);
}

static void expires(void **state)
{
	const struct timespec pause = { .tv_sec = 5 };

	(void)state;
	nanosleep(&pause, NULL);
	assert_false(ct_clock_counts());
	compare_for(10000000);
	ct_clock_follow(); /* from where the clock is now, not from where the line would be */
	compare_for(100000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_clock),
		cmocka_unit_test(expires),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
