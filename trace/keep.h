/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that are kept for the whole run: names, stacks, modules, notes, totals. In a flight
 * recorder they lie in chunks of their own, which are never overwritten and which all threads
 * fill together, as these records are few. In any other file they go where the thread's
 * other records go.
 *
 * A record there is reserved by storing its length with type 0, by compare-and-swap: which
 * readers step over. So no unfinished one hides what is behind it, whoever was killed when.
 */
#ifndef CT_TRACE_KEEP_H
#define CT_TRACE_KEEP_H

#include "trace/writer.h"

/*
 * Reserve a record of `bytes` bytes (rounded up to slots), zeroed, for ct_writer_commit().
 * It may be written for as long as the process lives. Returns NULL when there is no room,
 * or kept records would take more than half of the limit; that loss has been counted.
 */
void *ct_keep_reserve(struct ct_writer *writer, uint32_t bytes);

/*
 * The same for records of which a program may make any number: they are kept within half of what
 * kept records may take, and go to the events beyond that, where they may be overwritten.
 */
void *ct_keep_reserve_some(struct ct_writer *writer, uint32_t bytes);

/*
 * Reserve, copy and commit a one-slot record of any type where it belongs. A context's record
 * says whose it is. STREAM records, of which a program may make any number, are kept only
 * within half of what kept records may take. Returns false if it was lost.
 */
bool ct_keep_put(struct ct_writer *writer, enum ct_record_type type, const void *record);

#endif
