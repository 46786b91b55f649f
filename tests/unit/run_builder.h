/* SPDX-License-Identifier: Apache-2.0 */
/* Runs whose processes are made by hand, so that the right answer is known. */
#ifndef CT_TESTS_RUN_BUILDER_H
#define CT_TESTS_RUN_BUILDER_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "analyze/run.h"

#define MS 1000000ull
#define START (1000 * MS) /* time of day of the run's first call */

static inline int set_up(void **state)
{
	*state = ct_run_create();
	return *state ? 0 : -1;
}

static inline int tear_down(void **state)
{
	ct_run_destroy(*state);
	return 0;
}

/* A process that is in CUDA from begin to end, in ms from START, but for nothing else. */
static inline struct ct_process process(uint32_t rank, uint64_t begin, uint64_t end)
{
	struct ct_process p = {
		.directory = strdup("d"),
		.program = strdup("p"),
		.host = strdup("h"),
		.variable = strdup(""),
		.unseen = strdup(""),
		.gpus = strdup("g"),
		.pid = 100 + rank % 1000,
		.rank = rank,
		.local_rank = CT_NONE,
		.size = CT_NONE,
		.parent = CT_NONE,
		.begin_ns = START + begin * MS,
		.end_ns = START + end * MS,
		.has_device = true,
	};

	return p;
}

static inline void add(struct ct_run *run, struct ct_process p)
{
	assert_int_equal(ct_run_add(run, &p), 0);
}

static inline void active(struct ct_process *p, uint64_t begin, uint64_t end)
{
	assert_int_equal(ct_spans_append(&p->active, START + begin * MS, START + end * MS), 0);
}

static inline void site(struct ct_process *p, const char *call, const char *where, uint32_t calls,
		 uint64_t total, uint64_t blocked, enum ct_part part)
{
	struct ct_process_site s = {
		.call = strdup(call),
		.where = strdup(where),
		.calls = calls,
		.total_ns = total * MS,
		.blocked_ns = blocked * MS,
		.lost_ns = MS,
		.worst = part,
		.remedy = part == CT_PART_LOCK_WAIT ? "do otherwise" : "",
	};

	assert_int_equal(CT_PUSH(&p->sites, s), 0);
	p->parts[part] += blocked * MS;
}

/* For cmocka: *state is an empty run. */
#define RUN_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
