/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which NVTX ranges are under way: in a chunk of the trace of its own, in which places are used
 * again and again. So a range costs one record, and one that never ends is known all the same.
 */
#include "shim/nvtx.h"

#include <errno.h>
#include <pthread.h>

#include "shim/shim.h"
#include "trace/flight.h"

#define PLACES (CT_CHUNK_UNIT / CT_SLOT_BYTES - 1)

static struct ct_nvtx_range *places; /* PLACES of them; NULL = no chunk */
static uint8_t taken[PLACES];        /* by a range that is open */
static uint32_t hint;                /* where to look for one first */

void ct_nvtx_open_prepare(void)
{
	static uint32_t once;
	int saved = errno, cancel;
	struct ct_chunk_header *chunk;

	if (__atomic_exchange_n(&once, 1, __ATOMIC_RELAXED))
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	chunk = ct_file_claim(&ct_shim.file, CT_CHUNK_UNIT);
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
	if (!chunk)
		return;
	if (ct_flight_on(&ct_shim.file)) /* never overwritten, as nobody retires it */
		__atomic_fetch_add(&ct_shim.file.header->kept_bytes, chunk->bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&places, (void *)(chunk + 1), __ATOMIC_RELEASE);
}

/* First the commit words of all places before: a reader stops at the first that is 0. */
static bool take(struct ct_nvtx_range *all, uint32_t i)
{
	uint32_t none = 0;
	uint8_t free_one = 0;

	__atomic_compare_exchange_n(&all[i].commit, &none, CT_COMMIT(CT_RECORD_NVTX_OPEN, 1), false,
				    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n(&taken[i], &free_one, 1, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

/* Places up to here have been used; the next one may begin to be. */
static uint32_t used;

static uint32_t find(struct ct_nvtx_range *all)
{
	uint32_t from = __atomic_load_n(&hint, __ATOMIC_RELAXED);
	uint32_t end = __atomic_load_n(&used, __ATOMIC_ACQUIRE);

	for (uint32_t n = 0; n < end; n++) {
		uint32_t i = (from + n) % end;

		if (!__atomic_load_n(&taken[i], __ATOMIC_RELAXED) && take(all, i))
			return i;
	}
	for (uint32_t i = end; i < PLACES; i++)
		if (take(all, i)) {
			while (end <= i && !__atomic_compare_exchange_n(&used, &end, i + 1, false,
									__ATOMIC_RELEASE,
									__ATOMIC_RELAXED))
				;
			return i;
		}
	return PLACES;
}

struct ct_nvtx_range *ct_nvtx_open_take(void)
{
	struct ct_nvtx_range *all = __atomic_load_n(&places, __ATOMIC_ACQUIRE);
	uint32_t i = all ? find(all) : PLACES;

	return i == PLACES ? NULL : &all[i];
}

void ct_nvtx_open_fill(struct ct_nvtx_range *place, const struct ct_nvtx_range *range)
{
	if (!place)
		return;
	place->tid = range->tid;
	place->name = range->name == CT_NVTX_PASSING ? 0 : range->name;
	place->domain = range->domain;
	place->category = range->category;
	place->color = range->color;
	place->kind = range->kind;
	__atomic_store_n(&place->begin_ns, range->begin_ns, __ATOMIC_RELEASE);
}

void ct_nvtx_open_empty(struct ct_nvtx_range *place)
{
	if (place)
		__atomic_store_n(&place->begin_ns, 0, __ATOMIC_RELEASE);
}

void ct_nvtx_open_give(struct ct_nvtx_range *place)
{
	uint32_t i;

	if (!place)
		return;
	i = (uint32_t)(place - places);
	ct_nvtx_open_empty(place);
	__atomic_store_n(&taken[i], 0, __ATOMIC_RELEASE);
	__atomic_store_n(&hint, i, __ATOMIC_RELAXED);
}
