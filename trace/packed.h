/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packed form of a trace file (trace/FORMAT.md, "Packed traces"): what is in the
 * file, and how the reader gets at it.
 */
#ifndef CT_TRACE_PACKED_H
#define CT_TRACE_PACKED_H

#include "trace/reader_int.h"

#define CT_PACKED_MAGIC "CUTRACEZ"
#define CT_PACKED_VERSION 1

/*
 * A file is refused if its images are more than so many times its size: a small one could be made
 * that takes days to read. Real traces have 8 to 30 times: a
 * record's times alone take more than the half byte that it has by this. It holds only for those
 * of more than so many bytes; others do not take long.
 */
#define CT_PACKED_RATIO_MAX 128
#define CT_PACKED_FREE_BYTES ((uint64_t)256 << 20)

#define CT_PACKED_BLOCK_MAGIC 0x4b434c42u /* "BLCK" */

/* At offset 0. Blocks follow without gaps. */
struct ct_packed_header {
	char magic[8];
	uint32_t version;
	uint32_t byte_order;
	uint64_t file_bytes;  /* size of the file that was packed */
	uint64_t image_bytes; /* of all blocks together */
	uint64_t gap_bytes;   /* as ct_reader_gaps() says; 0 in older files */
	uint64_t reserved[2];
	uint64_t check;       /* ct_packed_check() of the bytes before it */
};
static_assert(sizeof(struct ct_packed_header) == 64, "no padding");

enum ct_packed_kind {
	CT_PACKED_HEADER = 1, /* the first CT_HEADER_BYTES of the file */
	CT_PACKED_CHUNK = 2,  /* a chunk, up to the end of its last record */
	CT_PACKED_DAMAGE = 3  /* what stands in place of a chunk and is none */
};

/* In front of the packed_bytes of each block, a zstd frame. */
struct ct_packed_block {
	uint32_t magic;         /* CT_PACKED_BLOCK_MAGIC */
	uint32_t kind;          /* enum ct_packed_kind */
	uint64_t offset;        /* of the image in the file that was packed */
	uint32_t image_bytes;   /* at most CT_CHUNK_MAX */
	uint32_t encoded_bytes; /* what the frame holds */
	uint32_t packed_bytes;  /* of the frame */
	uint32_t reserved;
	struct ct_block_info info;
	uint64_t check;         /* ct_packed_check() of the bytes before it */
};
static_assert(sizeof(struct ct_packed_block) == 104, "no padding");

/* FNV-1a, 64 bits (Fowler, Noll, Vo): enough to tell a header from other bytes. */
uint64_t ct_packed_check(const void *bytes, size_t count);

/*
 * Find the blocks of a mapped packed file. What cannot be found is added to r->damage.
 *
 * Returns 0, -EBADMSG (its header is damaged), -EPROTONOSUPPORT, -EFBIG (its images
 * are more than CT_PACKED_RATIO_MAX allows) or -ENOMEM.
 */
int ct_packed_find(struct ct_reader *r);

/*
 * Returns 0 and the block's image, block->bytes of it, which the caller frees; -EBADMSG
 * if its bytes are damaged; -ENOMEM.
 */
int ct_packed_image(const struct ct_reader *r, const struct ct_block *block, uint8_t **ret_image);

#endif
