/* SPDX-License-Identifier: Apache-2.0 */
/* What trace/writer.c wrote is what trace/reader.c reads. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "tests/unit/trace_sample.h"
#include "trace/keep.h"

static void test_header(void **state)
{
	const struct ct_file_header *h;
	struct ct_reader *reader = open_trace();

	(void)state;
	h = ct_reader_header(reader);
	assert_memory_equal(h->magic, CT_MAGIC, 8);
	assert_int_equal(h->version, CT_TRACE_VERSION);
	assert_int_equal(h->pid, getpid());
	assert_string_equal(h->program, "program");
	assert_int_equal(h->loss_count, CT_LOSS_COUNT);
	assert_int_equal(h->finish, CT_FINISH_CUT_OFF);
	assert_int_equal(h->finish_ns, 0);
	expect_end(reader);

	ct_file_lose(&file, CT_LOSS_LATE, 3);
	ct_file_finish(&file, CT_FINISH_FAST_EXIT);
	reader = open_trace();
	h = ct_reader_header(reader);
	assert_int_equal(h->finish, CT_FINISH_FAST_EXIT);
	assert_true(h->finish_ns >= h->start_ns);
	assert_int_equal(h->lost[CT_LOSS_LATE], 3);
	expect_end(reader);
}

static void test_create_refuses(void **state)
{
	struct ct_file other;
	struct ct_reader *reader;
	char link[112];

	(void)state;
	assert_int_equal(ct_file_create(&other, path, "p"), -EEXIST);
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(symlink("nowhere", link), 0);
	assert_int_equal(ct_file_create(&other, link, "p"), -EEXIST);
	unlink(link);
	assert_int_equal(ct_file_create(&other, "/no/such/dir/x", "p"), -ENOENT);
	expect_end(open_trace()); /* the existing one was left alone */
	assert_int_equal(ct_reader_open(dir, &reader), -EINVAL);
	assert_int_equal(mkfifo(link, 0600), 0);
	alarm(10); /* must not wait for a writer */
	assert_int_equal(ct_reader_open(link, &reader), -EINVAL);
	alarm(0);
	unlink(link);
	assert_int_equal(ct_reader_open(link, &reader), -ENOENT);
}

/* Nothing can be kept: that is said, nothing is written, and what reports losses may be called. */
static void test_without_a_file(void **state)
{
	static const struct ct_call call = { .enter_ns = 1 };
	char name[sizeof(file.path) + 1];
	struct ct_writer writer;
	struct ct_file none;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(ct_file_create(&none, name, "p"), -ENAMETOOLONG);
	assert_null(none.header);
	ct_file_lose(&none, CT_LOSS_SPACE, 1);
	ct_file_lose(NULL, CT_LOSS_SPACE, 1);
	ct_file_prepare(&none);
	ct_file_finish(&none, CT_FINISH_EXIT);
	ct_writer_init(&writer, &none, 1);
	assert_false(ct_writer_put(&writer, CT_RECORD_CALL, &call));
	assert_false(ct_keep_put(&writer, CT_RECORD_CALL, &call));
	ct_writer_init(&writer, NULL, 1);
	assert_null(ct_writer_reserve(&writer, 64));
	assert_null(ct_keep_reserve(&writer, 64));
	assert_false(ct_keep_put(&writer, CT_RECORD_STREAM, &call));
	ct_writer_release(&writer); /* it has no chunk */
}

/* What is longer than a chunk can be is lost, and counted; what comes behind it is not. */
static void test_record_too_long(void **state)
{
	const uint32_t longest = CT_CHUNK_UNIT - 2 * CT_SLOT_BYTES;
	struct ct_writer writer;
	uint8_t *record;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	assert_null(ct_writer_reserve(&writer, longest + 1));
	assert_int_equal(lost(), 1);
	record = ct_writer_reserve(&writer, longest);
	assert_non_null(record);
	ct_writer_commit(record, CT_RECORD_NOTE, longest);
	assert_int_equal(lost(), 1);
}

static void test_bad_header(void **state)
{
	struct ct_reader *reader;

	(void)state;
	file.header->version++;
	assert_int_equal(ct_reader_open(path, &reader), -EPROTONOSUPPORT);
	file.header->version--;
	file.header->byte_order = 0x04030201;
	assert_int_equal(ct_reader_open(path, &reader), -EPROTONOSUPPORT);
	file.header->byte_order = CT_BYTE_ORDER;
	file.header->magic[7] = '\r';
	assert_int_equal(ct_reader_open(path, &reader), -EBADMSG);
	memcpy(file.header->magic, CT_MAGIC, 8);
	file.header->loss_count = 1000;
	reader = open_trace();
	assert_int_equal(ct_reader_header(reader)->loss_count, 32);
	expect_end(reader);
}

