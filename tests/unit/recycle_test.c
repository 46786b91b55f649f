/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks that change hands: overwritten by a flight recorder, left by threads that ended, kept
 * for all.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "trace/flight.h" /* before what has a variable of the name `file` */
#include "trace/keep.h"

#include "tests/unit/trace_sample.h"

#define IN_CHUNK 1022 /* calls in a chunk of one unit: less its header and THREAD */

static void limit(uint64_t bytes)
{
	assert_int_equal(ct_flight_start(&file, bytes), 0);
}

/* How many records of a type there are, and the thread of the last one. */
static uint64_t count(enum ct_record_type type, uint32_t *ret_tid)
{
	struct ct_reader *reader = open_trace();
	struct ct_item item;
	uint64_t n = 0;

	while (ct_reader_next(reader, &item)) {
		n += item.type == type;
		if (item.type == type && ret_tid)
			*ret_tid = item.tid;
	}
	expect_end(reader);
	return n;
}

/* Chunks of more than a unit: all of such a one is counted, emptied and used. */
static void test_large_chunks(void **state)
{
	const uint64_t units = 256, calls = 2 * units * IN_CHUNK;
	struct ct_writer writer;
	uint64_t left, again = 0;

	(void)state;
	limit(units * CT_CHUNK_UNIT);
	ct_writer_init(&writer, &file, 1);
	for (uint64_t i = 1; i <= calls; i++) {
		put_call(&writer, i);
		again += i > units * IN_CHUNK && writer.chunk_bytes == 4 * CT_CHUNK_UNIT;
	}
	assert_in_range(again, calls / 3, calls / 2); /* most of those that were used again */
	left = count(CT_RECORD_CALL, NULL);
	assert_in_range(left, (units - 5) * IN_CHUNK, units * 1024);
	assert_int_equal(left + file.header->overwritten[CT_RECORD_CALL], calls);
	assert_int_equal(file.header->kept_from_ns, calls - left + 1);
	assert_int_equal(lost(), 0);
}

/* A limit of 1024 units and more leaves chunks as large as they may be. */
static void test_limit_beside_chunks(void **state)
{
	(void)state;
	limit(4096 * CT_CHUNK_UNIT);
	assert_int_equal(file.chunk_max, CT_CHUNK_MAX);
	limit(1023 * CT_CHUNK_UNIT);
	assert_int_equal(file.chunk_max, 15 * CT_CHUNK_UNIT);
}

/* Put a record, then earlier calls until it is overwritten. Returns what is said of it. */
static uint64_t kept_from(enum ct_record_type type, const void *record)
{
	struct ct_writer writer;

	ct_writer_init(&writer, &file, 1);
	assert_true(ct_writer_put(&writer, type, record));
	for (uint64_t i = 0; i < 20 * IN_CHUNK; i++)
		put_call(&writer, 1);
	ct_writer_release(&writer);
	return file.header->kept_from_ns;
}

/* Whatever record says when something ended: before that, the file may not be whole. */
static void test_what_was_the_latest(void **state)
{
	const struct ct_sync sync = { .start_ns = 1, .end_ns = 1000 };
	const struct ct_overhead overhead = { .start_ns = 1, .end_ns = 2000 };
	const struct ct_device_op op = { .start_ns = 1, .end_ns = 3000 };
	const struct ct_event event = { .event_sync = 4000 }; /* does not say when */

	(void)state;
	limit(CT_FLIGHT_LEAST);
	assert_int_equal(kept_from(CT_RECORD_SYNC, &sync), 1000);
	assert_int_equal(kept_from(CT_RECORD_OVERHEAD, &overhead), 2000);
	assert_int_equal(kept_from(CT_RECORD_DEVICE, &op), 3000);
	assert_int_equal(kept_from(CT_RECORD_EVENT, &event), 3000);
	assert_int_equal(file.header->overwritten[CT_RECORD_SYNC], 1);
	assert_int_equal(file.header->overwritten[CT_RECORD_OVERHEAD], 1);
	assert_int_equal(file.header->overwritten[CT_RECORD_EVENT], 1);
	assert_int_equal(file.header->overwritten[CT_RECORD_THREAD], 0);
}

/* The program may write where we do: counters that there are not stay untouched. */
static void test_scribbled_chunk(void **state)
{
	const struct ct_call call = { .enter_ns = 1, .leave_ns = 2 };
	struct ct_file_header before;
	struct ct_writer writer;
	void *record;

	(void)state;
	limit(CT_FLIGHT_LEAST);
	ct_writer_init(&writer, &file, 1);
	put_call(&writer, 1);
	record = ct_writer_reserve(&writer, CT_SLOT_BYTES);
	ct_writer_commit(record, (enum ct_record_type)200, CT_SLOT_BYTES);
	before = *file.header;
	for (uint64_t i = 0; i < 7 * IN_CHUNK; i++)
		assert_true(ct_writer_put(&writer, CT_RECORD_CALL, &call));
	assert_int_equal(file.header->overwritten[CT_RECORD_CALL], IN_CHUNK - 1);
	before.overwritten[CT_RECORD_CALL] = file.header->overwritten[CT_RECORD_CALL];
	before.kept_from_ns = file.header->kept_from_ns;
	before.claimed_bytes = file.header->claimed_bytes;
	assert_memory_equal(file.header, &before, sizeof(before));
}

