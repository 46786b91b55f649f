/* SPDX-License-Identifier: Apache-2.0 */
/* Traces that are not the same, and places where none can be written. */
#include <errno.h>
#include <signal.h>

#include "tests/unit/pack_sample.h"

/* Compare the trace with itself as it is and with `count` other bytes at a place. */
static void expect_noticed(off_t at, const void *bytes, size_t count)
{
	struct ct_reader *one, *two;
	uint64_t records = 77;
	uint8_t *all;
	size_t size;
	FILE *to = fopen(unpacked, "w");

	all = read_file(path, &size);
	assert_non_null(to);
	assert_int_equal(fwrite(all, 1, size, to), size);
	assert_int_equal(fclose(to), 0);
	free(all);
	one = open_file(path);
	two = open_file(unpacked);
	assert_int_equal(ct_pack_compare(one, two, &records), 0);
	assert_int_equal(records, 4); /* a THREAD record and three calls */
	ct_reader_close(two);
	overwrite(unpacked, at, bytes, count);
	two = open_file(unpacked);
	records = 77;
	assert_int_equal(ct_pack_compare(one, two, &records), -EBADMSG);
	assert_int_equal(ct_pack_compare(two, one, &records), -EBADMSG);
	assert_int_equal(records, 77);
	ct_reader_close(one);
	ct_reader_close(two);
}

/* Whatever two traces differ in. */
static void test_differences(void **state)
{
	const off_t first = CT_CHUNK_UNIT + 2 * CT_SLOT_BYTES, last = first + 2 * CT_SLOT_BYTES;
	const uint32_t stream = CT_COMMIT(CT_RECORD_STREAM, 1), longer = CT_COMMIT(CT_RECORD_CALL, 2);
	const uint32_t unfinished = 0, finish = CT_FINISH_FAST_EXIT;
	struct ct_writer writer;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	for (uint64_t i = 0; i < 3; i++)
		put_call(&writer, i);
	ct_file_finish(&file, CT_FINISH_EXIT);
	expect_noticed(first + 40, "\x55", 1);
	expect_noticed(first, &stream, sizeof(stream));
	expect_noticed(first, &longer, sizeof(longer));
	expect_noticed(last, &unfinished, sizeof(unfinished)); /* one record less */
	expect_noticed(CT_CHUNK_UNIT + CT_SLOT_BYTES + offsetof(struct ct_thread_record, tid), "\x09", 1);
	expect_noticed(offsetof(struct ct_file_header, finish), &finish, sizeof(finish));
}

/* A trace is written to files, which have places; where it cannot be, that is said. */
static void test_not_a_file(void **state)
{
	static int (*const write_to[])(const struct ct_reader *, FILE *) = { ct_pack_write,
									     ct_unpack_write };
	struct ct_reader *reader;
	int ends[2];

	(void)state;
	write_sample(10);
	convert(path, packed, ct_pack_write);
	reader = open_file(packed);
	for (int i = 0; i < 2; i++) {
		FILE *to;

		assert_int_equal(pipe(ends), 0);
		to = fdopen(ends[1], "w");
		assert_non_null(to);
		assert_int_equal(write_to[i](reader, to), -ESPIPE);
		close(ends[0]);
		signal(SIGPIPE, SIG_IGN);
		fclose(to);
		to = fopen("/dev/full", "w");
		assert_non_null(to);
		assert_int_equal(write_to[i](reader, to), -ENOSPC);
		fclose(to);
	}
	ct_reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACK_TEST(test_differences),
		PACK_TEST(test_not_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
