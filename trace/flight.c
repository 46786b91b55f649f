/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/flight.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define AHEAD_NS 100000 /* what the writer's times may be ahead of the clock: shim/clock.h */
#define CHUNKS_LEAST 64 /* of a full recorder, unless that makes them smaller than a unit */

int ct_flight_start(struct ct_file *file, uint64_t limit_bytes)
{
	uint64_t units = limit_bytes / CT_CHUNK_UNIT, most = units / CHUNKS_LEAST * CT_CHUNK_UNIT;
	void *map;

	if (units > UINT32_MAX) /* no file system has room for more */
		units = UINT32_MAX;
	file->limit_bytes = limit_bytes;
	map = mmap(NULL, units * sizeof(*file->flight.full), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	if (most < CT_CHUNK_MAX)
		file->chunk_max = most > CT_CHUNK_UNIT ? (uint32_t)most : CT_CHUNK_UNIT;
	file->flight.full = map;
	file->flight.units = (uint32_t)units;
	file->header->limit_bytes = limit_bytes;
	return 0;
}

/* From now on a chunk is there to be taken, after those that are already. */
static void put(struct ct_flight *flight, uint64_t offset)
{
	uint64_t order = __atomic_add_fetch(&flight->order, 1, __ATOMIC_RELAXED);

	__atomic_store_n(&flight->full[offset / CT_CHUNK_UNIT], order, __ATOMIC_RELEASE);
}

/* Take the one that has been there longest; returns where it lies in the file, 0 if none is. */
static uint64_t take(struct ct_flight *flight)
{
	uint64_t first;
	uint32_t unit;

	do {
		first = UINT64_MAX;
		unit = 0;
		for (uint32_t i = 1; i < flight->units; i++) {
			uint64_t order = __atomic_load_n(&flight->full[i], __ATOMIC_RELAXED);

			if (order && order < first) {
				first = order;
				unit = i;
			}
		}
	} while (unit && !__atomic_compare_exchange_n(&flight->full[unit], &first, 0, false,
						      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return (uint64_t)unit * CT_CHUNK_UNIT;
}

void ct_flight_retire(struct ct_file *file, void *chunk)
{
	const struct ct_chunk_header *head = chunk;
	uint64_t offset = head->offset;

	munmap(chunk, head->bytes);
	if (ct_flight_on(file))
		put(&file->flight, offset);
}

void ct_flight_sweep(struct ct_file *file)
{
	for (int i = 0; ct_flight_on(file) && i < CT_REMNANTS; i++) {
		void *chunk = __atomic_load_n(&file->remnants[i], __ATOMIC_RELAXED);

		if (chunk && chunk == file->flight.lain[i] &&
		    __atomic_compare_exchange_n(&file->remnants[i], &chunk, NULL, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
			ct_flight_retire(file, chunk);
			chunk = NULL;
		}
		file->flight.lain[i] = chunk;
	}
}

/* When what a record tells of was over; 0: it does not say. */
static uint64_t time_of(enum ct_record_type type, const void *record)
{
	switch (type) {
	case CT_RECORD_CALL:
		return ((const struct ct_call *)record)->leave_ns;
	case CT_RECORD_DEVICE:
		return ((const struct ct_device_op *)record)->end_ns;
	case CT_RECORD_SYNC:
		return ((const struct ct_sync *)record)->end_ns;
	case CT_RECORD_OVERHEAD:
		return ((const struct ct_overhead *)record)->end_ns;
	case CT_RECORD_NVTX_RANGE:
		return ((const struct ct_nvtx_range *)record)->end_ns;
	default:
		return 0;
	}
}

/* Nothing that ended later was overwritten: lift that bound. */
static void lift(uint64_t *bound, uint64_t to)
{
	uint64_t now = __atomic_load_n(bound, __ATOMIC_RELAXED);

	while (now < to && !__atomic_compare_exchange_n(bound, &now, to, false, __ATOMIC_RELAXED,
							__ATOMIC_RELAXED))
		;
}

/* Say in the file's header what is about to go. */
static void account(struct ct_file *file, const uint8_t *chunk, uint32_t bytes)
{
	uint64_t counts[CT_RECORD_TYPES] = { 0 }, latest = 0;
	uint64_t horizon = ct_clock_ns(CLOCK_MONOTONIC) + AHEAD_NS;

	for (uint32_t at = CT_SLOT_BYTES; at < bytes;) {
		uint32_t word = *(const uint32_t *)(const void *)(chunk + at);
		enum ct_record_type type = (enum ct_record_type)CT_COMMIT_TYPE(word);
		uint64_t time;

		if (!CT_COMMIT_SLOTS(word))
			break;
		time = time_of(type, chunk + at);
		if (time > latest && time <= horizon) /* a time to come would hide everything: not one */
			latest = time;
		if (type != CT_RECORD_THREAD && type < CT_RECORD_TYPES)
			counts[type]++;
		at += CT_COMMIT_SLOTS(word) * CT_SLOT_BYTES;
	}
	for (int type = 0; type < CT_RECORD_TYPES; type++)
		if (counts[type])
			__atomic_fetch_add(&file->header->overwritten[type], counts[type],
					   __ATOMIC_RELAXED);
	lift(&file->header->kept_from_ns, latest);
}

/* The chunk becomes an empty one. Its header stays as it is, but for its number. */
static void empty(struct ct_file *file, uint8_t *chunk, uint32_t bytes)
{
	struct ct_chunk_header *head = (void *)chunk;
	uint64_t sequence = __atomic_add_fetch(&file->sequence, 1, __ATOMIC_RELAXED);

	__atomic_store_n((uint32_t *)(void *)(chunk + CT_SLOT_BYTES), 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* first this: we may be killed in the next line */
	ct_writer_wipe(chunk + CT_SLOT_BYTES, bytes - CT_SLOT_BYTES);
	__atomic_store_n(&head->sequence, sequence, __ATOMIC_RELEASE);
}

/* Map a chunk whose size only its header says. */
static uint8_t *map_chunk(struct ct_file *file, uint64_t offset)
{
	struct ct_chunk_header *head = ct_file_map(file, offset, CT_CHUNK_UNIT);
	uint32_t bytes = head ? head->bytes : 0;

	if (bytes <= CT_CHUNK_UNIT)
		return (uint8_t *)head;
	munmap(head, CT_CHUNK_UNIT);
	return ct_file_map(file, offset, bytes);
}

void *ct_flight_recycle(struct ct_file *file)
{
	uint64_t offset = ct_flight_on(file) ? take(&file->flight) : 0;
	uint8_t *chunk = NULL;

	if (offset) {
		chunk = map_chunk(file, offset);
		if (!chunk) /* no descriptor or memory to be had now: later, perhaps */
			put(&file->flight, offset);
	} else if (ct_flight_on(file)) {
		chunk = ct_file_take_remnant(file);
	}
	if (chunk) {
		uint32_t bytes = ((const struct ct_chunk_header *)(void *)chunk)->bytes;

		account(file, chunk, bytes);
		empty(file, chunk, bytes);
	}
	return chunk;
}
