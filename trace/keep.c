/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/keep.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "trace/flight.h"

#define PAUSE_NS 20000 /* while another thread makes a chunk */
#define PATIENCE 5000  /* so many of them: a thread that takes longer has been stopped */

static uint64_t kept_bytes(const struct ct_file *file)
{
	return __atomic_load_n(&file->header->kept_bytes, __ATOMIC_RELAXED);
}

static uint8_t *current(const struct ct_file *file)
{
	return __atomic_load_n(&file->flight.kept, __ATOMIC_ACQUIRE);
}

/* The next kept chunk, unless kept ones would take more than half of the limit. */
static bool make_next(struct ct_file *file, uint8_t *full)
{
	uint8_t *chunk = NULL;

	if (kept_bytes(file) + CT_CHUNK_UNIT <= file->limit_bytes / 2)
		chunk = ct_file_claim(file, CT_CHUNK_UNIT);
	if (!chunk)
		return false;
	__atomic_fetch_add(&file->header->kept_bytes,
			   ((const struct ct_chunk_header *)(void *)chunk)->bytes, __ATOMIC_RELAXED);
	if (full) /* totals in it go on being written, but most of it stays in the file alone */
		madvise(full, ((const struct ct_chunk_header *)(void *)full)->bytes, MADV_DONTNEED);
	__atomic_store_n(&file->flight.kept, chunk, __ATOMIC_RELEASE);
	return true;
}

/*
 * `full` has no room: see to it that there is another chunk. One thread makes it, the others
 * wait and look again. Returns false if there is none to be had.
 */
static bool grow(struct ct_file *file, uint8_t *full)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	int saved = errno, patience = PATIENCE, cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if (!__atomic_exchange_n(&file->flight.growing, 1, __ATOMIC_ACQUIRE)) {
		bool grown = current(file) != full || make_next(file, full);

		__atomic_store_n(&file->flight.growing, 0, __ATOMIC_RELEASE);
		pthread_setcancelstate(cancel, NULL);
		errno = saved;
		return grown;
	}
	for (; patience && __atomic_load_n(&file->flight.growing, __ATOMIC_ACQUIRE); patience--)
		nanosleep(&pause, NULL);
	if (!patience) /* it is stopped in there: two at it do no harm */
		__atomic_store_n(&file->flight.growing, 0, __ATOMIC_RELEASE);
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
	return true;
}

/* Take the next free slots of the chunk that the writer knows, or NULL. */
static void *take(struct ct_writer *writer, uint32_t bytes)
{
	uint32_t whole = ((const struct ct_chunk_header *)(void *)writer->kept)->bytes;

	while (whole - writer->kept_used >= bytes) {
		uint32_t *word = (uint32_t *)(void *)(writer->kept + writer->kept_used);
		uint32_t seen = 0;
		bool ours = __atomic_compare_exchange_n(
			word, &seen, CT_COMMIT(CT_RECORD_NONE, bytes / CT_SLOT_BYTES), false,
			__ATOMIC_RELAXED, __ATOMIC_RELAXED);

		writer->kept_used += ours ? bytes : CT_COMMIT_SLOTS(seen) * CT_SLOT_BYTES;
		if (ours)
			return word;
	}
	return NULL;
}

void *ct_keep_reserve(struct ct_writer *writer, uint32_t bytes)
{
	struct ct_file *file = writer->file;
	void *record = NULL;
	uint8_t *chunk;

	if (!file || !ct_flight_on(file))
		return ct_writer_reserve(writer, bytes);
	bytes = (bytes + CT_SLOT_BYTES - 1) / CT_SLOT_BYTES * CT_SLOT_BYTES;
	if (bytes <= CT_CHUNK_UNIT - CT_SLOT_BYTES)
		do {
			chunk = current(file);
			if (chunk != writer->kept)
				writer->kept_used = CT_SLOT_BYTES;
			writer->kept = chunk;
			record = chunk ? take(writer, bytes) : NULL;
		} while (!record && grow(file, chunk));
	if (!record)
		ct_file_lose(file, CT_LOSS_KEPT, 1);
	return record;
}

/* Have records of which there may be any number taken their share? */
static bool had_share(const struct ct_file *file)
{
	return kept_bytes(file) > file->limit_bytes / 4;
}

void *ct_keep_reserve_some(struct ct_writer *writer, uint32_t bytes)
{
	struct ct_file *file = writer->file;

	return file && ct_flight_on(file) && had_share(file) ? ct_writer_reserve(writer, bytes)
							       : ct_keep_reserve(writer, bytes);
}

/* A copy without its commit word, which is stored when all else is there. */
static void fill(uint8_t *to, enum ct_record_type type, const void *record)
{
	memcpy(to + sizeof(uint32_t), (const uint8_t *)record + sizeof(uint32_t),
	       CT_SLOT_BYTES - sizeof(uint32_t));
	ct_writer_commit(to, type, CT_SLOT_BYTES);
}

/* Whose context it is matters: its THREAD record goes before it, both in one piece. */
static bool put_context(struct ct_writer *writer, const void *record)
{
	struct ct_thread_record thread = {
		.tid = writer->tid,
		.seen_ns = ct_clock_ns(CLOCK_MONOTONIC),
	};
	uint8_t *to = ct_keep_reserve(writer, 2 * CT_SLOT_BYTES);

	if (!to)
		return false;
	memcpy(thread.name, writer->name, sizeof(thread.name));
	fill(to + CT_SLOT_BYTES, CT_RECORD_CONTEXT, record);
	fill(to, CT_RECORD_THREAD, &thread); /* its length now ends before the other begins */
	return true;
}

bool ct_keep_put(struct ct_writer *writer, enum ct_record_type type, const void *record)
{
	struct ct_file *file = writer->file;
	uint8_t *to;

	if (!file || !ct_flight_on(file) || type <= CT_RECORD_OVERHEAD ||
	    (type == CT_RECORD_STREAM && had_share(file)))
		return ct_writer_put(writer, type, record);
	if (type == CT_RECORD_CONTEXT)
		return put_context(writer, record);
	to = ct_keep_reserve(writer, CT_SLOT_BYTES);
	if (to)
		fill(to, type, record);
	return to != NULL;
}
