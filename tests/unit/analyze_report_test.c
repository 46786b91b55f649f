/* SPDX-License-Identifier: Apache-2.0 */
/* What report.txt says of what was not seen, and of devices and losses, case by case. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/said.h"

/* A launch, its kernel and a wait for it. */
static void work(struct model_builder *b, double at)
{
	mb_launch(b, MB_LEGACY, at, at + 2, at + 5, at + 200);
	mb_sync_device(b, at + 10, at + 201);
}

static void test_clean(void **state)
{
	struct model_builder *b = of(state);

	work(b, 0);
	expect(report(b, false, NULL),
	       SAID("cutrace: built (pid ", "seen 2 calls in 1 thread, 1 device operation on 1 stream",
		    "not seen nothing was dropped", "Serialization: none found.",
		    "The device was busy for 195 us", "Call sites that cost most"),
	       SAID("NOT seen", "light", "WRONG", "the whole report is in", "threads more"));
	expect(report(b, true, NULL),
	       SAID("cutrace: the whole report is in somewhere/report.txt", "Serialization: none found."),
	       SAID("thread 11", "The model replays"));
}

static void test_idle(void **state)
{
	struct model_builder *b = of(state);

	work(b, 0);
	work(b, 500);
	expect(report(b, false, NULL), SAID("The device was idle while 305 us in 1 gap"), NULL);
}

/* Gaps are those of all devices: "the device" would be any of them. */
static void test_idle_devices(void **state)
{
	struct model_builder *b = of(state);

	for (uint32_t device = 0; device < 2; device++) {
		mb_device(b, device);
		work(b, device * 500.0);
	}
	expect(report(b, false, NULL), SAID("At least one device was busy", "No device had work while 305 us in 1 gap",
					"1 operation stream"), SAID("The device was", "idle "));
	mb_device(b, 0);
	mb_launch(b, MB_LEGACY, 850, 855, 900, 950);
	expect(report(b, false, NULL), SAID("device 0 245 us busy, 1.00 operations at a time, 2 operations idle 700 us: 700 us in host code"),
	       NULL);
}

/* The mode was light all the time: nothing about the device is concluded. */
static void test_light(void **state)
{
	struct model_builder *b = of(state);

	mb_note(b, CT_NOTE_MODE, -100, CT_MODE_LIGHT);
	mb_sync_device(b, 10, 400);
	expect(report(b, false, NULL),
	       SAID("NOT seen kernels and launches, and so what waits were for: the mode was light all the "
		    "time (CUTRACE_MODE)", "The device: its kernels were not recorded (light).",
		    "Serialization: cannot be judged, kernels were not recorded (light).",
		    "device work not recorded (light)"),
	       SAID("nothing was dropped", "none found", "had nothing to do", "The model replays"));
}

static void test_windows(void **state)
{
	struct model_builder *b = of(state);

	mb_call(b, CT_API_cudaMalloc, 0, 10);
	mb_note(b, CT_NOTE_MODE, -100, CT_MODE_LIGHT);
	mb_note(b, CT_NOTE_MODE, 1000, CT_MODE_FULL);
	mb_note(b, CT_NOTE_MODE, 3000, CT_MODE_LIGHT);
	work(b, 1500);
	mb_sync_device(b, 3900, 4000);
	expect(report(b, false, NULL),
	       SAID("NOT seen full for 2.00 ms of 4.00 ms (50.0 %, 1 window), light otherwise",
		    "All about the device is the 2.00 ms in which everything was recorded: The device was busy",
		    "Serialization: none found in the time in which everything was recorded."),
	       SAID("light all the time", "cannot be judged"));
}

static void test_no_cupti(void **state)
{
	struct model_builder *b = of(state);

	b->no_cupti = true;
	mb_note_text(b, CT_NOTE_NO_CUPTI, 0, 0, "another tool was there first");
	mb_call(b, CT_API_cudaDeviceSynchronize, 10, 400);
	expect(report(b, false, NULL),
	       SAID("NOT seen device times: another tool was there first what waits were for; calls that "
		    "reach the driver by its private tables", "The device: nothing is known.",
		    "Serialization: cannot be judged without device times.",
		    "blocked, or at work in the driver, for"),
	       SAID("never started", "had nothing to do", "none found"));
}

