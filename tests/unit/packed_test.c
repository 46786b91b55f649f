/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed files that nobody has packed: whole blocks, their checksums right, that cannot be what
 * they say; and zstd without memory, which is not damage. Linked with --wrap.
 */
#include <errno.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "tests/unit/pack_sample.h"
#include "trace/packed.h"
#include "trace/planes.h"

#define FILE_BYTES ((uint64_t)64 * CT_CHUNK_UNIT) /* that the file is said to have had */

static bool no_memory; /* zstd has none */

ZSTD_CCtx *__real_ZSTD_createCCtx(void);
size_t __real_ZSTD_compressStream2(ZSTD_CCtx *zstd, ZSTD_outBuffer *out, ZSTD_inBuffer *in,
				   ZSTD_EndDirective directive);
size_t __real_ZSTD_decompress(void *to, size_t bytes, const void *frame, size_t frame_bytes);
ZSTD_CCtx *__wrap_ZSTD_createCCtx(void);
size_t __wrap_ZSTD_compressStream2(ZSTD_CCtx *zstd, ZSTD_outBuffer *out, ZSTD_inBuffer *in,
				   ZSTD_EndDirective directive);
size_t __wrap_ZSTD_decompress(void *to, size_t bytes, const void *frame, size_t frame_bytes);

static int contexts = 1000; /* so many more can be made */

ZSTD_CCtx *__wrap_ZSTD_createCCtx(void)
{
	return contexts-- > 0 ? __real_ZSTD_createCCtx() : NULL;
}

size_t __wrap_ZSTD_compressStream2(ZSTD_CCtx *zstd, ZSTD_outBuffer *out, ZSTD_inBuffer *in,
				   ZSTD_EndDirective directive)
{
	if (no_memory)
		return (size_t)-ZSTD_error_memory_allocation;
	return __real_ZSTD_compressStream2(zstd, out, in, directive);
}

size_t __wrap_ZSTD_decompress(void *to, size_t bytes, const void *frame, size_t frame_bytes)
{
	if (no_memory)
		return (size_t)-ZSTD_error_memory_allocation;
	return __real_ZSTD_decompress(to, bytes, frame, frame_bytes);
}

/* A packed file in the making. */
static FILE *to;
static uint64_t promised; /* bytes of images it is said to have */

static void begin(void)
{
	to = fopen(packed, "w");
	assert_non_null(to);
	assert_int_equal(fseek(to, sizeof(struct ct_packed_header), SEEK_SET), 0);
	promised = 0;
}

/* Write the header, and open what has been made. */
static int end(struct ct_reader **ret_reader)
{
	struct ct_packed_header head = {
		.version = CT_PACKED_VERSION,
		.byte_order = CT_BYTE_ORDER,
		.file_bytes = FILE_BYTES,
		.image_bytes = promised,
	};

	memcpy(head.magic, CT_PACKED_MAGIC, sizeof(head.magic));
	head.check = ct_packed_check(&head, offsetof(struct ct_packed_header, check));
	rewind(to);
	assert_int_equal(fwrite(&head, sizeof(head), 1, to), 1);
	assert_int_equal(fclose(to), 0);
	return ct_reader_open(packed, ret_reader);
}

struct encoded {
	struct ct_sink sink;
	uint8_t at[3 * CT_CHUNK_UNIT];
	size_t count;
};

static int append(struct ct_sink *sink, const void *bytes, size_t count)
{
	struct encoded *all = (struct encoded *)sink;

	assert_true(all->count + count <= sizeof(all->at));
	memcpy(all->at + all->count, bytes, count);
	all->count += count;
	return 0;
}

/* Write a block of an image; what `head` leaves at 0 is filled in as it should be. */
static void put_block(struct ct_packed_block head, const uint8_t *image, size_t bytes)
{
	static uint8_t frame[4 * CT_CHUNK_UNIT];
	static struct encoded encoded;

	encoded = (struct encoded){ .sink.put = append };
	assert_int_equal(ct_planes_encode(image, bytes, &encoded.sink), 0);
	head.magic = CT_PACKED_BLOCK_MAGIC;
	head.image_bytes = head.image_bytes ? head.image_bytes : (uint32_t)bytes;
	head.encoded_bytes = head.encoded_bytes ? head.encoded_bytes : (uint32_t)encoded.count;
	head.packed_bytes = (uint32_t)ZSTD_compress(frame, sizeof(frame), encoded.at, encoded.count, 1);
	head.check = ct_packed_check(&head, offsetof(struct ct_packed_block, check));
	assert_int_equal(fwrite(&head, sizeof(head), 1, to), 1);
	assert_int_equal(fwrite(frame, 1, head.packed_bytes, to), head.packed_bytes);
	promised += bytes;
}

