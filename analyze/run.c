/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ct_run *ct_run_create(void)
{
	struct ct_run *run = calloc(1, sizeof(*run));

	if (run)
		run->slowest.process = CT_NONE;
	return run;
}

void ct_run_destroy(struct ct_run *run)
{
	if (!run)
		return;
	for (size_t i = 0; i < run->processes.count; i++) {
		run->processes.at[i].sites.count = 0; /* their texts are not theirs */
		ct_process_free(&run->processes.at[i]);
	}
	ct_meet_free(&run->meet);
	free(run->processes.at);
	free(run->sites.at);
	ct_lookup_free(&run->texts);
	free(run);
}

struct text {
	struct ct_link link;
	char at[];
};

/* The one copy of a text; NULL without memory for it. */
static char *share(struct ct_run *run, const char *text)
{
	size_t length = strlen(text);
	struct text *known = ct_lookup_find(&run->texts, text, length);

	if (known)
		return known->at;
	known = malloc(sizeof(*known) + length + 1);
	if (!known)
		return NULL;
	memcpy(known->at, text, length + 1);
	if (ct_lookup_add(&run->texts, known, known->at, length) == 0)
		return known->at;
	free(known);
	return NULL;
}

/* Ranks of one program have the same call sites: hundreds of them share the texts. */
static void share_texts(struct ct_run *run, struct ct_process *process)
{
	for (size_t i = 0; i < process->sites.count; i++) {
		struct ct_process_site *site = &process->sites.at[i];
		char *call = share(run, site->call), *where = share(run, site->where);

		free(site->call);
		free(site->where);
		free(site->source); /* the report of a run points at no files */
		site->call = call;
		site->where = where;
		site->source = NULL;
	}
}

int ct_run_add(struct ct_run *run, const struct ct_process *process)
{
	for (size_t i = 0; i < process->sites.count; i++)
		if (!share(run, process->sites.at[i].call) || !share(run, process->sites.at[i].where))
			return -ENOMEM;
	if (CT_PUSH(&run->processes, *process) < 0)
		return -ENOMEM;
	share_texts(run, &run->processes.at[run->processes.count - 1]);
	return 0;
}

static int by_rank(const void *a, const void *b)
{
	const struct ct_process *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->begin_ns != y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return strcmp(x->directory, y->directory); /* in whatever order they were added */
}

/* Pids are told apart by host where two hosts gave the same. */
static bool pid_twice(const struct ct_run *run, const struct ct_process *p)
{
	for (size_t i = 0; i < run->processes.count; i++)
		if (&run->processes.at[i] != p && run->processes.at[i].pid == p->pid)
			return true;
	return false;
}

