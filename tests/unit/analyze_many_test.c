/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces with very many of one kind of thing, as no program has, or hardly any: a report of each
 * ends within the test's time limit, which going through all of them for each does not.
 * `analyze_many_test KIND COUNT DIRECTORY` writes such a trace, to be measured.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "analyze/analysis.h"
#include "analyze/report.h"
#include "trace/apis.h"
#include "trace/writer.h"

#define START_NS 1000000000u

/* A trace being written. `now_ns` is when the next call begins, unless a kind has its own times. */
struct many {
	struct ct_file file;
	struct ct_writer writer;
	uint64_t now_ns;
	uint32_t correlation;
};

static void put_bytes(struct many *m, enum ct_record_type type, const void *head, size_t bytes,
		      const char *text)
{
	uint32_t all = (uint32_t)(bytes + strlen(text));
	uint8_t *record = ct_writer_reserve(&m->writer, all);

	assert_non_null(record);
	memcpy(record + sizeof(uint32_t), (const uint8_t *)head + sizeof(uint32_t),
	       bytes - sizeof(uint32_t));
	memcpy(record + bytes, text, strlen(text));
	ct_writer_commit(record, type, all);
}

static void put(struct many *m, enum ct_record_type type, const void *record)
{
	assert_true(ct_writer_put(&m->writer, type, record));
}

static void put_api(struct many *m, enum ct_api api)
{
	const struct ct_api_record head = { .id = (uint16_t)api,
					    .name_length = (uint16_t)strlen(ct_apis[api].name),
					    .effects = ct_apis[api].effects };

	put_bytes(m, CT_RECORD_API, &head, offsetof(struct ct_api_record, name), ct_apis[api].name);
}

/* A call of 1 us, 2 us after the one before. */
static void put_call(struct many *m, enum ct_api api, uint64_t stream, uint32_t context)
{
	const struct ct_call call = { .api = (uint16_t)api, .enter_ns = m->now_ns,
				      .leave_ns = m->now_ns + 1000, .stream = stream,
				      .context = context, .correlation = ++m->correlation };

	put(m, CT_RECORD_CALL, &call);
	m->now_ns += 2000;
}

/* The kernel of the last call. */
static void put_kernel(struct many *m, uint32_t context, uint32_t stream, uint32_t name,
		       uint16_t device)
{
	struct ct_device_op op = { .correlation = m->correlation, .start_ns = m->now_ns,
				   .end_ns = m->now_ns + 1000, .context = context,
				   .stream = stream, .name = name, .device = device,
				   .kind = CT_DEVICE_KERNEL };

	op.u.kernel.grid_x = op.u.kernel.grid_y = op.u.kernel.grid_z = 1;
	op.u.kernel.block_x = op.u.kernel.block_y = op.u.kernel.block_z = 1;
	put(m, CT_RECORD_DEVICE, &op);
}

/* As of a thread of its own. */
static void become(struct many *m, uint32_t tid)
{
	const struct ct_thread_record record = { .tid = tid };

	m->writer.tid = tid;
	put(m, CT_RECORD_THREAD, &record);
}

static void put_context(struct many *m, uint32_t context, uint32_t device, uint32_t null_stream)
{
	const struct ct_context record = { .context = context, .device = device,
					   .null_stream = null_stream, .seen_ns = START_NS };

	put(m, CT_RECORD_CONTEXT, &record);
}

/* Every name is the text of two strings. */
static void names(struct many *m, uint32_t count)
{
	for (uint32_t i = 1; i <= count; i++) {
		char text[64];
		struct ct_string head = { .id = i };

		head.length = (uint32_t)snprintf(text, sizeof(text), "kernel_of_some_length_%u", i / 2);
		put_bytes(m, CT_RECORD_STRING, &head, offsetof(struct ct_string, text), text);
		put_call(m, CT_API_cudaLaunchKernel, 5, 1);
		put_kernel(m, 1, 13, i, 0);
	}
}

