/* SPDX-License-Identifier: Apache-2.0 */
/* Packed traces: nothing is lost, and what is damaged says so. */
#include <errno.h>
#include "tests/unit/pack_sample.h"
#include "trace/packed.h"
#include "trace/planes.h"

/* Read a file to its end. Returns its damage; 0 records or more in *ret_records. */
static uint64_t read_through(struct ct_reader *reader, uint64_t *ret_records, uint64_t *ret_at)
{
	struct ct_item item;

	*ret_records = 0;
	while (ct_reader_next(reader, &item) == 1)
		++*ret_records;
	return ct_reader_damage(reader, ret_at);
}

/* Pack and unpack the trace: all three must hold the same, damage included. */
static void expect_same(void)
{
	uint64_t damage[3], at[3], read[3], compared;
	struct ct_reader *reader[3];

	convert(path, packed, ct_pack_write);
	convert(packed, unpacked, ct_unpack_write);
	reader[0] = open_file(path);
	reader[1] = open_file(packed);
	reader[2] = open_file(unpacked);
	assert_false(ct_reader_packed(reader[0]));
	assert_true(ct_reader_packed(reader[1]));
	assert_false(ct_reader_packed(reader[2]));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ct_pack_compare(reader[0], reader[i], &compared), 0);
		damage[i] = read_through(reader[i], &read[i], &at[i]);
		assert_int_equal(compared, read[0]);
		assert_int_equal(read[i], read[0]);
		assert_int_equal(damage[i], damage[0]);
		assert_int_equal(at[i], at[0]);
		assert_int_equal(ct_reader_size(reader[i]), ct_reader_size(reader[0]));
		assert_memory_equal(ct_reader_header(reader[i]), ct_reader_header(reader[0]),
				    sizeof(struct ct_file_header));
	}
	for (int i = 0; i < 3; i++)
		ct_reader_close(reader[i]);
}

static void test_random_records(void **state)
{
	(void)state;
	write_sample(2000);
	expect_same();
}

static void test_no_records(void **state)
{
	(void)state;
	expect_same();
}

static void test_unfinished(void **state)
{
	struct ct_writer writer;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	put_call(&writer, 1);
	assert_non_null(ct_writer_reserve(&writer, 64)); /* never committed */
	put_call(&writer, 2);
	expect_same();
}

/* Traces that were cut, in every slot. */
static void test_cut_before(void **state)
{
	struct stat st;

	(void)state;
	write_sample(12);
	assert_int_equal(stat(path, &st), 0);
	for (off_t size = st.st_size; size >= (off_t)CT_CHUNK_UNIT; size -= 65) {
		if (size % CT_CHUNK_UNIT > 20000) /* nothing is there: go on where something is */
			continue;
		assert_int_equal(truncate(path, size), 0);
		expect_same();
	}
}

/* A damaged trace is packed with its damage. */
static void test_damaged_before(void **state)
{
	struct stat st;
	uint8_t bytes[8];

	(void)state;
	write_sample(300);
	assert_int_equal(stat(path, &st), 0);
	for (int i = 0; i < 30; i++) {
		fill_random(bytes, sizeof(bytes));
		overwrite(path, CT_CHUNK_UNIT + (rand() % (st.st_size / 64 - 2048)) * 64, bytes, 8);
		expect_same();
	}
	overwrite(path, CT_CHUNK_UNIT, bytes, 8); /* a chunk's header */
	expect_same();
}

/*
 * A packed file with something wrong must be refused, or tell of damage, or still hold all;
 * every record it gives must be one of those that were packed. Returns its damage.
 */
static uint64_t expect_honest(bool *ret_whole)
{
	struct ct_reader *whole = open_file(path), *reader;
	int r = ct_reader_open(packed, &reader);
	uint64_t records, damage, at;

	*ret_whole = false;
	if (r < 0) {
		assert_true(r == -EBADMSG || r == -EPROTONOSUPPORT);
		ct_reader_close(whole);
		return 0;
	}
	*ret_whole = ct_pack_compare(whole, reader, &records) == 0;
	damage = read_through(reader, &records, &at);
	if (!*ret_whole)
		assert_true(damage > 0);
	ct_reader_close(reader);
	ct_reader_close(whole);
	return damage;
}

static void test_cut_after(void **state)
{
	struct stat st;
	bool whole;

	(void)state;
	write_sample(10);
	convert(path, packed, ct_pack_write);
	assert_int_equal(stat(packed, &st), 0);
	while (st.st_size-- > 0) {
		assert_int_equal(truncate(packed, st.st_size), 0);
		expect_honest(&whole);
		assert_false(whole);
	}
}

