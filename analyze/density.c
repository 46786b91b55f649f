/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/density.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SHIFT 10 /* ticks of a microsecond */

int ct_density_init(struct ct_density *d, uint64_t base_ns)
{
	*d = (struct ct_density){ .base_ns = base_ns, .shift = FIRST_SHIFT, .used = 1 };
	d->starts = calloc(CT_DENSITY_TICKS + 1, sizeof(*d->starts));
	d->change = calloc(CT_DENSITY_TICKS + 1, sizeof(*d->change));
	return d->starts && d->change ? 0 : -ENOMEM;
}

void ct_density_free(struct ct_density *d)
{
	free(d->starts);
	free(d->change);
}

/* Ticks of twice the length: what changes in the middle of one changes as the next begins. */
static void coarsen(struct ct_density *d)
{
	size_t half = d->used / 2 + 1;

	for (size_t i = 0; i < half; i++) {
		uint32_t starts = d->starts[2 * i];
		int32_t change = d->change[2 * i];

		if (2 * i + 1 < d->used)
			starts += d->starts[2 * i + 1];
		if (i)
			change += d->change[2 * i - 1];
		d->starts[i] = starts;
		d->change[i] = change;
	}
	memset(d->starts + half, 0, (d->used - half + 1) * sizeof(*d->starts));
	memset(d->change + half, 0, (d->used - half + 1) * sizeof(*d->change));
	d->used = half;
	d->shift++;
}

void ct_density_add(struct ct_density *d, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t start = start_ns > d->base_ns ? start_ns - d->base_ns : 0;
	uint64_t end = end_ns > d->base_ns ? end_ns - d->base_ns : 0;
	uint64_t first, last;

	while (end >> d->shift >= CT_DENSITY_TICKS - 1)
		coarsen(d);
	first = start >> d->shift;
	last = (end + ((uint64_t)1 << d->shift) - 1) >> d->shift; /* that begins when it has ended */
	d->starts[first]++;
	if (last > first + 1) {
		d->change[first + 1]++;
		d->change[last]--;
	}
	if (d->used <= last)
		d->used = last + 1;
	if (d->used <= first)
		d->used = first + 1;
}

void ct_density_merge(struct ct_density *d, struct ct_density *more)
{
	while (d->shift < more->shift)
		coarsen(d);
	while (more->shift < d->shift)
		coarsen(more);
	for (size_t i = 0; i < more->used; i++) {
		d->starts[i] += more->starts[i];
		d->change[i] += more->change[i];
	}
	if (d->used < more->used)
		d->used = more->used;
}

uint64_t ct_density_time(const struct ct_density *d, size_t tick)
{
	return d->base_ns + ((uint64_t)tick << d->shift);
}
