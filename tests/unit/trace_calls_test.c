/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of trace/ that fail or are interrupted: nothing is left behind, what could not be
 * recorded is counted, and it goes on as soon as it can. Linked with --wrap.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "trace/flight.h" /* before what has a variable of the name `file` */

#include "tests/unit/trace_sample.h"

#define IN_CHUNK 1022        /* calls in a chunk of one unit: less its header and THREAD */
#define RETRY_RECORDS 4096   /* as in writer.c: records lost before it tries again */

enum site { OPEN, STAT, MAP, ALLOCATE, SEEK, TAKE_SIGNAL, SITES };

static struct fault {
	int times; /* so many calls more fail */
	int error;
} faults[SITES];

static bool elsewhere;     /* files turn out to be on another device */
static size_t asked_bytes; /* of the last mapping that failed */

static void break_call(enum site site, int times, int error)
{
	faults[site] = (struct fault){ times, error };
}

static bool fails(enum site site)
{
	if (!faults[site].times)
		return false;
	faults[site].times--;
	errno = faults[site].error;
	return true;
}

int __real_open64(const char *name, int flags, mode_t mode);
int __real_fstat64(int fd, struct stat *st);
void *__real_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __real_posix_fallocate64(int fd, off_t offset, off_t bytes);
off_t __real_lseek64(int fd, off_t offset, int whence);
int __real_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
int __wrap_open64(const char *name, int flags, mode_t mode);
int __wrap_fstat64(int fd, struct stat *st);
void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __wrap_posix_fallocate64(int fd, off_t offset, off_t bytes);
off_t __wrap_lseek64(int fd, off_t offset, int whence);
int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);

int __wrap_open64(const char *name, int flags, mode_t mode)
{
	return fails(OPEN) ? -1 : __real_open64(name, flags, mode);
}

int __wrap_fstat64(int fd, struct stat *st)
{
	int r = __real_fstat64(fd, st);

	st->st_dev += elsewhere;
	return fails(STAT) ? -1 : r;
}

void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	if (!fails(MAP))
		return __real_mmap64(at, bytes, prot, flags, fd, offset);
	asked_bytes = bytes;
	return MAP_FAILED;
}

int __wrap_posix_fallocate64(int fd, off_t offset, off_t bytes)
{
	return fails(ALLOCATE) ? faults[ALLOCATE].error : __real_posix_fallocate64(fd, offset, bytes);
}

off_t __wrap_lseek64(int fd, off_t offset, int whence)
{
	return fails(SEEK) ? -1 : __real_lseek64(fd, offset, whence);
}

int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	return fails(TAKE_SIGNAL) ? -1 : __real_sigtimedwait(set, info, timeout);
}

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

/* One call more. Returns whether it was stored; if not, that was counted. */
static bool put(struct ct_writer *writer, uint64_t number)
{
	const struct ct_call call = { .enter_ns = number, .leave_ns = number + 1 };
	uint64_t before = lost();
	bool stored;

	errno = 77;
	stored = ct_writer_put(writer, CT_RECORD_CALL, &call);
	assert_int_equal(errno, 77);
	assert_int_equal(lost() - before, !stored);
	return stored;
}

/* As many calls are in the file, which is not damaged. Returns the least of their numbers. */
static uint64_t expect_calls(uint64_t calls)
{
	struct ct_reader *reader = open_trace();
	uint64_t least = UINT64_MAX;
	struct ct_item item;

	while (ct_reader_next(reader, &item)) {
		const struct ct_call *call = item.record;

		if (item.type != CT_RECORD_CALL)
			continue;
		calls--;
		least = call->enter_ns < least ? call->enter_ns : least;
	}
	assert_int_equal(calls, 0);
	expect_end(reader);
	return least;
}

static void test_creating_fails(void **state)
{
	static const struct {
		enum site site;
		int error;
	} cases[] = { { OPEN, EROFS }, { STAT, EIO }, { MAP, ENODEV }, { ALLOCATE, ENOSPC } };
	struct ct_file other;
	char name[128];
	int open_files = descriptors();

	(void)state;
	snprintf(name, sizeof(name), "%s/other", dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		break_call(cases[i].site, 1, cases[i].error);
		errno = 77;
		assert_int_equal(ct_file_create(&other, name, "p"), -cases[i].error);
		assert_int_equal(errno, 77);
		assert_null(other.header);
		assert_int_equal(access(name, F_OK), -1);
		assert_int_equal(descriptors(), open_files);
	}
	assert_int_equal(ct_file_create(&other, name, "p"), 0);
	assert_int_equal(descriptors(), open_files);
	unlink(name);
}

