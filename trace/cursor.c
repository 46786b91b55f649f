/* SPDX-License-Identifier: Apache-2.0 */
/* From the bytes of one block to its records. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "trace/reader_int.h"

struct ct_cursor {
	const uint8_t *image; /* the chunk's bytes, its header first */
	uint8_t *own;         /* what they lie in, to be freed; NULL = the reader's memory */
	uint64_t bytes;
	uint64_t at;          /* next record, from the image's start */
	uint64_t offset;      /* of the image in the file */
	uint32_t tid;
	struct ct_damage damage;
	uint64_t unknown; /* records of the future */
};

int ct_cursor_open(const struct ct_reader *reader, size_t block, struct ct_cursor **ret_cursor)
{
	const struct ct_block *chunk = reader->chunks.at + block;
	struct ct_cursor *c;
	int err;

	if (block >= reader->chunks.count)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->offset = chunk->offset;
	c->at = CT_SLOT_BYTES;
	err = ct_block_image(reader, chunk, &c->image, &c->own);
	if (err == 0)
		c->bytes = chunk->bytes;
	else if (err == -EBADMSG)
		ct_damage_add(&c->damage, chunk->offset, chunk->bytes);
	else {
		free(c);
		return err;
	}
	*ret_cursor = c;
	return 0;
}

/*
 * A file may be much larger than memory is: what has been read goes from ours, and stays
 * in the kernel's for whoever reads it next.
 */
void ct_cursor_close(struct ct_cursor *cursor)
{
	if (!cursor)
		return;
	if (!cursor->own && cursor->bytes)
		madvise((void *)(uintptr_t)cursor->image, cursor->bytes, MADV_DONTNEED);
	free(cursor->own);
	free(cursor);
}

uint64_t ct_cursor_damage(const struct ct_cursor *cursor, uint64_t *ret_offset)
{
	if (ret_offset)
		*ret_offset = cursor->damage.offset;
	return cursor->damage.bytes;
}

uint64_t ct_cursor_unknown(const struct ct_cursor *cursor)
{
	return cursor->unknown;
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
	[CT_RECORD_NVTX_RANGE] = sizeof(struct ct_nvtx_range),
	[CT_RECORD_NVTX_OPEN] = sizeof(struct ct_nvtx_range),
	[CT_RECORD_NVTX_NAME] = sizeof(struct ct_nvtx_name),
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
	case CT_RECORD_NVTX_NAME:
		return sizeof(struct ct_nvtx_name) + (uint64_t)((const struct ct_nvtx_name *)record)->length;
	case CT_RECORD_SCRIPT:
		return sizeof(*script) + script->file_length + script->function_length;
	default:
		return least_bytes[type];
	}
}

/*
 * Is there a whole record at c->at? Unknown types of a plausible length are
 * skipped by the caller, so that older readers survive additions.
 */
static bool take(struct ct_cursor *c, struct ct_item *item)
{
	const uint8_t *p = c->image + c->at;
	uint32_t word = __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_ACQUIRE);
	uint64_t bytes = (uint64_t)CT_COMMIT_SLOTS(word) * CT_SLOT_BYTES;
	uint32_t type = CT_COMMIT_TYPE(word);

	if (!word)
		return false;
	if (!bytes || bytes > c->bytes - c->at) {
		ct_damage_add(&c->damage, c->offset + c->at, c->bytes - c->at);
		c->at = c->bytes;
		return false;
	}
	c->unknown += type >= CT_RECORD_TYPES;
	item->type = type < CT_RECORD_TYPES ? (enum ct_record_type)type : CT_RECORD_NONE;
	item->bytes = (uint32_t)bytes;
	item->offset = c->offset + c->at;
	item->record = p;
	item->tid = c->tid;
	c->at += bytes;
	return true;
}

/* What a damaged length has swallowed behind a record: slots that are not empty. */
static void add_swallowed(struct ct_cursor *c, const struct ct_item *item, uint64_t needed)
{
	uint64_t at = (needed + CT_SLOT_BYTES - 1) / CT_SLOT_BYTES * CT_SLOT_BYTES;
	const uint8_t *record = item->record;

	for (uint64_t i = at; i < item->bytes; i++)
		if (record[i]) {
			ct_damage_add(&c->damage, item->offset + at, item->bytes - at);
			return;
		}
}

static bool sound(struct ct_cursor *c, const struct ct_item *item)
{
	uint32_t least = least_bytes[item->type];
	uint64_t needed;

	if (!least)
		return false; /* a type of the future: its length was enough to step over it */
	needed = item->bytes < least ? UINT64_MAX : needed_bytes(item->type, item->record);
	if (needed > item->bytes) {
		ct_damage_add(&c->damage, item->offset, item->bytes);
		return false;
	}
	add_swallowed(c, item, needed);
	return true;
}

int ct_cursor_next(struct ct_cursor *c, struct ct_item *ret_item)
{
	while (c->at + CT_SLOT_BYTES <= c->bytes && take(c, ret_item)) {
		if (!sound(c, ret_item))
			continue;
		if (ret_item->type == CT_RECORD_THREAD) {
			c->tid = ((const struct ct_thread_record *)ret_item->record)->tid;
			ret_item->tid = c->tid;
		}
		return 1;
	}
	return 0;
}
