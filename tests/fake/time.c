/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of the device, and waiting by it. */
#include "engine.h"

#include <time.h>

enum {
	NS_PER_S = 1000000000,
	WAKE_LATE_NS = 60000, /* a sleeper is woken about this late: spin the rest */
};

uint64_t fake_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void fake_sleep_until(uint64_t deadline_ns)
{
	if (deadline_ns > fake_now() + WAKE_LATE_NS) {
		uint64_t wake_ns = deadline_ns - WAKE_LATE_NS;
		struct timespec wake = {
			.tv_sec = (time_t)(wake_ns / NS_PER_S),
			.tv_nsec = (long)(wake_ns % NS_PER_S),
		};

		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL))
			;
	}
	while (fake_now() < deadline_ns)
		;
}

/* The host's own work inside the driver. */
void fake_spend(uint64_t host_ns)
{
	fake_sleep_until(fake_now() + host_ns);
}
