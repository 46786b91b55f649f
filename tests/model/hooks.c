/* SPDX-License-Identifier: Apache-2.0 */
/* What -fsanitize=thread calls: each store and atomic operation becomes an event with its order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/step.h"

struct model_event model_events[MODEL_EVENTS];
int model_count;

/* What a thread's next event comes after. */
static struct thread {
	struct model_set past[MODEL_ORDERS];     /* all that it did or knows of */
	struct model_set acquired[MODEL_ORDERS]; /* what its later stores must come after */
	const uint8_t *stored;                   /* a plain store that is about to be made */
	uint32_t bytes, record, type;
} threads[MODEL_THREADS];

/* What somebody who reads a place of the atomics, and acquires, comes after. */
static struct place {
	const void *address;
	struct model_set released[MODEL_ORDERS];
} places[1024];
static int place_count;

void model_events_reset(void)
{
	model_count = 0;
	place_count = 0;
	memset(threads, 0, sizeof(threads));
}

void model_putting(uint32_t record, uint32_t type)
{
	if (model_self() < 0)
		return;
	threads[model_self()].record = record;
	threads[model_self()].type = type;
}

static struct place *place_of(const void *address)
{
	for (int i = 0; i < place_count; i++)
		if (places[i].address == address)
			return &places[i];
	if (place_count == sizeof(places) / sizeof(places[0]))
		abort();
	memset(&places[place_count], 0, sizeof(places[0]));
	places[place_count].address = address;
	return &places[place_count++];
}

static bool overlap(const struct model_event *a, const struct model_event *b)
{
	if (a->offset >= 0 && b->offset >= 0) /* the same byte may be mapped twice */
		return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
	return a->address < b->address + b->bytes && b->address < a->address + a->bytes;
}

static void with_past(struct model_set *set, int event, enum model_order order)
{
	model_join(set, &model_events[event].before[order]);
	model_add(set, event);
}

/* Stores to the same place keep their order; so does everything before a release. */
static void derive_order(struct model_event *event, int index, bool release)
{
	struct thread *self = &threads[event->thread];

	for (enum model_order order = 0; order < MODEL_ORDERS; order++) {
		bool after_all = release || order == MODEL_TSO;

		event->before[order] = after_all ? self->past[order] : self->acquired[order];
		for (int i = 0; i < index; i++)
			if (overlap(&model_events[i], event))
				with_past(&event->before[order], i, order);
		with_past(&self->past[order], index, order);
	}
}

static struct model_event *new_event(const void *address, uint32_t bytes, bool release)
{
	struct model_event *event = &model_events[model_count];

	if (model_count == MODEL_EVENTS) {
		fprintf(stderr, "model: more than %d events\n", MODEL_EVENTS);
		abort();
	}
	memset(event, 0, sizeof(*event));
	event->address = address;
	event->offset = model_offset(address);
	event->bytes = bytes;
	event->thread = model_self();
	memcpy(event->value, address, bytes);
	derive_order(event, model_count++, release);
	return event;
}

void model_flush(void)
{
	struct thread *self = model_self() < 0 ? NULL : &threads[model_self()];

	if (self && self->stored)
		new_event(self->stored, self->bytes, false);
	if (self)
		self->stored = NULL;
}

/* A plain store comes: what it stores is there when the thread next calls. */
static void plain(const void *address, uint32_t bytes)
{
	model_flush();
	if (model_self() < 0 || model_offset(address) < 0)
		return;
	threads[model_self()].stored = address;
	threads[model_self()].bytes = bytes;
}

/* As libc's, but in pieces that may reach the file one by one. */
static void in_pieces(uint8_t *to, size_t bytes)
{
	while (bytes) {
		uint32_t piece = bytes < MODEL_STORE_MAX ? (uint32_t)bytes : MODEL_STORE_MAX;

		new_event(to, piece, false);
		to += piece;
		bytes -= piece;
	}
}