static void test_fixed_records(void **state)
{
	struct ct_reader *reader = open_trace();
	struct ct_writer writer;
	struct ct_item item;
	uint8_t expected[CT_SLOT_BYTES];

	(void)state;
	ct_writer_init(&writer, &file, 42);
	memcpy(writer.name, "worker", 7);
	for (size_t i = 0; i < FIXED_TYPES; i++)
		put_fixed(&writer, fixed_types[i]);
	ct_reader_close(reader);
	reader = open_trace();
	item = next(reader, CT_RECORD_THREAD);
	assert_int_equal(item.tid, 42);
	assert_string_equal(((const struct ct_thread_record *)item.record)->name, "worker");
	for (size_t i = 0; i < FIXED_TYPES; i++) {
		item = next(reader, fixed_types[i]);
		fill(expected, sizeof(expected), fixed_types[i]);
		assert_int_equal(item.bytes, CT_SLOT_BYTES);
		assert_int_equal(item.tid, 42);
		assert_memory_equal((const uint8_t *)item.record + 4, expected + 4, 60);
	}
	expect_end(reader);
}

static void test_variable_records(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 6, 7, 40, 48, 51, 52, 53, 64, 1000, 4096 };
	struct ct_reader *reader;
	struct ct_writer writer;
	uint8_t expected[8 * 4096];

	(void)state;
	ct_writer_init(&writer, &file, 1);
	for (int n = 0; n < VARIABLE_TYPES; n++)
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
			put_variable(&writer, variable_types[n], lengths[i]);
	reader = open_trace();
	for (int n = 0; n < VARIABLE_TYPES; n++)
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			enum ct_record_type type = variable_types[n];
			struct ct_item item;
			uint32_t head = variable_head(type);
			uint64_t tail;

			do /* the larger ones make the chunk overflow: THREAD comes again */
				assert_int_equal(ct_reader_next(reader, &item), 1);
			while (item.type == CT_RECORD_THREAD);
			assert_int_equal(item.type, type);
			tail = tail_bytes(item.type, item.record);
			assert_int_equal(tail, (type == CT_RECORD_STACK ? 8 : 1) * lengths[i]);
			assert_int_equal(item.bytes, (head + tail + 63) / 64 * 64);
			fill(expected, tail, (unsigned)type + lengths[i]);
			assert_memory_equal((const uint8_t *)item.record + head, expected, tail);
		}
	expect_end(reader);
}

static void test_growth(void **state)
{
	enum { CALLS = 50000 };
	struct ct_reader *reader;
	struct ct_writer writer;
	uint64_t n = 0, threads = 0, before = UINT64_MAX;
	struct ct_item item;
	struct stat st;

	(void)state;
	ct_writer_init(&writer, &file, 7);
	for (uint64_t i = 0; i < CALLS; i++)
		put_call(&writer, i);
	assert_int_equal(writer.chunk_bytes, CT_CHUNK_MAX);
	assert_int_equal(lost(), 0);
	reader = open_trace();
	while (ct_reader_next(reader, &item)) {
		assert_int_equal(item.tid, 7);
		if (item.type == CT_RECORD_THREAD) {
			threads++;
			continue;
		}
		assert_int_equal(((const struct ct_call *)item.record)->enter_ns, n++);
		assert_true(before == UINT64_MAX || item.offset > before);
		before = item.offset;
	}
	assert_int_equal(n, CALLS);
	assert_int_equal(threads, 7); /* 64K, 128K, 256K, 512K, 1M, 1M, 1M */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 65536 * (1 + 1 + 2 + 4 + 8 + 16 + 16 + 16));
	assert_int_equal(ct_reader_header(reader)->claimed_bytes, st.st_size);
	expect_end(reader);
}

static int rung;

static void count_ring(void)
{
	rung++;
}

/* Chunks that were made beforehand are used, and their records are in the trace in order. */
static void test_spares(void **state)
{
	enum { GROWING = 20000, CALLS = 80000 };
	struct ct_reader *reader;
	struct ct_writer writer;
	struct ct_item item;
	uint64_t n = 0, claimed;

	(void)state;
	rung = 0;
	file.ring = count_ring;
	ct_file_prepare(&file); /* nobody needs any yet */
	assert_int_equal(file.header->claimed_bytes, CT_CHUNK_UNIT);
	ct_writer_init(&writer, &file, 7);
	for (uint64_t i = 0; i < GROWING; i++)
		put_call(&writer, i);
	assert_int_equal(rung, 1);
	ct_file_prepare(&file);
	ct_file_prepare(&file); /* there are enough */
	claimed = file.header->claimed_bytes;
	for (uint64_t i = GROWING; i < CALLS; i++) {
		put_call(&writer, i);
		if (rung == 1 + CT_SPARES) /* all were taken: none had to be claimed */
			assert_int_equal(file.header->claimed_bytes, claimed);
	}
	assert_true(rung > 1 + CT_SPARES);
	assert_true(file.header->claimed_bytes > claimed);
	reader = open_trace();
	while (ct_reader_next(reader, &item))
		if (item.type == CT_RECORD_CALL)
			assert_int_equal(((const struct ct_call *)item.record)->enter_ns, n++);
	assert_int_equal(n, CALLS);
	expect_end(reader);
}

