/* SPDX-License-Identifier: Apache-2.0 */
/* Cut, damaged, unfinished and full trace files. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/trace_sample.h"

/* Two chunks with every type of record. Returns the file's size. */
static off_t write_sample(void)
{
	struct ct_writer one, two;
	struct stat st;

	ct_writer_init(&one, &file, 1);
	ct_writer_init(&two, &file, 2);
	for (size_t i = 0; i < FIXED_TYPES; i++) {
		put_fixed(&one, fixed_types[i]);
		put_fixed(&two, fixed_types[i]);
	}
	for (size_t i = 0; i < VARIABLE_TYPES; i++) {
		put_variable(&one, variable_types[i], 64);
		put_variable(&two, variable_types[i], 3);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 3 * CT_CHUNK_UNIT);
	return st.st_size;
}

struct seen {
	uint64_t type, offset; /* no padding: compared as bytes */
};

/* Read the trace; every record must lie in the file and its tail in the record. */
static size_t read_all(struct ct_reader *reader, off_t size, struct seen *seen, size_t max)
{
	struct ct_item item;
	size_t n = 0;

	while (ct_reader_next(reader, &item)) {
		assert_in_range(item.type, CT_RECORD_THREAD, CT_RECORD_NVTX_NAME);
		assert_true(item.offset + item.bytes <= (uint64_t)size);
		assert_true(item.bytes >= CT_SLOT_BYTES);
		if ((item.type >= CT_RECORD_STRING && item.type <= CT_RECORD_SCRIPT) ||
		    item.type == CT_RECORD_NVTX_NAME)
			assert_true(variable_head(item.type) +
				    tail_bytes(item.type, item.record) <= item.bytes);
		if (item.type == CT_RECORD_MODULE)
			assert_true(((const struct ct_module *)item.record)->build_id_length <= 32);
		if (n < max)
			seen[n] = (struct seen){ item.type, item.offset };
		assert_true(++n < 100000);
	}
	return n;
}

/* Some of all bytes: the tests of suite trust try each. A prime, less than a record is long. */
#define STRIDE 17

static void test_truncation(void **state)
{
	struct seen whole[64], part[64];
	off_t size = write_sample();
	struct ct_reader *reader = open_trace();
	size_t count = read_all(reader, size, whole, 64), n = count;

	(void)state;
	ct_reader_close(reader);
	assert_int_equal(count, 2 * (1 + FIXED_TYPES + VARIABLE_TYPES));
	while ((size -= STRIDE) > 0) {
		size_t now;
		int r;

		assert_int_equal(truncate(path, size), 0);
		r = ct_reader_open(path, &reader);
		assert_int_equal(r, size < (off_t)CT_HEADER_BYTES ? -EBADMSG : 0);
		if (r)
			continue;
		now = read_all(reader, size, part, 64);
		assert_true(now <= n && n - now <= 1); /* so few bytes take one record at most */
		assert_memory_equal(part, whole, now * sizeof(part[0]));
		ct_reader_close(reader);
		n = now;
	}
	assert_int_equal(n, 0);
}

/* Flip bytes in turn, some of all or each that is not zero, and read what is left. */
static void flip_all(uint8_t mask, bool zero_too)
{
	const off_t size = 3 * CT_CHUNK_UNIT;
	struct ct_reader *reader;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t *bytes;

	assert_true(fd >= 0);
	bytes = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	for (off_t at = 0; at < size; at += zero_too ? STRIDE : 1) {
		if (!bytes[at] && !zero_too)
			continue;
		bytes[at] ^= mask;
		if (ct_reader_open(path, &reader) == 0) {
			read_all(reader, size, NULL, 0);
			assert_true(ct_reader_header(reader)->loss_count <= 32);
			ct_reader_close(reader);
		}
		bytes[at] ^= mask;
	}
	munmap(bytes, (size_t)size);
	close(fd);
}

static void test_flips(void **state)
{
	(void)state;
	assert_int_equal(write_sample(), 3 * CT_CHUNK_UNIT);
	flip_all(0xff, true);
	flip_all(0x01, false);
}

static uint64_t damage_of(const struct ct_chunk_header *header)
{
	uint8_t start[2 * CT_SLOT_BYTES] = { 0 }; /* the header, and no record behind it */
	struct ct_reader *reader;
	uint64_t damage;
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	memcpy(start, header, sizeof(*header));
	assert_int_equal(pwrite(fd, start, sizeof(start), 2 * CT_CHUNK_UNIT), sizeof(start));
	close(fd);
	reader = open_trace();
	next(reader, CT_RECORD_THREAD);
	expect_call(reader, 1, 1);
	next(reader, CT_RECORD_THREAD);
	expect_call(reader, 1, 3);
	damage = ct_reader_damage(reader, NULL);
	ct_reader_close(reader);
	return damage;
}