/* Under auto, CUPTI may start late, or never. */
static void test_late(void **state)
{
	struct model_builder *b = of(state);

	b->no_cupti = true;
	mb_note(b, CT_NOTE_MODE, -100, CT_MODE_LIGHT);
	mb_call(b, CT_API_cudaMalloc, 0, 10);
	mb_call(b, CT_API_cudaMalloc, 500, 1010);
	expect(report(b, false, NULL), SAID("device times: CUPTI was never started", "what waits were for"),
	       SAID("until then,"));
	mb_note(b, CT_NOTE_CUPTI_VERSION, 490, 0);
	expect(report(b, false, NULL),
	       SAID("device times of the first 490 us: CUPTI had not been started until then, what waits"),
	       SAID("never started"));
	mb_restart(b); /* within the first call: nothing was missed */
	b->no_cupti = true;
	mb_note(b, CT_NOTE_MODE, -100, CT_MODE_LIGHT);
	mb_note(b, CT_NOTE_CUPTI_VERSION, 5, 0);
	mb_call(b, CT_API_cudaMalloc, 0, 10);
	mb_call(b, CT_API_cudaMalloc, 500, 1010);
	expect(report(b, false, NULL), SAID("light all the time"), SAID("CUPTI had not been started"));
}

static void test_yielded(void **state)
{
	struct model_builder *b = of(state);

	mb_note_text(b, CT_NOTE_YIELDED, 1000, 0, "cuptiSubscribe");
	work(b, 0);
	mb_sync_device(b, 3000, 4000);
	expect(report(b, false, NULL),
	       SAID("NOT seen device times from 1.00 ms on, since the program's own profiler took CUPTI "
		    "(cuptiSubscribe); CUTRACE_CUPTI=on keeps them",
		    "from then on, what waits were for",
		    "All about the device is the time before the program's own profiler:"),
	       SAID("nothing was dropped"));
	mb_restart(b);
	mb_note_text(b, CT_NOTE_YIELDED, -10, 0, "cuptiSubscribe"); /* before the first call */
	mb_sync_device(b, 0, 1000);
	expect(report(b, false, NULL), SAID("device times from 0 ns on, since"), NULL);
}

static void test_notes(void **state)
{
	struct model_builder *b = of(state);

	work(b, 0);
	mb_note_text(b, CT_NOTE_SHARED_GPU, 0, 0, "MPS");
	mb_note_text(b, CT_NOTE_PARTIAL_CUPTI, 0, 0, "synchronizations, as CUPTI is too old");
	mb_note_text(b, CT_NOTE_NO_UNWINDER, 0, 0, "stacks, for want of libunwind");
	mb_note(b, CT_NOTE_CLOCK_ERROR, 0, 700);
	mb_note(b, CT_NOTE_CLOCK_ERROR, 0, 800);
	mb_note_text(b, CT_NOTE_OWN_COST, 0, 3000, "10");
	mb_note_text(b, CT_NOTE_OWN_COST, 0, 1000, "10");
	mb_note_text(b, CT_NOTE_GPU_MEMORY, 0, 3 << 19, "for buffers");
	expect(report(b, false, NULL),
	       SAID("the work of other processes that share the GPU (MPS)",
		    "synchronizations, as CUPTI is too old", "stacks, for want of libunwind",
		    "clocks agree within 1.50 us;",
		    "recording took 200 ns a call (20 were timed), so about 400 ns in all",
		    "CUPTI sets aside 1.5 MiB or more of GPU memory in each context (for buffers)"),
	       SAID("nothing was dropped"));
}

static void test_rank(void **state)
{
	struct model_builder *b = of(state);

	work(b, 0);
	mb_note_text(b, CT_NOTE_RANK, 0, 3, "RANK");
	expect(report(b, false, NULL), SAID(", rank 3), "), NULL);
	mb_note_text(b, CT_NOTE_WORLD_SIZE, 0, 3, "WORLD_SIZE"); /* which cannot be */
	expect(report(b, false, NULL), SAID(", rank 3), "), NULL);
	b->notes[1].value = 8;
	expect(report(b, false, NULL), SAID(", rank 3 of 8), "), NULL);
	b->notes[0].value = UINT64_MAX;
	expect(report(b, false, NULL), SAID("(pid "), SAID("rank"));
}