void *model_memcpy(void *to, const void *from, size_t bytes);
void *model_memset(void *to, int byte, size_t bytes);

void *model_memcpy(void *to, const void *from, size_t bytes)
{
	model_flush();
	memcpy(to, from, bytes);
	if (model_self() >= 0 && model_offset(to) >= 0)
		in_pieces(to, bytes);
	return to;
}

static bool filled_with(const uint8_t *at, int byte, size_t bytes)
{
	return at[0] == (uint8_t)byte && memcmp(at, at + 1, bytes - 1) == 0;
}

/* Stores what is there already are none: a chunk is mostly zeros. */
void *model_memset(void *to, int byte, size_t bytes)
{
	bool shared = model_self() >= 0 && model_offset(to) >= 0;

	model_flush();
	for (size_t at = 0; at < bytes; at += MODEL_STORE_MAX) {
		size_t piece = bytes - at < MODEL_STORE_MAX ? bytes - at : MODEL_STORE_MAX;
		uint8_t *slot = (uint8_t *)to + at;

		if (filled_with(slot, byte, piece))
			continue;
		memset(slot, byte, piece);
		if (shared)
			new_event(slot, (uint32_t)piece, false);
	}
	return to;
}

static bool releases(int order)
{
	return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static bool acquires(int order)
{
	return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE;
}

/*
 * What was read has reached memory; who dies after that leaves it there, acquired or not. Another
 * process that looks on is promised only what C11 promises.
 */
static void read_from(const void *address, int memory_order)
{
	struct thread *self = &threads[model_self()];
	struct place *place = place_of(address);

	for (enum model_order order = 0; order < MODEL_ORDERS; order++)
		if (order != MODEL_LIVE || acquires(memory_order)) {
			model_join(&self->acquired[order], &place->released[order]);
			model_join(&self->past[order], &place->released[order]);
		}
}

static void stored(const void *address, uint32_t bytes, int memory_order, bool also_read)
{
	struct model_event *event = new_event(address, bytes, releases(memory_order));
	struct place *place = place_of(address);
	int index = model_count - 1;

	for (enum model_order order = 0; order < MODEL_ORDERS; order++) {
		if (!also_read)
			memset(&place->released[order], 0, sizeof(place->released[order]));
		if (order != MODEL_LIVE || releases(memory_order))
			with_past(&place->released[order], index, order);
		if (also_read && acquires(memory_order))
			with_past(&threads[event->thread].acquired[order], index, order);
	}
	if (event->offset >= 0 && bytes == 4 && event->value[0] == threads[event->thread].type) {
		event->record = threads[event->thread].record;
		threads[event->thread].record = 0;
	}
}

/* Is the operation one of a thread, rather than of what prepares a run? */
static bool begin_atomic(const volatile void *address, bool writes)
{
	model_flush();
	if (model_self() < 0)
		return false;
	model_yield((const void *)address, writes);
	return true;
}

#define ATOMICS(width)                                                                             \
	uint##width##_t __tsan_atomic##width##_load(const volatile uint##width##_t *p, int order);\
	uint##width##_t __tsan_atomic##width##_load(const volatile uint##width##_t *p, int order)  \
	{                                                                                          \
		if (begin_atomic(p, false))                                                                \
			read_from((const void *)p, order);                                         \
		return *p;                                                                         \
	}                                                                                          \
	void __tsan_atomic##width##_store(volatile uint##width##_t *p, uint##width##_t v, int order);\
	void __tsan_atomic##width##_store(volatile uint##width##_t *p, uint##width##_t v, int order)\
	{                                                                                          \
		bool ours = begin_atomic(p, true);                                                        \
		*p = v;                                                                            \
		if (ours)                                                                          \
			stored((const void *)p, sizeof(v), order, false);                          \
	}                                                                                          \
	uint##width##_t __tsan_atomic##width##_exchange(volatile uint##width##_t *p,               \
							uint##width##_t v, int order);             \
	uint##width##_t __tsan_atomic##width##_exchange(volatile uint##width##_t *p,               \
							uint##width##_t v, int order)              \
	{                                                                                          \
		bool ours = begin_atomic(p, true);                                                        \
		uint##width##_t old = *p;                                                          \
		if (ours)                                                                          \
			read_from((const void *)p, order);                                         \
		*p = v;                                                                            \
		if (ours)                                                                          \
			stored((const void *)p, sizeof(v), order, true);                           \
		return old;                                                                        \
	}                                                                                          \
	uint##width##_t __tsan_atomic##width##_fetch_add(volatile uint##width##_t *p,              \
							 uint##width##_t v, int order);            \
	uint##width##_t __tsan_atomic##width##_fetch_add(volatile uint##width##_t *p,              \
							 uint##width##_t v, int order)             \
	{                                                                                          \
		bool ours = begin_atomic(p, true);                                                        \
		uint##width##_t old = *p;                                                          \
		if (ours)                                                                          \
			read_from((const void *)p, order);                                         \
		*p = old + v;                                                                      \
		if (ours)                                                                          \
			stored((const void *)p, sizeof(v), order, true);                           \
		return old;                                                                        \
	}                                                                                          \
	int __tsan_atomic##width##_compare_exchange_strong(volatile uint##width##_t *p,            \
							   uint##width##_t *expected,              \
							   uint##width##_t v, int order, int failed);\
	int __tsan_atomic##width##_compare_exchange_strong(volatile uint##width##_t *p,            \
							   uint##width##_t *expected,              \
							   uint##width##_t v, int order, int failed)\
	{                                                                                          \
		bool ours = begin_atomic(p, true), equal = *p == *expected;                               \
		if (ours)                                                                          \
			read_from((const void *)p, equal ? order : failed);                        \
		if (!equal)                                                                        \
			*expected = *p;                                                            \
		else                                                                               \
			*p = v;                                                                    \
		if (equal && ours)                                                                 \
			stored((const void *)p, sizeof(v), order, true);                           \
		return equal;                                                                      \
	}

ATOMICS(32)
ATOMICS(64)

/* Between a thread and what interrupts it, be it for good: the compiler keeps the order. */
void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
	(void)order;
	model_flush();
	if (model_self() >= 0)
		model_join(&threads[model_self()].acquired[MODEL_KILL],
			   &threads[model_self()].past[MODEL_KILL]);
}

