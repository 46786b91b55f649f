/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/totals.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "shim/shim.h"
#include "shim/thread.h"
#include "trace/apis.h"
#include "trace/keep.h"

#define SLOTS (2 * CT_TOTALS_SITES) /* a power of two; half of them stay free */
#define LEFT 256                    /* tables of ended threads that wait for a new one */

/* Where the records are: by call site, and by name for sites beyond the table. */
struct ct_totals {
	struct {
		uint64_t key; /* 0 = free */
		struct ct_total *total;
	} sites[SLOTS];
	uint32_t count;
	struct ct_total *rest[CT_API_COUNT];
};

static struct ct_totals *left[LEFT];

static struct ct_totals *take_left(void)
{
	for (int i = 0; i < LEFT; i++)
		if (__atomic_load_n(&left[i], __ATOMIC_RELAXED)) {
			struct ct_totals *totals = __atomic_exchange_n(&left[i], NULL,
								       __ATOMIC_ACQUIRE);

			if (totals)
				return totals;
		}
	return NULL;
}

static struct ct_totals *totals_of(struct ct_thread *thread)
{
	int saved = errno;
	void *map;

	if (thread->totals)
		return thread->totals;
	thread->totals = take_left();
	if (thread->totals)
		return thread->totals;
	map = mmap(NULL, sizeof(*thread->totals), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	errno = saved;
	if (map != MAP_FAILED)
		thread->totals = map;
	return thread->totals;
}

static struct ct_total *make(struct ct_thread *thread, uint16_t api, uint32_t stack, bool rest)
{
	struct ct_total *total = ct_keep_reserve(&thread->writer, sizeof(*total));

	if (!total)
		return NULL;
	total->api = api;
	total->stack = stack;
	total->rest = rest;
	ct_writer_commit(total, CT_RECORD_TOTAL, sizeof(*total));
	return total;
}

static struct ct_total *find(struct ct_thread *thread, struct ct_totals *totals, uint16_t api,
			     uint32_t stack)
{
	uint64_t key = (uint64_t)stack << 16 | api;
	uint32_t at = (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) % SLOTS;
	struct ct_total *total;

	while (totals->sites[at].key && totals->sites[at].key != key)
		at = (at + 1) % SLOTS; /* ends: half of them are free */
	if (totals->sites[at].key)
		return totals->sites[at].total;
	if (totals->count >= CT_TOTALS_SITES) {
		if (!totals->rest[api])
			totals->rest[api] = make(thread, api, 0, true);
		return totals->rest[api];
	}
	total = make(thread, api, stack, false);
	if (total) {
		totals->sites[at].total = total;
		totals->sites[at].key = key;
		totals->count++;
	}
	return total;
}

/* Nobody else writes these; a reader of the file finds whole numbers. */
static void store(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

void ct_totals_add(struct ct_thread *thread, const struct ct_call *call)
{
	struct ct_totals *totals = totals_of(thread);
	struct ct_total *total = totals ? find(thread, totals, call->api, call->stack) : NULL;
	uint64_t ns = call->leave_ns - call->enter_ns;

	if (!total) {
		ct_file_lose(&ct_shim.file, CT_LOSS_TOTALS, 1);
		return;
	}
	store(&total->calls, total->calls + 1);
	store(&total->total_ns, total->total_ns + ns);
	store(&total->bytes, total->bytes + call->bytes);
	if (ns > total->longest_ns)
		store(&total->longest_ns, ns);
	if (ns >= CT_TOTAL_LONG_NS)
		store(&total->long_calls, total->long_calls + 1);
	if (call->error)
		store(&total->failed, total->failed + 1);
}

void ct_totals_finish(struct ct_thread *thread)
{
	struct ct_totals *totals = thread->totals;

	thread->totals = NULL;
	for (int i = 0; totals && i < LEFT; i++) {
		struct ct_totals *none = NULL;

		if (__atomic_compare_exchange_n(&left[i], &none, totals, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
	}
	if (totals)
		munmap(totals, sizeof(*totals));
}
