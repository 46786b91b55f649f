/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define SECOND_NS 1000000000u
#define VALID_SECONDS 4    /* without a new line for so long, the clock itself is read */
#define ERROR_MAX_NS 20000 /* a line that was so far off: the counter is not what we think */
#define TRIES 8

/* One reading of both, as close to each other as could be had. */
struct reading {
	uint64_t ticks, ns;
};

/*
 * ns = from.ns + (ticks - from.ticks) * slope / 2^32. A reader that finds the version changed,
 * odd or 0 reads the clock instead: nobody ever waits.
 */
static struct {
	uint32_t version;
	struct reading from;
	uint64_t slope;
	uint64_t valid_ticks;
} line;

static struct reading before; /* when the line was last laid, or the start */
static bool usable;
static uint64_t error_ns;

static uint64_t read_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

#if defined(__x86_64__)

static uint64_t read_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

#else

static uint64_t read_ticks(void)
{
	return 0; /* usable is never set */
}

#endif

#define LOAD(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)
#define STORE(place, value) __atomic_store_n(&(place), value, __ATOMIC_RELAXED)

static uint64_t on_line(uint64_t ticks)
{
	return LOAD(line.from.ns) +
	       (uint64_t)((unsigned __int128)ticks * LOAD(line.slope) >> 32);
}

uint64_t ct_now_ns(void)
{
	uint32_t version = __atomic_load_n(&line.version, __ATOMIC_ACQUIRE);

	if (__builtin_expect(version && !(version & 1), 1)) {
		uint64_t ticks = read_ticks() - LOAD(line.from.ticks);
		uint64_t ns = on_line(ticks);
		bool valid = ticks < LOAD(line.valid_ticks);

		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__builtin_expect(valid && version == LOAD(line.version), 1))
			return ns;
	}
	return read_clock();
}

/* The clock between two readings of the counter; the closest of a few. */
static struct reading take_reading(void)
{
	struct reading best = { 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t first = read_ticks(), ns = read_clock(), width = read_ticks() - first;

		if (width < least) {
			least = width;
			best = (struct reading){ first + width / 2, ns };
		}
	}
	return best;
}

void ct_clock_init(void)
{
	char name[8] = "";
	int fd;

#if !defined(__x86_64__)
	return;
#endif
	do
		fd = open(SOURCE, O_RDONLY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return;
	usable = read(fd, name, sizeof(name) - 1) >= 4 && !memcmp(name, "tsc\n", 4);
	close(fd);
	if (usable)
		before = take_reading();
}

static void lay(struct reading from, uint64_t slope, uint64_t valid_ticks)
{
	uint32_t version = line.version;

	STORE(line.version, version + 1); /* odd: being laid */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	STORE(line.from.ticks, from.ticks);
	STORE(line.from.ns, from.ns);
	STORE(line.slope, slope);
	STORE(line.valid_ticks, valid_ticks);
	__atomic_store_n(&line.version, version + 2, __ATOMIC_RELEASE);
}

/* The counter is not what we took it for, as after a suspend: nobody reads it any more. */
static void give_up(struct reading now)
{
	usable = false;
	lay(now, 0, 0);
}

/* From where the line is now to where the clock will be in a second. */
static void aim(struct reading now)
{
	uint64_t ticks_a_second = (uint64_t)((unsigned __int128)(now.ticks - before.ticks) * SECOND_NS /
					     (now.ns - before.ns));
	struct reading from = now;
	uint64_t off;

	if (line.valid_ticks)
		from.ns = on_line(now.ticks - line.from.ticks);
	off = from.ns > now.ns ? from.ns - now.ns : now.ns - from.ns;
	if (off > LOAD(error_ns))
		STORE(error_ns, off);
	if (off > ERROR_MAX_NS) {
		give_up(now);
		return;
	}
	lay(from, (uint64_t)(((unsigned __int128)(SECOND_NS + now.ns - from.ns) << 32) / ticks_a_second),
	    ticks_a_second * VALID_SECONDS);
}

void ct_clock_follow(void)
{
	struct reading now;

	if (!usable)
		return;
	now = take_reading();
	if (now.ticks <= before.ticks || now.ns <= before.ns)
		give_up(now);
	else if (line.valid_ticks && now.ticks - line.from.ticks >= line.valid_ticks)
		lay(now, 0, 0); /* too late: begin again, a second from now */
	else if (now.ns - before.ns >= SECOND_NS / 20)
		aim(now);
	else
		return;
	before = now;
}

bool ct_clock_counts(void)
{
	return line.version && read_ticks() - line.from.ticks < line.valid_ticks;
}

uint64_t ct_clock_error_ns(void)
{
	return LOAD(error_ns);
}
