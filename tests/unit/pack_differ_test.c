/* SPDX-License-Identifier: Apache-2.0 */
/* Traces that are not the same, and places where none can be written. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/unit/pack_sample.h"
#include "trace/packed.h"

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

/* Two traces are not the same, whichever is compared with which. */
static void expect_differ(const char *one_name, const char *two_name)
{
	struct ct_reader *one = open_file(one_name), *two = open_file(two_name);
	uint64_t records = 77;

	assert_int_equal(ct_pack_compare(one, one, &records), 0);
	assert_int_equal(ct_pack_compare(two, two, &records), 0);
	records = 77;
	assert_int_equal(ct_pack_compare(one, two, &records), -EBADMSG);
	assert_int_equal(ct_pack_compare(two, one, &records), -EBADMSG);
	assert_int_equal(records, 77);
	ct_reader_close(one);
	ct_reader_close(two);
}

static void copy_trace(const char *name)
{
	size_t size;
	uint8_t *all = read_file(path, &size);
	FILE *to = fopen(name, "w");

	assert_non_null(to);
	assert_int_equal(fwrite(all, 1, size, to), size);
	assert_int_equal(fclose(to), 0);
	free(all);
}

/* A part of two traces: what the one holds there, and the other. */
struct part {
	off_t at;
	size_t bytes;
	const void *one, *two;
};

/* Put parts into the trace and into a copy of it, which then differ, and were the same before. */
static void expect_parts_differ(const struct part *parts, size_t count)
{
	struct ct_reader *one, *two;
	uint64_t records;

	copy_trace(packed);
	copy_trace(unpacked);
	one = open_file(packed);
	two = open_file(unpacked);
	assert_int_equal(ct_pack_compare(one, two, &records), 0);
	ct_reader_close(one);
	ct_reader_close(two);
	for (size_t i = 0; i < count; i++) {
		overwrite(packed, parts[i].at, parts[i].one, parts[i].bytes);
		overwrite(unpacked, parts[i].at, parts[i].two, parts[i].bytes);
	}
	expect_differ(packed, unpacked);
}

/* Every record the same, and all else but what cannot be read. */
static void test_damage_differs(void **state)
{
	static const uint8_t nothing[CT_SLOT_BYTES];
	static const uint8_t x[CT_SLOT_BYTES] = { 1 }, y[CT_SLOT_BYTES] = { 2 };
	const uint32_t unknown = CT_COMMIT(200, 1), bad = CT_COMMIT(CT_RECORD_STRING, 1);
	const uint32_t worse = CT_COMMIT(CT_RECORD_STRING, 2);
	const uint8_t lie[4] = { 0xff, 0xff, 0xff }; /* the length of such a string */
	const uint32_t call = CT_COMMIT(CT_RECORD_CALL, 1), longer = CT_COMMIT(CT_RECORD_CALL, 9999);
	const off_t slot = CT_CHUNK_UNIT + 2 * CT_SLOT_BYTES, damage = 2 * CT_CHUNK_UNIT;
	const struct part of_a_block[] = { { slot + 3 * CT_SLOT_BYTES, 4, nothing, &longer } };
	const struct part amount[] = { { slot + 3 * CT_SLOT_BYTES, 4, &bad, &worse },
				       { slot + 3 * CT_SLOT_BYTES + 8, 4, lie, lie } };
	const struct part moved[] = { { slot, 4, &unknown, &bad },
				      { slot + 4, 60, x + 4, x + 4 },
				      { slot + 8, 4, lie, lie },
				      { slot + CT_SLOT_BYTES, 4, &bad, &unknown },
				      { slot + CT_SLOT_BYTES + 8, 4, lie, lie } };
	const struct part of_a_record[] = { { slot, 4, &unknown, &call },
					    { slot + CT_SLOT_BYTES, 4, &call, &unknown },
					    { slot + 8, 56, nothing, nothing },
					    { slot + CT_SLOT_BYTES + 8, 56, nothing, nothing } };
	const struct part between[] = { { damage, CT_SLOT_BYTES, nothing, x } };
	const struct part bytes[] = { { damage, CT_SLOT_BYTES, x, y } };
	const struct part place[] = { { damage, CT_SLOT_BYTES, nothing, x },
				      { damage + CT_CHUNK_UNIT, CT_SLOT_BYTES, x, nothing } };
	struct ct_writer writer;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	for (uint64_t i = 0; i < 3; i++)
		put_call(&writer, i);
	assert_int_equal(truncate(path, 4 * CT_CHUNK_UNIT), 0);
	expect_parts_differ(of_a_block, 1);
	expect_parts_differ(amount, 2);
	expect_parts_differ(moved, 5);
	expect_parts_differ(of_a_record, 4);
	expect_parts_differ(between, 1);
	expect_parts_differ(bytes, 1);
	expect_parts_differ(place, 2);
}

