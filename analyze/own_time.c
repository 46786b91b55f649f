/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes of a run can be compared, and how much time each had of its own. */
#include "analyze/run.h"

/* Where ranks are known, a process without one is no peer of theirs. */
static bool only_ranks(const struct ct_run *run)
{
	size_t ranks = 0;

	for (size_t i = 0; i < run->processes.count; i++)
		ranks += run->processes.at[i].rank != CT_NONE;
	return ranks > 1;
}

/* Was it there? One of which a flight recorder kept the end only is compared with nobody. */
static bool alive(const struct ct_process *p, uint64_t time_ns)
{
	return !p->cut_short && p->begin_ns <= time_ns && time_ns < p->end_ns;
}

/*
 * Processes can only wait for each other while they run: take those that ran at one
 * moment, the one with most of them, and of such moments the last. A run that was
 * started again, or a short side process before it, is thus left out. Returns how many.
 */
static size_t choose_compared(struct ct_run *run)
{
	bool ranks = only_ranks(run);
	uint64_t moment_ns = 0;
	size_t most = 0;

	for (size_t i = 0; i < run->processes.count; i++) {
		uint64_t begin_ns = run->processes.at[i].begin_ns;
		size_t count = 0;

		for (size_t k = 0; k < run->processes.count; k++)
			count += (!ranks || run->processes.at[k].rank != CT_NONE) &&
				 alive(&run->processes.at[k], begin_ns);
		if (count > most || (count == most && begin_ns > moment_ns)) {
			most = count;
			moment_ns = begin_ns;
		}
	}
	for (size_t i = 0; i < run->processes.count; i++) {
		struct ct_process *p = &run->processes.at[i];

		p->compared = most > 1 && (!ranks || p->rank != CT_NONE) && alive(p, moment_ns);
	}
	return most;
}

/* Where two communicate, only those that do are compared: the others never wait like them. */
static void choose_basis(struct ct_run *run)
{
	size_t chosen = choose_compared(run), communicating = 0;

	for (size_t i = 0; i < run->processes.count; i++)
		communicating += run->processes.at[i].compared && run->processes.at[i].comm_ops;
	run->basis = chosen < 2 ? CT_RUN_NOTHING
		     : communicating > 1 ? CT_RUN_COMMUNICATION
					 : CT_RUN_CUDA;
	for (size_t i = 0; run->basis == CT_RUN_COMMUNICATION && i < run->processes.count; i++)
		run->processes.at[i].compared &= run->processes.at[i].comm_ops > 0;
}

static uint64_t first_begin(const struct ct_run *run)
{
	uint64_t begin_ns = UINT64_MAX;

	for (size_t i = 0; i < run->processes.count; i++)
		if (run->processes.at[i].compared && run->processes.at[i].begin_ns < begin_ns)
			begin_ns = run->processes.at[i].begin_ns;
	return begin_ns;
}

/* When the last of the others that are compared ended. */
static uint64_t others_end(const struct ct_run *run, const struct ct_process *p)
{
	uint64_t end_ns = 0;

	for (size_t i = 0; i < run->processes.count; i++) {
		const struct ct_process *other = &run->processes.at[i];

		if (other != p && other->compared && other->end_ns > end_ns)
			end_ns = other->end_ns;
	}
	return end_ns;
}

/* Time in CUDA, and what came outside it when nobody was left to wait for. */
static uint64_t cuda_time(const struct ct_run *run, const struct ct_process *p)
{
	uint64_t alone_ns = others_end(run, p), own_ns = ct_spans_total(&p->active);

	if (alone_ns < p->end_ns)
		own_ns += p->end_ns - alone_ns -
			  ct_spans_overlap(&p->active, alone_ns, p->end_ns);
	return own_ns;
}

void ct_run_find_own_times(struct ct_run *run)
{
	choose_basis(run);
	run->from_ns = first_begin(run);
	for (size_t i = 0; i < run->processes.count; i++) {
		struct ct_process *p = &run->processes.at[i];

		if (!p->compared)
			p->own_ns = 0;
		else if (run->basis == CT_RUN_COMMUNICATION)
			p->own_ns = p->end_ns - run->from_ns - p->comm_ns;
		else
			p->own_ns = cuda_time(run, p);
	}
}
