/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/reader_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_header(struct ct_reader *r)
{
	struct ct_file_header *h = &r->header;

	if (r->size < CT_HEADER_BYTES)
		return -EBADMSG;
	memcpy(h, r->base, sizeof(*h));
	if (memcmp(h->magic, CT_MAGIC, sizeof(h->magic)) != 0)
		return -EBADMSG;
	if (h->byte_order != CT_BYTE_ORDER || h->version != CT_TRACE_VERSION)
		return -EPROTONOSUPPORT;
	if (h->header_bytes != CT_HEADER_BYTES || h->slot_bytes != CT_SLOT_BYTES ||
	    h->chunk_unit != CT_CHUNK_UNIT)
		return -EPROTONOSUPPORT;
	h->program[sizeof(h->program) - 1] = '\0';
	h->tool_version[sizeof(h->tool_version) - 1] = '\0';
	for (char *p = h->program; *p; p++) /* a file name may hold anything; this is printed */
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
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
	else if (st.st_size < (off_t)CT_HEADER_BYTES)
		err = -EBADMSG;
	if (err)
		goto out;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		err = -errno;
		goto out;
	}
	r->base = map;
	r->size = (uint64_t)st.st_size;
out:
	close(fd);
	return err;
}

static bool all_zero(const uint8_t *p, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static int add_block(struct ct_reader *r, const struct ct_block *block)
{
	size_t room = r->block_room ? 2 * r->block_room : 64;
	struct ct_block *grown;

	if (r->block_count == r->block_room) {
		grown = reallocarray(r->blocks, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		r->blocks = grown;
		r->block_room = room;
	}
	r->blocks[r->block_count++] = *block;
	return 0;
}

/*
 * Make a block of every chunk. A claimed chunk whose header was never stored (its
 * claimant was killed or had no space) is zero; anything else is damage.
 */
static int find_chunks(struct ct_reader *r)
{
	uint64_t at = CT_CHUNK_UNIT;

	while (at + CT_SLOT_BYTES <= r->size) {
		const uint8_t *p = r->base + at;
		struct ct_chunk_header head;
		struct ct_block block = { .offset = at, .bytes = r->size - at };

		memcpy(&head, p, sizeof(head));
		if (head.magic == CT_CHUNK_MAGIC && head.bytes >= CT_CHUNK_UNIT &&
		    head.bytes % CT_CHUNK_UNIT == 0 && head.bytes <= CT_CHUNK_MAX) {
			if (block.bytes > head.bytes)
				block.bytes = head.bytes;
			if (add_block(r, &block))
				return -ENOMEM;
			at += head.bytes;
			continue;
		}
		if (!all_zero(p, CT_SLOT_BYTES))
			ct_damage_add(&r->damage, at, CT_CHUNK_UNIT);
		at += CT_CHUNK_UNIT;
	}
	return 0;
}

int ct_reader_open(const char *path, struct ct_reader **ret_reader)
{
	struct ct_reader *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	err = map_file(r, path);
	if (!err)
		err = check_header(r);
	if (!err)
		err = find_chunks(r);
	if (err) {
		ct_reader_close(r);
		return err;
	}
	*ret_reader = r;
	return 0;
}

void ct_reader_close(struct ct_reader *reader)
{
	if (!reader)
		return;
	ct_cursor_close(reader->current);
	if (reader->base)
		munmap((void *)(uintptr_t)reader->base, reader->size);
	free(reader->blocks);
	free(reader);
}

uint64_t ct_reader_size(const struct ct_reader *reader)
{
	return reader->size;
}

const struct ct_file_header *ct_reader_header(const struct ct_reader *reader)
{
	return &reader->header;
}

size_t ct_reader_blocks(const struct ct_reader *reader)
{
	return reader->block_count;
}

int ct_reader_block_info(const struct ct_reader *reader, size_t block,
			 struct ct_block_info *ret_info)
{
	(void)ret_info;
	return block < reader->block_count ? -ENODATA : -EINVAL;
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

/* Leave the current block, if any, and open the next. Returns 1, 0 at the end or -ENOMEM. */
static int next_block(struct ct_reader *r)
{
	int err;

	if (r->current)
		add_damage_of(r->current, &r->damage);
	ct_cursor_close(r->current);
	r->current = NULL;
	if (r->next_block == r->block_count)
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
