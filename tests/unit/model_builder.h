/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small traces whose analysis is known by construction. A test says what happened, in
 * microseconds; the builder writes it as a trace file and loads it as a model. There is
 * one GPU (device 0), one context with its legacy default stream, and CUPTI was at work. With
 * mb_device() there are more.
 */
#ifndef CT_TESTS_MODEL_BUILDER_H
#define CT_TESTS_MODEL_BUILDER_H

#include <stdbool.h>

#include "tests/unit/unit.h"

#include "analyze/model.h"
#include "analyze/serialize.h"
#include "analyze/site.h"

#define MB_RECORDS 8192
#define MB_NOTES 16

enum {
	MB_CONTEXT = 1,
	MB_LEGACY = 7,  /* CUPTI's number of the legacy default stream */
	MB_FULL = 100,  /* a grid that fills the device: one block per multiprocessor */
	MB_A = 11,      /* threads */
	MB_B = 12,
	MB_C = 13,
};

struct mb_record {
	uint32_t tid;
	enum ct_record_type type;
	union {
		uint8_t bytes[CT_SLOT_BYTES];
		struct ct_call call;
		struct ct_device_op op;
		struct ct_sync sync;
		struct ct_event event;
		struct ct_overhead overhead;
		struct ct_stream stream;
		struct ct_context context;
		struct ct_gpu gpu;
		struct ct_total total;
	} u;
};

struct mb_note {
	enum ct_note_code code;
	double us;
	uint64_t value;
	const char *text; /* NULL: none */
};

struct model_builder {
	struct mb_record *records; /* never move: tests keep pointers to them */
	size_t count;
	uint32_t tid;              /* whose calls follow */
	uint32_t device;           /* which one is current, with context MB_CONTEXT + device */
	uint32_t correlation;
	uint64_t event_sync;
	bool no_cupti;
	struct mb_note notes[MB_NOTES];
	size_t note_count;
	uint64_t lost[CT_LOSS_COUNT]; /* by kind */
	bool cut_off;
	double kept_from_us;       /* a flight recorder that has overwritten records until then */
	struct ct_model *model;
	struct ct_sites *sites;
	struct ct_serialization *serialization;
};

/* For cmocka: *state is a fresh builder; its models go with it. */
int mb_set_up(void **state);
int mb_tear_down(void **state);
#define MB_TEST(function) cmocka_unit_test_setup_teardown(function, mb_set_up, mb_tear_down)

/* Drop all that was said so far. */
void mb_restart(struct model_builder *b);

/* A point of the test's time as the trace has it. */
uint64_t mb_ns(double us);
double mb_us(uint64_t ns); /* of a duration */

/* What follows is said of this thread. */
static inline void mb_thread(struct model_builder *b, uint32_t tid)
{
	b->tid = tid;
}

/* Stream `id` exists from the beginning; returns the handle calls know it by. */
uint64_t mb_stream(struct model_builder *b, uint32_t id, enum ct_stream_flag flag);
uint64_t mb_handle(uint32_t stream); /* 0 for MB_LEGACY */
uint64_t mb_event_handle(uint32_t event);

/* The same stream number may be one of each device: its handle differs, but for the default one. */
static inline uint64_t mb_handle_on(const struct model_builder *b, uint32_t stream)
{
	uint64_t handle = mb_handle(stream);

	return handle ? handle + ((uint64_t)b->device << 20) : 0;
}

/* A call of the current thread that names no stream. The record may be changed until the load. */
struct ct_call *mb_call(struct model_builder *b, enum ct_api api, double enter, double leave);
struct ct_call *mb_call_on(struct model_builder *b, enum ct_api api, uint32_t stream, double enter,
			   double leave);
struct ct_call *mb_call_about(struct model_builder *b, enum ct_api api, uint64_t addr, double enter,
			      double leave);

/* Device work of a call. A kernel is one block, which hardly fills the device. */
struct ct_device_op *mb_kernel(struct model_builder *b, const struct ct_call *call, uint32_t stream,
			       double start, double end);
struct ct_device_op *mb_copy(struct model_builder *b, const struct ct_call *call, uint32_t stream,
			     enum ct_memory host, double start, double end);