/* Whatever bit is changed, it is noticed, but for bits of zstd's own that change nothing. */
static void test_flipped_after(void **state)
{
	size_t harmless = 0;
	uint8_t *bytes;
	size_t size;
	bool whole;

	(void)state;
	write_sample(10);
	convert(path, packed, ct_pack_write);
	bytes = read_file(packed, &size);
	for (size_t at = 0; at < size; at++) {
		const uint8_t flipped = bytes[at] ^ (uint8_t)(1 << at % 8);

		overwrite(packed, (off_t)at, &flipped, 1);
		expect_honest(&whole);
		harmless += whole;
		overwrite(packed, (off_t)at, &bytes[at], 1);
	}
	/* nothing was read wrong; and few bits are without effect, how many depends on the times */
	assert_true(harmless * 50 < size);
	free(bytes);
}

/* One block less is no more than one block less. */
static void test_other_blocks_survive(void **state)
{
	struct ct_reader *reader;
	uint64_t records, all, at, size;
	uint8_t *bytes;
	size_t count;

	(void)state;
	write_sample(2000);
	convert(path, packed, ct_pack_write);
	reader = open_file(packed);
	assert_true(ct_reader_blocks(reader) >= 4);
	size = ct_reader_size(reader);
	read_through(reader, &all, &at);
	ct_reader_close(reader);
	bytes = read_file(packed, &count);
	memset(bytes, 0, 16);
	overwrite(packed, (off_t)count / 2, bytes, 16);
	free(bytes);
	reader = open_file(packed);
	assert_in_range(read_through(reader, &records, &at), 1, CT_CHUNK_MAX);
	assert_in_range(records, all / 4, all - 1);
	assert_in_range(at, CT_CHUNK_UNIT, size);
	ct_reader_close(reader);
}

/* Where the block behind the one at `at` is; 0: there is none. */
static size_t next_block(const uint8_t *bytes, size_t size, size_t at, struct ct_packed_block *ret)
{
	if (at + sizeof(*ret) > size)
		return 0;
	memcpy(ret, bytes + at, sizeof(*ret));
	return at + sizeof(*ret) + ret->packed_bytes;
}

/*
 * A block in the place of one that holds no more, as a disk may bring it about: what is there
 * twice does not make up for what is missing.
 */
static void test_a_block_twice(void **state)
{
	size_t size, at = sizeof(struct ct_packed_header), before = 0, next, twice = 0;
	struct ct_packed_block head, last = { 0 };
	struct ct_reader *reader;
	uint64_t records, where;
	uint8_t *bytes;
	FILE *to;

	(void)state;
	write_sample(2000);
	convert(path, packed, ct_pack_write);
	bytes = read_file(packed, &size);
	to = fopen(packed, "w");
	assert_non_null(to);
	assert_int_equal(fwrite(bytes, 1, at, to), at);
	for (; (next = next_block(bytes, size, at, &head)); before = at, at = next, last = head) {
		bool same = !twice && last.kind == CT_PACKED_CHUNK && head.kind == last.kind &&
			    last.image_bytes >= head.image_bytes;
		size_t from = same ? before : at, end = same ? at : next;

		assert_int_equal(fwrite(bytes + from, 1, end - from, to), end - from);
		if (same)
			twice = head.image_bytes;
	}
	assert_int_equal(fclose(to), 0);
	assert_true(twice > 0);
	free(bytes);
	reader = open_file(packed);
	assert_in_range(read_through(reader, &records, &where), twice, 2 * twice);
	ct_reader_close(reader);
}

/* A record's length is damaged to none: what is behind it is kept as it is. */
static void test_record_without_length(void **state)
{
	struct ct_writer writer;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	for (uint64_t i = 0; i < 3; i++)
		put_call(&writer, i);
	overwrite(path, CT_CHUNK_UNIT + 3 * CT_SLOT_BYTES, &(uint32_t){ CT_COMMIT(CT_RECORD_CALL, 0) }, 4);
	expect_same();
}

static void expect_refused(void)
{
	struct ct_reader *reader = open_file(packed);
	FILE *to = fopen(unpacked, "w");

	assert_non_null(to);
	assert_int_equal(ct_unpack_write(reader, to), -EBADMSG);
	assert_int_equal(ct_pack_write(reader, to), -EBADMSG);
	fclose(to);
	ct_reader_close(reader);
}

/* Neither what is cut, nor what has a wrong byte in the last of its blocks. */
static void test_damaged_is_not_unpacked(void **state)
{
	uint8_t *bytes;
	size_t size;

	(void)state;
	write_sample(10);
	convert(path, packed, ct_pack_write);
	bytes = read_file(packed, &size);
	bytes[size - 20] ^= 0x10;
	overwrite(packed, (off_t)size - 20, &bytes[size - 20], 1);
	free(bytes);
	expect_refused();
	assert_int_equal(truncate(packed, (off_t)size - 1), 0);
	expect_refused();
}

