/* SPDX-License-Identifier: Apache-2.0 */
/* A file that keeps the newest records: what is overwritten, what is kept, what is said of it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "trace/flight.h" /* before what has a variable of the name `file` */
#include "trace/keep.h"

#include "tests/unit/trace_sample.h"

#define SMALL CT_FLIGHT_LEAST
#define IN_CHUNK 1022 /* calls in a chunk of one unit: less its header and THREAD */

static void limit(uint64_t bytes)
{
	assert_int_equal(ct_flight_start(&file, bytes), 0);
}

/* Everything that a file holds and says, after checking that it is sound and within its limit. */
struct content {
	struct ct_file_header header;
	uint64_t calls, types[CT_RECORD_TYPES];
	uint64_t first, last; /* numbers of calls */
	uint64_t needed;      /* calls after kept_from_ns */
};

static struct content look(void)
{
	struct ct_reader *reader = open_trace();
	struct content content = { .header = *ct_reader_header(reader), .first = UINT64_MAX };
	struct ct_item item;
	struct stat st;

	while (ct_reader_next(reader, &item)) {
		const struct ct_call *call = item.record;

		content.types[item.type]++;
		if (item.type != CT_RECORD_CALL)
			continue;
		content.calls++;
		content.first = call->enter_ns < content.first ? call->enter_ns : content.first;
		content.last = call->enter_ns > content.last ? call->enter_ns : content.last;
		content.needed += call->leave_ns > content.header.kept_from_ns;
	}
	assert_int_equal(ct_reader_damage(reader, NULL), 0);
	ct_reader_close(reader);
	assert_int_equal(stat(path, &st), 0);
	assert_true((uint64_t)st.st_size <= content.header.limit_bytes);
	return content;
}

static uint64_t overwritten(const struct content *content)
{
	return content->header.overwritten[CT_RECORD_CALL];
}

static void test_oldest_goes_first(void **state)
{
	enum { CALLS = 20 * IN_CHUNK + 5 };
	struct ct_writer writer;
	struct content content;

	(void)state;
	limit(SMALL);
	ct_writer_init(&writer, &file, 7);
	for (uint64_t i = 1; i <= CALLS; i++) {
		errno = 77;
		put_call(&writer, i);
		assert_int_equal(errno, 77);
	}
	content = look();
	assert_int_equal(content.last, CALLS);
	assert_int_equal(content.calls, 6 * IN_CHUNK + 5); /* 8 units: header, 6 full, the current */
	assert_int_equal(content.first, CALLS - content.calls + 1);
	assert_int_equal(content.calls + overwritten(&content), CALLS);
	assert_int_equal(content.header.kept_from_ns, content.first); /* the one before left then */
	assert_int_equal(content.needed, content.calls);
	assert_int_equal(content.header.overwritten[CT_RECORD_THREAD], 0);
	assert_int_equal(lost(), 0);
}

/* Nothing is overwritten before there is need, and chunks stay small beside the limit. */
static void test_room_is_used_first(void **state)
{
	struct ct_writer writer;
	struct content content;

	(void)state;
	limit(256 * CT_CHUNK_UNIT);
	ct_writer_init(&writer, &file, 7);
	for (uint64_t i = 1; i <= 200 * IN_CHUNK; i++)
		put_call(&writer, i);
	assert_int_equal(writer.chunk_bytes, 4 * CT_CHUNK_UNIT);
	content = look();
	assert_int_equal(content.calls, 200 * IN_CHUNK);
	assert_int_equal(overwritten(&content), 0);
	assert_int_equal(content.header.kept_from_ns, 0);
}

static void test_idle_thread_keeps_its_chunk(void **state)
{
	struct ct_writer idle, busy;
	struct content content;

	(void)state;
	limit(SMALL);
	ct_writer_init(&idle, &file, 1);
	ct_writer_init(&busy, &file, 2);
	put_call(&idle, 1);
	for (uint64_t i = 2; i <= 20 * IN_CHUNK; i++)
		put_call(&busy, i);
	content = look();
	assert_int_equal(content.first, 1);
	assert_int_equal(content.needed, content.calls - 1); /* it is there, but others of its time not */
	put_call(&idle, 20 * IN_CHUNK + 1);
	assert_int_equal(look().last, 20 * IN_CHUNK + 1);
}

