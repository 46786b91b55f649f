/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every order in which the writer's stores can reach the trace file, tried on the real writer
 * and the real reader.
 *
 * trace/writer.c, flight.c and keep.c are compiled with -fsanitize=thread, at -O0, but not
 * linked with its runtime: hooks.c stands in for it and so sees each store and each atomic
 * operation with its memory order, in program order. Threads are coroutines that change at
 * atomic operations (sched.c). Of each run order.c derives which store must reach memory before
 * which other, and tries every set of stores that this allows, as what a kill left or a reader
 * of a live file sees; check.c has trace/reader.c read each. tests/model/README.md says more.
 */
#ifndef CT_TESTS_MODEL_STEP_H
#define CT_TESTS_MODEL_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_EVENTS 256
#define MODEL_THREADS 3
#define MODEL_STORE_MAX 64
#define MODEL_FILE_BYTES (12 * 65536)

/* What may differ from program order. */
enum model_order {
	MODEL_TSO,  /* killed; stores reach the file in program order, as x86-64 does it */
	MODEL_KILL, /* killed; a compiler may move what C11 and signal fences leave free */
	MODEL_LIVE, /* another process reads meanwhile; only C11's happens-before holds */
	MODEL_ORDERS
};

/* A set of events. */
struct model_set {
	uint64_t bits[MODEL_EVENTS / 64];
};

/* A store, or an atomic operation that stores. */
struct model_event {
	const uint8_t *address;
	int64_t offset;  /* in the file; -1 = elsewhere */
	uint32_t bytes;
	int thread;
	uint32_t record; /* the number of the record that this commits; 0 = it commits none */
	uint8_t value[MODEL_STORE_MAX];
	struct model_set before[MODEL_ORDERS]; /* what must have reached memory before it */
};

extern struct model_event model_events[MODEL_EVENTS];
extern int model_count;

/* hooks.c: forget the events of the run before. */
void model_events_reset(void);

/* hooks.c: take into account what was stored since the last hook of this thread. */
void model_flush(void);

/* hooks.c: the running thread now puts a record, which the next commit word of `type` completes. */
void model_putting(uint32_t record, uint32_t type);

/* sched.c: the running thread, -1 before and after. */
int model_self(void);

/*
 * sched.c: the running thread is about to use an address. Another may run first, if in any run
 * of the scene two threads use it and one of them writes: elsewhere their order is all one.
 */
void model_yield(const void *address, bool writes);

/*
 * sched.c: run `threads` functions in every way that takes the processor from one that could go
 * on at most `preemptions` times. `begin` runs before each such run, `end` after it, which
 * returns false to stop. Returns the number of runs.
 */
unsigned model_schedules(void (*const *threads)(void), int count, int preemptions,
			 void (*begin)(void), bool (*end)(void));

/* files.c: the file that the writer maps, and what the reader is given for one. */
extern uint8_t model_written[MODEL_FILE_BYTES], model_seen[MODEL_FILE_BYTES];

/* files.c: where in the file an address lies; -1 = elsewhere. */
int64_t model_offset(const void *address);

/*
 * order.c: call check(order, present) with every set of stores to the file that `order` allows,
 * which then are in model_seen, until it returns false. What was tried in an earlier run is not
 * tried again. Returns how many were tried.
 */
uint64_t model_images(enum model_order order,
		      bool (*check)(enum model_order order, const struct model_set *present));

static inline bool model_has(const struct model_set *set, int i)
{
	return set->bits[i / 64] >> i % 64 & 1;
}

static inline void model_add(struct model_set *set, int i)
{
	set->bits[i / 64] |= (uint64_t)1 << i % 64;
}

static inline void model_join(struct model_set *set, const struct model_set *other)
{
	for (int i = 0; i < MODEL_EVENTS / 64; i++)
		set->bits[i] |= other->bits[i];
}

#endif