#define PLAIN(name, size)                                                                          \
	void __tsan_##name(void *p);                                                               \
	void __tsan_##name(void *p)                                                                \
	{                                                                                          \
		plain(p, size);                                                                    \
	}
#define NOTHING(name)                                                                              \
	void __tsan_##name(void *p);                                                               \
	void __tsan_##name(void *p)                                                                \
	{                                                                                          \
		(void)p;                                                                           \
		model_flush();                                                                     \
	}

PLAIN(write1, 1)
PLAIN(write2, 2)
PLAIN(write4, 4)
PLAIN(write8, 8)
PLAIN(write16, 16)
PLAIN(unaligned_write2, 2)
PLAIN(unaligned_write4, 4)
PLAIN(unaligned_write8, 8)
NOTHING(read1)
NOTHING(read2)
NOTHING(read4)
NOTHING(read8)
NOTHING(read16)
NOTHING(unaligned_read2)
NOTHING(unaligned_read4)
NOTHING(unaligned_read8)
NOTHING(func_entry)

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
	model_flush();
}

void __tsan_write_range(void *p, size_t bytes);
void __tsan_write_range(void *p, size_t bytes)
{
	plain(p, bytes > MODEL_STORE_MAX ? MODEL_STORE_MAX : (uint32_t)bytes);
}

void __tsan_read_range(void *p, size_t bytes);
void __tsan_read_range(void *p, size_t bytes)
{
	(void)bytes;
	__tsan_read1(p);
}
