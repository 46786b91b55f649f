/* SPDX-License-Identifier: Apache-2.0 */
/* A trace file of its own for every test, and what the tests of trace/ put into it. */
#ifndef CT_TESTS_TRACE_SAMPLE_H
#define CT_TESTS_TRACE_SAMPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "trace/reader.h"
#include "trace/writer.h"

static char dir[64];
static char path[96];
static struct ct_file file;

static inline int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/cutrace-trace-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/trace", dir);
	return ct_file_create(&file, path, "program");
}

static inline int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static inline struct ct_reader *open_trace(void)
{
	struct ct_reader *reader;

	assert_int_equal(ct_reader_open(path, &reader), 0);
	return reader;
}

static inline struct ct_item next(struct ct_reader *reader, enum ct_record_type type)
{
	struct ct_item item;

	assert_int_equal(ct_reader_next(reader, &item), 1);
	assert_int_equal(item.type, type);
	return item;
}

static inline void expect_end(struct ct_reader *reader)
{
	struct ct_item item;

	assert_int_equal(ct_reader_next(reader, &item), 0);
	assert_int_equal(ct_reader_next(reader, &item), 0);
	assert_int_equal(ct_reader_damage(reader, NULL), 0);
	ct_reader_close(reader);
}

static inline void fill(void *to, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)to)[i] = (uint8_t)(seed * 31 + i * 7 + 1);
}

static inline void put_fixed(struct ct_writer *writer, enum ct_record_type type)
{
	uint8_t record[CT_SLOT_BYTES];

	fill(record, sizeof(record), type);
	assert_true(ct_writer_put(writer, type, record));
}

static inline void put_call(struct ct_writer *writer, uint64_t number)
{
	const struct ct_call call = { .enter_ns = number, .leave_ns = number + 1 };

	assert_true(ct_writer_put(writer, CT_RECORD_CALL, &call));
}

static inline void expect_call(struct ct_reader *reader, uint32_t tid, uint64_t number)
{
	struct ct_item item = next(reader, CT_RECORD_CALL);

	assert_int_equal(item.tid, tid);
	assert_int_equal(((const struct ct_call *)item.record)->enter_ns, number);
}

static inline uint64_t lost(void)
{
	return file.header->lost[CT_LOSS_SPACE];
}

enum { FIXED_TYPES = 8 };
static const enum ct_record_type fixed_types[FIXED_TYPES] = {
	CT_RECORD_CALL, CT_RECORD_DEVICE, CT_RECORD_SYNC, CT_RECORD_EVENT, CT_RECORD_OVERHEAD,
	CT_RECORD_STREAM, CT_RECORD_CONTEXT, CT_RECORD_GPU,
};

enum { VARIABLE_TYPES = 7 };
static const enum ct_record_type variable_types[VARIABLE_TYPES] = {
	CT_RECORD_STRING, CT_RECORD_STACK, CT_RECORD_MODULE, CT_RECORD_API, CT_RECORD_NOTE,
	CT_RECORD_SCRIPT, CT_RECORD_NVTX_NAME,
};

/* The records of variable length, each with `length` bytes or entries in its tail. */
static inline uint32_t variable_head(enum ct_record_type type)
{
	switch (type) {
	case CT_RECORD_STRING:
		return offsetof(struct ct_string, text);
	case CT_RECORD_STACK:
		return offsetof(struct ct_stack, pc);
	case CT_RECORD_MODULE:
		return offsetof(struct ct_module, path);
	case CT_RECORD_API:
		return offsetof(struct ct_api_record, name);
	case CT_RECORD_SCRIPT:
		return offsetof(struct ct_script, text);
	case CT_RECORD_NVTX_NAME:
		return offsetof(struct ct_nvtx_name, text);
	default:
		return offsetof(struct ct_note, text);
	}
}

static inline void set_length(enum ct_record_type type, void *record, uint32_t length)
{
	switch (type) {
	case CT_RECORD_STRING:
		((struct ct_string *)record)->length = length;
		break;
	case CT_RECORD_STACK:
		((struct ct_stack *)record)->count = length;
		break;
	case CT_RECORD_MODULE:
		((struct ct_module *)record)->path_length = length;
		break;
	case CT_RECORD_API:
		((struct ct_api_record *)record)->name_length = (uint16_t)length;
		break;
	case CT_RECORD_SCRIPT:
		((struct ct_script *)record)->file_length = (uint16_t)(length / 3);
		((struct ct_script *)record)->function_length = (uint16_t)(length - length / 3);
		break;
	case CT_RECORD_NVTX_NAME:
		((struct ct_nvtx_name *)record)->length = length;
		break;
	default:
		((struct ct_note *)record)->length = (uint16_t)length;
	}
}

/* The tail's bytes as the record says, computed apart from the reader. */
static inline uint64_t tail_bytes(enum ct_record_type type, const void *record)
{
	switch (type) {
	case CT_RECORD_STRING:
		return ((const struct ct_string *)record)->length;
	case CT_RECORD_STACK:
		return 8 * (uint64_t)((const struct ct_stack *)record)->count;
	case CT_RECORD_MODULE:
		return ((const struct ct_module *)record)->path_length;
	case CT_RECORD_API:
		return ((const struct ct_api_record *)record)->name_length;
	case CT_RECORD_SCRIPT:
		return (uint64_t)((const struct ct_script *)record)->file_length +
		       ((const struct ct_script *)record)->function_length;
	case CT_RECORD_NVTX_NAME:
		return ((const struct ct_nvtx_name *)record)->length;
	default:
		return ((const struct ct_note *)record)->length;
	}
}

static inline uint32_t put_variable(struct ct_writer *writer, enum ct_record_type type,
				    uint32_t length)
{
	uint32_t head = variable_head(type);
	uint32_t tail = type == CT_RECORD_STACK ? 8 * length : length;
	uint8_t *record = ct_writer_reserve(writer, head + tail);

	assert_non_null(record);
	for (uint32_t i = 0; i < (head + tail + 63) / 64 * 64; i++)
		assert_int_equal(record[i], 0);
	set_length(type, record, length);
	fill(record + head, tail, type + length);
	ct_writer_commit(record, type, head + tail);
	return (head + tail + 63) / 64 * 64;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