/* A file's header, there or in another place, that large or not. */
static void put_header_at(uint64_t offset, size_t bytes)
{
	uint8_t page[2 * CT_HEADER_BYTES] = { 0 };

	memcpy(page, file.header, sizeof(*file.header));
	put_block((struct ct_packed_block){ .kind = CT_PACKED_HEADER, .offset = offset }, page, bytes);
}

static void put_header(void)
{
	put_header_at(0, CT_HEADER_BYTES);
}

/* A chunk with one call in it, its number that of its place in the file, counting units. */
static void put_chunk(struct ct_packed_block head)
{
	struct ct_chunk_header chunk = { .magic = CT_CHUNK_MAGIC, .bytes = CT_CHUNK_UNIT };
	struct ct_call call = { .commit = CT_COMMIT(CT_RECORD_CALL, 1) };
	uint8_t image[2 * CT_SLOT_BYTES];

	call.enter_ns = call.leave_ns = head.offset / CT_CHUNK_UNIT;
	memcpy(image, &chunk, sizeof(chunk));
	memcpy(image + CT_SLOT_BYTES, &call, sizeof(call));
	head.kind = head.kind ? head.kind : CT_PACKED_CHUNK;
	put_block(head, image, sizeof(image));
}

static void put_damage(uint64_t offset)
{
	static uint8_t image[CT_CHUNK_UNIT];

	memset(image, 0x55, sizeof(image));
	put_block((struct ct_packed_block){ .kind = CT_PACKED_DAMAGE, .offset = offset }, image,
		  sizeof(image));
}

/* The calls that are found, as a bit for each number; and all damage. */
static uint64_t calls_of(struct ct_reader *reader, uint64_t *ret_damage)
{
	uint64_t calls = 0;
	struct ct_item item;

	while (ct_reader_next(reader, &item) == 1)
		if (item.type == CT_RECORD_CALL)
			calls |= (uint64_t)1 << ((const struct ct_call *)item.record)->enter_ns;
	*ret_damage = ct_reader_damage(reader, NULL);
	ct_reader_close(reader);
	return calls;
}

/* These calls are found, in so many blocks; and so much damage. */
static void expect(uint64_t calls, size_t blocks, uint64_t damage)
{
	struct ct_reader *reader;
	uint64_t found_damage;

	assert_int_equal(end(&reader), 0);
	assert_int_equal(ct_reader_blocks(reader), blocks);
	assert_int_equal(calls_of(reader, &found_damage), calls);
	assert_int_equal(found_damage, damage);
}

static void test_made_by_hand(void **state)
{
	(void)state;
	begin();
	put_header();
	put_damage(3 * CT_CHUNK_UNIT);
	put_chunk((struct ct_packed_block){ .offset = CT_CHUNK_UNIT });
	put_chunk((struct ct_packed_block){ .offset = 2 * CT_CHUNK_UNIT });
	put_chunk((struct ct_packed_block){ .offset = 4 * CT_CHUNK_UNIT });
	expect(1 << 1 | 1 << 2 | 1 << 4, 3, CT_CHUNK_UNIT);
}

/* A block that says what cannot be is none: what it held is lost, what is behind it is not. */
static void test_impossible_blocks(void **state)
{
	const uint64_t at = 2 * CT_CHUNK_UNIT;
	const struct ct_packed_block heads[] = {
		{ .offset = at, .image_bytes = CT_CHUNK_MAX + 1 },
		{ .offset = at, .encoded_bytes = 1 << 20 },
		{ .offset = UINT64_MAX - 63 },            /* its end is before its start */
		{ .offset = FILE_BYTES - CT_SLOT_BYTES }, /* behind the file's */
		{ .offset = CT_CHUNK_UNIT },              /* where the one before is */
		{ .offset = CT_CHUNK_UNIT + CT_SLOT_BYTES },
		{ .offset = 5 * CT_CHUNK_UNIT },          /* where damage is */
		{ .offset = 5 * CT_CHUNK_UNIT - CT_SLOT_BYTES },
		{ .offset = 6 * CT_CHUNK_UNIT - CT_SLOT_BYTES },
		{ .offset = 6 * CT_CHUNK_UNIT, .kind = CT_PACKED_DAMAGE }, /* not behind chunks */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		begin();
		put_header();
		put_damage(5 * CT_CHUNK_UNIT);
		put_chunk((struct ct_packed_block){ .offset = CT_CHUNK_UNIT });
		put_chunk(heads[i]);
		put_chunk((struct ct_packed_block){ .offset = 40 * CT_CHUNK_UNIT });
		expect(1 << 1 | (uint64_t)1 << 40, 2, CT_CHUNK_UNIT + 2 * CT_SLOT_BYTES);
	}
}

