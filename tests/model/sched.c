/* SPDX-License-Identifier: Apache-2.0 */
/* Threads as coroutines, run in every order with few preemptions. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>

#include "tests/model/step.h"

#define STACK_BYTES (256u << 10)
#define CHOICES 4096
#define ADDRESSES 4096

static struct coroutine {
	ucontext_t context;
	uint8_t *stack;
	bool ended, waits; /* the latter: until another thread has run */
} coroutines[MODEL_THREADS];

static ucontext_t scheduler;
static void (*const *bodies)(void);
static int running = -1, coroutine_count;

/* At each step: which of the threads that could run was taken, and how many there were. */
static struct choice {
	uint8_t taken, of, preempts;
} choices[CHOICES];
static int depth, known;

int model_self(void)
{
	return running;
}

static void give_way(void)
{
	swapcontext(&coroutines[running].context, &scheduler);
}

/* What threads of this scene use, and which of them: bit masks. */
static struct used {
	const void *address;
	uint32_t readers, writers;
} used[ADDRESSES];
static int used_count;
static bool learned; /* of a conflict that earlier choices did not know of */

static bool conflict(const struct used *u)
{
	uint32_t all = u->readers | u->writers;

	return u->writers && all & (all - 1);
}

void model_yield(const void *address, bool writes)
{
	struct used *u = used;
	bool known_before;

	while (u < used + used_count && u->address != address)
		u++;
	if (u == used + ADDRESSES)
		abort();
	if (u == used + used_count)
		used[used_count++] = (struct used){ .address = address };
	known_before = conflict(u);
	*(writes ? &u->writers : &u->readers) |= 1u << running;
	learned |= conflict(u) && !known_before;
	if (conflict(u))
		give_way();
}

int model_nanosleep(const struct timespec *time, struct timespec *ret_left);
int model_nanosleep(const struct timespec *time, struct timespec *ret_left)
{
	(void)time;
	(void)ret_left;
	coroutines[running].waits = true;
	give_way();
	return 0;
}

static void run_body(void)
{
	bodies[running]();
	model_flush();
	coroutines[running].ended = true;
}

static void start(int i)
{
	struct coroutine *c = &coroutines[i];

	if (!c->stack)
		c->stack = malloc(STACK_BYTES);
	getcontext(&c->context);
	c->context.uc_stack.ss_sp = c->stack;
	c->context.uc_stack.ss_size = STACK_BYTES;
	c->context.uc_link = &scheduler;
	c->ended = c->waits = false;
	makecontext(&c->context, run_body, 0);
}

/* The threads that can run, the one that ran last first. */
static int runnable(int last, int *list)
{
	bool go_on = last >= 0 && !coroutines[last].ended && !coroutines[last].waits;
	int count = 0;

	if (go_on)
		list[count++] = last;
	for (int i = 0; i < coroutine_count; i++)
		if (i != last && !coroutines[i].ended)
			list[count++] = i;
	if (!count && last >= 0 && !coroutines[last].ended)
		list[count++] = last;
	return count;
}

static void run_once(void)
{
	int list[MODEL_THREADS], last = -1, count;

	for (int i = 0; i < coroutine_count; i++)
		start(i);
	for (depth = 0; (count = runnable(last, list)); depth++) {
		struct choice *choice = &choices[depth];

		if (depth == CHOICES)
			abort();
		if (depth >= known)
			choice->taken = 0;
		choice->of = (uint8_t)count;
		choice->preempts = list[0] == last;
		running = last = list[choice->taken];
		coroutines[last].waits = false;
		swapcontext(&scheduler, &coroutines[last].context);
		running = -1;
	}
}

/* Change the last choice that can still be another one. Returns false when there is none. */
static bool next_schedule(int preemptions)
{
	for (int at = depth - 1; at >= 0; at--) {
		struct choice *choice = &choices[at];
		int spent = 0;

		for (int i = 0; i < at; i++)
			spent += choices[i].preempts && choices[i].taken;
		if (choice->taken + 1 < choice->of &&
		    spent + choice->preempts <= preemptions) {
			choice->taken++;
			known = at + 1;
			return true;
		}
	}
	return false;
}

unsigned model_schedules(void (*const *threads)(void), int count, int preemptions,
			 void (*begin)(void), bool (*end)(void))
{
	unsigned runs = 0;

	bodies = threads;
	coroutine_count = count;
	known = used_count = 0;
	do {
		learned = false;
		begin();
		run_once();
		runs++;
		if (learned) { /* begin anew: there are more places to give way at */
			runs = 0;
			known = depth = 0;
		}
		if (!end())
			break;
	} while (learned || next_schedule(preemptions));
	return runs;
}
