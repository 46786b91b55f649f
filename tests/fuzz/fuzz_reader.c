/* SPDX-License-Identifier: Apache-2.0 */
/* The reader: every record is whole, both ways of reading agree, packing changes nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "analyze/analysis.h"
#include "tests/fuzz/form.h"
#include "tests/fuzz/sink.h"
#include "trace/pack.h"

/* What was read, in short. */
struct seen {
	uint64_t records, bytes, damage;
};

/* What a record says of how long it is. */
static uint64_t inner_bytes(const struct ct_item *item)
{
	const struct ct_script *script = item->record;

	switch (item->type) {
	case CT_RECORD_STRING:
		return sizeof(struct ct_string) + (uint64_t)((const struct ct_string *)item->record)->length;
	case CT_RECORD_STACK:
		return sizeof(struct ct_stack) + 8 * (uint64_t)((const struct ct_stack *)item->record)->count;
	case CT_RECORD_MODULE:
		return sizeof(struct ct_module) +
		       (uint64_t)((const struct ct_module *)item->record)->path_length;
	case CT_RECORD_API:
		return sizeof(struct ct_api_record) +
		       ((const struct ct_api_record *)item->record)->name_length;
	case CT_RECORD_NOTE:
		return sizeof(struct ct_note) + ((const struct ct_note *)item->record)->length;
	case CT_RECORD_NVTX_NAME:
		return sizeof(struct ct_nvtx_name) +
		       (uint64_t)((const struct ct_nvtx_name *)item->record)->length;
	case CT_RECORD_SCRIPT:
		return sizeof(*script) + script->file_length + script->function_length;
	default:
		return 0;
	}
}

static void see(struct seen *seen, const struct ct_item *item, uint64_t size, FILE *sink)
{
	MUST(item->type > CT_RECORD_NONE && item->type < CT_RECORD_TYPES);
	MUST(item->bytes >= CT_SLOT_BYTES && item->bytes % CT_SLOT_BYTES == 0);
	MUST(item->offset + item->bytes <= size && inner_bytes(item) <= item->bytes);
	for (uint32_t i = 0; i < item->bytes; i++)
		seen->bytes = seen->bytes * 31 + ((const uint8_t *)item->record)[i];
	seen->bytes = seen->bytes * 31 + item->tid;
	seen->records++;
	if (sink)
		ct_report_record(item, sink);
}

static struct seen read_by_records(struct ct_reader *reader, FILE *sink)
{
	uint64_t size = ct_reader_packed(reader) ? UINT64_MAX : ct_reader_size(reader);
	struct seen seen = { 0 };
	struct ct_item item;

	while (ct_reader_next(reader, &item) == 1)
		see(&seen, &item, size, sink);
	seen.damage = ct_reader_damage(reader, NULL);
	return seen;
}

static struct seen read_by_blocks(const struct ct_reader *reader)
{
	struct seen seen = { .damage = ct_reader_damage(reader, NULL) };
	struct ct_cursor *cursor;
	struct ct_item item;

	for (size_t i = 0; i < ct_reader_blocks(reader); i++) {
		MUST(ct_cursor_open(reader, i, &cursor) == 0);
		while (ct_cursor_next(cursor, &item) == 1)
			see(&seen, &item, UINT64_MAX, NULL);
		seen.damage += ct_cursor_damage(cursor, NULL);
		ct_cursor_close(cursor);
	}
	return seen;
}

static void same(struct ct_reader *a, int (*write)(const struct ct_reader *reader, FILE *to))
{
	struct ct_reader *b;
	uint64_t records;
	FILE *to = fopen(form_other_path(), "w");

	MUST(to);
	MUST(write(a, to) == 0 && fclose(to) == 0);
	MUST(ct_reader_open(form_other_path(), &b) == 0);
	MUST(ct_pack_compare(a, b, &records) == 0);
	ct_reader_close(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct form_head head = form_write(input, size);
	struct seen by_blocks, by_records;
	struct ct_reader *reader;
	FILE *sink;

	if (!head.kind || ct_reader_open(form_path(), &reader) < 0)
		return 0;
	sink = sink_open(false);
	by_blocks = read_by_blocks(reader);
	by_records = read_by_records(reader, sink);
	fclose(sink);
	MUST(by_blocks.records == by_records.records && by_blocks.bytes == by_records.bytes);
	MUST(by_blocks.damage == by_records.damage);
	ct_reader_close(reader);
	MUST(ct_reader_open(form_path(), &reader) == 0);
	if (!ct_reader_packed(reader) && head.part_records % 16 == 0) /* packing is slow */
		same(reader, ct_pack_write);
	else if (ct_reader_packed(reader) && !by_records.damage)
		same(reader, ct_unpack_write);
	ct_reader_close(reader);
	return 0;
}