static void test_full_disk(void **state)
{
	FILE *to = fopen("/dev/full", "w");
	struct ct_reader *reader;

	(void)state;
	write_sample(200);
	reader = open_trace();
	assert_non_null(to);
	assert_int_equal(ct_pack_write(reader, to), -ENOSPC);
	fclose(to);
	ct_reader_close(reader);
}

static void test_block_info(void **state)
{
	struct ct_call call = { .enter_ns = 70, .leave_ns = 90 };
	struct ct_device_op op = { .start_ns = 80, .end_ns = 300 };
	struct ct_block_info info;
	struct ct_reader *reader;
	struct ct_writer writer;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	assert_true(ct_writer_put(&writer, CT_RECORD_CALL, &call));
	call = (struct ct_call){ .enter_ns = 40, .leave_ns = 60 };
	assert_true(ct_writer_put(&writer, CT_RECORD_CALL, &call));
	assert_true(ct_writer_put(&writer, CT_RECORD_DEVICE, &op));
	convert(path, packed, ct_pack_write);
	reader = open_file(packed);
	assert_int_equal(ct_reader_block_info(reader, 1, &info), -EINVAL);
	assert_int_equal(ct_reader_block_info(reader, 0, &info), 0);
	assert_int_equal(info.calls, 2);
	assert_int_equal(info.calls_first_ns, 40);
	assert_int_equal(info.calls_last_ns, 90);
	assert_int_equal(info.ops, 1);
	assert_int_equal(info.ops_first_ns, 80);
	assert_int_equal(info.ops_last_ns, 300);
	assert_int_equal(info.others, 0);
	assert_int_equal(info.damaged_bytes, 0);
	ct_reader_close(reader);
	put_variable(&writer, CT_RECORD_NOTE, 3);
	put_random(&writer, CT_RECORD_STRING, 1); /* longer than it is */
	convert(path, packed, ct_pack_write);
	reader = open_file(packed);
	assert_int_equal(ct_reader_block_info(reader, 0, &info), 0);
	assert_int_equal(info.others, 1);
	assert_int_equal(info.damaged_bytes, CT_SLOT_BYTES);
	ct_reader_close(reader);
}

struct bytes {
	struct ct_sink sink;
	uint8_t at[1 << 16];
	size_t count;
};

static int append(struct ct_sink *sink, const void *bytes, size_t count)
{
	struct bytes *to = (struct bytes *)sink;

	assert_true(to->count + count <= sizeof(to->at));
	memcpy(to->at + to->count, bytes, count);
	to->count += count;
	return 0;
}

/* Behind a right checksum there may still be nonsense: it is refused, or decodes to something. */
static void test_nonsense_is_decoded_safely(void **state)
{
	static struct bytes encoded = { .sink.put = append };
	uint8_t image[8192], decoded[8192];

	(void)state;
	fill_random(image, sizeof(image));
	for (size_t at = 64; at < 6400; at += 64)
		memcpy(image + at, &(uint32_t){ CT_COMMIT(1 + at / 64 % 12, 1) }, 4);
	assert_int_equal(ct_planes_encode(image, sizeof(image), &encoded.sink), 0);
	assert_true(encoded.count <= ct_planes_bound(sizeof(image)));
	assert_int_equal(ct_planes_decode(encoded.at, encoded.count, decoded, sizeof(image)), 0);
	assert_memory_equal(decoded, image, sizeof(image));
	assert_int_equal(ct_planes_decode(encoded.at, encoded.count + 1, decoded, sizeof(image)),
			 -EBADMSG);
	for (size_t count = 0; count < encoded.count; count++)
		assert_int_equal(ct_planes_decode(encoded.at, count, decoded, sizeof(image)), -EBADMSG);
	for (int i = 0; i < 20000; i++) {
		size_t at = (size_t)rand() % (i % 2 ? encoded.count : 200);
		uint8_t old = encoded.at[at];
		int r;

		encoded.at[at] = (uint8_t)rand();
		r = ct_planes_decode(encoded.at, encoded.count, decoded, sizeof(image));
		assert_true(r == 0 || r == -EBADMSG);
		encoded.at[at] = old;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACK_TEST(test_random_records),
		PACK_TEST(test_no_records),
		PACK_TEST(test_unfinished),
		PACK_TEST(test_record_without_length),
		PACK_TEST(test_cut_before),
		PACK_TEST(test_damaged_before),
		PACK_TEST(test_cut_after),
		PACK_TEST(test_flipped_after),
		PACK_TEST(test_other_blocks_survive),
		PACK_TEST(test_a_block_twice),
		PACK_TEST(test_damaged_is_not_unpacked),
		PACK_TEST(test_full_disk),
		PACK_TEST(test_block_info),
		PACK_TEST(test_nonsense_is_decoded_safely),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
