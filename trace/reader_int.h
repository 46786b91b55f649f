/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the reader share. */
#ifndef CT_TRACE_READER_INT_H
#define CT_TRACE_READER_INT_H

#include "trace/reader.h"

/* Bytes that were passed over, and where the first of them lies. */
struct ct_damage {
	uint64_t bytes;
	uint64_t offset;
};

static inline void ct_damage_add(struct ct_damage *sum, uint64_t offset, uint64_t bytes)
{
	if (!bytes)
		return;
	if (!sum->bytes || offset < sum->offset)
		sum->offset = offset;
	sum->bytes += bytes;
}

/* A stretch of the file, and where it is kept in a packed one. */
struct ct_block {
	uint64_t offset;       /* in the file, before it was packed */
	uint64_t bytes;        /* as many as the file holds; if packed, as were kept */
	uint64_t packed_at;    /* 0 = not packed */
	uint32_t packed_bytes;
	uint32_t encoded_bytes;
	struct ct_block_info info;
};

struct ct_blocks {
	struct ct_block *at;
	size_t count, room;
};

/* Returns 0 or -ENOMEM. */
int ct_blocks_add(struct ct_blocks *blocks, const struct ct_block *block);

struct ct_reader {
	int fd;                       /* while it is opened; else -1 */
	const uint8_t *base;
	uint64_t size;
	uint64_t file_bytes;          /* size of the file, if packed before that */
	struct ct_file_header header; /* a copy: the writer may still be at work */
	struct ct_blocks chunks;      /* in file order */
	struct ct_blocks others;      /* the header, and what stands in place of chunks */
	struct ct_damage damage;      /* between chunks, and in those behind `current` */
	uint64_t unknown;             /* records, as ct_reader_unknown() has them, behind `current` */
	uint64_t gap_bytes;           /* that were claimed and where no chunk has come into being */
	uint64_t lost_bytes;          /* of a packed file: of blocks that were not found */
	struct ct_cursor *current;    /* of ct_reader_next(); NULL = none open */
	size_t next_block;            /* what it opens next */
	bool packed;
};

/*
 * The bytes of a block. Returns 0 and *ret_image; what it lies in if the caller must free
 * that, else NULL in *ret_own. -EBADMSG: its bytes are damaged. -ENOMEM.
 */
int ct_block_image(const struct ct_reader *reader, const struct ct_block *block,
		   const uint8_t **ret_image, uint8_t **ret_own);

#endif
