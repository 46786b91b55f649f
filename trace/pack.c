/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "trace/packed.h"
#include "trace/planes.h"

/*
 * Beyond 9 zstd takes five times as long for 3 % less. A plane gets a zstd block, and so
 * an entropy table, of its own if it is large enough to pay for that: 8 % less. Measured
 * by benchmark `pack`.
 */
#define LEVEL 9
#define OWN_TABLE_BYTES 1024

/* Compresses what is put into it. */
struct packer {
	struct ct_sink sink;
	ZSTD_CCtx *zstd;
	uint8_t *frame;
	size_t room;          /* bytes of frame */
	size_t encoded_bytes; /* put in */
	size_t packed_bytes;  /* come out */
};

static int press(struct packer *p, const void *bytes, size_t count, ZSTD_EndDirective directive)
{
	ZSTD_inBuffer in = { bytes, count, 0 };
	ZSTD_outBuffer out = { p->frame, p->room, p->packed_bytes };
	size_t left = ZSTD_compressStream2(p->zstd, &out, &in, directive);

	p->packed_bytes = out.pos;
	if (ZSTD_isError(left))
		return -ENOMEM; /* nothing else can be wrong */
	return in.pos == in.size && (directive == ZSTD_e_continue || !left) ? 0 : -ENOBUFS;
}

static int put(struct ct_sink *sink, const void *bytes, size_t count)
{
	struct packer *p = (struct packer *)sink; /* its first member */

	p->encoded_bytes += count;
	return press(p, bytes, count, count < OWN_TABLE_BYTES ? ZSTD_e_continue : ZSTD_e_flush);
}

static void packer_free(struct packer *p)
{
	ZSTD_freeCCtx(p->zstd);
	free(p->frame);
}

static int packer_init(struct packer *p)
{
	/* every flush may cost a block header, and what cannot be compressed is stored */
	size_t room = 2 * ZSTD_compressBound(ct_planes_bound(CT_CHUNK_MAX));

	*p = (struct packer){ .sink.put = put, .room = room };
	p->zstd = ZSTD_createCCtx();
	p->frame = malloc(room);
	if (!p->zstd || !p->frame ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1))) {
		packer_free(p);
		return -ENOMEM;
	}
	return 0;
}

static int pack_image(struct packer *p, const uint8_t *image, size_t bytes)
{
	int err;

	p->encoded_bytes = p->packed_bytes = 0;
	ZSTD_CCtx_reset(p->zstd, ZSTD_reset_session_only);
	err = ct_planes_encode(image, bytes, &p->sink);
	return err ? err : press(p, NULL, 0, ZSTD_e_end);
}

static void widen(uint64_t *first, uint64_t *last, uint64_t from, uint64_t to)
{
	if (!*last || from < *first)
		*first = from;
	if (to > *last)
		*last = to;
}

static int describe(const struct ct_reader *reader, size_t block, struct ct_block_info *ret_info)
{
	struct ct_block_info info = { 0 };
	struct ct_cursor *cursor;
	struct ct_item item;
	int err = ct_cursor_open(reader, block, &cursor);

	if (err)
		return err;
	while (ct_cursor_next(cursor, &item)) {
		const struct ct_call *call = item.record;
		const struct ct_device_op *op = item.record;

		if (item.type == CT_RECORD_CALL) {
			info.calls++;
			widen(&info.calls_first_ns, &info.calls_last_ns, call->enter_ns,
			      call->leave_ns);
		} else if (item.type == CT_RECORD_DEVICE) {
			info.ops++;
			widen(&info.ops_first_ns, &info.ops_last_ns, op->start_ns, op->end_ns);
		} else {
			info.others += item.type != CT_RECORD_THREAD;
		}
	}
	info.damaged_bytes = ct_cursor_damage(cursor, NULL);
	ct_cursor_close(cursor);
	*ret_info = info;
	return 0;
}

/* Bytes up to the end of the last record: behind it only what is no record can lie. */
static uint64_t used_bytes(const uint8_t *chunk, uint64_t bytes)
{
	uint64_t at = CT_SLOT_BYTES;

	while (at + CT_SLOT_BYTES <= bytes) {
		uint64_t length;
		uint32_t word;

		memcpy(&word, chunk + at, sizeof(word));
		length = (uint64_t)CT_COMMIT_SLOTS(word) * CT_SLOT_BYTES;
		if (!word)
			return at;
		if (!length || length > bytes - at)
			return bytes; /* damage, and kept as such */
		at += length;
	}
	return bytes;
}

static int write_all(FILE *to, const void *bytes, size_t count)
{
	errno = 0;
	return fwrite(bytes, 1, count, to) == count ? 0 : errno ? -errno : -EIO;
}

/* Write one block. head: kind and info. */
static int write_block(const struct ct_reader *reader, const struct ct_block *block,
		       struct packer *packer, struct ct_packed_block *head, FILE *to)
{
	const uint8_t *image;
	uint8_t *own;
	int err = ct_block_image(reader, block, &image, &own);

	if (err)
		return err;
	head->magic = CT_PACKED_BLOCK_MAGIC;
	head->offset = block->offset;
	head->image_bytes = (uint32_t)block->bytes;
	if (head->kind == CT_PACKED_CHUNK)
		head->image_bytes = (uint32_t)used_bytes(image, block->bytes);
	err = pack_image(packer, image, head->image_bytes);
	head->encoded_bytes = (uint32_t)packer->encoded_bytes;
	head->packed_bytes = (uint32_t)packer->packed_bytes;
	head->check = ct_packed_check(head, offsetof(struct ct_packed_block, check));
	if (!err)
		err = write_all(to, head, sizeof(*head));
	if (!err)
		err = write_all(to, packer->frame, packer->packed_bytes);
	free(own);
	return err;
}

