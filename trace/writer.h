/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a trace file from inside the traced program.
 *
 * A ct_file is the file and its mapped header, shared by all threads; a
 * ct_writer is one thread's place in it: a chunk mapped shared, filled record by
 * record. Storing the commit word is the whole act of writing, so a process
 * killed at any instruction leaves every committed record in the page cache.
 *
 * No file descriptor is kept between calls: programs close descriptors they did
 * not open, and a recycled one would let us write into somebody's file.
 *
 * Nothing here allocates, locks, prints or changes errno, and no record's way into the file
 * is a cancellation point. When a record cannot be stored its loss is counted in the header
 * and the caller goes on.
 */
#ifndef CT_TRACE_WRITER_H
#define CT_TRACE_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "trace/record.h"

#define CT_REMNANTS 256
#define CT_SPARES 2

/*
 * A flight recorder: chunks of events that are full are overwritten when there is no other
 * room, the one that was full first first.
 */
struct ct_flight {
	uint64_t *full;     /* by place in the file, in units: when the chunk that begins there was
			     * full, counting chunks; 0 = in use, or none. NULL = no recorder */
	uint64_t order;     /* the last of those counts */
	uint32_t units;     /* entries */
	uint8_t *kept;      /* the chunk for what is never overwritten that is being filled */
	uint32_t growing;   /* a thread is making the next one */
	void *lain[CT_REMNANTS]; /* what was left unfinished when ct_flight_sweep() last looked */
};

struct ct_file {
	struct ct_file_header *header; /* mapped; NULL until created */
	char path[4096];
	uint64_t device, inode;        /* the file we created, to know it again */
	uint64_t limit_bytes;          /* no chunk is claimed past this size; 0 = no limit */
	uint32_t chunk_max;            /* chunks do not grow beyond it */
	struct ct_flight flight;
	uint64_t sequence;
	void *remnants[CT_REMNANTS];   /* chunks that ended threads left unfinished */
	void *spares[CT_SPARES];       /* chunks of CT_CHUNK_MAX made beforehand */
	uint32_t spares_wanted;        /* some thread writes so much that it needs them */
	void (*ring)(void);            /* called when a spare was taken; may be NULL */
};

struct ct_writer {
	struct ct_file *file;
	uint8_t *chunk;       /* NULL = none yet */
	uint32_t chunk_bytes;
	uint32_t used;        /* bytes of the chunk already given out */
	uint32_t tid;
	char name[16];
	bool failed;          /* the last attempt to get a chunk failed: try rarely */
	uint32_t retry;
	uint8_t *kept;        /* the file's kept chunk as this thread last saw it */
	uint32_t kept_used;   /* everything before it is taken; more may be */
};

/*
 * Create the trace file at path (mode 0600; must not exist, links are refused)
 * and map its header. program is the base name of the traced executable.
 *
 * Returns 0, or -errno from open, fallocate or mmap; then nothing is left behind.
 */
int ct_file_create(struct ct_file *file, const char *path, const char *program);

/* Add n to a loss counter. Safe from any thread; ignored when there is no file. */
void ct_file_lose(struct ct_file *file, enum ct_loss what, uint64_t n);

/*
 * Mark the trace as properly closed, and give back the disk space of spare chunks. Records
 * may still be appended afterwards.
 */
void ct_file_finish(struct ct_file *file, enum ct_finish how);

/*
 * Make spare chunks, if any thread has been seen to need them: claiming a chunk and
 * making its pages writable takes longer than filling it. To be called by a thread that
 * has the time, after ring(), and by no two at once. Later calls fill up what has been taken.
 */
void ct_file_prepare(struct ct_file *file);

/* Bind a writer to a file and a thread; takes no chunk yet. */
void ct_writer_init(struct ct_writer *writer, struct ct_file *file, uint32_t tid);

/*
 * Reserve a record of `bytes` bytes (rounded up to slots), zeroed.
 *
 * Returns the record, to be filled and passed to ct_writer_commit() before the
 * next reservation, or NULL when there is no room; that loss has been counted.
 */
void *ct_writer_reserve(struct ct_writer *writer, uint32_t bytes);

/* Publish a reserved record. bytes as reserved. */
void ct_writer_commit(void *record, enum ct_record_type type, uint32_t bytes);

/*
 * Records come: have the processor fetch, meanwhile, the place of one of the next. Another core
 * zeroed it, so it comes from far. Past the end of the chunk nothing is fetched.
 */
static inline void ct_writer_expect(const struct ct_writer *writer)
{
	__builtin_prefetch(writer->chunk + writer->used + 4 * CT_SLOT_BYTES, 1);
}

/* ct_writer_put() where the chunk is full, or there is none. */
bool ct_writer_put_slowly(struct ct_writer *writer, enum ct_record_type type, const void *record);

/* Reserve, copy a one-slot record (commit word ignored) and commit it. Returns false if lost. */
static inline bool ct_writer_put(struct ct_writer *writer, enum ct_record_type type,
				 const void *record)
{
	uint8_t *to = writer->chunk + writer->used;

	if (__builtin_expect(!writer->chunk || writer->chunk_bytes - writer->used < CT_SLOT_BYTES, 0))
		return ct_writer_put_slowly(writer, type, record);
	writer->used += CT_SLOT_BYTES;
	memcpy(to + sizeof(uint32_t), (const uint8_t *)record + sizeof(uint32_t),
	       CT_SLOT_BYTES - sizeof(uint32_t));
	__atomic_store_n((uint32_t *)(void *)to, CT_COMMIT(type, 1), __ATOMIC_RELEASE);
	return true;
}

/* The thread ends: leave the rest of its chunk to another thread. */
void ct_writer_release(struct ct_writer *writer);

/*
 * For keep.c and flight.c. Claim a chunk: its header is stored, the rest is zero. Where there
 * is no room left, or no space on the disk, a flight recorder's oldest one is used, whatever
 * its size. NULL: none.
 */
void *ct_file_claim(struct ct_file *file, uint32_t bytes);

/* Map a part of the file, ready to be written; NULL if it cannot be, or is not there. */
void *ct_file_map(const struct ct_file *file, uint64_t offset, uint32_t bytes);

/* A chunk that a thread left unfinished, or NULL. */
void *ct_file_take_remnant(struct ct_file *file);

/* Nanoseconds of a clock. */
uint64_t ct_clock_ns(clockid_t clock);

/*
 * Zero a part of a chunk, of whole slots. Not by memset(): in a program under ThreadSanitizer
 * that would be the program's, which sees a race where it cannot see by which atomics chunks
 * change hands.
 */
void ct_writer_wipe(uint8_t *at, size_t bytes);

#endif
