/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct ct_reader {
	const uint8_t *base;
	uint64_t size;
	struct ct_file_header header; /* a copy: the writer may still be at work */
	uint64_t at;                  /* next record, or next chunk when at == chunk_end */
	uint64_t chunk_end;
	uint32_t tid;
	uint64_t damaged;
	uint64_t damaged_at;
};

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

int ct_reader_open(const char *path, struct ct_reader **ret_reader)
{
	struct ct_reader *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	err = map_file(r, path);
	if (!err)
		err = check_header(r);
	if (err) {
		ct_reader_close(r);
		return err;
	}
	r->at = r->chunk_end = CT_CHUNK_UNIT;
	*ret_reader = r;
	return 0;
}

void ct_reader_close(struct ct_reader *reader)
{
	if (!reader)
		return;
	if (reader->base)
		munmap((void *)(uintptr_t)reader->base, reader->size);
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

uint64_t ct_reader_damage(const struct ct_reader *reader, uint64_t *ret_offset)
{
	if (ret_offset)
		*ret_offset = reader->damaged_at;
	return reader->damaged;
}

static void damage(struct ct_reader *r, uint64_t offset, uint64_t bytes)
{
	if (!r->damaged)
		r->damaged_at = offset;
	r->damaged += bytes;
}

static bool all_zero(const uint8_t *p, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/*
 * Step to the next chunk. A claimed chunk whose header was never stored (its
 * claimant was killed or had no space) is zero; anything else is damage.
 */
static bool next_chunk(struct ct_reader *r)
{
	while (r->chunk_end + CT_SLOT_BYTES <= r->size) {
		const uint8_t *p = r->base + r->chunk_end;
		struct ct_chunk_header head;
		uint64_t start = r->chunk_end;

		memcpy(&head, p, sizeof(head));
		if (head.magic == CT_CHUNK_MAGIC && head.bytes >= CT_CHUNK_UNIT &&
		    head.bytes % CT_CHUNK_UNIT == 0 && head.bytes <= CT_CHUNK_MAX) {
			r->at = start + CT_SLOT_BYTES;
			r->chunk_end = start + head.bytes;
			if (r->chunk_end > r->size)
				r->chunk_end = r->size;
			r->tid = 0;
			return true;
		}
		r->chunk_end += CT_CHUNK_UNIT;
		if (!all_zero(p, CT_SLOT_BYTES))
			damage(r, start, CT_CHUNK_UNIT);
	}
	return false;
}

/* Smallest sensible size of each record type; 0 = unknown type. */
static const uint32_t least_bytes[CT_RECORD_TYPES] = {
	[CT_RECORD_THREAD] = sizeof(struct ct_thread_record),
	[CT_RECORD_CALL] = sizeof(struct ct_call),
	[CT_RECORD_DEVICE] = sizeof(struct ct_device_op),
	[CT_RECORD_SYNC] = sizeof(struct ct_sync),
	[CT_RECORD_EVENT] = sizeof(struct ct_event),
	[CT_RECORD_OVERHEAD] = sizeof(struct ct_overhead),
	[CT_RECORD_STREAM] = sizeof(struct ct_stream),
	[CT_RECORD_CONTEXT] = sizeof(struct ct_context),
	[CT_RECORD_GPU] = sizeof(struct ct_gpu),
	[CT_RECORD_STRING] = sizeof(struct ct_string),
	[CT_RECORD_STACK] = sizeof(struct ct_stack),
	[CT_RECORD_MODULE] = sizeof(struct ct_module),
	[CT_RECORD_API] = sizeof(struct ct_api_record),
	[CT_RECORD_NOTE] = sizeof(struct ct_note),
	[CT_RECORD_SCRIPT] = sizeof(struct ct_script),
	[CT_RECORD_TOTAL] = sizeof(struct ct_total),
};

/* Bytes the record says it needs; more than it has if its inner lengths lie. */
static uint64_t needed_bytes(enum ct_record_type type, const void *record)
{
	const struct ct_module *module = record;
	const struct ct_script *script = record;

	switch (type) {
	case CT_RECORD_STRING:
		return sizeof(struct ct_string) + (uint64_t)((const struct ct_string *)record)->length;
	case CT_RECORD_STACK:
		return sizeof(struct ct_stack) + (uint64_t)((const struct ct_stack *)record)->count * 8;
	case CT_RECORD_MODULE:
		if (module->build_id_length > sizeof(module->build_id))
			return UINT64_MAX;
		return sizeof(*module) + (uint64_t)module->path_length;
	case CT_RECORD_API:
		return sizeof(struct ct_api_record) + ((const struct ct_api_record *)record)->name_length;
	case CT_RECORD_NOTE:
		return sizeof(struct ct_note) + ((const struct ct_note *)record)->length;
	case CT_RECORD_SCRIPT:
		return sizeof(*script) + script->file_length + script->function_length;
	default:
		return least_bytes[type];
	}
}

/*
 * Is there a whole record at r->at? Unknown types of a plausible length are
 * skipped by the caller, so that older readers survive additions.
 */
static bool take(struct ct_reader *r, struct ct_item *item)
{
	const uint8_t *p = r->base + r->at;
	uint32_t word = __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_ACQUIRE);
	uint64_t bytes = (uint64_t)CT_COMMIT_SLOTS(word) * CT_SLOT_BYTES;
	uint32_t type = CT_COMMIT_TYPE(word);

	if (!word)
		return false;
	if (!bytes || bytes > r->chunk_end - r->at) {
		damage(r, r->at, r->chunk_end - r->at);
		r->at = r->chunk_end;
		return false;
	}
	item->type = type < CT_RECORD_TYPES ? (enum ct_record_type)type : CT_RECORD_NONE;
	item->bytes = (uint32_t)bytes;
	item->offset = r->at;
	item->record = p;
	item->tid = r->tid;
	r->at += bytes;
	return true;
}

static bool sound(struct ct_reader *r, const struct ct_item *item)
{
	uint32_t least = least_bytes[item->type];

	if (!least)
		return false; /* a type of the future: its length was enough to step over it */
	if (item->bytes < least || needed_bytes(item->type, item->record) > item->bytes) {
		damage(r, item->offset, item->bytes);
		return false;
	}
	return true;
}

int ct_reader_next(struct ct_reader *r, struct ct_item *ret_item)
{
	for (;;) {
		while (r->at + CT_SLOT_BYTES <= r->chunk_end && take(r, ret_item)) {
			if (!sound(r, ret_item))
				continue;
			if (ret_item->type == CT_RECORD_THREAD) {
				r->tid = ((const struct ct_thread_record *)ret_item->record)->tid;
				ret_item->tid = r->tid;
			}
			return 1;
		}
		if (!next_chunk(r))
			return 0;
	}
}
