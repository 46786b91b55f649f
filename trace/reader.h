/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a trace file: any prefix of one, a live one, one whose writer was killed; and
 * any of those in packed form, which reads the same.
 */
#ifndef CT_TRACE_READER_H
#define CT_TRACE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/record.h"

struct ct_reader;

struct ct_cursor;

/* One record, in the memory of the cursor or reader it came from. */
struct ct_item {
	enum ct_record_type type;
	uint32_t bytes;  /* whole slots */
	uint32_t tid;    /* whose record it is; 0 = not known */
	uint64_t offset; /* in the file, before it was packed */
	const void *record;
};

/*
 * Open a trace for reading and check its header.
 *
 * Returns 0 and stores a reader the caller must ct_reader_close(), or
 *   -EBADMSG          not a cutrace file, or shorter than its header, or packed and its
 *                     header is damaged
 *   -EPROTONOSUPPORT  written by a newer version or on another byte order
 *   -EFBIG            packed, and would become larger than any such trace does
 *   -EINVAL           not a regular file
 *   -ENOMEM
 *   -errno            from open, fstat or mmap
 */
int ct_reader_open(const char *path, struct ct_reader **ret_reader);

/* The same of the trace in a directory; or -ENAMETOOLONG. */
int ct_reader_open_in(const char *directory, struct ct_reader **ret_reader);

/* Unmap and free; accepts NULL. */
void ct_reader_close(struct ct_reader *reader);

/* Is the file packed? */
bool ct_reader_packed(const struct ct_reader *reader);

/*
 * Size of the file in bytes, if packed before it was. Less than claimed_bytes of a
 * finished trace: it was cut.
 */
uint64_t ct_reader_size(const struct ct_reader *reader);

/* The file's header. loss_count is no larger than lost[] has entries. */
const struct ct_file_header *ct_reader_header(const struct ct_reader *reader);

/*
 * How many blocks the file has. A block is a chunk that the file held when it was opened;
 * blocks are in file order, which is that of claiming them, not of time.
 */
size_t ct_reader_blocks(const struct ct_reader *reader);

/* What a block holds, for readers that need not see all of them. */
struct ct_block_info {
	uint64_t calls, ops;                    /* CALL and DEVICE records */
	uint64_t calls_first_ns, calls_last_ns; /* least enter, greatest leave; 0 without calls */
	uint64_t ops_first_ns, ops_last_ns;     /* least start, greatest end; 0 without ops */
	uint64_t others;                        /* records but THREAD, CALL and DEVICE */
	uint64_t damaged_bytes;                 /* as ct_cursor_damage() says at its end */
};

/*
 * Returns 0 and *ret_info, or
 *   -ENODATA  the file does not say, it is not packed: its blocks must be read
 *   -EINVAL   there is no such block
 */
int ct_reader_block_info(const struct ct_reader *reader, size_t block,
			 struct ct_block_info *ret_info);

/*
 * Read one block, from 0. Cursors do not touch the reader: different threads may use
 * cursors of one reader at once, also of the same block. The reader must outlive them.
 *
 * Returns 0 and stores a cursor the caller must ct_cursor_close(), or
 *   -EINVAL  there is no such block
 *   -ENOMEM
 */
int ct_cursor_open(const struct ct_reader *reader, size_t block, struct ct_cursor **ret_cursor);

/*
 * Fetch the block's next well-formed record. Lengths inside the record have been checked
 * against its bytes, so its text and arrays can be read without further care. It lives
 * until the cursor is closed.
 *
 * Returns 1 and fills *ret_item, or 0 at the end of the block.
 */
int ct_cursor_next(struct ct_cursor *cursor, struct ct_item *ret_item);

/* Bytes of the block that were passed over so far, as ct_reader_damage() counts them. */
uint64_t ct_cursor_damage(const struct ct_cursor *cursor, uint64_t *ret_offset);

/* Records that were passed over so far, being of types that this version does not know. */
uint64_t ct_cursor_unknown(const struct ct_cursor *cursor);

/* Free the cursor and the memory of its records; accepts NULL. */
void ct_cursor_close(struct ct_cursor *cursor);

/*
 * Fetch the next well-formed record, block by block, as ct_cursor_next() does. It lives
 * until a later call goes on to another block, whatever the file: keep copies.
 *
 * Returns 1 and fills *ret_item, 0 at the end, or -ENOMEM.
 */
int ct_reader_next(struct ct_reader *reader, struct ct_item *ret_item);

/*
 * Bytes that could not be read: those between blocks, and what ct_reader_next() passed
 * over so far; whoever reads by cursors adds ct_cursor_damage() of each. 0 in every
 * file cutrace wrote undisturbed. ret_offset: where the first of them lies.
 */
uint64_t ct_reader_damage(const struct ct_reader *reader, uint64_t *ret_offset);

/* The same of what ct_reader_next() passed over. */
uint64_t ct_reader_unknown(const struct ct_reader *reader);

/*
 * Bytes of the file that were claimed for chunks which never came into being: a thread was
 * stopped between the two, or there was no space. A disk that lost them looks the same. An
 * older packed trace does not say: 0.
 */
uint64_t ct_reader_gaps(const struct ct_reader *reader);

#endif
