/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/durations.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP_BITS 7
#define STEPS ((size_t)(64 - STEP_BITS + 1) << STEP_BITS)

/* Values up to 2^(STEP_BITS + 1) have a step of their own. */
static size_t step_of(uint64_t ns)
{
	unsigned shift;

	if (ns >> (STEP_BITS + 1) == 0)
		return ns;
	shift = 63 - STEP_BITS - (unsigned)__builtin_clzll(ns);
	return ((size_t)shift << STEP_BITS) + (ns >> shift);
}

/* The middle of a step. */
static double value_of(size_t step)
{
	size_t shift = step >> STEP_BITS ? (step >> STEP_BITS) - 1 : 0;
	uint64_t low = (uint64_t)(step - (shift << STEP_BITS)) << shift;

	return (double)low + (double)((((uint64_t)1) << shift) - 1) / 2;
}

static int make_room(struct ct_durations *d)
{
	if (d->steps)
		return 0;
	d->steps = calloc(STEPS, sizeof(*d->steps));
	d->least_ns = UINT64_MAX;
	return d->steps ? 0 : -ENOMEM;
}

int ct_durations_add(struct ct_durations *d, uint64_t ns)
{
	if (make_room(d) < 0)
		return -ENOMEM;
	d->count++;
	d->total_ns += ns;
	d->squares += (unsigned __int128)ns * ns;
	d->least_ns = ns < d->least_ns ? ns : d->least_ns;
	d->most_ns = ns > d->most_ns ? ns : d->most_ns;
	d->steps[step_of(ns)]++;
	return 0;
}

int ct_durations_merge(struct ct_durations *d, const struct ct_durations *more)
{
	if (!more->count)
		return 0;
	if (make_room(d) < 0)
		return -ENOMEM;
	d->count += more->count;
	d->total_ns += more->total_ns;
	d->squares += more->squares;
	d->least_ns = more->least_ns < d->least_ns ? more->least_ns : d->least_ns;
	d->most_ns = more->most_ns > d->most_ns ? more->most_ns : d->most_ns;
	for (size_t i = 0; i < STEPS; i++)
		d->steps[i] += more->steps[i];
	return 0;
}

void ct_durations_free(struct ct_durations *d)
{
	free(d->steps);
	memset(d, 0, sizeof(*d));
}

double ct_durations_deviation(const struct ct_durations *d)
{
	double n = (double)d->count, mean = (double)d->total_ns / n;

	if (d->count < 2)
		return 0;
	return sqrt(fmax(0, ((double)d->squares - mean * (double)d->total_ns) / (n - 1)));
}

/* What is at a place in order, from 0; never outside of what there was. */
static double value_at(const struct ct_durations *d, uint64_t place)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < STEPS; i++) {
		seen += d->steps[i];
		if (seen > place)
			return fmin(fmax(value_of(i), (double)d->least_ns), (double)d->most_ns);
	}
	return 0;
}

double ct_durations_median(const struct ct_durations *d)
{
	if (!d->count)
		return 0;
	return (value_at(d, (d->count - 1) / 2) + value_at(d, d->count / 2)) / 2;
}
