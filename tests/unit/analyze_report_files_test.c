/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a report where they cannot be written, odd values in tables, records as text. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/model_builder.h"

#include "analyze/report.h"

/* The analysis of what is built; its report goes into the directory. */
static struct ct_analysis *analysis_of(struct model_builder *b, const char *directory)
{
	struct ct_analysis *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	mb_load(b);
	a->directory = strdup(directory);
	a->model = b->model;
	b->model = NULL;
	assert_int_equal(ct_analysis_of_model(a, NULL, false), 0);
	assert_int_equal(ct_site_totals_make(a->model, a->sites, &a->site_totals), 0);
	return a;
}

static void work(struct model_builder *b)
{
	mb_launch(b, MB_LEGACY, 0, 2, 5, 200);
	mb_sync_device(b, 10, 201);
}

static int visible(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* How many names are in a directory, those of temporary files included. */
static int names_in(const char *directory)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, visible, alphasort);

	assert_true(count >= 0);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return count;
}

static void remove_all(const char *directory)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
}

static void test_no_directory(void **state)
{
	struct ct_analysis *a;
	const char *name = NULL;
	char path[5000];

	work(*state);
	a = analysis_of(*state, "/tmp/cutrace-there-is-no-such-directory");
	assert_int_equal(ct_report_write(a, NULL, &name), -ENOENT);
	assert_string_equal(name, "report.txt");
	free(a->directory);
	memset(path, 'd', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	a->directory = strdup(path);
	assert_int_equal(ct_report_write(a, NULL, &name), -ENAMETOOLONG);
	path[4083] = '\0'; /* the final name would fit, the temporary one not */
	free(a->directory);
	a->directory = strdup(path);
	assert_int_equal(ct_report_write(a, NULL, &name), -ENAMETOOLONG);
	ct_analysis_destroy(a);
}

/* Something stands where a table is to be: it stays, the table is named, no draft is left. */
static void test_in_the_way(void **state)
{
	char directory[] = "/tmp/cutrace-files-XXXXXX", path[64];
	struct ct_analysis *a;
	const char *name = NULL;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/device.csv", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	work(*state);
	a = analysis_of(*state, directory);
	assert_int_equal(ct_report_write(a, NULL, &name), -EISDIR);
	assert_string_equal(name, "device.csv");
	assert_int_equal(names_in(directory), 3); /* report.txt, calls.csv and the obstacle */
	a->parts = 1; /* then it is removed, not written, and that fails as well */
	assert_int_equal(ct_report_write(a, NULL, &name), -EISDIR);
	assert_string_equal(name, "device.csv");
	ct_analysis_destroy(a);
	remove_all(directory);
}

/* Full in the middle of a file: the old one stays as it was, and no draft is left. */
static void test_full(void **state)
{
	char directory[] = "/tmp/cutrace-files-XXXXXX", path[64], text[16] = "";
	const struct rlimit small = { 512, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
	struct ct_analysis *a;
	const char *name = NULL;
	FILE *file;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/report.txt", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("old", file);
	fclose(file);
	work(*state);
	a = analysis_of(*state, directory);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(ct_report_write(a, NULL, &name), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	assert_string_equal(name, "report.txt");
	assert_int_equal(names_in(directory), 1);
	file = fopen(path, "r");
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_string_equal(text, "old");
	ct_analysis_destroy(a);
	remove_all(directory);
}

/* Rows part by part: where a draft cannot be made, and where they are given up. */
static void test_rows(void **state)
{
	char directory[] = "/tmp/cutrace-files-XXXXXX";
	struct ct_analysis *a;
	struct ct_rows *rows;
	const char *name = NULL;

	assert_non_null(mkdtemp(directory));
	work(*state);
	a = analysis_of(*state, directory);
	assert_int_equal(ct_rows_open("/tmp/cutrace-there-is-no-such-directory", &rows), 0);
	assert_int_equal(ct_rows_add(rows, a), -ENOENT);
	ct_rows_close(rows);
	assert_int_equal(ct_rows_open(directory, &rows), 0);
	assert_int_equal(ct_rows_add(rows, a), 0);
	assert_int_equal(ct_rows_add(rows, a), 0);
	assert_int_equal(names_in(directory), 3);
	ct_rows_close(rows);
	assert_int_equal(names_in(directory), 0);
	assert_int_equal(ct_rows_open(directory, &rows), 0);
	assert_int_equal(ct_rows_add(rows, a), 0);
	a->parts = 1;
	assert_int_equal(ct_report_write(a, rows, &name), 0);
	ct_rows_close(rows);
	ct_rows_close(NULL);
	assert_int_equal(names_in(directory), 11); /* but totals.csv, which is of a limit */
	ct_analysis_destroy(a);
	remove_all(directory);
}

static char *table(const struct ct_analysis *a, const char *file)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	for (const struct ct_table *t = ct_tables; t->file; t++)
		if (!strcmp(t->file, file))
			t->write(a, to);
	fclose(to);
	return text;
}

static void expect_in(char *text, const char *wanted)
{
	if (!strstr(text, wanted))
		fail_msg("no \"%s\" in %s", wanted, text);
	free(text);
}

/* What a newer version or damage may have put there is empty or a question mark. */
static void test_odd_values(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *op;
	struct ct_analysis *a;

	op = mb_copy(b, mb_call_on(b, CT_API_cudaMemcpyAsync, MB_LEGACY, 0, 3), MB_LEGACY,
		     CT_MEMORY_PINNED, 5, 50);
	op->u.copy.direction = 77;
	op->u.copy.source = 78;
	op->u.copy.target = 79;
	op = mb_launch(b, MB_LEGACY, 100, 102, 105, 150);
	op->kind = 99;
	mb_launcher(b, op)->origin = 55;
	op = mb_launch(b, MB_LEGACY, 200, 202, 205, 250);
	op->name = 1234567;
	mb_stream(b, 13, (enum ct_stream_flag)66);
	mb_launch(b, 13, 300, 302, 305, 350);
	a = analysis_of(b, "d");
	expect_in(table(a, "device.csv"), "1000005000,45000,copy,copy ? 4096 B,0,1,7,1,4096,?,?,?,,,,,");
	expect_in(table(a, "device.csv"), "1000105000,45000,?,kernel,0,1,7,2,");
	expect_in(table(a, "device.csv"), "1000205000,45000,kernel,kernel,");
	expect_in(table(a, "streams.csv"), "0,1,13,?,0,1,45000\n");
	expect_in(table(a, "cuda_gpu_kern_sum.csv"), "(unnamed kernel)");
	ct_analysis_destroy(a);
}

static void expect_record(enum ct_record_type type, const void *record, const char *wanted)
{
	const struct ct_item item = { .type = type, .tid = 42, .offset = 4096, .record = record };
	char *text = NULL, line[512];
	size_t size;
	FILE *to = open_memstream(&text, &size);

	ct_report_record(&item, to);
	fclose(to);
	snprintf(line, sizeof(line), "4096 [42] %s\n", wanted);
	assert_string_equal(text, line);
	free(text);
}

/* A record with a text behind it, in static memory. */
static void *with_text(const void *head, size_t bytes, const char *text)
{
	static _Alignas(8) char record[512];

	memcpy(record, head, bytes);
	memcpy(record + bytes, text, strlen(text) + 1);
	return record;
}

#define WITH_TEXT(type, member, text, ...)                                                         \
	with_text(&(const type){ __VA_ARGS__ }, offsetof(type, member), text)

static void test_fixed_records(void **state)
{
	(void)state;
	expect_record(CT_RECORD_CALL,
		      &(struct ct_call){ .api = 5, .origin = 1, .error = -2, .enter_ns = 10, .leave_ns = 25,
					 .bytes = 7, .addr = 0x1f, .stream = 0x20, .context = 1,
					 .correlation = 9, .stack = 3, .flags = 0x10 },
		      "call api=5 origin=1 error=-2 enter=10 ns=15 bytes=7 addr=0x1f stream=0x20 context=1 "
		      "correlation=9 stack=3 flags=0x10");
	expect_record(CT_RECORD_DEVICE,
		      &(struct ct_device_op){ .kind = CT_DEVICE_COPY, .start_ns = 10, .end_ns = 30,
					      .u.copy = { .bytes = 64, .direction = 1, .source = 2,
							  .target = 3, .async = 1 } },
		      "device kind=2 start=10 ns=20 device=0 context=0 stream=0 correlation=0 name=0 graph=0 "
		      "channel=0 bytes=64 direction=1 source=2 target=3 async=1");
	expect_record(CT_RECORD_SYNC,
		      &(struct ct_sync){ .kind = 1, .start_ns = 5, .end_ns = 8, .context = 1, .stream = 2,
					 .event = 3, .event_sync = 4, .correlation = 6 },
		      "sync kind=1 start=5 ns=3 context=1 stream=2 event=3 event_sync=4 correlation=6");
	expect_record(CT_RECORD_EVENT, &(struct ct_event){ .context = 1, .stream = 2, .event = 3,
							   .event_sync = 4, .correlation = 5 },
		      "event context=1 stream=2 event=3 event_sync=4 correlation=5");
	expect_record(CT_RECORD_OVERHEAD,
		      &(struct ct_overhead){ .kind = 1, .start_ns = 2, .end_ns = 9, .tid = 8 },
		      "overhead kind=1 start=2 ns=7 tid=8 correlation=0");
	expect_record(CT_RECORD_STREAM,
		      &(struct ct_stream){ .context = 1, .stream = 2, .handle = 0x33, .flag = 1,
					   .priority = -4, .seen_ns = 6 },
		      "stream context=1 id=2 handle=0x33 flag=1 priority=-4 destroyed=0 seen=6");
	expect_record(CT_RECORD_CONTEXT,
		      &(struct ct_context){ .context = 1, .device = 0, .null_stream = 7, .seen_ns = 6 },
		      "context id=1 device=0 null_stream=7 destroyed=0 seen=6");
	expect_record(CT_RECORD_GPU,
		      &(struct ct_gpu){ .device = 1, .name = 2, .multiprocessors = 3, .memory_bytes = 4 },
		      "gpu id=1 name=2 multiprocessors=3 memory=4");
	expect_record(CT_RECORD_TOTAL,
		      &(struct ct_total){ .api = 1, .stack = 2, .rest = 1, .calls = 4, .total_ns = 5,
					  .longest_ns = 6, .bytes = 7, .long_calls = 8, .failed = 9 },
		      "total api=1 stack=2 rest=1 calls=4 ns=5 longest=6 bytes=7 long=8 failed=9");
	expect_record(CT_RECORD_NVTX_OPEN,
		      &(struct ct_nvtx_range){ .tid = 4, .begin_ns = 5, .end_ns = 6, .name = 7, .domain = 8,
					       .end_tid = 9, .category = 1, .color = 0x11, .kind = 2 },
		      "nvtx_open kind=2 begin=5 end=6 tid=4 end_tid=9 name=7 domain=8 category=1 "
		      "color=0x11 cut=0");
}

/* Texts are shown without what a terminal would obey. */
static void test_texts(void **state)
{
	struct ct_thread_record thread = { .tid = 42, .name = "worker" };
	union {
		struct ct_stack stack;
		uint64_t words[8];
	} u = { .stack = { .id = 3, .count = 2, .script = 1 } };
	struct ct_device_op kernel = { .kind = CT_DEVICE_KERNEL, .start_ns = 1, .end_ns = 4,
				       .shared_bytes = 9 };

	(void)state;
	expect_record(CT_RECORD_THREAD, &thread, "thread tid=42 worker");
	expect_record(CT_RECORD_STRING,
		      WITH_TEXT(struct ct_string, text, "a\033[1mb", .id = 6, .length = 6),
		      "string id=6 a?[1mb");
	expect_record(CT_RECORD_MODULE,
		      WITH_TEXT(struct ct_module, path, "/x/y", .start = 16, .end = 32, .bias = 8,
				.path_length = 4),
		      "module start=0x10 end=0x20 bias=0x8 /x/y");
	expect_record(CT_RECORD_API,
		      WITH_TEXT(struct ct_api_record, name, "cudaFreeX", .id = 4, .effects = 3,
				.name_length = 8),
		      "api id=4 effects=0x3 cudaFree");
	expect_record(CT_RECORD_NOTE,
		      WITH_TEXT(struct ct_note, text, "why", .code = 1, .value = 2, .seen_ns = 3,
				.length = 3),
		      "seen=3 note code=1 value=2 why");
	expect_record(CT_RECORD_SCRIPT,
		      WITH_TEXT(struct ct_script, text, "a b.pyf g", .id = 1, .line = 12,
				.file_length = 6, .function_length = 3),
		      "script id=1 language=0 line=12 file_bytes=6 a b.py f g");
	expect_record(CT_RECORD_NVTX_NAME,
		      WITH_TEXT(struct ct_nvtx_name, text, "a\033b", .id = 9, .length = 3), "nvtx_name id=9 a?b");
	u.stack.pc[0] = CT_PC_SCRIPT(5);
	u.stack.pc[1] = 0xabc;
	expect_record(CT_RECORD_STACK, &u.stack, "stack id=3 script=1 script:5 0xabc");
	kernel.u.kernel.grid_x = 7;
	expect_record(CT_RECORD_DEVICE, &kernel,
		      "device kind=1 start=1 ns=3 device=0 context=0 stream=0 correlation=0 name=0 graph=0 "
		      "channel=0 grid=7x0x0 block=0x0x0 registers=0 shared=9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_no_directory),
		MB_TEST(test_in_the_way),
		MB_TEST(test_full),
		MB_TEST(test_rows),
		MB_TEST(test_odd_values),
		cmocka_unit_test(test_fixed_records),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
