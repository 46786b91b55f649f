/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/packed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/tame.h"

/* page: the first CT_HEADER_BYTES of the file, before it was packed. */
static int check_header(struct ct_reader *r, const uint8_t *page)
{
	struct ct_file_header *h = &r->header;

	memcpy(h, page, sizeof(*h));
	if (memcmp(h->magic, CT_MAGIC, sizeof(h->magic)) != 0)
		return -EBADMSG;
	if (h->byte_order != CT_BYTE_ORDER || h->version != CT_TRACE_VERSION)
		return -EPROTONOSUPPORT;
	if (h->header_bytes != CT_HEADER_BYTES || h->slot_bytes != CT_SLOT_BYTES ||
	    h->chunk_unit != CT_CHUNK_UNIT)
		return -EPROTONOSUPPORT;
	h->program[sizeof(h->program) - 1] = '\0';
	h->tool_version[sizeof(h->tool_version) - 1] = '\0';
	ct_tame(h->program, '?'); /* a file name may hold anything; this is printed */
	if (h->loss_count > sizeof(h->lost) / sizeof(h->lost[0]))
		h->loss_count = sizeof(h->lost) / sizeof(h->lost[0]);
	return 0;
}

/*
 * O_NONBLOCK: a trace directory may hold anything, and opening a FIFO must not
 * wait for a writer. It has no effect on a regular file.
 */
static int map_file(struct ct_reader *r, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	void *map;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if (st.st_size < (off_t)sizeof(struct ct_packed_header)) /* the smaller header */
		err = -EBADMSG;
	if (err)
		goto out;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		err = -errno;
		goto out;
	}
	r->base = map;
	r->size = r->file_bytes = (uint64_t)st.st_size;
	r->fd = fd;
	return 0;
out:
	close(fd);
	return err;
}

