/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/packed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "trace/planes.h"

uint64_t ct_packed_check(const void *bytes, size_t count)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < count; i++)
		hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
	return hash;
}

static int read_header(struct ct_reader *r, uint64_t *ret_image_bytes)
{
	struct ct_packed_header head;

	memcpy(&head, r->base, sizeof(head));
	if (head.byte_order != CT_BYTE_ORDER || head.version != CT_PACKED_VERSION)
		return -EPROTONOSUPPORT;
	if (head.check != ct_packed_check(&head, offsetof(struct ct_packed_header, check)))
		return -EBADMSG;
	r->file_bytes = head.file_bytes;
	r->gap_bytes = head.gap_bytes;
	*ret_image_bytes = head.image_bytes;
	return 0;
}

/* Is there a whole block at this place of the packed file? */
static bool block_at(const struct ct_reader *r, uint64_t at, struct ct_packed_block *ret_head)
{
	struct ct_packed_block head;

	memcpy(&head, r->base + at, sizeof(head));
	if (head.magic != CT_PACKED_BLOCK_MAGIC ||
	    head.check != ct_packed_check(&head, offsetof(struct ct_packed_block, check)) ||
	    head.kind < CT_PACKED_HEADER || head.kind > CT_PACKED_DAMAGE ||
	    head.packed_bytes > r->size - at - sizeof(head) || head.image_bytes > CT_CHUNK_MAX ||
	    head.encoded_bytes > ct_planes_bound(head.image_bytes))
		return false;
	*ret_head = head;
	return true;
}

/* Behind all blocks of a list: they are in file order, and none is there twice. */
static uint64_t end_of(const struct ct_blocks *blocks)
{
	const struct ct_block *last;

	if (!blocks->count)
		return 0;
	last = &blocks->at[blocks->count - 1];
	return last->offset + last->bytes;
}

/*
 * Has the file, before it was packed, room for what the block says it is? Chunks come behind
 * everything else, so *next, of the others, only goes on.
 */
static bool fits(const struct ct_reader *r, const struct ct_packed_block *head, size_t *next)
{
	const struct ct_blocks *list = head->kind == CT_PACKED_CHUNK ? &r->chunks : &r->others;
	uint64_t end = head->offset + head->image_bytes;

	if (end < head->offset || end > r->file_bytes || head->offset < end_of(list) ||
	    head->offset % CT_CHUNK_UNIT) /* nobody looks for one there once it is unpacked */
		return false;
	if (head->kind != CT_PACKED_CHUNK)
		return !r->chunks.count;
	while (*next < r->others.count &&
	       r->others.at[*next].offset + r->others.at[*next].bytes <= head->offset)
		++*next;
	return *next == r->others.count || r->others.at[*next].offset >= end;
}

static int add_block(struct ct_reader *r, uint64_t at, const struct ct_packed_block *head)
{
	const struct ct_block block = {
		.offset = head->offset,
		.bytes = head->image_bytes,
		.packed_at = at + sizeof(*head),
		.packed_bytes = head->packed_bytes,
		.encoded_bytes = head->encoded_bytes,
		.info = head->info,
	};

	if (head->kind == CT_PACKED_DAMAGE)
		ct_damage_add(&r->damage, head->offset, CT_CHUNK_UNIT);
	return ct_blocks_add(head->kind == CT_PACKED_CHUNK ? &r->chunks : &r->others, &block);
}

/*
 * Blocks are looked for at every byte where none was expected, since a damaged one does
 * not say where the next is. How much is lost follows from what there should be; that of a
 * block which cannot be where it says it was counts as lost, and does not make up for others.
 */
int ct_packed_find(struct ct_reader *r)
{
	uint64_t at = sizeof(struct ct_packed_header), promised, found = 0;
	uint64_t end = 0, lost_at = UINT64_MAX;
	struct ct_packed_block head;
	size_t next = 0;
	int err = read_header(r, &promised);

	if (err)
		return err;
	while (!err && at + sizeof(head) <= r->size) {
		if (!block_at(r, at, &head) || !fits(r, &head, &next)) {
			if (lost_at == UINT64_MAX)
				lost_at = end;
			at++;
			continue;
		}
		err = add_block(r, at, &head);
		at += sizeof(head) + head.packed_bytes;
		end = head.offset + head.image_bytes;
		found += head.image_bytes;
	}
	if (found > CT_PACKED_FREE_BYTES && found / CT_PACKED_RATIO_MAX > r->size)
		err = err ? err : -EFBIG;
	r->lost_bytes = found < promised ? promised - found : found - promised;
	ct_damage_add(&r->damage, lost_at == UINT64_MAX ? end : lost_at, r->lost_bytes);
	return err;
}

static int decompress(uint8_t *to, size_t bytes, const uint8_t *frame, size_t frame_bytes)
{
	size_t got = ZSTD_decompress(to, bytes, frame, frame_bytes);

	if (ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
		return -ENOMEM;
	return got == bytes ? 0 : -EBADMSG;
}

int ct_packed_image(const struct ct_reader *r, const struct ct_block *block, uint8_t **ret_image)
{
	uint8_t *encoded = malloc(block->encoded_bytes + 1), *image = malloc(block->bytes + 1);
	int err = -ENOMEM;

	if (encoded && image)
		err = decompress(encoded, block->encoded_bytes, r->base + block->packed_at,
				 block->packed_bytes);
	if (!err)
		err = ct_planes_decode(encoded, block->encoded_bytes, image, block->bytes);
	free(encoded);
	if (err)
		free(image);
	else
		*ret_image = image;
	return err;
}