static int write_blocks(const struct ct_reader *reader, FILE *to, uint64_t *ret_image_bytes)
{
	struct packer packer;
	uint64_t sum = 0;
	int err = packer_init(&packer);

	if (err)
		return err;
	for (size_t i = 0; i < reader->others.count && !err; i++) {
		struct ct_packed_block head = { .kind = i ? CT_PACKED_DAMAGE : CT_PACKED_HEADER };

		err = write_block(reader, &reader->others.at[i], &packer, &head, to);
		sum += head.image_bytes;
	}
	for (size_t i = 0; i < reader->chunks.count && !err; i++) {
		struct ct_packed_block head = { .kind = CT_PACKED_CHUNK };

		err = describe(reader, i, &head.info);
		if (!err)
			err = write_block(reader, &reader->chunks.at[i], &packer, &head, to);
		sum += head.image_bytes;
	}
	packer_free(&packer);
	*ret_image_bytes = sum;
	return err;
}

/* The header is written twice: before the blocks, whose sum it states, and behind them. */
int ct_pack_write(const struct ct_reader *reader, FILE *to)
{
	struct ct_packed_header head = {
		.version = CT_PACKED_VERSION,
		.byte_order = CT_BYTE_ORDER,
		.file_bytes = reader->file_bytes,
		.gap_bytes = reader->gap_bytes,
	};
	int err = reader->lost_bytes ? -EBADMSG : write_all(to, &head, sizeof(head));

	if (!err)
		err = write_blocks(reader, to, &head.image_bytes);
	memcpy(head.magic, CT_PACKED_MAGIC, sizeof(head.magic));
	head.check = ct_packed_check(&head, offsetof(struct ct_packed_header, check));
	if (!err && fseeko(to, 0, SEEK_SET) < 0)
		err = -errno;
	if (!err)
		err = write_all(to, &head, sizeof(head));
	if (!err && fflush(to) != 0)
		err = -errno;
	return err;
}

static int unpack_blocks(const struct ct_reader *reader, const struct ct_blocks *blocks, FILE *to)
{
	int err = 0;

	for (size_t i = 0; i < blocks->count && !err; i++) {
		const uint8_t *image;
		uint8_t *own;

		err = ct_block_image(reader, &blocks->at[i], &image, &own);
		if (err)
			break;
		if (fseeko(to, (off_t)blocks->at[i].offset, SEEK_SET) < 0)
			err = -errno;
		else
			err = write_all(to, image, blocks->at[i].bytes);
		free(own);
	}
	return err;
}

int ct_unpack_write(const struct ct_reader *reader, FILE *to)
{
	int err = reader->lost_bytes ? -EBADMSG : unpack_blocks(reader, &reader->others, to);

	if (!err)
		err = unpack_blocks(reader, &reader->chunks, to);
	if (!err && fflush(to) != 0)
		err = -errno;
	if (!err && ftruncate(fileno(to), (off_t)reader->file_bytes) < 0)
		err = -errno;
	return err;
}

static int compare_others(const struct ct_reader *a, const struct ct_reader *b)
{
	int err = a->others.count == b->others.count ? 0 : -EBADMSG;

	for (size_t i = 0; i < a->others.count && !err; i++) {
		const struct ct_block *one = &a->others.at[i], *two = &b->others.at[i];
		const uint8_t *image, *other;
		uint8_t *own = NULL, *other_own = NULL;

		err = ct_block_image(a, one, &image, &own);
		if (!err)
			err = ct_block_image(b, two, &other, &other_own);
		if (!err && (one->offset != two->offset || one->bytes != two->bytes ||
			     memcmp(image, other, one->bytes) != 0))
			err = -EBADMSG;
		free(own);
		free(other_own);
	}
	return err;
}

static bool same_damage(const struct ct_cursor *a, const struct ct_cursor *b)
{
	uint64_t at, other_at;

	return ct_cursor_damage(a, &at) == ct_cursor_damage(b, &other_at) && at == other_at;
}

static bool same_records(struct ct_cursor *a, struct ct_cursor *b, uint64_t *ret_records)
{
	struct ct_item one, two;

	while (ct_cursor_next(a, &one)) {
		if (!ct_cursor_next(b, &two) || one.type != two.type || one.tid != two.tid ||
		    one.offset != two.offset || one.bytes != two.bytes ||
		    memcmp(one.record, two.record, one.bytes) != 0)
			return false;
		++*ret_records;
	}
	return !ct_cursor_next(b, &two) && same_damage(a, b);
}

static int compare_block(const struct ct_reader *a, const struct ct_reader *b, size_t block,
			 uint64_t *ret_records)
{
	struct ct_cursor *one, *two;
	int err = ct_cursor_open(a, block, &one);

	if (err)
		return err;
	err = ct_cursor_open(b, block, &two);
	if (!err) {
		err = same_records(one, two, ret_records) ? 0 : -EBADMSG;
		ct_cursor_close(two);
	}
	ct_cursor_close(one);
	return err;
}

int ct_pack_compare(const struct ct_reader *a, const struct ct_reader *b, uint64_t *ret_records)
{
	uint64_t records = 0;
	int err = -EBADMSG;

	if (a->file_bytes == b->file_bytes && a->chunks.count == b->chunks.count &&
	    a->lost_bytes == b->lost_bytes && a->gap_bytes == b->gap_bytes)
		err = compare_others(a, b);
	for (size_t block = 0; block < a->chunks.count && !err; block++)
		err = compare_block(a, b, block, &records);
	if (!err)
		*ret_records = records;
	return err;
}