static void handles(struct many *m, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		put_call(m, CT_API_cudaLaunchKernel, 0x10000 + 64 * (count - i), 1);
		put_kernel(m, 1, 13 + i, 0, 0);
	}
}

static void modules(struct many *m, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct ct_module head = { .path_length = 11,
						.start = 0x1000ull * i,
						.end = 0x1000ull * i + 0x800 };
		struct ct_stack stack = { .id = i + 1, .count = 1 };
		uint64_t pc = 0x1000ull * i + 0x100;
		uint8_t *record = ct_writer_reserve(&m->writer, sizeof(stack) + sizeof(pc));

		assert_non_null(record);
		memcpy(record, &stack, sizeof(stack));
		memcpy(record + sizeof(stack), &pc, sizeof(pc));
		ct_writer_commit(record, CT_RECORD_STACK, sizeof(stack) + sizeof(pc));
		put_bytes(m, CT_RECORD_MODULE, &head, offsetof(struct ct_module, path), "/nowhere.so");
		const struct ct_call call = { .api = CT_API_cudaFree, .enter_ns = m->now_ns,
					      .leave_ns = m->now_ns + 1000, .stack = i + 1,
					      .stream = CT_STREAM_NONE, .context = 1 };

		put(m, CT_RECORD_CALL, &call);
		m->now_ns += 2000;
	}
}

/* Streams come and go, and all get the same handle. */
static void one_handle(struct many *m, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct ct_stream record = { .context = 1, .stream = 13 + i, .handle = 0x1000,
						  .seen_ns = m->now_ns,
						  .flag = CT_STREAM_FLAG_BLOCKING };

		put(m, CT_RECORD_STREAM, &record);
		put_call(m, CT_API_cudaStreamSynchronize, 0x1000, 1);
	}
}

static void contexts(struct many *m, uint32_t count)
{
	for (uint32_t i = 1; i <= count; i++) {
		put_context(m, i + 1, 0, 7);
		put_call(m, CT_API_cudaFree, CT_STREAM_NONE, i + 1);
		put_call(m, CT_API_cudaLaunchKernel, 0, i + 1);
		put_kernel(m, i + 1, 7, 0, 0);
		put_call(m, CT_API_cudaStreamSynchronize, 0, i + 1);
	}
}

/* The same, seen by nobody: what ran in them tells of them. */
static void learnt_contexts(struct many *m, uint32_t count)
{
	for (uint32_t i = 1; i <= count; i++) {
		put_call(m, CT_API_cudaLaunchKernel, 0, i + 1);
		put_kernel(m, i + 1, 7, 0, 0);
		put_call(m, CT_API_cudaFree, CT_STREAM_NONE, i + 1);
	}
}

static void devices(struct many *m, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct ct_gpu gpu = { .device = count - 1 - i, .multiprocessors = 1 + i % 2 };

		put(m, CT_RECORD_GPU, &gpu);
		put_call(m, CT_API_cudaLaunchKernel, 5, 1);
		put_kernel(m, 1, 13, 0, (uint16_t)i);
	}
}

/* Every thread in a call at the same time. */
static void threads(struct many *m, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct ct_call call = { .api = CT_API_cudaMalloc, .enter_ns = START_NS + i,
					      .leave_ns = START_NS + 1000000 + i,
					      .stream = CT_STREAM_NONE, .context = 1 };

		become(m, 100 + i);
		put(m, CT_RECORD_CALL, &call);
	}
}

/* One kernel and everybody who waits for it. */
static void waiting(struct many *m, uint32_t count)
{
	struct ct_device_op op = { .correlation = m->correlation + 1, .start_ns = START_NS,
				   .end_ns = START_NS + 900000, .context = 1, .stream = 7,
				   .kind = CT_DEVICE_KERNEL };

	put(m, CT_RECORD_DEVICE, &op);
	put_call(m, CT_API_cudaLaunchKernel, 0, 1);
	for (uint32_t i = 0; i < count; i++) {
		const struct ct_call call = { .api = CT_API_cudaDeviceSynchronize,
					      .enter_ns = START_NS + 3000 + i,
					      .leave_ns = START_NS + 900010 + i,
					      .stream = CT_STREAM_NONE, .context = 1,
					      .correlation = 100 + i };

		become(m, 100 + i);
		put(m, CT_RECORD_CALL, &call);
	}
}