/* A file of a run that was killed, with losses of every kind. */
static void test_losses(void **state)
{
	struct model_builder *b = of(state);
	const char *const no[SAYS] = { "nothing was dropped" };
	char *text;

	work(b, 0);
	b->cut_off = true;
	for (int kind = 0; kind < CT_LOSS_COUNT; kind++)
		b->lost[kind] = 1000 + (uint64_t)kind;
	text = report(b, false, NULL);
	for (int kind = 0; kind < CT_LOSS_COUNT; kind++) {
		char line[512];

		snprintf(line, sizeof(line), "%d %s", 1000 + kind, ct_report_loss(kind));
		assert_non_null(strstr(text, flat(line)));
	}
	expect(text, SAID("the end: the run was cut off (killed, or still going)"), no);
	assert_string_equal(ct_report_loss(CT_LOSS_COUNT),
			    "losses of a kind this version does not know");
}

static void damage(struct ct_model *model)
{
	model->damaged_bytes = 640;
	model->damaged_at = 8192;
	model->unknown_records = 3;
	model->untimed_ops = 4;
}

static void test_damage(void **state)
{
	struct model_builder *b = of(state);

	work(b, 0);
	expect(report(b, false, damage),
	       SAID("640 damaged bytes of the trace, the first at offset 8192",
		    "3 records of kinds that this version does not know",
		    "4 device records whose times cannot be"),
	       SAID("nothing was dropped"));
}

/* Device work without a call, calls without their work, calls nobody knows. */
static void test_unjoined(void **state)
{
	struct model_builder *b = of(state);
	struct ct_device_op *op;

	work(b, 0);
	op = mb_launch(b, MB_LEGACY, 300, 302, 305, 310);
	op->correlation = 999;
	mb_call(b, CT_API_cudaMallocManaged, 400, 405);
	mb_call(b, CT_API_cudaFree, 410, 412)->api = 60000;
	expect(report(b, false, NULL),
	       SAID("what 1 call submitted: no device record of it came (it had not ended",
		    "the calls that submitted 1 device operation",
		    "page faults and migrations of managed memory (1 allocation)",
		    "which call it was, of 1 call whose names are missing in the trace"),
	       SAID("nothing was dropped", "made while the mode was light"));
}

/* A thread of its own for a device: its free keeps two kernels of two streams from running at once. */
static void serialize_device(struct model_builder *b, uint32_t device, uint32_t api, double end)
{
	mb_thread(b, MB_A + device);
	mb_device(b, device);
	mb_stream(b, 21, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, 22, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, 21, 0, 5, 10, 1000);
	mb_call_about(b, api, 0xa0000 + device, 6, 1010);
	mb_launch(b, 22, 1015, 1020, 1025, end);
}

/* One place is listed with what it cost. Of two beside each other each, by itself, has cost little. */
static void test_lost_together(void **state)
{
	struct model_builder *b = of(state);

	serialize_device(b, 0, CT_API_cudaFree, 2025);
	expect(report(b, false, NULL), SAID("Serialization cost"), SAID("several places together"));
}

static void test_lost_by_two(void **state)
{
	struct model_builder *b = of(state);

	serialize_device(b, 0, CT_API_cudaFree, 2025);
	serialize_device(b, 1, CT_API_cudaFreeArray, 1925);
	expect(report(b, false, NULL), SAID("Serialization cost", "Most of it is lost by several places together"), NULL);
}

/* Each of two alone costs nothing, as the other takes as long: but there is a loss. */
static void test_lost_only_together(void **state)
{
	struct model_builder *b = of(state);

	serialize_device(b, 0, CT_API_cudaFree, 2025);
	serialize_device(b, 1, CT_API_cudaFreeArray, 2025);
	expect(report(b, false, NULL),
	       SAID("Serialization cost 994 us (49 % of the run), by several places together: ",
		    "Places: cudaFree at (no stack), cudaFreeArray at (no stack)."),
	       SAID("none found", "Most of it"));
}