/* The processes are in order, so two of one rank are neighbours. */
static void label(struct ct_run *run)
{
	for (size_t i = 0; i < run->processes.count; i++) {
		struct ct_process *p = &run->processes.at[i];
		bool twice = (i > 0 && p[-1].rank == p->rank) ||
			     (i + 1 < run->processes.count && p[1].rank == p->rank);

		if (p->rank == CT_NONE && pid_twice(run, p))
			snprintf(p->label, sizeof(p->label), "pid %u on %.64s", p->pid, p->host);
		else if (p->rank == CT_NONE)
			snprintf(p->label, sizeof(p->label), "pid %u", p->pid);
		else if (twice)
			snprintf(p->label, sizeof(p->label), "rank %u (pid %u)", p->rank, p->pid);
		else
			snprintf(p->label, sizeof(p->label), "rank %u", p->rank);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t ct_run_median(uint64_t *values, size_t count)
{
	if (!count)
		return 0;
	qsort(values, count, sizeof(*values), by_value);
	if (count % 2)
		return values[count / 2];
	return values[count / 2 - 1] + (values[count / 2] - values[count / 2 - 1]) / 2;
}

/* Figures of a process, for comparing. `which`: a part, or one of those behind. */
enum { OWN = CT_PART_COUNT, LATE, WORK, COMM, OUTSIDE };

static uint64_t figure(const struct ct_run *run, const struct ct_process *p, int which)
{
	switch (which) {
	case OWN:
		return p->own_ns;
	case LATE:
		return p->begin_ns - run->from_ns;
	case WORK:
		return p->work_ns;
	case COMM:
		return p->comm_ns;
	case OUTSIDE:
		return ct_process_outside_ns(p);
	case CT_PART_DEVICE_WAIT: /* waits for other processes are the others' time */
		return p->parts[which] - p->comm_wait_ns;
	default:
		return p->parts[which];
	}
}

static bool figure_known(const struct ct_process *p, int which)
{
	return p->has_device || (which != WORK && which != COMM && which != OUTSIDE);
}

static struct ct_versus compare(const struct ct_run *run, uint32_t process, int which,
				uint64_t *values)
{
	size_t count = 0;

	for (uint32_t i = 0; i < run->processes.count; i++)
		if (i != process && run->processes.at[i].compared &&
		    figure_known(&run->processes.at[i], which))
			values[count++] = figure(run, &run->processes.at[i], which);
	return (struct ct_versus){ figure(run, &run->processes.at[process], which),
				   ct_run_median(values, count) };
}

uint64_t ct_run_excess(struct ct_versus versus)
{
	return versus.mine > versus.others ? versus.mine - versus.others : 0;
}

static void find_class(struct ct_run *run, uint64_t *values)
{
	struct ct_slowest *s = &run->slowest;

	for (int part = 0; part < CT_PART_COUNT; part++) {
		struct ct_versus versus = compare(run, s->process, part, values);

		if (part == CT_PART_TOOL || ct_run_excess(versus) <= ct_run_excess(s->part_ns))
			continue;
		s->part = (enum ct_part)part;
		s->part_ns = versus;
	}
}

static bool device_known(const struct ct_run *run, uint32_t process)
{
	for (uint32_t i = 0; i < run->processes.count; i++)
		if (i != process && run->processes.at[i].compared && run->processes.at[i].has_device)
			return run->processes.at[process].has_device;
	return false;
}

/* values: room for a figure of each process. */
static void find_slowest(struct ct_run *run, uint64_t *values)
{
	struct ct_slowest *s = &run->slowest;
	uint32_t most = CT_NONE;

	*s = (struct ct_slowest){ .process = CT_NONE, .part = CT_PART_COUNT, .site = CT_NONE };
	for (uint32_t i = 0; i < run->processes.count; i++)
		if (run->processes.at[i].compared &&
		    (most == CT_NONE || run->processes.at[i].own_ns > run->processes.at[most].own_ns))
			most = i;
	if (most == CT_NONE)
		return;
	s->own_ns = compare(run, most, OWN, values);
	if (ct_run_excess(s->own_ns) < CT_SLOWEST_LEAST_NS ||
	    ct_run_excess(s->own_ns) < s->own_ns.others / 100 * CT_SLOWEST_LEAST_PERCENT)
		return;
	s->process = most;
	s->late_ns = compare(run, most, LATE, values);
	s->device_known = device_known(run, most);
	s->work_ns = compare(run, most, WORK, values);
	s->comm_ns = compare(run, most, COMM, values);
	s->outside_ns = compare(run, most, OUTSIDE, values);
	find_class(run, values);
}

/* Processes of a host have one clock if they were started since the same boot, in one time namespace. */
static uint32_t clock_of(const struct ct_run *run, uint32_t process)
{
	const struct ct_process *p = &run->processes.at[process];
	uint32_t i = 0;

	for (; i < process && *p->host; i++) {
		const struct ct_process *other = &run->processes.at[i];

		if (strcmp(other->host, p->host) == 0 && other->clock_ns - p->clock_ns + CT_RUN_CLOCK_NS <
							     2 * CT_RUN_CLOCK_NS)
			return i;
	}
	return process;
}

static int meet(struct ct_run *run)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < run->processes.count; i++) {
		const struct ct_process *p = &run->processes.at[i];

		r = ct_meet_add(&run->meet, i, p->label, clock_of(run, i), &p->nccl);
	}
	return r < 0 ? r : ct_meet_find(&run->meet);
}

int ct_run_finish(struct ct_run *run)
{
	uint64_t *values = calloc(run->processes.count + 1, sizeof(*values));
	int r;

	if (!values)
		return -ENOMEM;
	if (run->processes.count)
		qsort(run->processes.at, run->processes.count, sizeof(*run->processes.at), by_rank);
	label(run);
	run->begin_ns = run->processes.count ? UINT64_MAX : 0;
	for (size_t i = 0; i < run->processes.count; i++) {
		const struct ct_process *p = &run->processes.at[i];

		run->begin_ns = p->begin_ns < run->begin_ns ? p->begin_ns : run->begin_ns;
		run->end_ns = p->end_ns > run->end_ns ? p->end_ns : run->end_ns;
	}
	ct_run_find_own_times(run);
	find_slowest(run, values);
	ct_run_find_spread(run, values);
	r = ct_run_merge_sites(run, values);
	if (r == 0)
		r = meet(run);
	free(values);
	return r;
}
