/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No memory at one place after the other: a report, an export, a packed trace, one unpacked again. Each
 * says -ENOMEM or is whole, to the byte; none crashes. Linked with --wrap, so that allocations of ours fail
 * and those of libraries do not. Usage: no_memory_test GEN_TRACE
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "analyze/analysis.h"
#include "analyze/process.h"
#include "analyze/run.h"
#include "export/export.h"
#include "trace/pack.h"
#include "trace/reader.h"

#define ONE_BY_ONE 400 /* allocations that fail each in turn; of those behind, one in so many */
#define THEN_EVERY 17

static const char *gen_trace;
static char directory[64], file[96];
static long until_failure = -1; /* allocations that still succeed; below 0: all do */
static bool failed;

/* Is this the one? */
static bool fails(void)
{
	bool now = until_failure == 0;

	if (until_failure >= 0)
		until_failure--;
	if (now) {
		failed = true;
		errno = ENOMEM;
	}
	return now;
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

#define FILES 16

/* The files of a report. */
struct written {
	int count;
	char *names[FILES], *texts[FILES];
};

static void forget(struct written *written)
{
	for (int i = 0; i < written->count; i++) {
		free(written->names[i]);
		free(written->texts[i]);
	}
}

static int is_written(const struct dirent *entry)
{
	return strstr(entry->d_name, ".csv") || strstr(entry->d_name, ".txt");
}

/* Read a file and remove it. */
static char *take_text(const char *name)
{
	char path[512], bytes[4096], *text;
	size_t n, size;
	FILE *from, *to = open_memstream(&text, &size);

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	from = fopen(path, "r");
	assert_true(from && to);
	while ((n = fread(bytes, 1, sizeof(bytes), from)) > 0)
		fwrite(bytes, 1, n, to);
	fclose(from);
	fclose(to);
	unlink(path);
	return text;
}

static struct written take_written(void)
{
	struct written all = { 0 };
	struct dirent **entries;

	all.count = scandir(directory, &entries, is_written, alphasort);
	assert_in_range(all.count, 0, FILES);
	for (int i = 0; i < all.count; i++) {
		all.names[i] = strdup(entries[i]->d_name);
		all.texts[i] = take_text(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return all;
}

static void expect_text(const char *name, const char *whole, const char *now, long at)
{
	size_t line = 0;

	if (strcmp(whole, now) == 0 || strstr(now, "(no memory for this table)"))
		return;
	for (size_t i = 0; whole[i] && whole[i] == now[i]; i++)
		line = whole[i] == '\n' ? i + 1 : line;
	fail_msg("allocation %ld: %s: not \"%.300s\" but \"%.300s\"", at, name, whole + line,
		 now + line);
}

/* A report that took itself for whole is, but for tables that say why they are not. */
static void expect_written(const struct written *whole, long at)
{
	struct written now = take_written();

	assert_int_equal(now.count, whole->count);
	for (int i = 0; i < now.count; i++) {
		assert_string_equal(now.names[i], whole->names[i]);
		expect_text(now.names[i], whole->texts[i], now.texts[i], at);
	}
	forget(&now);
}

/* Run with each allocation failing in turn, until one run has fewer. Returns how many runs. */
static unsigned each_fails(int (*run)(void))
{
	struct written whole;
	unsigned runs = 0;
	bool again = true;

	assert_int_equal(run(), 0);
	whole = take_written();
	for (long at = 0; again; at += at < ONE_BY_ONE ? 1 : THEN_EVERY, runs++) {
		int r;

		failed = false;
		until_failure = at;
		r = run();
		until_failure = -1;
		again = failed;
		if (r != -ENOMEM && r != 0)
			fail_msg("allocation %ld: %s", at, strerror(-r));
		if (r == -ENOMEM)
			assert_true(failed);
		else
			expect_written(&whole, at);
	}
	assert_int_equal(run(), 0);
	expect_written(&whole, -1);
	forget(&whole);
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

/* Of a file that is no text: what it comes to, so that two are the same or not. */
static void sum_up(const char *path)
{
	char text[512];
	uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a */
	FILE *from = fopen(path, "r"), *to;
	int c;

	snprintf(text, sizeof(text), "%s/export.txt", directory);
	to = fopen(text, "w");
	assert_true(from && to);
	while ((c = getc(from)) != EOF)
		sum = (sum ^ (uint64_t)c) * 0x100000001b3u;
	fprintf(to, "%llx of %ld bytes\n", (unsigned long long)sum, ftell(from));
	fclose(from);
	fclose(to);
	unlink(path);
}

static int export_as(const struct ct_export_format *format)
{
	char path[512], *of = directory;
	struct ct_export_job job = { .format = format, .directories = &of, .count = 1,
				     .path = path, .part_records = 1700, .threads = 1 };
	const char *failed_at;
	int r;

	snprintf(path, sizeof(path), "%s/export", directory);
	job.to = fopen(path, "w");
	assert_non_null(job.to);
	r = ct_export_write(&job, &failed_at);
	fclose(job.to);
	if (r == 0)
		sum_up(path);
	unlink(path);
	return r;
}

static int export_folded(void)
{
	return export_as(&ct_export_folded);
}

static int export_jsonl(void)
{
	return export_as(&ct_export_jsonl);
}

static int export_perfetto(void)
{
	return export_as(&ct_export_perfetto);
}

static int export_sqlite(void)
{
	return export_as(&ct_export_sqlite);
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

static void test_exports(void **state)
{
	(void)state;
	assert_true(each_fails(export_folded) > 100);
	assert_true(each_fails(export_jsonl) > 100);
	assert_true(each_fails(export_perfetto) > 100);
	assert_true(each_fails(export_sqlite) > 100);
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
		cmocka_unit_test_setup_teardown(test_exports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pack, set_up, tear_down),
	};

	if (argc != 2)
		return 2;
	gen_trace = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