static void captures(struct many *m, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		put_call(m, CT_API_cudaStreamBeginCapture, 0x10000 + 64 * i, 1);
		put_call(m, CT_API_cudaLaunchKernel, 0x10000 + 64 * i, 1);
	}
}

/* Calls of one thread, each within the one before. */
static void nested(struct many *m, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct ct_call call = { .api = CT_API_cudaMalloc, .enter_ns = START_NS + i,
					      .leave_ns = START_NS + 2000000 - i,
					      .stream = CT_STREAM_NONE, .context = 1 };

		put(m, CT_RECORD_CALL, &call);
	}
}

static void nested_frees(struct many *m, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct ct_call call = { .api = i % 2 ? CT_API_cudaFree : CT_API_cudaLaunchKernel,
					      .enter_ns = START_NS + i,
					      .leave_ns = START_NS + 2000000 + i, .correlation = i + 1,
					      .stream = i % 2 ? CT_STREAM_NONE : 0, .context = 1 };
		struct ct_device_op op = { .correlation = i + 1, .start_ns = START_NS + 1000 + i,
					   .end_ns = START_NS + 1500000 + i, .context = 1, .stream = 7 + i,
					   .kind = CT_DEVICE_KERNEL };

		put(m, CT_RECORD_CALL, &call);
		if (i % 2 == 0)
			put(m, CT_RECORD_DEVICE, &op);
	}
}

/* Calls of all sorts, lengths and threads, at the same time. */
static void crowd(struct many *m, uint32_t count)
{
	static const enum ct_api apis[] = { CT_API_cudaMalloc, CT_API_cudaFree, CT_API_cudaLaunchKernel,
					    CT_API_cudaMemcpyAsync, CT_API_cudaStreamCreate };
	uint64_t seed = 1;

	for (uint32_t i = 0; i < count; i++) {
		struct ct_call call = { .stream = CT_STREAM_NONE, .context = 1 };

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		if (i % 2 == 0)
			become(m, 100 + (seed >> 60));
		call.api = (uint16_t)apis[(seed >> 40) % 5];
		call.enter_ns = START_NS + 5000ull * i;
		call.leave_ns = call.enter_ns + (seed >> 33) % 200000;
		put(m, CT_RECORD_CALL, &call);
	}
}

static const struct kind {
	const char *name;
	void (*write)(struct many *m, uint32_t count);
} kinds[] = {
#define KIND(name) { #name, name }
	KIND(names), KIND(handles), KIND(modules), KIND(one_handle), KIND(contexts),
	KIND(learnt_contexts), KIND(devices), KIND(threads), KIND(waiting), KIND(captures),
	KIND(nested), KIND(nested_frees), KIND(crowd),
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void write_trace(const char *directory, const struct kind *kind, uint32_t count)
{
	static struct many m;
	const struct ct_note note = { .code = CT_NOTE_CUPTI_VERSION, .value = 130000 };
	char path[4096];

	m = (struct many){ .now_ns = START_NS };
	mkdir(directory, 0777);
	snprintf(path, sizeof(path), "%s/trace.cutrace", directory);
	unlink(path);
	assert_int_equal(ct_file_create(&m.file, path, "program"), 0);
	ct_writer_init(&m.writer, &m.file, 11);
	for (int api = 1; api < CT_API_COUNT; api++)
		put_api(&m, (enum ct_api)api);
	put_bytes(&m, CT_RECORD_NOTE, &note, offsetof(struct ct_note, text), "");
	put_context(&m, 1, 0, 7);
	kind->write(&m, count);
	ct_file_finish(&m.file, CT_FINISH_EXIT);
}

static int write_one(char **args)
{
	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(args[0], kinds[i].name)) {
			write_trace(args[2], &kinds[i], (uint32_t)strtoul(args[1], NULL, 0));
			return 0;
		}
	return 2;
}

