/* SPDX-License-Identifier: Apache-2.0 */
/* The call sites of all processes of a run, brought together. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/run.h"

/* A site of a process, for bringing the same ones of all processes together. */
struct member {
	uint32_t process;
	const struct ct_process_site *site;
};

static int by_place(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = strcmp(x->site->call, y->site->call);

	if (order == 0)
		order = strcmp(x->site->where, y->site->where);
	return order ? order : x->process < y->process ? -1 : 1;
}

static int by_blocked(const void *a, const void *b)
{
	const struct ct_run_site *x = a, *y = b;

	if (x->blocked_ns != y->blocked_ns)
		return x->blocked_ns > y->blocked_ns ? -1 : 1;
	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return strcmp(x->where, y->where) ?: strcmp(x->call, y->call);
}

static struct ct_run_site merge(const struct member *members, size_t count, uint64_t *values)
{
	struct ct_run_site merged = {
		.call = members->site->call,
		.where = members->site->where,
		.processes = (uint32_t)count,
		.worst = members->process,
		.part = members->site->worst,
		.remedy = members->site->remedy,
	};

	for (size_t i = 0; i < count; i++) {
		const struct ct_process_site *site = members[i].site;

		merged.calls += site->calls;
		merged.total_ns += site->total_ns;
		merged.blocked_ns += site->blocked_ns;
		merged.lost_ns += site->lost_ns;
		merged.judged |= site->judged;
		if (site->blocked_ns > merged.max_ns) {
			merged.max_ns = site->blocked_ns;
			merged.worst = members[i].process;
			merged.part = site->worst;
			merged.remedy = site->remedy;
		}
		values[i] = site->blocked_ns;
	}
	merged.median_ns = ct_run_median(values, count);
	merged.min_ns = values[0];
	return merged;
}

/* Is this the site at which the slowest process spent most more than the others? */
static void weigh(struct ct_run *run, const struct member *members, size_t count, uint32_t site,
		  uint64_t *values)
{
	struct ct_slowest *s = &run->slowest;
	struct ct_versus versus = { 0, 0 };
	size_t others = 0, made = 0;
	uint32_t calls = 0;

	for (uint32_t i = 0; i < run->processes.count; i++) {
		bool here = made < count && members[made].process == i;
		const struct ct_process_site *of = here ? members[made++].site : NULL;

		if (i == s->process && of) {
			versus.mine = of->total_ns - of->comm_wait_ns;
			calls = of->calls;
		} else if (i != s->process && run->processes.at[i].compared) {
			values[others++] = of ? of->total_ns - of->comm_wait_ns : 0;
		}
	}
	versus.others = ct_run_median(values, others);
	if (ct_run_excess(versus) > ct_run_excess(s->site_ns)) {
		s->site = site;
		s->site_ns = versus;
		s->site_calls = calls;
	}
}

static int list_members(const struct ct_run *run, struct member **ret, size_t *ret_count)
{
	struct member *members;
	size_t count = 0, n = 0;

	for (size_t p = 0; p < run->processes.count; p++)
		count += run->processes.at[p].sites.count;
	members = calloc(count + 1, sizeof(*members));
	if (!members)
		return -ENOMEM;
	for (uint32_t p = 0; p < run->processes.count; p++)
		for (size_t i = 0; i < run->processes.at[p].sites.count; i++)
			members[n++] = (struct member){ p, &run->processes.at[p].sites.at[i] };
	qsort(members, count, sizeof(*members), by_place);
	*ret = members;
	*ret_count = count;
	return 0;
}

static bool same_place(const struct member *a, const struct member *b)
{
	return !strcmp(a->site->call, b->site->call) && !strcmp(a->site->where, b->site->where);
}

/* Put the sites in order, and find again the one that was meant. */
static void rank_sites(struct ct_run *run)
{
	struct ct_slowest *s = &run->slowest;
	struct ct_run_site meant = { 0 };

	if (s->site != CT_NONE)
		meant = run->sites.at[s->site];
	if (run->sites.count)
		qsort(run->sites.at, run->sites.count, sizeof(*run->sites.at), by_blocked);
	for (uint32_t i = 0; s->site != CT_NONE && i < run->sites.count; i++)
		if (run->sites.at[i].call == meant.call && run->sites.at[i].where == meant.where) {
			s->site = i;
			return;
		}
}

int ct_run_merge_sites(struct ct_run *run, uint64_t *values)
{
	struct member *members = NULL;
	size_t count = 0, n;
	int r = list_members(run, &members, &count);

	for (size_t i = 0; r == 0 && i < count; i += n) {
		n = 1;
		while (i + n < count && same_place(&members[i], &members[i + n]))
			n++;
		r = CT_PUSH(&run->sites, merge(&members[i], n, values));
		if (r == 0 && run->slowest.process != CT_NONE && !run->filter) /* else some are not there */
			weigh(run, &members[i], n, (uint32_t)run->sites.count - 1, values);
	}
	if (r == 0)
		rank_sites(run);
	free(members);
	return r;
}