/* No replay does without the order of host functions: the loss is that of the operation behind. */
static void test_lost_without_replay(void **state)
{
	struct model_builder *b = of(state);

	for (uint32_t stream = 21; stream <= 23; stream++)
		mb_stream(b, stream, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, 23, 0, 1, 2, 2000);
	mb_launch(b, 22, 1, 2, 3, 300);
	mb_call_on(b, CT_API_cudaLaunchHostFunc, 21, 10, 12);
	mb_call_on(b, CT_API_cudaStreamAddCallback, 22, 12, 14);
	mb_launch(b, 21, 14, 16, 410, 500);
	mb_launch(b, 22, 16, 18, 810, 900);
	mb_call_on(b, CT_API_cudaLaunchHostFunc, 22, 1000, 1001);
	expect(report(b, false, NULL),
	       SAID("Serialization kept 1 operation from overlapping.", " 1 90.0 us 0 ns 2 cudaLaunchHostFunc"),
	       SAID("cost 0 ns", "none found"));
}

static void push_module(struct ct_model *model, const char *path, uint64_t start)
{
	size_t length = strlen(path);
	struct ct_module *module = calloc(1, sizeof(*module) + length);

	assert_non_null(module);
	module->start = module->bias = start;
	module->end = start + 0x100000;
	module->path_length = (uint32_t)length;
	memcpy(module->path, path, length);
	assert_int_equal(CT_PUSH(&model->modules, module), 0);
}

/* The code of a function of a library. */
static uint64_t offset_in(const char *path, const char *function)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	uint64_t offset;
	Dl_info info;

	assert_non_null(library);
	assert_int_not_equal(dladdr(dlsym(library, function), &info), 0);
	offset = (uint64_t)((char *)info.dli_saddr - (char *)info.dli_fbase) + 1;
	dlclose(library);
	return offset;
}

static void push_stack(struct ct_model *model, uint64_t address)
{
	uint64_t *pc = malloc(sizeof(*pc));

	assert_non_null(pc);
	*pc = address;
	assert_int_equal(CT_PUSH(&model->stacks, ((struct ct_stack_info){ .count = 1, .pc = pc })), 0);
}

/* Both calls come from modules without a build id, of which one has its functions in other files. */
static void in_modules(struct ct_model *model)
{
	push_module(model, LINED_LIBRARY, 0x10000000);
	push_module(model, SPLIT_LIBRARY, 0x20000000);
	push_module(model, "/never/asked/for.so", 0x30000000);
	if (!model->stacks.count)
		assert_int_equal(CT_PUSH(&model->stacks, (struct ct_stack_info){ 0 }), 0);
	model->calls.at[0].raw.stack = (uint32_t)model->stacks.count;
	push_stack(model, 0x10000000 + offset_in(LINED_LIBRARY, "linked"));
	model->calls.at[1].raw.stack = (uint32_t)model->stacks.count;
	push_stack(model, 0x20000000 + offset_in(SPLIT_LIBRARY, "linked"));
}

static void test_modules(void **state)
{
	struct model_builder *b = of(state);

	work(b, 0);
	expect(report(b, false, in_modules),
	       SAID("whether 2 modules without a build id changed since: their source lines may be wrong",
		    "source lines or inlined functions of 1 module: files that their debug information names "
		    "(.dwo, dwz) are not opened", "at linked.c:"),
	       SAID("nothing was dropped", "whose file is gone"));
}

static void name_gpus(struct ct_model *model)
{
	struct ct_gpu second = model->gpus.at[0];

	assert_int_equal(CT_PUSH(&model->strings, strdup("")), 0);
	assert_int_equal(CT_PUSH(&model->strings, strdup("Big GPU")), 0);
	assert_int_equal(CT_PUSH(&model->strings, strdup("Small GPU")), 0);
	model->gpus.at[0].name = (uint32_t)model->strings.count - 2;
	second.name = (uint32_t)model->strings.count - 1;
	assert_int_equal(CT_PUSH(&model->gpus, second), 0);
	second.name = 1000; /* was lost */
	assert_int_equal(CT_PUSH(&model->gpus, second), 0);
	second = (struct ct_gpu){ .device = 5, .name = model->gpus.at[0].name }; /* not used */
	assert_int_equal(CT_PUSH(&model->gpus, second), 0);
}

static void test_gpus(void **state)
{
	struct model_builder *b = of(state);

	work(b, 0);
	expect(report(b, false, name_gpus), SAID("to last work; on 2 devices: Big GPU, Small GPU; only device 0 had work seen"), NULL);
}