/* Killed between two stores to the header of a chunk: any of them may be there but the magic. */
static void test_unfinished_claim(void **state)
{
	const uint64_t at = 2 * CT_CHUNK_UNIT;
	struct ct_writer writers[3];

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		ct_writer_init(&writers[i], &file, 1);
		put_call(&writers[i], i + 1);
	}
	for (unsigned there = 0; there < 8; there++) {
		struct ct_chunk_header header = {
			.bytes = there & 1 ? CT_CHUNK_UNIT : 0,
			.offset = there & 2 ? at : 0,
			.sequence = there & 4 ? 2 : 0,
		};

		assert_int_equal(damage_of(&header), 0);
	}
	assert_int_equal(damage_of(&(struct ct_chunk_header){ .bytes = 1 }), CT_CHUNK_UNIT);
	assert_int_equal(damage_of(&(struct ct_chunk_header){ .offset = 1 }), CT_CHUNK_UNIT);
	assert_int_equal(damage_of(&(struct ct_chunk_header){ .magic = 1 }), CT_CHUNK_UNIT);
	assert_int_equal(damage_of(&(struct ct_chunk_header){ .reserved = { 1 } }), CT_CHUNK_UNIT);
}

/* A file that ends in the header of a chunk that never came to be, or just behind it. */
static void test_cut_in_unfinished_claim(void **state)
{
	const off_t at = 2 * CT_CHUNK_UNIT;
	struct ct_writer writers[2];

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		ct_writer_init(&writers[i], &file, 1);
		put_call(&writers[i], i + 1);
	}
	for (off_t size = at + CT_SLOT_BYTES + 8; size >= at; size--) {
		struct ct_reader *reader;

		assert_int_equal(truncate(path, at), 0);
		assert_int_equal(truncate(path, size), 0); /* zeros */
		reader = open_trace();
		next(reader, CT_RECORD_THREAD);
		expect_call(reader, 1, 1);
		assert_int_equal(ct_reader_gaps(reader), size - at >= 64 ? size - at : 0);
		expect_end(reader);
	}
}

/* A chunk whose header a disk has lost holds records all the same: that is damage. */
static void test_header_is_lost(void **state)
{
	static const uint8_t zeros[CT_SLOT_BYTES];
	struct ct_reader *reader;
	struct ct_writer writer;
	uint64_t at;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	ct_writer_init(&writer, &file, 1);
	put_call(&writer, 1);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), CT_CHUNK_UNIT), sizeof(zeros));
	close(fd);
	reader = open_trace();
	assert_int_equal(ct_reader_blocks(reader), 0);
	assert_int_equal(ct_reader_gaps(reader), 0);
	assert_int_equal(ct_reader_damage(reader, &at), CT_CHUNK_UNIT);
	assert_int_equal(at, CT_CHUNK_UNIT);
	ct_reader_close(reader);
}

/*
 * A hole of 64 GiB between two chunks, and one behind them: neither is read, what was claimed of
 * them is said.
 */
static void test_holes(void **state)
{
	const uint64_t hole = (uint64_t)1 << 36;
	struct ct_writer writers[2];
	struct ct_reader *reader;

	(void)state;
	ct_writer_init(&writers[0], &file, 1);
	ct_writer_init(&writers[1], &file, 2);
	put_call(&writers[0], 1);
	file.header->claimed_bytes = hole;
	put_call(&writers[1], 2);
	assert_int_equal(truncate(path, 2 * (off_t)hole), 0);
	reader = open_trace();
	assert_int_equal(ct_reader_blocks(reader), 2);
	assert_int_equal(ct_reader_gaps(reader), hole - 2 * CT_CHUNK_UNIT);
	next(reader, CT_RECORD_THREAD);
	expect_call(reader, 1, 1);
	next(reader, CT_RECORD_THREAD);
	expect_call(reader, 2, 2);
	expect_end(reader);
	file.header->claimed_bytes = UINT64_MAX; /* more than there is of the file */
	reader = open_trace();
	assert_int_equal(ct_reader_gaps(reader), 2 * hole - 3 * CT_CHUNK_UNIT);
	ct_reader_close(reader);
}