/* What a thread left has no room for the next one's first record: that goes into a new chunk. */
static void test_full_remnants(void **state)
{
	(void)state;
	for (uint64_t calls = IN_CHUNK - 2; calls <= IN_CHUNK; calls++) {
		struct ct_writer first, second;
		uint64_t claimed = file.header->claimed_bytes;

		ct_writer_init(&first, &file, 1);
		for (uint64_t i = 0; i < calls; i++)
			put_call(&first, i);
		ct_writer_release(&first);
		ct_writer_init(&second, &file, 2);
		put_call(&second, 7);
		ct_flight_retire(&file, second.chunk); /* for the next round */
		assert_int_equal((file.header->claimed_bytes - claimed) / CT_CHUNK_UNIT,
				 calls == IN_CHUNK - 2 ? 1 : 3); /* the next is twice as large */
	}
	assert_int_equal(count(CT_RECORD_CALL, NULL), 3 * IN_CHUNK - 3 + 3);
}

/* More threads end than places are for what they leave: it stays, and may be overwritten. */
static void test_more_remnants_than_places(void **state)
{
	enum { THREADS = CT_REMNANTS + 3 };
	static struct ct_writer writers[THREADS];

	(void)state;
	limit((1 + THREADS) * CT_CHUNK_UNIT);
	for (uint32_t i = 0; i < THREADS; i++) {
		ct_writer_init(&writers[i], &file, i + 1);
		put_call(&writers[i], i);
	}
	for (uint32_t i = 0; i < THREADS; i++)
		ct_writer_release(&writers[i]);
	assert_int_equal(count(CT_RECORD_CALL, NULL), THREADS);
	ct_writer_init(&writers[0], &file, 1);
	for (uint32_t i = 0; i < IN_CHUNK; i++) /* two do not fit with what is there */
		put_call(&writers[0], i);
	assert_int_equal(file.header->overwritten[CT_RECORD_CALL], 1);
	assert_int_equal(count(CT_RECORD_CALL, NULL), THREADS - 1 + IN_CHUNK);
}

/* No flight recorder, no chunks for kept records: they go with the thread's others. */
static void test_kept_in_an_ordinary_file(void **state)
{
	struct ct_writer writer;
	struct ct_total *total;
	uint32_t tid = 0;

	(void)state;
	ct_writer_init(&writer, &file, 9);
	put_call(&writer, 1);
	total = ct_keep_reserve(&writer, sizeof(*total));
	assert_ptr_equal(total, writer.chunk + 3 * CT_SLOT_BYTES);
	ct_writer_commit(total, CT_RECORD_TOTAL, sizeof(*total));
	assert_int_equal(count(CT_RECORD_TOTAL, &tid), 1);
	assert_int_equal(tid, 9);
	assert_int_equal(file.header->kept_bytes, 0);
}

/* Every kind of record that is kept, where no more can be: it is lost, and that is counted. */
static void test_no_room_to_keep(void **state)
{
	const struct ct_context context = { .context = 5 };
	const struct ct_gpu gpu = { .device = 0 };
	struct ct_writer writer;
	uint64_t refused;

	(void)state;
	limit(CT_FLIGHT_LEAST);
	ct_writer_init(&writer, &file, 9);
	while (ct_keep_put(&writer, CT_RECORD_GPU, &gpu))
		;
	refused = file.header->lost[CT_LOSS_KEPT];
	assert_int_equal(refused, 1);
	assert_false(ct_keep_put(&writer, CT_RECORD_CONTEXT, &context));
	assert_false(ct_keep_put(&writer, CT_RECORD_GPU, &gpu));
	assert_int_equal(file.header->lost[CT_LOSS_KEPT], 3);
	assert_int_equal(count(CT_RECORD_GPU, NULL), 4 * 1023);
	assert_int_equal(count(CT_RECORD_CONTEXT, NULL), 0);
}

/* A thread was stopped for good while it made a kept chunk: the others wait, but not for ever. */
static void test_maker_is_stopped(void **state)
{
	const struct ct_gpu gpu = { .device = 0 };
	struct ct_writer writer;

	(void)state;
	limit(CT_FLIGHT_LEAST);
	file.flight.growing = 1;
	ct_writer_init(&writer, &file, 9);
	errno = 77;
	assert_true(ct_keep_put(&writer, CT_RECORD_GPU, &gpu));
	assert_int_equal(errno, 77);
	assert_int_equal(file.flight.growing, 0);
	assert_int_equal(count(CT_RECORD_GPU, NULL), 1);
}

static void *make_slowly(void *unused)
{
	const struct timespec pause = { .tv_nsec = 3000000 };
	struct ct_writer writer;

	(void)unused;
	nanosleep(&pause, NULL);
	ct_writer_init(&writer, &file, 1);
	__atomic_store_n(&file.flight.kept, ct_file_claim(&file, CT_CHUNK_UNIT), __ATOMIC_RELEASE);
	__atomic_store_n(&file.flight.growing, 0, __ATOMIC_RELEASE);
	return NULL;
}

/* Another thread is making the chunk: its one is used. */
static void test_maker_is_slow(void **state)
{
	const struct ct_gpu gpu = { .device = 0 };
	struct ct_writer writer;
	pthread_t maker;

	(void)state;
	limit(CT_FLIGHT_LEAST);
	file.flight.growing = 1;
	assert_int_equal(pthread_create(&maker, NULL, make_slowly, NULL), 0);
	ct_writer_init(&writer, &file, 9);
	assert_true(ct_keep_put(&writer, CT_RECORD_GPU, &gpu));
	pthread_join(maker, NULL);
	assert_int_equal(file.header->claimed_bytes, 2 * CT_CHUNK_UNIT);
	assert_int_equal(count(CT_RECORD_GPU, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_large_chunks),
		TEST(test_limit_beside_chunks),
		TEST(test_what_was_the_latest),
		TEST(test_scribbled_chunk),
		TEST(test_full_remnants),
		TEST(test_more_remnants_than_places),
		TEST(test_kept_in_an_ordinary_file),
		TEST(test_no_room_to_keep),
		TEST(test_maker_is_stopped),
		TEST(test_maker_is_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