/* cudaLaunchKernel and its kernel; grid: blocks, of which MB_FULL fill the device. */
struct ct_device_op *mb_launch(struct model_builder *b, uint32_t stream, double enter, double leave,
			       double start, double end);
struct ct_call *mb_launcher(struct model_builder *b, const struct ct_device_op *op);

/* Synchronising, with CUPTI's records of it. */
struct ct_call *mb_sync_device(struct model_builder *b, double enter, double leave);
struct ct_call *mb_sync_stream(struct model_builder *b, uint32_t stream, double enter,
			       double leave);
struct ct_call *mb_sync_event(struct model_builder *b, const struct ct_event *event, double enter,
			      double leave);
struct ct_event *mb_record_event(struct model_builder *b, uint32_t event, uint32_t stream,
				 double enter, double leave);
struct ct_call *mb_wait_event(struct model_builder *b, const struct ct_event *event,
			      uint32_t stream, double enter, double leave);

/* Of the current thread, to be joined by time. */
struct ct_overhead *mb_overhead(struct model_builder *b, enum ct_overhead_kind kind, double start,
				double end);
struct ct_context *mb_context(struct model_builder *b, uint32_t context, uint32_t null_stream,
			      double seen);

/* What follows is about this device; a new one begins with its context and legacy default stream. */
static inline void mb_device(struct model_builder *b, uint32_t device)
{
	bool known = device == 0;

	for (size_t i = 0; i < b->count; i++)
		known |= b->records[i].type == CT_RECORD_CONTEXT &&
			 b->records[i].u.context.device == device;
	b->device = device;
	if (known)
		return;
	mb_context(b, MB_CONTEXT + device, MB_LEGACY, -1000);
	mb_stream(b, MB_LEGACY, CT_STREAM_FLAG_LEGACY);
}

/* A note written at that time, such as a change of mode. */
static inline void mb_note(struct model_builder *b, enum ct_note_code code, double us,
			   uint64_t value)
{
	assert_true(b->note_count < MB_NOTES);
	b->notes[b->note_count++] = (struct mb_note){ code, us, value, NULL };
}

/* The same with a text that outlives the builder. */
static inline void mb_note_text(struct model_builder *b, enum ct_note_code code, double us,
				uint64_t value, const char *text)
{
	mb_note(b, code, us, value);
	b->notes[b->note_count - 1].text = text;
}

/* What the whole run's calls of an API from a stack add up to. */
struct ct_total *mb_total(struct model_builder *b, enum ct_api api, uint32_t stack);

/* Put the records into another order, and those of the device into other threads' chunks. */
void mb_shuffle(struct model_builder *b, unsigned seed);

/* Write the file and load it; then split the calls; then find sites and serialization too. */
struct ct_model *mb_load(struct model_builder *b);
struct ct_model *mb_split(struct model_builder *b);
struct ct_serialization *mb_serialize(struct model_builder *b);

/* What became of a record in the model. */
const struct ct_host_call *mb_host(const struct model_builder *b, const struct ct_call *call);
uint32_t mb_host_index(const struct model_builder *b, const struct ct_call *call);
uint32_t mb_op(const struct model_builder *b, const struct ct_device_op *op);

/* The parts of a call's time in microseconds, by id: .DEVICE_WAIT = 495. */
struct mb_parts {
#define X(id, name, text) double id;
	CT_PARTS(X)
#undef X
};

/* All parts of a call are exactly these, and they are its whole duration. */
void mb_expect_parts(const struct model_builder *b, const struct ct_call *call,
		     const struct mb_parts *expected, const char *file, int line);
#define EXPECT_PARTS(b, call, ...)                                                                 \
	mb_expect_parts(b, call, &(const struct mb_parts){ __VA_ARGS__ }, __FILE__, __LINE__)

/* The longest wait of a part of a call. Fails if there is none. */
const struct ct_wait *mb_wait(const struct model_builder *b, const struct ct_call *call,
			      enum ct_part part);

/* A repeatable random number in [0, below). */
static inline uint32_t mb_random(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*seed >> 33) % below);
}

#endif