static void close_file(struct ct_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

static bool all_zero(const uint8_t *p, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

int ct_blocks_add(struct ct_blocks *blocks, const struct ct_block *block)
{
	size_t room = blocks->room ? 2 * blocks->room : 64;
	struct ct_block *grown;

	if (blocks->count == blocks->room) {
		grown = reallocarray(blocks->at, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		blocks->at = grown;
		blocks->room = room;
	}
	blocks->at[blocks->count++] = *block;
	return 0;
}

int ct_block_image(const struct ct_reader *reader, const struct ct_block *block,
		   const uint8_t **ret_image, uint8_t **ret_own)
{
	int err = 0;

	*ret_own = NULL;
	*ret_image = reader->base + block->offset;
	if (reader->packed) {
		err = ct_packed_image(reader, block, ret_own);
		*ret_image = *ret_own;
	}
	return err;
}

static bool sound_size(uint32_t bytes)
{
	return bytes >= CT_CHUNK_UNIT && bytes % CT_CHUNK_UNIT == 0 && bytes <= CT_CHUNK_MAX;
}

static bool is_chunk(const struct ct_chunk_header *head)
{
	return head->magic == CT_CHUNK_MAGIC && sound_size(head->bytes);
}

/*
 * Is a chunk at `at` one that was claimed and never came into being? Its claimant had no space, or
 * was killed between any two stores to its header, of which the magic is the last. There is no
 * record then: what has one has lost its magic otherwise.
 */
static bool is_gap(const struct ct_reader *r, const struct ct_chunk_header *head, uint64_t at)
{
	bool room = r->size - at >= CT_SLOT_BYTES + sizeof(uint32_t);

	return !head->magic && (!head->bytes || sound_size(head->bytes)) &&
	       (!head->offset || head->offset == at) &&
	       all_zero((const uint8_t *)head->reserved, sizeof(head->reserved)) &&
	       (!room || all_zero(r->base + at + CT_SLOT_BYTES, sizeof(uint32_t)));
}

/* The kernel maps more around each page that is looked at: not all of a long file. */
#define KEEP_BYTES ((uint64_t)64 << 20)

static void forget(const struct ct_reader *r, uint64_t from, uint64_t end)
{
	if (end > r->size)
		end = r->size;
	madvise((void *)(uintptr_t)(r->base + from), end - from, MADV_DONTNEED);
}

/*
 * The first unit from `at` on that is not in a hole of the file: sparse files may be larger
 * than anybody wants to wait for. A file system that does not tell has no holes.
 */
static uint64_t behind_hole(const struct ct_reader *r, uint64_t at)
{
	off_t data = lseek(r->fd, (off_t)at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? r->size : at; /* ENXIO: a hole up to the end */
	return (uint64_t)data > at ? (uint64_t)data / CT_CHUNK_UNIT * CT_CHUNK_UNIT : at;
}

static void add_gap(struct ct_reader *r, uint64_t from, uint64_t end)
{
	if (end > r->header.claimed_bytes)
		end = r->header.claimed_bytes;
	if (end > r->size)
		end = r->size;
	if (from < end)
		r->gap_bytes += end - from;
}

/* Make a block of every chunk; what is none, and no gap, is damage. */
static int find_chunks(struct ct_reader *r)
{
	uint64_t at = CT_CHUNK_UNIT, kept = 0;
	int err = 0;

	while (!err && at + CT_SLOT_BYTES <= r->size) {
		const uint8_t *p = r->base + at;
		struct ct_chunk_header head;
		struct ct_block block = { .offset = at, .bytes = r->size - at };
		uint32_t bytes = CT_CHUNK_UNIT;
		bool gap;

		memcpy(&head, p, sizeof(head));
		gap = is_gap(r, &head, at);
		if (is_chunk(&head))
			bytes = head.bytes;
		if (block.bytes > bytes)
			block.bytes = bytes;
		if (is_chunk(&head)) {
			err = ct_blocks_add(&r->chunks, &block);
		} else if (!gap) {
			ct_damage_add(&r->damage, at, CT_CHUNK_UNIT);
			err = ct_blocks_add(&r->others, &block);
		}
		at += bytes;
		if (gap) { /* it may be long */
			at = behind_hole(r, at);
			add_gap(r, block.offset, at);
		}
		if (at - kept >= KEEP_BYTES || at + CT_SLOT_BYTES > r->size) {
			forget(r, kept, at);
			kept = at;
		}
	}
	return err;
}

static int open_plain(struct ct_reader *r)
{
	const struct ct_block page = { .offset = 0, .bytes = CT_HEADER_BYTES };
	int err;

	if (r->size < CT_HEADER_BYTES)
		return -EBADMSG;
	err = check_header(r, r->base);
	if (!err)
		err = ct_blocks_add(&r->others, &page);
	return err ? err : find_chunks(r);
}

static int open_packed(struct ct_reader *r)
{
	const uint8_t *image;
	uint8_t *own;
	int err = ct_packed_find(r);

	if (err)
		return err;
	r->packed = true;
	if (!r->others.count || r->others.at[0].offset || r->others.at[0].bytes != CT_HEADER_BYTES)
		return -EBADMSG;
	err = ct_block_image(r, &r->others.at[0], &image, &own);
	if (err)
		return err;
	err = check_header(r, image);
	free(own);
	return err;
}

int ct_reader_open(const char *path, struct ct_reader **ret_reader)
{
	struct ct_reader *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->fd = -1;
	err = map_file(r, path);
	if (!err)
		err = memcmp(r->base, CT_PACKED_MAGIC, sizeof(r->header.magic)) ? open_plain(r)
										: open_packed(r);
	close_file(r);
	if (err) {
		ct_reader_close(r);
		return err;
	}
	*ret_reader = r;
	return 0;
}

int ct_reader_open_in(const char *directory, struct ct_reader **ret_reader)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/trace.cutrace", directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return ct_reader_open(path, ret_reader);
}

void ct_reader_close(struct ct_reader *reader)
{
	if (!reader)
		return;
	ct_cursor_close(reader->current);
	if (reader->base)
		munmap((void *)(uintptr_t)reader->base, reader->size);
	free(reader->chunks.at);
	free(reader->others.at);
	free(reader);
}

bool ct_reader_packed(const struct ct_reader *reader)
{
	return reader->packed;
}

uint64_t ct_reader_size(const struct ct_reader *reader)
{
	return reader->file_bytes;
}

const struct ct_file_header *ct_reader_header(const struct ct_reader *reader)
{
	return &reader->header;
}

size_t ct_reader_blocks(const struct ct_reader *reader)
{
	return reader->chunks.count;
}

int ct_reader_block_info(const struct ct_reader *reader, size_t block,
			 struct ct_block_info *ret_info)
{
	if (block >= reader->chunks.count)
		return -EINVAL;
	if (!reader->packed)
		return -ENODATA;
	*ret_info = reader->chunks.at[block].info;
	return 0;
}

static void add_damage_of(const struct ct_cursor *cursor, struct ct_damage *sum)
{
	uint64_t offset, bytes = ct_cursor_damage(cursor, &offset);

	ct_damage_add(sum, offset, bytes);
}

uint64_t ct_reader_damage(const struct ct_reader *reader, uint64_t *ret_offset)
{
	struct ct_damage sum = reader->damage;

	if (reader->current)
		add_damage_of(reader->current, &sum);
	if (ret_offset)
		*ret_offset = sum.offset;
	return sum.bytes;
}

uint64_t ct_reader_unknown(const struct ct_reader *reader)
{
	return reader->unknown + (reader->current ? ct_cursor_unknown(reader->current) : 0);
}

uint64_t ct_reader_gaps(const struct ct_reader *reader)
{
	return reader->gap_bytes;
}

/* Leave the current block, if any, and open the next. Returns 1, 0 at the end or -ENOMEM. */
static int next_block(struct ct_reader *r)
{
	int err;

	if (r->current) {
		add_damage_of(r->current, &r->damage);
		r->unknown += ct_cursor_unknown(r->current);
	}
	ct_cursor_close(r->current);
	r->current = NULL;
	if (r->next_block == r->chunks.count)
		return 0;
	err = ct_cursor_open(r, r->next_block, &r->current);
	if (err)
		return err;
	r->next_block++;
	return 1;
}

int ct_reader_next(struct ct_reader *r, struct ct_item *ret_item)
{
	int got = 1;

	while (got == 1) {
		if (r->current && ct_cursor_next(r->current, ret_item) == 1)
			return 1;
		got = next_block(r);
	}
	return got;
}