/* At the end the disk gets back what was never used; the size and all records stay. */
static void test_unused_space_is_given_back(void **state)
{
	enum { CALLS = 20000, MORE = 100 };
	struct ct_writer writer;
	struct ct_reader *reader;
	struct stat before, after;
	struct ct_item item;
	uint64_t n = 0;

	(void)state;
	ct_writer_init(&writer, &file, 7);
	for (uint64_t i = 0; i < CALLS; i++)
		put_call(&writer, i);
	ct_file_prepare(&file);
	assert_int_equal(stat(path, &before), 0);
	errno = 77;
	ct_file_finish(&file, CT_FINISH_EXIT);
	assert_int_equal(errno, 77);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_true((before.st_blocks - after.st_blocks) * 512 > /* some are the file system's own */
		    CT_SPARES * CT_CHUNK_MAX / 2);
	for (uint64_t i = 0; i < MORE; i++) /* a thread that is still there goes on */
		put_call(&writer, CALLS + i);
	reader = open_trace();
	while (ct_reader_next(reader, &item))
		n += item.type == CT_RECORD_CALL;
	assert_int_equal(n, CALLS + MORE);
	expect_end(reader);
}

/* Does this process have the page? /proc/self/pagemap says so, proc(5): bit 63 of its word. */
static bool has_page(const void *address)
{
	uint64_t word = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	assert_int_equal(pread(fd, &word, sizeof(word),
			       (off_t)((uintptr_t)address / 4096 * sizeof(word))),
			 sizeof(word));
	close(fd);
	return word >> 63;
}

/* Of a thread that ended, no memory is left: only the file has its records. */
static void test_released_memory(void **state)
{
	struct ct_writer writer;
	uint8_t *chunk;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	put_call(&writer, 10);
	chunk = writer.chunk;
	assert_true(has_page(chunk));
	ct_writer_release(&writer);
	for (uint32_t at = 0; at < CT_CHUNK_UNIT; at += 4096)
		assert_false(has_page(chunk + at));
}

static void test_remnant(void **state)
{
	struct ct_writer first, second;
	struct ct_reader *reader;

	(void)state;
	ct_writer_init(&first, &file, 1);
	put_call(&first, 10);
	put_call(&first, 11);
	ct_writer_release(&first);
	ct_writer_init(&second, &file, 2);
	put_call(&second, 20);
	ct_writer_release(&second);
	ct_writer_release(&second); /* without a chunk it is harmless */
	assert_int_equal(file.header->claimed_bytes, 2 * CT_CHUNK_UNIT);
	reader = open_trace();
	assert_int_equal(next(reader, CT_RECORD_THREAD).tid, 1);
	expect_call(reader, 1, 10);
	expect_call(reader, 1, 11);
	assert_int_equal(next(reader, CT_RECORD_THREAD).tid, 2);
	expect_call(reader, 2, 20);
	expect_end(reader);
}

enum { THREADS = 8, ROUNDS = 20, CALLS_A_ROUND = 300 };

static void *write_rounds(void *arg)
{
	uint32_t tid = (uint32_t)(uintptr_t)arg;
	struct ct_writer writer;

	for (uint64_t round = 0; round < ROUNDS; round++) {
		ct_writer_init(&writer, &file, tid);
		for (uint64_t i = 0; i < CALLS_A_ROUND; i++)
			put_call(&writer, round * CALLS_A_ROUND + i);
		ct_writer_release(&writer);
	}
	return NULL;
}

static void test_threads(void **state)
{
	static uint8_t seen[THREADS + 1][ROUNDS * CALLS_A_ROUND];
	struct ct_reader *reader;
	struct ct_item item;
	pthread_t threads[THREADS];
	uint64_t n = 0;

	(void)state;
	memset(seen, 0, sizeof(seen));
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_rounds,
						(void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	reader = open_trace();
	while (ct_reader_next(reader, &item))
		if (item.type == CT_RECORD_CALL) {
			uint64_t number = ((const struct ct_call *)item.record)->enter_ns;

			assert_in_range(item.tid, 1, THREADS);
			assert_in_range(number, 0, ROUNDS * CALLS_A_ROUND - 1);
			assert_int_equal(seen[item.tid][number]++, 0);
			n++;
		}
	assert_int_equal(n, THREADS * ROUNDS * CALLS_A_ROUND);
	assert_true(ct_reader_header(reader)->claimed_bytes <= 16 * 1024 * 1024);
	expect_end(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_header),
		TEST(test_create_refuses),
		TEST(test_without_a_file),
		TEST(test_record_too_long),
		TEST(test_bad_header),
		TEST(test_fixed_records),
		TEST(test_variable_records),
		TEST(test_growth),
		TEST(test_spares),
		TEST(test_unused_space_is_given_back),
		TEST(test_released_memory),
		TEST(test_remnant),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
