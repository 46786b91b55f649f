/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No memory at one place after the other, by every way that leads there: a report, a packed
 * trace, one unpacked again. Each says -ENOMEM or is whole; none crashes. Linked with --wrap, so
 * that allocations of ours fail and those of libraries do not. Usage: no_memory_test GEN_TRACE
 */
#include <errno.h>
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "analyze/analysis.h"
#include "analyze/process.h"
#include "analyze/run.h"
#include "trace/pack.h"
#include "trace/reader.h"

#define STACK_DEPTH 24
#define STACKS_MAX 4096

static const char *gen_trace;
static char directory[64], file[96];
static bool exploring; /* whether allocations fail */
static bool failed;    /* one did, in this run */
static uint64_t number, known_until; /* allocations of this run; those before cannot be new */
static uint64_t stacks[STACKS_MAX];  /* that an allocation failed from */
static size_t stack_count;

/* Whether nothing failed yet that was called from here, by this way. */
static bool new_stack(void)
{
	void *pc[STACK_DEPTH];
	int depth = backtrace(pc, STACK_DEPTH);
	uint64_t hash = 14695981039346656037u; /* FNV-1a, by words */

	for (int i = 0; i < depth; i++)
		hash = (hash ^ (uintptr_t)pc[i]) * 1099511628211u;
	for (size_t i = 0; i < stack_count; i++)
		if (stacks[i] == hash)
			return false;
	assert_true(stack_count < STACKS_MAX);
	stacks[stack_count++] = hash;
	return true;
}

/* Is this the one? One a run: the first whose stack none failed from. */
static bool fails(void)
{
	if (!exploring || failed || ++number <= known_until || !new_stack())
		return false;
	known_until = number;
	failed = true;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_reallocarray(void *old, size_t count, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_reallocarray(void *old, size_t count, size_t bytes);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t bytes)
{
	return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
	return fails() ? NULL : __real_realloc(old, bytes);
}

void *__wrap_reallocarray(void *old, size_t count, size_t bytes)
{
	return fails() ? NULL : __real_reallocarray(old, count, bytes);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

static int set_up(void **state)
{
	char command[512];

	(void)state;
	strcpy(directory, "/tmp/cutrace-memory-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(command, sizeof(command), "'%s' --calls 3000 %s >/dev/null", gen_trace, directory);
	snprintf(file, sizeof(file), "%s/trace.cutrace", directory);
	return system(command);
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

/* Run until an allocation has failed from every stack that there is. Returns how many. */
static unsigned each_fails(int (*run)(void))
{
	unsigned runs = 0;
	bool again = true;

	known_until = stack_count = 0;
	for (; again; runs++) {
		int r;

		failed = false;
		number = 0;
		exploring = true;
		r = run();
		exploring = false;
		again = failed;
		if (r != -ENOMEM && r != 0)
			fail_msg("allocation %lu: %s", (unsigned long)known_until, strerror(-r));
		if (r == -ENOMEM)
			assert_true(failed);
	}
	assert_int_equal(run(), 0);
	return runs;
}

static int report(const struct ct_analysis_options *options)
{
	struct ct_analysis *analysis;
	const char *name;
	int r = ct_analysis_run(directory, options, &analysis);

	if (r < 0)
		return r;
	r = ct_report_write(analysis, NULL, &name);
	ct_analysis_destroy(analysis);
	return r;
}

static int report_whole(void)
{
	return report(&(struct ct_analysis_options){ .threads = 1 });
}

static int report_parts(void)
{
	return report(&(struct ct_analysis_options){
		.threads = 1, .whole_records = 1, .part_records = 700 });
}

/* As of a run of several processes. */
static int report_run(void)
{
	const struct ct_analysis_options options = { .threads = 1, .process = true };
	struct ct_process process = { 0 };
	struct ct_analysis *analysis;
	struct ct_run *run;
	const char *name;
	int r = ct_analysis_run(directory, &options, &analysis);

	if (r < 0)
		return r;
	r = ct_process_take(analysis, &process);
	ct_analysis_destroy(analysis);
	run = ct_run_create();
	if (r == 0)
		r = run ? ct_run_add(run, &process) : -ENOMEM;
	if (r < 0)
		ct_process_free(&process);
	if (r == 0)
		r = ct_run_finish(run);
	if (r == 0)
		r = ct_report_run_write(run, directory, &name);
	ct_run_destroy(run);
	return r;
}

/* Packed, unpacked, compared. */
static int pack(void)
{
	FILE *packed = fopen("/dev/null", "w");
	struct ct_reader *reader;
	uint64_t records;
	int r = ct_reader_open(file, &reader);

	assert_non_null(packed);
	if (r == 0) {
		r = ct_pack_write(reader, packed);
		if (r == 0)
			r = ct_pack_compare(reader, reader, &records);
		ct_reader_close(reader);
	}
	fclose(packed);
	return r == -ESPIPE || r == -EINVAL ? 0 : r; /* of the null device */
}

static void test_whole(void **state)
{
	(void)state;
	assert_true(each_fails(report_whole) > 100);
}

static void test_parts(void **state)
{
	(void)state;
	assert_true(each_fails(report_parts) > 100);
}

static void test_run(void **state)
{
	(void)state;
	assert_true(each_fails(report_run) > 100);
}

static void test_pack(void **state)
{
	(void)state;
	assert_true(each_fails(pack) > 10);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pack, set_up, tear_down),
	};

	if (argc != 2)
		return 2;
	gen_trace = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
