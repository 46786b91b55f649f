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

/* A chunk, as far as the file holds it. */
struct ct_block {
	uint64_t offset; /* in the file */
	uint64_t bytes;  /* its header included */
};

struct ct_reader {
	const uint8_t *base;
	uint64_t size;
	struct ct_file_header header; /* a copy: the writer may still be at work */
	struct ct_block *blocks;      /* in file order */
	size_t block_count, block_room;
	struct ct_damage damage;      /* between blocks, and in those behind `current` */
	struct ct_cursor *current;    /* of ct_reader_next(); NULL = none open */
	size_t next_block;            /* what it opens next */
};

#endif
