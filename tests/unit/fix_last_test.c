/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to be pending of a program's last frees, however it ends. */
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "shim/fix.h"

static struct ct_fix_counts *counts; /* shared with the child */
static int state, outcome; /* CUresult of asking for an event, and of waiting for it */
static bool hidden;

struct ct_fix_counts *ct_fix_counts(void)
{
	return counts;
}

void ct_fix_ends(void)
{
	counts->ended_ns++;
}

bool ct_fix_hide(void)
{
	bool before = hidden;

	hidden = true;
	return before;
}

void ct_fix_show(bool before)
{
	hidden = before;
}

static int query(void *event)
{
	(void)event;
	return hidden ? state : CUDA_ERROR_UNKNOWN;
}

static int wait_for(void *event)
{
	(void)event;
	return outcome;
}

static const struct ct_fix_driver driver = { .event_query = query, .event_wait = wait_for };

/* Defer a free in a child and end it so. */
static void end(void (*how)(int), int is, int becomes)
{
	int status;
	pid_t child;

	*counts = (struct ct_fix_counts){ 0 };
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		state = is;
		outcome = becomes;
		ct_fix_last(&driver, &state);
		how(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_ends(void **unused)
{
	static const struct {
		void (*how)(int);
		int is, becomes;
		uint64_t pending, waited;
	} ends[] = {
		{ _exit, CUDA_SUCCESS, CUDA_SUCCESS, 1, 0 },
		{ quick_exit, CUDA_SUCCESS, CUDA_SUCCESS, 0, 0 },
		{ quick_exit, CUDA_ERROR_NOT_READY, CUDA_SUCCESS, 0, 1 },
		/* a fault, before or while it is waited for: nothing is at work any more */
		{ quick_exit, CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_SUCCESS, 0, 0 },
		{ quick_exit, CUDA_ERROR_NOT_READY, CUDA_ERROR_ILLEGAL_ADDRESS, 0, 1 },
		/* nobody knows */
		{ quick_exit, CUDA_ERROR_DEINITIALIZED, CUDA_SUCCESS, 1, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		end(ends[i].how, ends[i].is, ends[i].becomes);
		assert_int_equal(counts->pending, ends[i].pending);
		assert_int_equal(counts->ended_ns, ends[i].waited);
	}
}

/* A wait for all that came before a further free says nothing of that one. */
static void test_drained(void **unused)
{
	uint64_t before;

	(void)unused;
	*counts = (struct ct_fix_counts){ 0 };
	ct_fix_last(&driver, &state);
	before = ct_fix_pending();
	ct_fix_last(&driver, &outcome);
	ct_fix_drained(before);
	assert_int_not_equal(counts->pending, 0);
	ct_fix_drained(ct_fix_pending());
	assert_int_equal(counts->pending, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_drained),
	};

	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return counts == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
