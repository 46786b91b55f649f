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
 * Nothing here allocates, locks, prints or changes errno. When a record cannot
 * be stored its loss is counted in the header and the caller goes on.
 */
#ifndef CT_TRACE_WRITER_H
#define CT_TRACE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/record.h"

#define CT_REMNANTS 256
#define CT_SPARES 2

struct ct_file {
	struct ct_file_header *header; /* mapped; NULL until created */
	char path[4096];
	uint64_t device, inode;        /* the file we created, to know it again */
	uint64_t limit_bytes;          /* no chunk is claimed past this size; 0 = no limit */
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
 * has the time, after ring(). Later calls fill up what has been taken.
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

/* Reserve, copy a one-slot record (commit word ignored) and commit it. Returns false if lost. */
bool ct_writer_put(struct ct_writer *writer, enum ct_record_type type, const void *record);

/* The thread ends: leave the rest of its chunk to another thread. */
void ct_writer_release(struct ct_writer *writer);

#endif
