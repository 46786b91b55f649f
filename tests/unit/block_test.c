/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a trace block by block, by several threads at once. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "tests/unit/trace_sample.h"
#include "trace/pack.h"

enum { CALLS = 5000, BLOCKS = 3 }; /* chunks of 64, 128 and 256 KiB */

static void write_calls(void)
{
	struct ct_writer writer;

	ct_writer_init(&writer, &file, 7);
	for (uint64_t i = 0; i < CALLS; i++)
		put_call(&writer, i);
}

static struct ct_cursor *open_block(const struct ct_reader *reader, size_t block)
{
	struct ct_cursor *cursor;

	assert_int_equal(ct_cursor_open(reader, block, &cursor), 0);
	return cursor;
}

static void test_blocks_in_order(void **state)
{
	struct ct_reader *reader;
	struct ct_item whole, item;

	(void)state;
	write_calls();
	reader = open_trace();
	assert_int_equal(ct_reader_blocks(reader), BLOCKS);
	for (size_t block = 0; block < BLOCKS; block++) {
		struct ct_cursor *cursor = open_block(reader, block);

		while (ct_cursor_next(cursor, &item)) {
			assert_int_equal(ct_reader_next(reader, &whole), 1);
			assert_int_equal(item.type, whole.type);
			assert_int_equal(item.offset, whole.offset);
			assert_int_equal(item.tid, whole.tid);
			assert_memory_equal(item.record, whole.record, CT_SLOT_BYTES);
		}
		assert_int_equal(ct_cursor_damage(cursor, NULL), 0);
		ct_cursor_close(cursor);
	}
	expect_end(reader);
}

static void test_no_such_block(void **state)
{
	struct ct_reader *reader;
	struct ct_cursor *cursor;
	struct ct_block_info info;

	(void)state;
	reader = open_trace();
	assert_int_equal(ct_reader_blocks(reader), 0);
	assert_int_equal(ct_cursor_open(reader, 0, &cursor), -EINVAL);
	assert_int_equal(ct_reader_block_info(reader, 0, &info), -EINVAL);
	ct_reader_close(reader);
	write_calls();
	reader = open_trace();
	assert_int_equal(ct_cursor_open(reader, BLOCKS, &cursor), -EINVAL);
	assert_int_equal(ct_reader_block_info(reader, 0, &info), -ENODATA);
	assert_int_equal(ct_reader_block_info(reader, BLOCKS, &info), -EINVAL);
	ct_reader_close(reader);
}

static void *sum_calls(void *reader)
{
	uint64_t sum = 0;

	for (size_t block = 0; block < ct_reader_blocks(reader); block++) {
		struct ct_cursor *cursor;
		struct ct_item item;

		if (ct_cursor_open(reader, block, &cursor))
			return NULL;
		while (ct_cursor_next(cursor, &item))
			if (item.type == CT_RECORD_CALL)
				sum += ((const struct ct_call *)item.record)->enter_ns;
		ct_cursor_close(cursor);
	}
	return (void *)(uintptr_t)sum;
}

static void read_by_threads(void)
{
	struct ct_reader *reader = open_trace();
	pthread_t threads[4];
	void *sum;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sum_calls, reader), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &sum), 0);
		assert_int_equal((uintptr_t)sum, CALLS * (CALLS - 1) / 2);
	}
	ct_reader_close(reader);
}

static void test_threads_share_a_reader(void **state)
{
	struct ct_reader *reader;
	char packed[128];
	FILE *to;

	(void)state;
	write_calls();
	read_by_threads();
	snprintf(packed, sizeof(packed), "%s/packed", dir);
	reader = open_trace();
	to = fopen(packed, "w");
	assert_non_null(to);
	assert_int_equal(ct_pack_write(reader, to), 0);
	assert_int_equal(fclose(to), 0);
	ct_reader_close(reader);
	assert_int_equal(rename(packed, path), 0);
	read_by_threads();
}

static void overwrite(off_t at, uint32_t word)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &word, sizeof(word), at), sizeof(word));
	close(fd);
}

/* Damage between blocks is the reader's, damage in a block that of its cursors alone. */
static void test_damage_is_counted_once(void **state)
{
	const uint64_t second = CT_CHUNK_UNIT + CT_CHUNK_UNIT, third = second + 2 * CT_CHUNK_UNIT;
	struct ct_reader *reader;
	struct ct_cursor *cursor;
	struct ct_item item;
	uint64_t at;

	(void)state;
	write_calls();
	overwrite((off_t)third - CT_SLOT_BYTES, CT_COMMIT(CT_RECORD_CALL, 2)); /* one too many */
	overwrite((off_t)third, 1); /* no header: its units are damaged, or zero as the last two are */
	reader = open_trace();
	assert_int_equal(ct_reader_blocks(reader), 2);
	assert_int_equal(ct_reader_damage(reader, &at), 2 * CT_CHUNK_UNIT);
	assert_int_equal(at, third);
	for (int round = 0; round < 2; round++) {
		cursor = open_block(reader, 1);
		while (ct_cursor_next(cursor, &item))
			;
		assert_int_equal(ct_cursor_damage(cursor, &at), CT_SLOT_BYTES);
		assert_int_equal(at, third - CT_SLOT_BYTES);
		ct_cursor_close(cursor);
	}
	assert_int_equal(ct_reader_damage(reader, NULL), 2 * CT_CHUNK_UNIT);
	while (ct_reader_next(reader, &item))
		;
	assert_int_equal(ct_reader_damage(reader, &at), 2 * CT_CHUNK_UNIT + CT_SLOT_BYTES);
	assert_int_equal(at, third - CT_SLOT_BYTES);
	ct_reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_blocks_in_order),
		TEST(test_no_such_block),
		TEST(test_threads_share_a_reader),
		TEST(test_damage_is_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
