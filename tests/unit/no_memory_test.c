/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No memory at one place after the other: a report, a comparison, an export, a packed trace, one unpacked again.
 * Each says -ENOMEM or is whole, to the byte; none crashes or leaves something behind. A place is a
 * call stack: one allocation of each fails. Usage:
 * no_memory_test GEN_TRACE FOLDER_OF_GOLDEN_TRACES
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "analyze/analysis.h"
#include "analyze/report_diff.h"
#include "export/export.h"
#include "tests/unit/scarce.h"
#include "trace/pack.h"
#include "trace/reader.h"

static const char *gen_trace;
static const char *golden;
static char directory[64], file[96];

static void make_directory(void)
{
	strcpy(directory, "/tmp/cutrace-memory-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/trace.cutrace", directory);
}

static int set_up(void **state)
{
	char command[512];

	(void)state;
	make_directory();
	snprintf(command, sizeof(command), "'%s' --calls 3000 %s >/dev/null", gen_trace, directory);
	return system(command);
}

static int unpack(const char *name)
{
	char command[512];

	make_directory();
	snprintf(command, sizeof(command), "gzip -dc '%s/%s.trace.gz' > %s", golden, name, file);
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

static void expect_text(const char *name, const char *whole, const char *now, const char *when)
{
	size_t line = 0;

	if (strcmp(whole, now) == 0 || strstr(now, "(no memory for this table)"))
		return;
	for (size_t i = 0; whole[i] && whole[i] == now[i]; i++)
		line = whole[i] == '\n' ? i + 1 : line;
	fail_msg("%s: %s: not \"%.300s\" but \"%.300s\"", when, name, whole + line, now + line);
}

/* A report that took itself for whole is, but for tables that say why they are not. */
static void expect_written(const struct written *whole, const char *when)
{
	struct written now = take_written();

	assert_int_equal(now.count, whole->count);
	for (int i = 0; i < now.count; i++) {
		assert_string_equal(now.names[i], whole->names[i]);
		expect_text(now.names[i], whole->texts[i], now.texts[i], when);
	}
	forget(&now);
}

static int is_numbered(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int open_files(void)
{
	struct dirent **entries;
	int count = scandir("/proc/self/fd", &entries, is_numbered, NULL);

	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return count;
}

/* Returns whether the place was reached: where tables grow depends on addresses. */
static bool fail_at(int (*run)(void), size_t place, const struct written *whole)
{
	size_t alive = scarce_alive();
	int files = open_files(), r;
	bool reached;

	scarce_fail(place);
	r = run();
	reached = scarce_end();
	if ((r != 0 && (r != -ENOMEM || !reached)) || scarce_alive() != alive || open_files() != files) {
		scarce_print(place);
		fail_msg("place %zu: %s, %zu allocations and %d files left", place, strerror(-r),
			 scarce_alive() - alive, open_files() - files);
	}
	if (r == 0)
		expect_written(whole, "without memory at one place");
	return reached;
}

/* Run with an allocation of each call stack failing in turn. Returns how many did. */
static size_t each_fails(int (*run)(void))
{
	size_t places, reached = 0;
	struct written whole;

	assert_int_equal(run(), 0); /* libraries keep what they allocate the first time */
	whole = take_written();
	scarce_learn();
	assert_int_equal(run(), 0);
	places = scarce_learned();
	expect_written(&whole, "again");
	for (size_t place = 0; place < places; place++)
		reached += fail_at(run, place, &whole);
	assert_int_equal(run(), 0);
	expect_written(&whole, "with memory again");
	forget(&whole);
	return reached;
}

static int write_report(const struct ct_analysis *analysis)
{
	const char *name;

	return ct_report_write(analysis, NULL, &name);
}

static int add_process(struct ct_run *run, const struct ct_analysis *analysis, uint32_t rank)
{
	struct ct_process process = { 0 };
	int r = ct_process_take(analysis, &process);

	if (r < 0)
		return r;
	process.rank = rank;
	process.pid += rank;
	r = ct_run_add(run, &process);
	if (r < 0)
		ct_process_free(&process);
	return r;
}

/* As of a run of two processes, which did the same. */
static int write_run(const struct ct_analysis *analysis)
{
	struct ct_run *run = ct_run_create();
	int r = run ? 0 : -ENOMEM;
	const char *name;

	for (uint32_t rank = 0; r == 0 && rank < 2; rank++)
		r = add_process(run, analysis, rank);
	if (r == 0)
		r = ct_run_finish(run);
	if (r == 0)
		r = ct_report_run_write(run, directory, &name);
	ct_run_destroy(run);
	return r;
}

static struct ct_analysis *compared; /* made while there was memory */

/* Two runs a side, all the same. */
static int write_diff(void)
{
	struct ct_diff *diff = ct_diff_create(CT_DIFF_PERCENT);
	struct ct_process process;
	char path[512];
	int r = diff ? 0 : -ENOMEM;
	FILE *to;

	for (int i = 0; r == 0 && i < 2 * CT_SIDES; i++) {
		r = ct_diff_begin_run(&diff->sides[i % CT_SIDES]);
		if (r == 0)
			r = ct_process_take(compared, &process);
		if (r == 0 && ct_diff_add(&diff->sides[i % CT_SIDES], &process) < 0) {
			ct_process_free(&process);
			r = -ENOMEM;
		}
	}
	if (r == 0)
		r = ct_diff_make(diff);
	if (r == 0) {
		snprintf(path, sizeof(path), "%s/diff.csv", directory);
		to = fopen(path, "w");
		assert_non_null(to);
		ct_report_diff_csv(diff, to);
		fclose(to);
	}
	ct_diff_destroy(diff);
	return r;
}

static int report(const struct ct_analysis_options *options,
		  int (*write)(const struct ct_analysis *analysis))
{
	struct ct_analysis *analysis;
	int r = ct_analysis_run(directory, options, &analysis);

	if (r < 0)
		return r;
	r = write(analysis);
	ct_analysis_destroy(analysis);
	return r;
}

static int report_whole(void)
{
	return report(&(struct ct_analysis_options){ .threads = 1 }, write_report);
}

static unsigned part_records = 700;

static int report_parts(void)
{
	return report(&(struct ct_analysis_options){
		.threads = 1, .whole_records = 1, .part_records = part_records }, write_report);
}

static int report_run(void)
{
	return report(&(struct ct_analysis_options){ .threads = 1, .process = true }, write_run);
}

static int convert(const char *from, const char *name,
		   int (*write)(const struct ct_reader *, FILE *))
{
	struct ct_reader *reader;
	FILE *to;
	int r = ct_reader_open(from, &reader);

	if (r < 0)
		return r;
	to = fopen(name, "w");
	assert_non_null(to);
	r = write(reader, to);
	fclose(to);
	ct_reader_close(reader);
	return r;
}

static int compare(const char *one, const char *two)
{
	struct ct_reader *a, *b;
	uint64_t records;
	int r = ct_reader_open(one, &a);

	if (r < 0)
		return r;
	r = ct_reader_open(two, &b);
	if (r == 0) {
		r = ct_pack_compare(a, b, &records);
		ct_reader_close(b);
	}
	ct_reader_close(a);
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
	char packed[128], unpacked[128];
	int r;

	snprintf(packed, sizeof(packed), "%s/packed", directory);
	snprintf(unpacked, sizeof(unpacked), "%s/unpacked", directory);
	r = convert(file, packed, ct_pack_write);
	if (r == 0)
		r = convert(packed, unpacked, ct_unpack_write);
	if (r == 0)
		r = compare(file, packed);
	if (r == 0)
		r = compare(packed, unpacked);
	return r;
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
	assert_true(each_fails(report_run) > 10); /* the analysis had its turn */
}

static void test_diff(void **state)
{
	const struct ct_analysis_options options = { .threads = 1, .process = true };

	(void)state;
	assert_int_equal(ct_analysis_run(directory, &options, &compared), 0);
	assert_true(each_fails(write_diff) > 10);
	ct_analysis_destroy(compared);
}

static void test_exports(void **state)
{
	size_t places;

	(void)state;
	places = each_fails(export_folded) + each_fails(export_jsonl) + each_fails(export_perfetto) +
		 each_fails(export_sqlite);
	assert_true(places > 40); /* beyond those of the analysis */
}

static void test_pack(void **state)
{
	(void)state;
	assert_true(each_fails(pack) > 10);
}

/* They have what the generated one lacks: stacks, events, waits of every kind. */
static void test_golden(void **state)
{
	static const char *const names[] = {
		"aliased_streams", "allocations_do_not_wait", "big_kernels", "copy_behind_free",
		"device_reset", "event_chain", "free_and_copy_loop", "free_and_null_stream",
		"free_async_does_not_block", "free_host", "free_serializes",
		"free_stops_two_threads", "graph_capture--nodes", "host_func_holds",
		"malloc_async_pageable", "many_streams", "poll_event", "queue_full",
		"queue_full_other_stream",
	};

	size_t places = 0;

	part_records = 100;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(unpack(names[i]), 0);
		places += each_fails(report_whole);
		places += each_fails(report_parts);
		places += each_fails(report_run);
		assert_int_equal(tear_down(state), 0);
	}
	assert_true(places > 30);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_diff, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_exports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pack, set_up, tear_down),
		cmocka_unit_test(test_golden),
	};

	if (argc != 3)
		return 2;
	gen_trace = argv[1];
	golden = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