/* A disk that is full before the limit is reached is a lower limit. */
static void test_full_disk(void **state)
{
	struct rlimit old, small;
	struct ct_writer writer;
	struct content content;

	(void)state;
	limit(64 * CT_CHUNK_UNIT);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = SMALL;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	ct_writer_init(&writer, &file, 7);
	for (uint64_t i = 1; i <= 20 * IN_CHUNK + 5; i++)
		put_call(&writer, i);
	setrlimit(RLIMIT_FSIZE, &old);
	content = look();
	assert_int_equal(content.calls, 6 * IN_CHUNK + 5);
	assert_int_equal(content.calls + overwritten(&content), 20 * IN_CHUNK + 5);
	assert_int_equal(content.header.claimed_bytes, SMALL);
}

/* What an ended thread left is there for the next one; if none comes, it is overwritten. */
static void test_remnants(void **state)
{
	struct ct_writer ended, next, busy;
	struct content content;

	(void)state;
	limit(SMALL);
	ct_writer_init(&ended, &file, 1);
	ct_writer_init(&next, &file, 2);
	ct_writer_init(&busy, &file, 3);
	put_call(&busy, 3);
	put_call(&ended, 1);
	ct_writer_release(&ended);
	ct_flight_sweep(&file);
	put_call(&next, 2);
	ct_flight_sweep(&file); /* it was taken up */
	assert_int_equal(file.header->claimed_bytes, 3 * CT_CHUNK_UNIT);
	ct_writer_release(&next);
	ct_flight_sweep(&file);
	for (uint64_t i = 4; i <= 20 * IN_CHUNK; i++)
		put_call(&busy, i);
	assert_int_equal(look().first, 1);
	ct_flight_sweep(&file);
	for (uint64_t i = 20 * IN_CHUNK; i <= 40 * IN_CHUNK; i++)
		put_call(&busy, i);
	content = look();
	assert_true(content.first > 2);
	assert_int_equal(content.needed, content.calls);
}

/* Of more threads than chunks some find no room, each time; every record is accounted for. */
static void test_more_threads_than_chunks(void **state)
{
	enum { WRITERS = 16, ROUNDS = 3000 };
	struct ct_writer writers[WRITERS];
	uint64_t stored = 0, refused = 0;
	struct content content;

	(void)state;
	limit(SMALL);
	for (uint32_t w = 0; w < WRITERS; w++)
		ct_writer_init(&writers[w], &file, w + 1);
	for (uint64_t i = 0; i < ROUNDS; i++)
		for (int w = 0; w < WRITERS; w++) {
			const struct ct_call call = { .enter_ns = i, .leave_ns = i + 1 };

			if (ct_writer_put(&writers[w], CT_RECORD_CALL, &call))
				stored++;
			else
				refused++;
		}
	content = look();
	assert_true(refused > 0);
	assert_int_equal(content.header.lost[CT_LOSS_SPACE], refused);
	assert_int_equal(content.calls + overwritten(&content), stored);
	assert_int_equal(content.last, ROUNDS - 1);
}

/* Names and totals stay; a total is written to for as long as the process lives. */
static void test_kept(void **state)
{
	struct ct_writer writer;
	struct ct_total *total;
	struct ct_reader *reader;
	struct content content;
	struct ct_item item;
	uint64_t strings = 0;

	(void)state;
	limit(32 * CT_CHUNK_UNIT);
	ct_writer_init(&writer, &file, 7);
	total = ct_keep_reserve(&writer, sizeof(*total));
	total->api = 5;
	ct_writer_commit(total, CT_RECORD_TOTAL, sizeof(*total));
	for (uint64_t i = 1; i <= 50 * IN_CHUNK; i++) {
		put_call(&writer, i);
		total->calls++;
		if (i % IN_CHUNK == 1) { /* more of them than a kept chunk holds */
			struct ct_string *string = ct_keep_reserve(&writer, 8000);

			assert_non_null(string);
			string->id = (uint32_t)++strings;
			string->length = 7000;
			ct_writer_commit(string, CT_RECORD_STRING, 8000);
		}
	}
	content = look();
	assert_int_equal(content.types[CT_RECORD_STRING], strings);
	assert_int_equal(content.header.overwritten[CT_RECORD_STRING], 0);
	assert_int_equal(content.header.kept_bytes, 7 * CT_CHUNK_UNIT); /* 8 of 8000 in each */
	reader = open_trace();
	do
		assert_int_equal(ct_reader_next(reader, &item), 1);
	while (item.type != CT_RECORD_TOTAL);
	assert_int_equal(((const struct ct_total *)item.record)->api, 5);
	assert_int_equal(((const struct ct_total *)item.record)->calls, 50 * IN_CHUNK);
	ct_reader_close(reader);
}