/* The packed trace, with another header, differs from what it was. */
static void expect_header_differs(struct ct_packed_header head)
{
	convert(path, packed, ct_pack_write);
	convert(path, unpacked, ct_pack_write);
	head.check = ct_packed_check(&head, offsetof(struct ct_packed_header, check));
	overwrite(unpacked, 0, &head, sizeof(head));
	expect_differ(packed, unpacked);
}

/* Sizes, chunks; and what a packed file says of gaps, and has lost. */
static void test_extent_differs(void **state)
{
	struct ct_packed_header head;
	struct ct_writer writer;
	uint8_t *bytes;
	size_t size;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	put_call(&writer, 1);
	assert_int_equal(truncate(path, 2 * CT_CHUNK_UNIT + 100), 0);
	copy_trace(packed);
	copy_trace(unpacked);
	assert_int_equal(truncate(unpacked, 2 * CT_CHUNK_UNIT + 99), 0);
	expect_differ(packed, unpacked);
	copy_trace(unpacked);
	overwrite(unpacked, CT_CHUNK_UNIT, "\0", 1);
	expect_differ(packed, unpacked); /* a chunk less */
	convert(path, unpacked, ct_pack_write);
	bytes = read_file(unpacked, &size);
	memcpy(&head, bytes, sizeof(head));
	free(bytes);
	head.image_bytes++; /* one is missing */
	expect_header_differs(head);
	head.image_bytes--;
	head.gap_bytes++;
	expect_header_differs(head);
}

static off_t size_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st.st_size;
}

/* Write to a file that may grow to so many bytes. Returns as the function does. */
static int write_within(rlim_t bytes, const struct ct_reader *reader, const char *name,
			int (*write)(const struct ct_reader *, FILE *))
{
	struct rlimit old, small;
	FILE *to = fopen(name, "w");
	int r;

	assert_non_null(to);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = write(reader, to);
	fclose(to);
	setrlimit(RLIMIT_FSIZE, &old);
	return r;
}

static void expect_room_needed(const char *from, const char *to,
			       int (*write)(const struct ct_reader *, FILE *))
{
	struct ct_reader *reader = open_file(from);
	off_t size;

	convert(from, to, write);
	size = size_of(to);
	for (off_t room = 0; room < size; room += size / 500 + 1)
		assert_int_equal(write_within((rlim_t)room, reader, to, write), -EFBIG);
	assert_int_equal(write_within((rlim_t)size - 1, reader, to, write), -EFBIG);
	assert_int_equal(write_within((rlim_t)size, reader, to, write), 0);
	ct_reader_close(reader);
}

/* Whatever byte is the first that there is no room for, that is said. */
static void test_no_room(void **state)
{
	(void)state;
	write_sample(10);
	signal(SIGXFSZ, SIG_IGN);
	expect_room_needed(path, packed, ct_pack_write);
	expect_room_needed(packed, unpacked, ct_unpack_write);
	signal(SIGXFSZ, SIG_DFL);
}

/* There is none for what stdio held back until then. */
static void test_no_room_at_the_end(void **state)
{
	static char buffer[1 << 20];
	struct ct_reader *reader;
	FILE *to = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(to);
	setvbuf(to, buffer, _IOFBF, sizeof(buffer));
	reader = open_trace();
	assert_int_equal(ct_unpack_write(reader, to), -ENOSPC);
	fclose(to);
	ct_reader_close(reader);
}

static ssize_t take_nothing(void *unused, const char *bytes, size_t count)
{
	(void)unused;
	(void)bytes;
	(void)count;
	return 0;
}

/* A stream that takes no more, and does not say why. */
static void test_no_reason(void **state)
{
	FILE *to = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = take_nothing });
	struct ct_reader *reader;

	(void)state;
	write_sample(10);
	reader = open_trace();
	assert_non_null(to);
	setbuf(to, NULL);
	assert_int_equal(ct_pack_write(reader, to), -EIO);
	fclose(to);
	ct_reader_close(reader);
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
		PACK_TEST(test_damage_differs),
		PACK_TEST(test_extent_differs),
		PACK_TEST(test_no_room),
		PACK_TEST(test_no_room_at_the_end),
		PACK_TEST(test_no_reason),
		PACK_TEST(test_not_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