/* A signal comes at just that moment, several times: it is done again. */
static void test_interrupted(void **state)
{
	struct ct_writer writer;

	(void)state;
	unlink(path);
	break_call(OPEN, 3, EINTR);
	break_call(ALLOCATE, 3, EINTR);
	assert_int_equal(ct_file_create(&file, path, "p"), 0);
	assert_int_equal(faults[OPEN].times + faults[ALLOCATE].times, 0);
	break_call(OPEN, 3, EINTR);
	break_call(ALLOCATE, 3, EINTR);
	ct_writer_init(&writer, &file, 1);
	assert_true(put(&writer, 1));
	assert_int_equal(faults[OPEN].times + faults[ALLOCATE].times, 0);
	expect_calls(1);
}

/* Beyond RLIMIT_FSIZE; the limit that was. */
static struct rlimit limit_size(void)
{
	struct rlimit old, small;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = CT_HEADER_BYTES;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	return old;
}

static bool pending(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGXFSZ) == 1;
}

/* The signal that our own allocation raised does not reach the program. */
static void test_our_signal_is_taken(void **state)
{
	struct rlimit old = limit_size();
	struct ct_writer writer;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	break_call(TAKE_SIGNAL, 3, EINTR);
	assert_false(put(&writer, 1)); /* and SIGXFSZ has not killed us */
	assert_int_equal(faults[TAKE_SIGNAL].times, 0);
	assert_false(pending());
	setrlimit(RLIMIT_FSIZE, &old);
}

/* One that the program has waiting for itself stays. */
static void test_their_signal_stays(void **state)
{
	const struct timespec none = { 0 };
	struct ct_writer writer;
	struct rlimit old;
	sigset_t xfsz, mask;

	(void)state;
	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	assert_int_equal(sigprocmask(SIG_BLOCK, &xfsz, &mask), 0);
	raise(SIGXFSZ);
	old = limit_size();
	ct_writer_init(&writer, &file, 1);
	assert_false(put(&writer, 1));
	assert_true(pending());
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(sigtimedwait(&xfsz, NULL, &none), SIGXFSZ);
	assert_int_equal(sigprocmask(SIG_SETMASK, &mask, NULL), 0);
}

/* No chunk is to be had; what was claimed for it is given back, and later there is one. */
static void test_no_chunk_now(void **state)
{
	static const struct {
		enum site site;
		int error;
	} cases[] = { { OPEN, EMFILE }, { STAT, EIO }, { MAP, ENOMEM }, { ALLOCATE, EDQUOT } };
	int open_files = descriptors();
	uint64_t calls = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t claimed = file.header->claimed_bytes;
		struct ct_writer writer;

		ct_writer_init(&writer, &file, 1);
		break_call(cases[i].site, 2, cases[i].error); /* it asks for a small one, too */
		assert_false(put(&writer, 1));
		assert_int_equal(faults[cases[i].site].times, 0);
		assert_int_equal(file.header->claimed_bytes, claimed);
		assert_int_equal(descriptors(), open_files);
		for (int n = 1; n < RETRY_RECORDS; n++) /* trying takes long: seldom */
			assert_false(put(&writer, 1));
		assert_true(put(&writer, 1));
		calls++;
	}
	expect_calls(calls);
}

/* The number of our file, but of another device: somebody else's. */
static void test_on_another_device(void **state)
{
	struct ct_writer writer;
	struct stat st;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	elsewhere = true;
	assert_false(put(&writer, 1));
	elsewhere = false;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, CT_HEADER_BYTES);
}