/* Kept records get half of the file and no more; then they are lost, and that is counted. */
static void test_kept_have_a_bound(void **state)
{
	struct ct_writer writer;
	struct content content;
	uint64_t refused = 0, stored = 0;

	(void)state;
	limit(SMALL);
	ct_writer_init(&writer, &file, 7);
	put_call(&writer, 1);
	for (int i = 0; i < 100; i++) {
		void *string = ct_keep_reserve(&writer, 8000);

		if (string)
			ct_writer_commit(string, CT_RECORD_STRING, 8000);
		stored += string != NULL;
		refused += string == NULL;
	}
	for (uint64_t i = 2; i <= 20 * IN_CHUNK; i++)
		put_call(&writer, i);
	content = look();
	assert_int_equal(stored, 4 * 8);
	assert_int_equal(content.types[CT_RECORD_STRING], stored);
	assert_int_equal(content.header.kept_bytes, SMALL / 2);
	assert_int_equal(content.header.lost[CT_LOSS_KEPT], refused);
	assert_int_equal(content.header.lost[CT_LOSS_SPACE], 0);
	assert_int_equal(content.last, 20 * IN_CHUNK);
	assert_null(ct_keep_reserve(&writer, CT_CHUNK_UNIT)); /* longer than any chunk can hold */
	assert_int_equal(look().header.lost[CT_LOSS_KEPT], refused + 1);
}

/* Where events fill the file, the first new name takes the oldest of them. */
static void test_kept_take_from_events(void **state)
{
	struct ct_writer writer;
	void *string;

	(void)state;
	limit(SMALL);
	ct_writer_init(&writer, &file, 7);
	for (uint64_t i = 1; i <= 7 * IN_CHUNK; i++)
		put_call(&writer, i);
	string = ct_keep_reserve(&writer, 8000);
	assert_non_null(string);
	ct_writer_commit(string, CT_RECORD_STRING, 8000);
	assert_int_equal(look().first, IN_CHUNK + 1);
	assert_int_equal(look().types[CT_RECORD_STRING], 1);
}

static void test_where_records_go(void **state)
{
	struct ct_stream stream = { .stream = 5 };
	struct ct_writer one, two;
	struct ct_reader *reader;
	struct content content;
	struct ct_item item;

	(void)state;
	limit(SMALL);
	ct_writer_init(&one, &file, 1);
	ct_writer_init(&two, &file, 2);
	for (size_t i = 0; i < FIXED_TYPES; i++) {
		uint8_t record[CT_SLOT_BYTES];

		fill(record, sizeof(record), fixed_types[i]);
		assert_true(ct_keep_put(i % 2 ? &one : &two, fixed_types[i], record));
	}
	for (int i = 0; i < 5000; i++) /* one stream after the other, all the time */
		assert_true(ct_keep_put(&one, CT_RECORD_STREAM, &stream));
	for (uint64_t i = 1; i <= 20 * IN_CHUNK; i++)
		put_call(&one, i);
	content = look();
	assert_int_equal(content.types[CT_RECORD_CONTEXT], 1);
	assert_int_equal(content.types[CT_RECORD_GPU], 1);
	assert_int_equal(content.types[CT_RECORD_DEVICE], 0);
	assert_int_equal(content.header.overwritten[CT_RECORD_DEVICE], 1);
	assert_in_range(content.types[CT_RECORD_STREAM], 2000, 3 * 1024); /* a quarter of 8 units */
	assert_int_equal(content.types[CT_RECORD_STREAM] +
			 content.header.overwritten[CT_RECORD_STREAM], 5001);
	reader = open_trace();
	do
		assert_int_equal(ct_reader_next(reader, &item), 1);
	while (item.type != CT_RECORD_CONTEXT);
	assert_int_equal(item.tid, fixed_types[0] % 2 ? 1 : 2); /* CONTEXT is the seventh: two's */
	ct_reader_close(reader);
}

/* A time that has not come yet is a mistake of somebody's, and must not hide what is there. */
static void test_times_to_come(void **state)
{
	const struct ct_device_op op = { .start_ns = 1, .end_ns = UINT64_MAX / 2 };
	struct ct_writer writer;

	(void)state;
	limit(SMALL);
	ct_writer_init(&writer, &file, 7);
	assert_true(ct_writer_put(&writer, CT_RECORD_DEVICE, &op));
	for (uint64_t i = 1; i <= 20 * IN_CHUNK; i++)
		put_call(&writer, i);
	assert_int_equal(look().header.overwritten[CT_RECORD_DEVICE], 1);
	assert_int_equal(look().header.kept_from_ns, look().first);
}

