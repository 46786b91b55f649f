/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flight recorder: a trace file that keeps to a size and holds the newest events of a
 * run of any length. Chunks that are full are overwritten, the one that was filled first
 * first; what describes events (names, stacks, modules, totals) lies in chunks of its own,
 * which are kept: see keep.h.
 *
 * A chunk is taken back in steps, so that a process killed at any instruction leaves a file
 * that can be read and does not look more complete than it is: what will be overwritten is
 * counted in the header; the first record's commit word is cleared, from which moment on the
 * chunk is an empty one; all its bytes are zeroed; only then are records written.
 *
 * Nothing here allocates memory after the start (8 bytes for each 64 KiB of the limit, used as
 * the file grows), locks or prints.
 */
#ifndef CT_TRACE_FLIGHT_H
#define CT_TRACE_FLIGHT_H

#include "trace/writer.h"

/* The smallest limit: below, there is hardly room for the names of calls. */
#define CT_FLIGHT_LEAST (8u * CT_CHUNK_UNIT)

/*
 * Make a file that has just been created a flight recorder of limit_bytes, at least
 * CT_FLIGHT_LEAST. Returns 0, or -errno from mmap; then the limit holds all the same, and
 * recording ends when it is reached.
 */
int ct_flight_start(struct ct_file *file, uint64_t limit_bytes);

/* Is the file a flight recorder? */
static inline bool ct_flight_on(const struct ct_file *file)
{
	return file->flight.full != NULL;
}

/* Done with a mapped chunk: unmap it. A flight recorder may overwrite it from now on. */
void ct_flight_retire(struct ct_file *file, void *chunk);

/*
 * Retire what ended threads left unfinished and nobody has taken up since the call before.
 * To be called once in a while, always by the same thread.
 */
void ct_flight_sweep(struct ct_file *file);

/*
 * The chunk that was retired first, or else one that an ended thread left unfinished:
 * mapped, emptied, its records counted as overwritten. NULL if the file is no flight
 * recorder, or all its chunks are in use.
 */
void *ct_flight_recycle(struct ct_file *file);

#endif