/* What cannot be made beforehand is made when it is needed. */
static void test_no_spares(void **state)
{
	enum { GROWING = 20000, CALLS = 60000 };
	struct ct_writer writer;
	uint64_t claimed;

	(void)state;
	ct_writer_init(&writer, &file, 1);
	for (uint64_t i = 0; i < GROWING; i++)
		assert_true(put(&writer, i));
	claimed = file.header->claimed_bytes;
	break_call(MAP, 1, ENOMEM);
	ct_file_prepare(&file);
	assert_int_equal(faults[MAP].times, 0);
	assert_int_equal(file.header->claimed_bytes, claimed);
	for (uint64_t i = GROWING; i < CALLS; i++)
		assert_true(put(&writer, i));
	expect_calls(CALLS);
}

/* A flight recorder without memory for its list of chunks is an ordinary file with a limit. */
static void test_no_flight_recorder(void **state)
{
	(void)state;
	break_call(MAP, 1, ENOMEM);
	assert_int_equal(ct_flight_start(&file, UINT64_MAX), -ENOMEM);
	assert_int_equal(asked_bytes, UINT32_MAX * sizeof(uint64_t)); /* no more than can be numbered */
	assert_int_equal(file.limit_bytes, UINT64_MAX);
	assert_false(ct_flight_on(&file));
	break_call(MAP, 1, ENOMEM);
	assert_int_equal(ct_flight_start(&file, 2 * CT_CHUNK_UNIT), -ENOMEM);
	ct_flight_sweep(&file);
	expect_calls(0);
}

/* The oldest chunk cannot be mapped: it is overwritten later. */
static void test_nothing_to_overwrite_now(void **state)
{
	static const enum site sites[] = { OPEN, MAP };
	uint64_t stored = 7 * IN_CHUNK, overwritten, number;
	struct ct_writer writer;

	(void)state;
	assert_int_equal(ct_flight_start(&file, CT_FLIGHT_LEAST), 0);
	ct_writer_init(&writer, &file, 1);
	for (number = 1; number <= stored; number++)
		assert_true(put(&writer, number));
	number--;
	for (int i = 0; i < 2; i++) {
		uint64_t before = lost();

		break_call(sites[i], 2, ENFILE);
		for (int n = 0; n < 20 * IN_CHUNK; n++)
			stored += put(&writer, ++number);
		assert_int_equal(faults[sites[i]].times, 0);
		assert_in_range(lost() - before, 1, 200);
	}
	overwritten = file.header->overwritten[CT_RECORD_CALL];
	assert_true(overwritten > 0);
	assert_true(expect_calls(stored - overwritten) > number - 8 * IN_CHUNK);
}

static void test_opening_fails(void **state)
{
	static const struct {
		enum site site;
		int error;
	} cases[] = { { OPEN, EACCES }, { STAT, EIO }, { MAP, ENOMEM } };
	int open_files = descriptors();
	struct ct_reader *reader = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		break_call(cases[i].site, 1, cases[i].error);
		assert_int_equal(ct_reader_open(path, &reader), -cases[i].error);
		assert_null(reader);
		assert_int_equal(descriptors(), open_files);
	}
	ct_reader_close(reader); /* which may be none */
	expect_calls(0);
}

/* A file system that does not say where its files have holes: they are read. */
static void test_holes_are_not_told(void **state)
{
	const off_t size = 64 * CT_CHUNK_UNIT + 100;
	struct ct_reader *reader;
	uint64_t gaps;

	(void)state;
	assert_int_equal(truncate(path, size), 0);
	file.header->claimed_bytes = 65 * CT_CHUNK_UNIT;
	reader = open_trace();
	gaps = ct_reader_gaps(reader);
	assert_int_equal(gaps, size - CT_CHUNK_UNIT);
	expect_end(reader);
	break_call(SEEK, 1000, EINVAL);
	reader = open_trace();
	assert_int_equal(faults[SEEK].times, 1000 - 64); /* each unit, and the rest */
	faults[SEEK].times = 0;
	assert_int_equal(ct_reader_gaps(reader), gaps);
	expect_end(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_creating_fails),
		TEST(test_interrupted),
		TEST(test_our_signal_is_taken),
		TEST(test_their_signal_stays),
		TEST(test_no_chunk_now),
		TEST(test_on_another_device),
		TEST(test_no_spares),
		TEST(test_no_flight_recorder),
		TEST(test_nothing_to_overwrite_now),
		TEST(test_opening_fails),
		TEST(test_holes_are_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