/* The same of the first chunk, before which there is only the file's header. */
static void test_chunk_in_header(void **state)
{
	(void)state;
	for (uint64_t at = 0; at < CT_HEADER_BYTES; at += CT_HEADER_BYTES - CT_SLOT_BYTES) {
		begin();
		put_header();
		put_chunk((struct ct_packed_block){ .offset = at });
		put_chunk((struct ct_packed_block){ .offset = CT_CHUNK_UNIT });
		expect(1 << 1, 1, 2 * CT_SLOT_BYTES);
	}
}

/* Kinds of block that there are not. */
static void test_unknown_kinds(void **state)
{
	const uint32_t kinds[] = { 0, CT_PACKED_DAMAGE + 1, UINT32_MAX };
	const uint8_t image[2 * CT_SLOT_BYTES] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct ct_packed_block head = { .offset = CT_CHUNK_UNIT, .kind = kinds[i] };

		begin();
		put_header();
		put_block(head, image, sizeof(image));
		put_chunk((struct ct_packed_block){ .offset = 2 * CT_CHUNK_UNIT });
		expect(1 << 2, 1, sizeof(image));
	}
}

/* Without the file's header there is nothing to go by. */
static void test_no_header(void **state)
{
	struct ct_reader *reader;

	(void)state;
	begin();
	assert_int_equal(end(&reader), -EBADMSG); /* nothing at all */
	begin();
	put_chunk((struct ct_packed_block){ .offset = CT_CHUNK_UNIT });
	assert_int_equal(end(&reader), -EBADMSG);
	begin();
	put_header_at(CT_CHUNK_UNIT, CT_HEADER_BYTES);
	assert_int_equal(end(&reader), -EBADMSG);
	begin();
	put_header_at(0, CT_HEADER_BYTES + CT_SLOT_BYTES);
	assert_int_equal(end(&reader), -EBADMSG);
	begin();
	put_header();
	assert_int_equal(end(&reader), 0);
	ct_reader_close(reader);
	file.header->magic[0] = 'X'; /* not ours */
	begin();
	put_header();
	assert_int_equal(end(&reader), -EBADMSG);
}

/* An image that does not decode is damage, all of it, wherever it lies. */
static void test_image_of_another_size(void **state)
{
	(void)state;
	begin();
	put_header();
	put_chunk((struct ct_packed_block){ .offset = CT_CHUNK_UNIT, .image_bytes = 3 * CT_SLOT_BYTES });
	promised += CT_SLOT_BYTES;
	put_chunk((struct ct_packed_block){ .offset = 2 * CT_CHUNK_UNIT });
	expect(1 << 2, 2, 3 * CT_SLOT_BYTES);
}

/* More than was promised is as wrong as less. */
static void test_more_than_promised(void **state)
{
	(void)state;
	begin();
	put_header();
	put_chunk((struct ct_packed_block){ .offset = CT_CHUNK_UNIT });
	promised -= CT_SLOT_BYTES;
	expect(1 << 1, 1, CT_SLOT_BYTES);
}

static void test_no_memory_for_zstd(void **state)
{
	struct ct_reader *plain, *reader;
	struct ct_cursor *cursor;
	struct ct_item item;
	FILE *none = fopen("/dev/null", "w");

	(void)state;
	assert_non_null(none);
	write_sample(10);
	convert(path, packed, ct_pack_write);
	plain = open_file(path);
	reader = open_file(packed);
	contexts = 0;
	assert_int_equal(ct_pack_write(plain, none), -ENOMEM);
	contexts = 1000;
	no_memory = true;
	assert_int_equal(ct_pack_write(plain, none), -ENOMEM);
	assert_int_equal(ct_cursor_open(reader, 0, &cursor), -ENOMEM);
	assert_int_equal(ct_reader_next(reader, &item), -ENOMEM);
	assert_int_equal(ct_reader_damage(reader, NULL), 0);
	no_memory = false;
	assert_int_equal(ct_reader_next(reader, &item), 1); /* there is memory again */
	ct_reader_close(reader);
	no_memory = true;
	assert_int_equal(ct_reader_open(packed, &reader), -ENOMEM);
	no_memory = false;
	ct_reader_close(plain);
	fclose(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACK_TEST(test_made_by_hand),
		PACK_TEST(test_impossible_blocks),
		PACK_TEST(test_chunk_in_header),
		PACK_TEST(test_unknown_kinds),
		PACK_TEST(test_no_header),
		PACK_TEST(test_image_of_another_size),
		PACK_TEST(test_more_than_promised),
		PACK_TEST(test_no_memory_for_zstd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
