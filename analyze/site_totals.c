/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/site_totals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void add(struct ct_total_site *to, const struct ct_total_site *more)
{
	to->calls += more->calls;
	to->total_ns += more->total_ns;
	to->bytes += more->bytes;
	to->long_calls += more->long_calls;
	to->failed += more->failed;
	if (more->longest_ns > to->longest_ns)
		to->longest_ns = more->longest_ns;
}

static int by_site(const void *a, const void *b)
{
	const struct ct_total_site *x = a, *y = b;

	return strcmp(x->where, y->where) ?: strcmp(x->name, y->name);
}

static int by_cost(const void *a, const void *b)
{
	const struct ct_total_site *x = a, *y = b;

	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return by_site(a, b);
}

/* One site for all of the same call and place. */
static void merge(struct ct_site_totals *totals)
{
	size_t kept = 0;

	if (!totals->all.count)
		return;
	qsort(totals->all.at, totals->all.count, sizeof(*totals->all.at), by_site);
	for (size_t i = 1; i < totals->all.count; i++) {
		if (by_site(&totals->all.at[kept], &totals->all.at[i]) == 0)
			add(&totals->all.at[kept], &totals->all.at[i]);
		else
			totals->all.at[++kept] = totals->all.at[i];
	}
	totals->all.count = kept + 1;
	qsort(totals->all.at, totals->all.count, sizeof(*totals->all.at), by_cost);
}

int ct_site_totals_make(const struct ct_model *model, struct ct_sites *sites,
			struct ct_site_totals **ret)
{
	struct ct_site_totals *totals = calloc(1, sizeof(*totals));
	int r = totals ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < model->totals.count; i++) {
		const struct ct_total_info *info = &model->totals.at[i];
		const struct ct_total *raw = &info->raw;
		struct ct_total_site site = {
			.where = raw->rest ? "(places beyond those counted apart)"
					   : ct_places_of(model, sites->places, raw->stack),
			.name = info->name,
			.stack = raw->stack,
			.calls = raw->calls,
			.total_ns = raw->total_ns,
			.longest_ns = raw->longest_ns,
			.bytes = raw->bytes,
			.long_calls = raw->long_calls,
			.failed = raw->failed,
		};

		totals->calls += raw->calls;
		if (raw->calls) /* it was made, and its first call not yet counted */
			r = CT_PUSH(&totals->all, site);
	}
	if (r == 0 && ct_places_failed(sites->places))
		r = -ENOMEM;
	if (r < 0) {
		ct_site_totals_destroy(totals);
		return r;
	}
	merge(totals);
	*ret = totals;
	return 0;
}

void ct_site_totals_destroy(struct ct_site_totals *totals)
{
	if (!totals)
		return;
	free(totals->all.at);
	free(totals);
}