/* A chunk on its way from full to empty, held at every stage there is: no stage is damage. */
static void test_stages(void **state)
{
	struct ct_writer writer;
	uint8_t *chunk;
	uint64_t before;

	(void)state;
	limit(SMALL);
	ct_writer_init(&writer, &file, 7);
	for (uint64_t i = 1; i <= 7 * IN_CHUNK; i++)
		put_call(&writer, i);
	before = look().calls;
	chunk = ct_file_map(&file, CT_CHUNK_UNIT, CT_CHUNK_UNIT);
	assert_non_null(chunk);
	*(uint32_t *)(void *)(chunk + CT_SLOT_BYTES) = 0;
	assert_int_equal(look().calls, before - IN_CHUNK);
	for (uint32_t at = CT_SLOT_BYTES; at < CT_CHUNK_UNIT; at += 52) {
		memset(chunk + at, 0, at + 52 <= CT_CHUNK_UNIT ? 52 : CT_CHUNK_UNIT - at);
		if (at % 1000 == 0)
			assert_int_equal(look().calls, before - IN_CHUNK);
	}
	assert_int_equal(look().calls, before - IN_CHUNK);
	munmap(chunk, CT_CHUNK_UNIT);
}

/* In a child: write until killed, saying how far it came. */
static void write_without_end(volatile uint64_t *done)
{
	struct ct_writer writer;
	struct ct_total *total;

	ct_writer_init(&writer, &file, 7);
	total = ct_keep_reserve(&writer, sizeof(*total));
	ct_writer_commit(total, CT_RECORD_TOTAL, sizeof(*total));
	for (uint64_t i = 1;; i++) {
		put_call(&writer, i);
		*done = i;
		__atomic_store_n(&total->calls, i, __ATOMIC_RELAXED);
	}
}

/*
 * Kill one at an instruction of chance, a few hundred times: the newest call is there, and
 * none is missing that was not said to be. The chunk in the making may be counted as
 * overwritten and be there still.
 */
static void test_kill(void **state)
{
	volatile uint64_t *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(done, MAP_FAILED);
	for (unsigned round = 0; round < 200; round++) {
		uint64_t until = 8 * IN_CHUNK + round * 11;
		struct content content;
		pid_t child;

		*done = 0;
		limit(SMALL);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			write_without_end(done);
		while (*done < until)
			;
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		content = look();
		assert_in_range(content.last, *done, *done + 1);
		assert_int_equal(content.types[CT_RECORD_TOTAL], 1);
		assert_in_range(content.calls + overwritten(&content), *done, *done + 1 + IN_CHUNK);
		assert_true(content.needed >= content.last - content.header.kept_from_ns);
		tear_down(state);
		assert_int_equal(set_up(state), 0);
	}
	munmap((void *)(uintptr_t)done, 4096);
}

enum { THREADS = 16, CALLS_EACH = 30000, NAMES_EACH = 100 };

static void *write_much(void *arg)
{
	uint32_t tid = (uint32_t)(uintptr_t)arg;
	struct ct_writer writer;

	ct_writer_init(&writer, &file, tid);
	for (uint64_t i = 1; i <= CALLS_EACH; i++) { /* no asserts: they are for the main thread */
		const struct ct_call call = { .enter_ns = i, .leave_ns = i + 1 };

		ct_writer_put(&writer, CT_RECORD_CALL, &call);
		if (i % (CALLS_EACH / NAMES_EACH) == 0) {
			void *string = ct_keep_reserve(&writer, 200);

			if (string)
				ct_writer_commit(string, CT_RECORD_STRING, 200);
		}
		if (i % 7000 == 0) /* as if it ended, and another began */
			ct_writer_release(&writer);
	}
	ct_writer_release(&writer);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	struct content content;

	(void)state;
	limit(64 * CT_CHUNK_UNIT);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_much, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	content = look();
	assert_int_equal(lost(), 0);
	assert_int_equal(content.calls + overwritten(&content), THREADS * CALLS_EACH);
	assert_int_equal(content.types[CT_RECORD_STRING], THREADS * NAMES_EACH);
	assert_int_equal(content.last, CALLS_EACH);
	assert_int_equal(content.header.lost[CT_LOSS_KEPT], 0);
	assert_in_range(content.calls, 30 * IN_CHUNK, 63 * IN_CHUNK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_oldest_goes_first),
		TEST(test_room_is_used_first),
		TEST(test_idle_thread_keeps_its_chunk),
		TEST(test_full_disk),
		TEST(test_remnants),
		TEST(test_more_threads_than_chunks),
		TEST(test_kept),
		TEST(test_kept_have_a_bound),
		TEST(test_kept_take_from_events),
		TEST(test_where_records_go),
		TEST(test_times_to_come),
		TEST(test_stages),
		TEST(test_kill),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