/* Two of one name, each with its work; the summary leaves out their streams. */
static void name_alike(struct ct_model *model)
{
	struct ct_gpu second = model->gpus.at[0];

	assert_int_equal(CT_PUSH(&model->strings, strdup("H200")), 0);
	second.device = 1;
	model->gpus.at[0].name = second.name = (uint32_t)model->strings.count - 1;
	assert_int_equal(CT_PUSH(&model->gpus, second), 0);
}

static void two_devices(struct model_builder *b)
{
	work(b, 0);
	mb_device(b, 1);
	mb_launch(b, MB_LEGACY, 20, 25, 30, 1030);
	mb_sync_device(b, 30, 1035);
}

static void test_devices(void **state)
{
	const char *const both[SAYS] = { "; on 2 devices: H200 seen", "At least one device was busy",
					 "2 devices had work, and", "device 0 ", "device 1 1.00 ms busy",
					 "stream 7 of device 1" };
	const char *const streams[SAYS] = { "stream 7 1.00 ms of work in 1 operation" };

	two_devices(of(state));
	expect(report(of(state), true, name_alike), both, streams);
	mb_restart(of(state));
	two_devices(of(state));
	expect(report(of(state), false, name_alike), both, NULL);
	mb_restart(of(state));
	two_devices(of(state));
	expect(report(of(state), false, name_alike), streams, NULL);
}

static void test_threads(void **state)
{
	struct model_builder *b = of(state);

	for (uint32_t t = 0; t < 6; t++) {
		mb_thread(b, MB_A + t);
		mb_call(b, CT_API_cudaMalloc, 10 * t, 10 * t + 5);
	}
	expect(report(b, false, NULL),
	       SAID("thread 11 ", "thread 14 ", "and 2 threads more (calls.csv)", "threads add up",
		    "The device had nothing to do: no operation was seen."),
	       SAID("thread 15 ", "nothing is known", " 1 calls,"));
}

/* Older than what is kept, but not overwritten: it is left out, and said to be. */
static void some_early(struct ct_model *model)
{
	model->early_calls = 3;
	model->early_ops = 1;
	model->early_submits = 2;
}

/* What a flight recorder kept, and the totals that it has of the whole run. */
static void test_flight(void **state)
{
	struct model_builder *b = of(state);

	mb_call(b, CT_API_cudaMalloc, 50, 60);
	work(b, 200);
	for (int i = 0; i < 12; i++) {
		struct ct_total *total = mb_total(b, (enum ct_api)(CT_API_cudaMalloc + i), 0);

		total->calls = 5 + (uint64_t)i;
		total->total_ns = 1000000;
		total->longest_ns = 3000;
	}
	b->kept_from_us = 100;
	expect(report(b, false, NULL),
	       SAID("from the first record kept to last work", "flight recorder: the last ",
		    "(the part kept took", "The whole run: call sites by time in calls",
		    "and 2 more (totals.csv)", "10 1.00 ms 3.00 us "),
	       SAID("11 1.00 ms"));
	expect(report(b, false, some_early),
	       SAID("3 calls and 1 device operation of that time that were not overwritten: left out",
		    "the calls of that time that submitted 2 device operations"), NULL);
	expect(report(b, true, NULL), SAID("The whole run: call sites", "and 9 more (totals.csv)"),
	       SAID("and 2 more"));
	b->kept_from_us = 0;
	expect(report(b, true, NULL), SAID("from first CUDA call"), SAID("The whole run:"));
	mb_note(b, CT_NOTE_MODE, -100, CT_MODE_LIGHT);
	b->kept_from_us = 100;
	expect(report(b, false, NULL), SAID("the mode was light all through the part kept"), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_idle),    MB_TEST(test_idle_devices),
		MB_TEST(test_clean),   MB_TEST(test_light),    MB_TEST(test_windows),
		MB_TEST(test_no_cupti), MB_TEST(test_late),    MB_TEST(test_yielded),
		MB_TEST(test_notes),   MB_TEST(test_rank),     MB_TEST(test_losses),
		MB_TEST(test_damage),  MB_TEST(test_unjoined), MB_TEST(test_gpus),
		MB_TEST(test_devices), MB_TEST(test_lost_together), MB_TEST(test_lost_by_two),
		MB_TEST(test_lost_only_together), MB_TEST(test_lost_without_replay),
		MB_TEST(test_threads), MB_TEST(test_flight),   MB_TEST(test_modules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
