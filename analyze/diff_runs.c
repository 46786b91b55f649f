/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/diff_runs.h"

#include <string.h>

static bool at_once(uint64_t begin, uint64_t end, uint64_t other_begin, uint64_t other_end)
{
	return begin < other_end && other_begin < end;
}

const char *ct_diff_tell(const struct ct_process *processes, size_t count, enum ct_diff_how *ret)
{
	size_t ranks = 0;
	bool twice = false, together = false, other_program = false;

	for (size_t i = 0; i < count; i++) {
		const struct ct_process *p = &processes[i];

		ranks += p->rank != CT_NONE;
		other_program |= strcmp(p->program, processes[0].program) != 0;
		for (size_t j = 0; j < i; j++) {
			twice |= p->rank == processes[j].rank;
			together |= at_once(p->begin_ns, p->end_ns, processes[j].begin_ns,
					    processes[j].end_ns);
		}
	}
	if (ranks && ranks < count)
		return "some of its traces have a rank and some have none";
	if (ranks && twice)
		return "a rank is in it twice: give the directory of each run";
	if (!ranks && other_program)
		return "its traces are of different programs, and have no ranks";
	if (!ranks && together)
		return "its traces ran at the same time, and have no ranks";
	*ret = ranks ? CT_DIFF_ONE_RUN : CT_DIFF_REPEATED;
	return NULL;
}

/* Is each rank of a run one of the other's, as often? Processes without rank count as one rank. */
static bool same_ranks(const struct ct_diff_side *side, const struct ct_diff_run *a,
		       const struct ct_diff_run *b)
{
	const struct ct_process *of_a = &side->processes.at[a->first];
	const struct ct_process *of_b = &side->processes.at[b->first];

	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		size_t in_a = 0, in_b = 0;

		for (uint32_t j = 0; j < a->count; j++) {
			in_a += of_a[j].rank == of_a[i].rank;
			in_b += of_b[j].rank == of_a[i].rank;
		}
		if (in_a != in_b)
			return false;
	}
	return true;
}

const struct ct_process *ct_diff_copy(const struct ct_diff_side *side)
{
	for (size_t i = 0; i < side->processes.count; i++)
		for (size_t j = 0; j < i; j++)
			if (ct_process_same(&side->processes.at[i], &side->processes.at[j]))
				return &side->processes.at[i];
	return NULL;
}

const char *ct_diff_mixed(const struct ct_diff_side *side)
{
	for (size_t i = 0; i < side->runs.count; i++) {
		const struct ct_diff_run *run = &side->runs.at[i];

		if (!same_ranks(side, run, &side->runs.at[0]))
			return "its runs are not of the same ranks";
		for (size_t j = 0; j < i; j++)
			if (at_once(run->begin_ns, run->end_ns, side->runs.at[j].begin_ns,
				    side->runs.at[j].end_ns))
				return "two of its runs were at the same time";
	}
	return NULL;
}
