/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a trace file: any prefix of one, a live one, one whose writer was killed.
 */
#ifndef CT_TRACE_READER_H
#define CT_TRACE_READER_H

#include <stdint.h>

#include "trace/record.h"

struct ct_reader;

/* One record. It lies in the reader's memory and lives as long as the reader. */
struct ct_item {
	enum ct_record_type type;
	uint32_t bytes;  /* whole slots */
	uint32_t tid;    /* whose record it is; 0 = not known */
	uint64_t offset; /* in the file */
	const void *record;
};

/*
 * Open a trace for reading and check its header.
 *
 * Returns 0 and stores a reader the caller must ct_reader_close(), or
 *   -EBADMSG          not a cutrace file, or shorter than its header
 *   -EPROTONOSUPPORT  written by a newer version or on another byte order
 *   -EINVAL           not a regular file
 *   -errno            from open, fstat or mmap
 */
int ct_reader_open(const char *path, struct ct_reader **ret_reader);

/* Unmap and free; accepts NULL. */
void ct_reader_close(struct ct_reader *reader);

/* Size of the file in bytes. Less than claimed_bytes of a finished trace: it was cut. */
uint64_t ct_reader_size(const struct ct_reader *reader);

/* The file's header. loss_count is no larger than lost[] has entries. */
const struct ct_file_header *ct_reader_header(const struct ct_reader *reader);

/*
 * Fetch the next well-formed record, chunk by chunk in file order. Lengths inside
 * the record have been checked against its bytes, so its text and arrays can be
 * read without further care.
 *
 * Returns 1 and fills *ret_item, or 0 at the end.
 */
int ct_reader_next(struct ct_reader *reader, struct ct_item *ret_item);

/*
 * What was passed over so far: bytes of chunks that could not be read. 0 in every
 * file cutrace wrote undisturbed. ret_offset: where the first of them lies.
 */
uint64_t ct_reader_damage(const struct ct_reader *reader, uint64_t *ret_offset);

#endif
