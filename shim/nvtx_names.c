/* SPDX-License-Identifier: Apache-2.0 */
/* Names of NVTX ranges by number: each is recorded once. */
#include "shim/nvtx.h"

#include <string.h>

#include "shim/mode.h"
#include "shim/shim.h"
#include "shim/thread.h"
#include "trace/keep.h"

#define TABLE_SLOTS (1u << 16)
#define PROBES_MAX 64
#define OUTSIDE_MOST (TABLE_SLOTS / 2) /* names from outside windows */
#define EARLY_BYTES 65536u
#define EARLY_NAMES 1024u

/* Key of every name seen, 0 = free; the id is the index plus one. As in stack.c. */
static uint64_t table[TABLE_SLOTS];

/* Names from before there was a trace. */
struct early {
	uint32_t id, length, at; /* of the text, plus one; stored last, 0 = not there yet */
};

static struct {
	uint32_t count, used, lost;
	struct early names[EARLY_NAMES];
	char bytes[EARLY_BYTES];
} early;

/* FNV-1a, 64 bits: no two names of a program will have the same. */
static uint64_t key_of(const char *text, uint32_t length)
{
	uint64_t key = 0xcbf29ce484222325u;

	for (uint32_t i = 0; i < length; i++)
		key = (key ^ (unsigned char)text[i]) * 0x100000001b3u;
	return key ? key : 1;
}

static void record(struct ct_thread *thread, uint32_t id, const char *text, uint32_t length)
{
	uint32_t bytes = (uint32_t)sizeof(struct ct_nvtx_name) + length;
	struct ct_nvtx_name *name = ct_keep_reserve_some(&thread->writer, bytes);

	if (!name)
		return;
	name->id = id;
	name->length = length;
	memcpy(name->text, text, length);
	ct_writer_commit(name, CT_RECORD_NVTX_NAME, bytes);
}

static bool full; /* some name had no room */

static void lose(void)
{
	if (ct_shim_alive())
		ct_file_lose(&ct_shim.file, CT_LOSS_RANGE_NAMES, 1);
	else
		__atomic_fetch_add(&early.lost, 1, __ATOMIC_RELAXED);
}

void ct_nvtx_nameless(void)
{
	if (__atomic_load_n(&full, __ATOMIC_RELAXED))
		lose();
}

/* Take n of what has a bound; returns where they begin, or the bound. */
static uint32_t take(uint32_t *used, uint32_t n, uint32_t bound)
{
	uint32_t at = __atomic_load_n(used, __ATOMIC_RELAXED);

	do
		if (n > bound - at)
			return bound;
	while (!__atomic_compare_exchange_n(used, &at, at + n, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED));
	return at;
}

static void keep_early(uint32_t id, const char *text, uint32_t length)
{
	uint32_t at = take(&early.used, length, EARLY_BYTES);
	uint32_t i = at == EARLY_BYTES ? EARLY_NAMES : take(&early.count, 1, EARLY_NAMES);

	if (i == EARLY_NAMES) {
		__atomic_fetch_add(&early.lost, 1, __ATOMIC_RELAXED);
		return;
	}
	memcpy(early.bytes + at, text, length);
	early.names[i].id = id;
	early.names[i].length = length;
	__atomic_store_n(&early.names[i].at, at + 1, __ATOMIC_RELEASE);
}

/* Whoever finds no trace looks again when it has kept the name: one of the two records it. */
static void tell(struct ct_thread *thread, uint32_t id, const char *text, uint32_t length)
{
	if (!ct_shim_alive() && !ct_shim_closed()) {
		keep_early(id, text, length);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	if (ct_shim_alive())
		record(thread, id, text, length);
}

void ct_nvtx_names_started(struct ct_thread *thread)
{
	uint32_t count;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	count = __atomic_load_n(&early.count, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < count; i++) {
		const struct early *one = &early.names[i];
		uint32_t at = __atomic_load_n(&one->at, __ATOMIC_ACQUIRE);

		if (at) /* else its thread is about to, and finds the trace then */
			record(thread, one->id, early.bytes + at - 1, one->length);
	}
	ct_file_lose(&ct_shim.file, CT_LOSS_RANGE_NAMES, __atomic_load_n(&early.lost, __ATOMIC_RELAXED));
}

void ct_nvtx_passed(void)
{
	lose();
}

/* May a name have a slot of its own? */
static bool has_room(bool outside)
{
	static uint32_t used;

	return !outside || take(&used, 1, OUTSIDE_MOST) < OUTSIDE_MOST;
}

static uint32_t intern(struct ct_thread *thread, const char *text, uint32_t length, bool outside)
{
	uint64_t key;

	if (length > CT_NVTX_NAME_MAX)
		length = CT_NVTX_NAME_MAX;
	if (!length)
		return 0;
	key = key_of(text, length);
	for (uint32_t probe = 0; probe < PROBES_MAX; probe++) {
		uint32_t slot = (uint32_t)(key + probe) & (TABLE_SLOTS - 1);
		uint64_t seen = __atomic_load_n(&table[slot], __ATOMIC_RELAXED);

		if (!seen && !has_room(outside))
			return CT_NVTX_PASSING;
		if (!seen && __atomic_compare_exchange_n(&table[slot], &seen, key, false,
							 __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			tell(thread, slot + 1, text, length);
			return slot + 1;
		}
		if (seen == key)
			return slot + 1;
	}
	__atomic_store_n(&full, true, __ATOMIC_RELAXED);
	lose();
	return 0;
}

uint32_t ct_nvtx_intern(struct ct_thread *thread, const char *text, uint32_t length)
{
	return intern(thread, text, length, false);
}

uint32_t ct_nvtx_intern_range(struct ct_thread *thread, const char *text, uint32_t length)
{
	return intern(thread, text, length, ct_mode() == CT_MODE_OFF);
}
