/* SPDX-License-Identifier: Apache-2.0 */
/* A trace, its packed form and what that unpacks to: their files, for the tests of packing. */
#ifndef CT_TESTS_PACK_SAMPLE_H
#define CT_TESTS_PACK_SAMPLE_H

#include <sys/stat.h>

#include "tests/unit/trace_sample.h"
#include "trace/pack.h"

static char packed[96], unpacked[96];

static int set_up_names(void **state)
{
	int r = set_up(state);

	snprintf(packed, sizeof(packed), "%s/packed", dir);
	snprintf(unpacked, sizeof(unpacked), "%s/unpacked", dir);
	srand(1);
	return r;
}

static int tear_down_names(void **state)
{
	unlink(packed);
	unlink(unpacked);
	return tear_down(state);
}

static inline struct ct_reader *open_file(const char *name)
{
	struct ct_reader *reader;

	assert_int_equal(ct_reader_open(name, &reader), 0);
	return reader;
}

static void convert(const char *from, const char *to,
		    int (*write)(const struct ct_reader *reader, FILE *to))
{
	struct ct_reader *reader = open_file(from);
	FILE *file_to = fopen(to, "w");

	assert_non_null(file_to);
	assert_int_equal(write(reader, file_to), 0);
	assert_int_equal(fclose(file_to), 0);
	ct_reader_close(reader);
}

static void fill_random(uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(rand() >> 7);
}

/* Any slots with any bytes in them, reserved ones too, under the commit word of a type. */
static void put_random(struct ct_writer *writer, uint32_t type, uint32_t slots)
{
	uint8_t *record = ct_writer_reserve(writer, slots * CT_SLOT_BYTES);

	assert_non_null(record);
	fill_random(record + 4, slots * CT_SLOT_BYTES - 4);
	ct_writer_commit(record, (enum ct_record_type)type, slots * CT_SLOT_BYTES);
}

/* As they come: runs of one type and mixtures, text, types of the future, longer records. */
static void write_sample(int records)
{
	static const uint32_t lengths[] = { 0, 3, 64, 300 };
	struct ct_writer one, two;

	ct_writer_init(&one, &file, 1);
	ct_writer_init(&two, &file, 2);
	for (int i = 0; i < records; i++) {
		struct ct_writer *writer = rand() % 3 ? &one : &two;
		enum ct_record_type fixed = fixed_types[rand() % FIXED_TYPES];
		int type = CT_RECORD_STRING + rand() % 6;

		for (int run = rand() % 30; run >= 0; run--)
			put_random(writer, fixed, 1);
		put_variable(writer, (enum ct_record_type)type, lengths[rand() % 4]);
		if (i % 10 == 0)
			put_random(writer, 16 + (uint32_t)rand() % 240, 1 + (uint32_t)rand() % 4);
		if (i % 10 == 5)
			put_random(writer, fixed, 2);
	}
	ct_file_lose(&file, CT_LOSS_CUPTI, 5);
	ct_file_finish(&file, CT_FINISH_EXIT);
}

static inline void overwrite(const char *name, off_t at, const void *bytes, size_t count)
{
	FILE *to = fopen(name, "r+");

	assert_non_null(to);
	assert_int_equal(fseeko(to, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, count, to), count);
	assert_int_equal(fclose(to), 0);
}

static inline uint8_t *read_file(const char *name, size_t *ret_size)
{
	FILE *from = fopen(name, "r");
	struct stat st;
	uint8_t *bytes;

	assert_non_null(from);
	assert_int_equal(fstat(fileno(from), &st), 0);
	*ret_size = (size_t)st.st_size;
	bytes = malloc(*ret_size);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, *ret_size, from), *ret_size);
	fclose(from);
	return bytes;
}

#define PACK_TEST(function)                                                                        \
	cmocka_unit_test_setup_teardown(function, set_up_names, tear_down_names)

#endif