#define MANY 200000u /* going through half of them for each takes minutes */

static char directory[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/cutrace-many-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

/* Write a trace, analyze it and write everything that there is to say about it. */
static struct ct_analysis *report(void (*write)(struct many *m, uint32_t count), uint32_t count)
{
	const struct ct_analysis_options options = { .process = true };
	const struct kind kind = { "", write };
	struct ct_analysis *a;
	const char *failed;

	write_trace(directory, &kind, count);
	assert_int_equal(ct_analysis_run(directory, &options, &a), 0);
	assert_int_equal(ct_report_write(a, NULL, &failed), 0);
	return a;
}

static size_t lines_of(const char *name)
{
	char path[128];
	size_t lines = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "r");
	assert_non_null(file);
	for (int c; (c = getc(file)) != EOF;)
		lines += c == '\n';
	fclose(file);
	return lines;
}

static void test_names(void **state)
{
	(void)state;
	ct_analysis_destroy(report(names, MANY));
	assert_int_equal(lines_of("cuda_gpu_kern_sum.csv"), 1 + MANY / 2 + 1); /* i / 2 is 0 once */
}

static void test_handles(void **state)
{
	struct ct_analysis *a = report(handles, MANY);

	(void)state;
	assert_int_equal(a->model->handles.count, MANY);
	for (uint32_t i = 1; i < MANY; i++)
		assert_true(a->model->handles.at[i - 1].handle < a->model->handles.at[i].handle);
	assert_int_equal(a->model->handles.at[0].stream, 13 + MANY - 1);
	ct_analysis_destroy(a);
}

static void test_modules(void **state)
{
	struct ct_analysis *a = report(modules, MANY);

	(void)state;
	assert_int_equal(a->sites->all.count, MANY);
	ct_analysis_destroy(a);
}

/* Each call means the stream that its handle named then. */
static void test_one_handle(void **state)
{
	struct ct_analysis *a = report(one_handle, MANY);

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(a->model->streams.at[a->model->calls.at[i].stream].id, 13 + i);
	ct_analysis_destroy(a);
}

/* The first is in nobody's way but its own; all others wait for it, and so not for each other. */
static void test_threads(void **state)
{
	struct ct_analysis *a = report(threads, MANY);
	const struct ct_model *model = a->model;

	(void)state;
	assert_int_equal(model->calls.at[0].parts[CT_PART_LOCK_WAIT], 0);
	for (uint32_t i = 1; i < MANY; i++) {
		const struct ct_wait *wait = &model->waits.at[model->calls.at[i].first_wait];

		assert_int_equal(wait->part, CT_PART_LOCK_WAIT);
		assert_int_equal(wait->other, 0);
	}
	ct_analysis_destroy(a);
}

/* No thread waits for itself. */
static void test_nested(void **state)
{
	struct ct_analysis *a = report(nested, MANY);

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(a->model->calls.at[i].parts[CT_PART_LOCK_WAIT], 0);
	ct_analysis_destroy(a);
}

/* There are no more devices than a record can name; of every second one a block fills half. */
static void test_devices(void **state)
{
	struct ct_analysis *a = report(devices, 65536);

	(void)state;
	for (uint32_t i = 0; i < 65536; i++)
		assert_true(a->model->ops.at[i].spread == (i % 2 ? 1.0f : 0.5f));
	ct_analysis_destroy(a);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_modules, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_handles, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_handle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nested, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_devices, set_up, tear_down),
	};

	return argc == 4 ? write_one(argv + 1) : cmocka_run_group_tests(tests, NULL, NULL);
}
