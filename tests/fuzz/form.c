/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/form.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "trace/pack.h"

static char directory[512], path[600], other_path[600];
static int trace = -1;

void form_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

static void remove_all(void)
{
	unlink(path);
	unlink(other_path);
	rmdir(directory);
}

const char *form_directory(void)
{
	const char *where = getenv("TMPDIR");

	if (trace >= 0)
		return directory;
	snprintf(directory, sizeof(directory), "%s/cutrace-fuzz.XXXXXX", where ? where : "/tmp");
	MUST(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/trace.cutrace", directory);
	snprintf(other_path, sizeof(other_path), "%s/other.cutrace", directory);
	trace = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	MUST(trace >= 0);
	atexit(remove_all);
	return directory;
}

const char *form_path(void)
{
	return path;
}

const char *form_other_path(void)
{
	return other_path;
}

size_t form_items(const uint8_t *input, size_t size, struct form_item items[FORM_ITEMS])
{
	size_t at = FORM_ITEMS_AT, count = 0;

	if (size < at || *input != FORM_PLAIN)
		return 0;
	while (at + sizeof(uint32_t) + CT_SLOT_BYTES <= size && count < FORM_ITEMS) {
		uint32_t left, word;
		bool chunk = true;

		memcpy(&left, input + at, sizeof(left));
		at += sizeof(left);
		for (; left && at + CT_SLOT_BYTES <= size && count < FORM_ITEMS; chunk = false) {
			uint32_t slots = 1;

			memcpy(&word, input + at, sizeof(word));
			if (!chunk && CT_COMMIT_SLOTS(word) && CT_COMMIT_SLOTS(word) <= left &&
			    CT_COMMIT_SLOTS(word) <= (size - at) / CT_SLOT_BYTES)
				slots = CT_COMMIT_SLOTS(word);
			items[count++] = (struct form_item){ input + at, slots, chunk };
			at += (size_t)slots * CT_SLOT_BYTES;
			left -= slots;
		}
	}
	return count;
}

size_t form_join(const uint8_t *input, const struct form_item *items, size_t count, uint8_t *to,
		 size_t room)
{
	size_t used = FORM_ITEMS_AT;

	if (used > room)
		return 0;
	memcpy(to, input, used);
	for (size_t i = 0; i < count;) {
		size_t head = used;
		uint32_t slots = 0;

		used += sizeof(slots);
		do {
			size_t bytes = (size_t)items[i].slots * CT_SLOT_BYTES;

			if (used + bytes > room)
				return 0;
			memcpy(to + used, items[i].bytes, bytes);
			used += bytes;
			slots += items[i].slots;
		} while (++i < count && !items[i].chunk);
		memcpy(to + head, &slots, sizeof(slots));
	}
	return used;
}

static void put(off_t at, const void *bytes, size_t count)
{
	MUST(pwrite(trace, bytes, count, at) == (ssize_t)count);
}

/* Chunks follow each other as their contents need it; what they say of themselves may differ. */
static void write_plain(const struct form_head *head, const uint8_t *input, size_t size)
{
	size_t from = FORM_ITEMS_AT;
	off_t at = CT_CHUNK_UNIT;

	put(0, input + sizeof(*head), sizeof(struct ct_file_header));
	MUST(ftruncate(trace, at) == 0);
	while (from + sizeof(uint32_t) < size) {
		uint32_t slots;
		size_t bytes;

		memcpy(&slots, input + from, sizeof(slots));
		from += sizeof(slots);
		bytes = (size_t)slots * CT_SLOT_BYTES;
		if (bytes > size - from)
			bytes = size - from;
		put(at, input + from, bytes);
		from += bytes;
		if (from + sizeof(uint32_t) >= size && head->flags & FORM_CUT)
			return;
		at += (off_t)(bytes + CT_CHUNK_UNIT - 1) / CT_CHUNK_UNIT * CT_CHUNK_UNIT;
		MUST(ftruncate(trace, at) == 0);
	}
}

static uint64_t check(const void *bytes, size_t count)
{
	return ct_packed_check(bytes, count);
}

/* A block, its frame and the checks. Returns the bytes of the input it has taken. */
static size_t write_block(const struct form_head *form, off_t *at, const uint8_t *input, size_t size)
{
	struct ct_packed_block head;
	size_t bytes = size - sizeof(head), room = ZSTD_compressBound(bytes);
	char *frame = malloc(room);

	memcpy(&head, input, sizeof(head));
	if (bytes > head.packed_bytes)
		bytes = head.packed_bytes;
	if (!(form->flags & FORM_ODD))
		head.encoded_bytes = (uint32_t)bytes;
	head.packed_bytes = (uint32_t)ZSTD_compress(frame, room, input + sizeof(head), bytes, 1);
	head.check = check(&head, offsetof(struct ct_packed_block, check));
	put(*at, &head, sizeof(head));
	put(*at + (off_t)sizeof(head), frame, head.packed_bytes);
	*at += (off_t)(sizeof(head) + head.packed_bytes);
	free(frame);
	return sizeof(head) + bytes;
}

static void write_packed(const struct form_head *form, const uint8_t *input, size_t size)
{
	struct ct_packed_header head;
	size_t from = sizeof(*form) + sizeof(head);
	off_t at = sizeof(head);

	memcpy(&head, input + sizeof(*form), sizeof(head));
	head.check = check(&head, offsetof(struct ct_packed_header, check));
	put(0, &head, sizeof(head));
	while (from + sizeof(struct ct_packed_block) <= size)
		from += write_block(form, &at, input + from, size - from);
}

/* The trace that was written, packed, in its place. */
static void pack(void)
{
	struct ct_reader *reader;
	char *bytes = NULL;
	size_t size;
	FILE *to;

	if (ct_reader_open(path, &reader) < 0)
		return;
	to = open_memstream(&bytes, &size);
	MUST(to && ct_pack_write(reader, to) == 0);
	fclose(to);
	ct_reader_close(reader);
	MUST(ftruncate(trace, 0) == 0);
	put(0, bytes, size);
	free(bytes);
}

/* Else the targets would look at nothing, and find nothing wrong with it. */
static bool still_there(void)
{
	struct stat seen;

	return fstat(trace, &seen) == 0 && seen.st_nlink == 1;
}

struct form_head form_write(const uint8_t *input, size_t size)
{
	const size_t least = sizeof(struct form_head) + sizeof(struct ct_file_header);
	struct form_head head = { 0 };

	form_directory();
	MUST(still_there());
	if (size < sizeof(head))
		return head;
	memcpy(&head, input, sizeof(head));
	MUST(ftruncate(trace, 0) == 0);
	if (head.kind == FORM_PLAIN && size >= least)
		write_plain(&head, input, size);
	else if (head.kind == FORM_PACKED && size >= sizeof(head) + sizeof(struct ct_packed_header))
		write_packed(&head, input, size);
	else if (head.kind == FORM_RAW)
		put(0, input + sizeof(head), size - sizeof(head));
	else
		head.kind = 0;
	if (head.kind && head.kind != FORM_PACKED && head.flags & FORM_PACK)
		pack();
	return head;
}