static void test_damage_is_told(void **state)
{
	struct ct_writer writer;
	struct ct_reader *reader;
	uint64_t at;
	struct ct_string *string;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	string = ct_writer_reserve(&writer, sizeof(*string) + 4);
	assert_non_null(string);
	string->length = CT_SLOT_BYTES - sizeof(*string) + 1; /* one more than there is */
	ct_writer_commit(string, CT_RECORD_STRING, sizeof(*string) + 4);
	put_call(&writer, 5);
	reader = open_trace();
	next(reader, CT_RECORD_THREAD);
	expect_call(reader, 1, 5); /* a bad record is stepped over */
	assert_int_equal(ct_reader_damage(reader, &at), CT_SLOT_BYTES);
	assert_int_equal(at, CT_CHUNK_UNIT + 2 * CT_SLOT_BYTES);
	ct_reader_close(reader);
}

static void test_unknown_type_is_skipped(void **state)
{
	struct ct_writer writer;
	struct ct_reader *reader;
	void *record;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	record = ct_writer_reserve(&writer, 3 * CT_SLOT_BYTES);
	assert_non_null(record);
	fill(record, 3 * CT_SLOT_BYTES, 9);
	ct_writer_commit(record, (enum ct_record_type)200, 3 * CT_SLOT_BYTES);
	put_call(&writer, 5);
	reader = open_trace();
	next(reader, CT_RECORD_THREAD);
	expect_call(reader, 1, 5);
	expect_end(reader);
}

static void test_uncommitted(void **state)
{
	struct ct_writer one, two;
	struct ct_reader *reader;
	struct ct_call *open_call;

	(void)state;
	ct_writer_init(&one, &file, 1);
	ct_writer_init(&two, &file, 2);
	put_call(&one, 10);
	open_call = ct_writer_reserve(&one, sizeof(*open_call));
	assert_non_null(open_call);
	open_call->enter_ns = 11;
	put_call(&one, 12);
	put_call(&two, 20);
	reader = open_trace();
	next(reader, CT_RECORD_THREAD);
	expect_call(reader, 1, 10);
	next(reader, CT_RECORD_THREAD);
	expect_call(reader, 2, 20);
	expect_end(reader);
	ct_writer_commit(open_call, CT_RECORD_CALL, sizeof(*open_call));
	reader = open_trace();
	next(reader, CT_RECORD_THREAD);
	for (uint64_t i = 10; i <= 12; i++)
		expect_call(reader, 1, i);
	next(reader, CT_RECORD_THREAD);
	expect_call(reader, 2, 20);
	expect_end(reader);
}

/* Fill the file until it refuses; what was refused is counted, the rest is there. */
static void expect_full(uint64_t records)
{
	const struct ct_call call = { .enter_ns = 1 };
	struct ct_reader *reader;
	struct ct_writer writer;
	uint64_t stored = 0, refused = 0;
	struct ct_item item;

	ct_writer_init(&writer, &file, 1);
	for (int i = 0; i < 3000; i++) {
		errno = 77;
		if (ct_writer_put(&writer, CT_RECORD_CALL, &call))
			stored++;
		else
			refused++;
		assert_int_equal(errno, 77);
	}
	assert_int_equal(stored, records);
	assert_int_equal(lost(), refused);
	reader = open_trace();
	assert_int_equal(ct_reader_header(reader)->lost[CT_LOSS_SPACE], refused);
	while (ct_reader_next(reader, &item))
		if (item.type == CT_RECORD_CALL)
			stored--;
	assert_int_equal(stored, 0);
	assert_int_equal(ct_reader_damage(reader, NULL), 0);
	ct_reader_close(reader);
}

static void test_limit(void **state)
{
	(void)state;
	file.limit_bytes = 2 * CT_CHUNK_UNIT;
	expect_full(1022); /* 1024 slots less chunk header and THREAD */
}

static void test_file_size_limit(void **state)
{
	struct rlimit old, small;
	struct stat st;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 2 * CT_CHUNK_UNIT;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	expect_full(1022); /* and SIGXFSZ has not killed us */
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 2 * CT_CHUNK_UNIT);
}

static void test_file_was_replaced(void **state)
{
	struct ct_writer writer;
	struct stat st;
	int fd;

	(void)state;
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	ct_writer_init(&writer, &file, 1);
	assert_null(ct_writer_reserve(&writer, 64));
	assert_int_equal(lost(), 1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0); /* somebody else's file is not written to */
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_truncation),
		TEST(test_flips),
		TEST(test_unfinished_claim),
		TEST(test_cut_in_unfinished_claim),
		TEST(test_header_is_lost),
		TEST(test_holes),
		TEST(test_damage_is_told),
		TEST(test_unknown_type_is_skipped),
		TEST(test_uncommitted),
		TEST(test_limit),
		TEST(test_file_size_limit),
		TEST(test_file_was_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
