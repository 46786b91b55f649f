/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of one process: device time with and without communication, time in CUDA. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/identity.h"
#include "analyze/process.h"

#define STREAM_A 21
#define STREAM_B 22
#define NAME 1 /* string id of the communication kernel */

static void put(struct model_builder *b, enum ct_record_type type, const void *record, size_t bytes)
{
	struct mb_record *to = &b->records[b->count++];

	assert_true(bytes <= sizeof(to->u));
	to->tid = MB_A;
	to->type = type;
	memcpy(to->u.bytes, record, bytes);
}

static void add_string(struct model_builder *b, uint32_t id, const char *text)
{
	char record[CT_SLOT_BYTES] = { 0 };
	struct ct_string *string = (struct ct_string *)(void *)record;

	string->id = id;
	string->length = (uint32_t)strlen(text);
	memcpy(string->text, text, string->length);
	put(b, CT_RECORD_STRING, record, sizeof(record));
}

static void add_note(struct model_builder *b, enum ct_note_code code, uint64_t value,
		     const char *text)
{
	char record[CT_SLOT_BYTES] = { 0 };
	struct ct_note *note = (struct ct_note *)(void *)record;

	note->code = (uint16_t)code;
	note->value = value;
	note->length = (uint16_t)strlen(text);
	memcpy(note->text, text, note->length);
	put(b, CT_RECORD_NOTE, record, sizeof(record));
}

static struct ct_process take(struct model_builder *b)
{
	struct ct_analysis analysis = { .directory = "somewhere" };
	struct ct_process p;

	mb_serialize(b);
	analysis.model = b->model;
	analysis.sites = b->sites;
	analysis.serialization = b->serialization;
	assert_int_equal(ct_idle_find(b->model, &analysis.idle), 0);
	assert_int_equal(ct_busy_find(b->model, b->sites, &analysis.busy), 0);
	ct_totals_find(b->model, b->sites, &analysis.totals);
	assert_int_equal(ct_process_take(&analysis, &p), 0);
	ct_busy_free(&analysis.busy);
	ct_idle_destroy(analysis.idle);
	return p;
}

/*
 * Work from 10 to 100 and 150 to 160, communication from 50 to 200 beside it, and the host
 * waits for all of it: alone, communication ran from 100 to 150 and from 160 to 200.
 */
static void test_communication(void **state)
{
	struct model_builder *b = *state;
	struct ct_device_op *comm;
	struct ct_process p;

	mb_stream(b, STREAM_A, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, STREAM_B, CT_STREAM_FLAG_NON_BLOCKING);
	add_string(b, NAME, "ncclDevKernel_AllReduce_Sum_f32_RING_LL");
	mb_launch(b, STREAM_A, 0, 2, 10, 100);
	mb_launch(b, STREAM_A, 2, 4, 150, 160);
	comm = mb_launch(b, STREAM_B, 4, 6, 50, 200);
	comm->name = NAME;
	mb_sync_device(b, 6, 202);
	p = take(b);
	assert_int_equal(p.comm_ops, 1);
	assert_int_equal(p.work_ns, 100000);
	assert_int_equal(p.comm_ns, 90000);
	assert_int_equal(p.busy_ns, 190000);
	assert_int_equal(p.comm_wait_ns, 90000);
	assert_int_equal(ct_process_outside_ns(&p), 0);
	for (size_t i = 0; i < p.sites.count; i++)
		assert_int_equal(p.sites.at[i].comm_wait_ns,
				 strcmp(p.sites.at[i].call, "cudaDeviceSynchronize") ? 0 : 90000);
	ct_process_free(&p);
}

/*
 * Device 0 communicates from 10 to 200, device 1 works until 150. The process as a whole only
 * communicated then; but a thread that waits for device 0 waits for other ranks all the time.
 */
static void test_communication_of_one_device(void **state)
{
	struct model_builder *b = *state;
	struct ct_process p;

	mb_device(b, 1);
	mb_stream(b, STREAM_A, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, STREAM_A, 0, 2, 5, 150);
	mb_device(b, 0);
	mb_stream(b, STREAM_B, CT_STREAM_FLAG_NON_BLOCKING);
	add_string(b, NAME, "ncclDevKernel_AllReduce_Sum_f32_RING_LL");
	mb_launch(b, STREAM_B, 4, 6, 10, 200)->name = NAME;
	mb_sync_stream(b, STREAM_B, 6, 202);
	p = take(b);
	assert_int_equal(p.comm_ns, 50000);
	assert_int_equal(p.comm_wait_ns, 190000);
	ct_process_free(&p);
}

/* Where some kernels were not recorded, those that were are no measure of communication. */
static void test_communication_in_part(void **state)
{
	struct model_builder *b = *state;
	struct ct_process p;

	mb_note(b, CT_NOTE_MODE, -100, CT_MODE_LIGHT);
	mb_note(b, CT_NOTE_MODE, -50, CT_MODE_FULL);
	add_string(b, NAME, "ncclDevKernel_AllReduce_Sum_f32_RING_LL");
	mb_launch(b, MB_LEGACY, 0, 2, 10, 100)->name = NAME;
	p = take(b);
	assert_int_equal(p.comm_ops, 0);
	assert_int_equal(p.comm_ns, 0);
	assert_int_equal(p.work_ns, 90000);
	ct_process_free(&p);
}

/* Gaps of less than 10 us between calls are time in CUDA, longer ones are not. */
static void test_outside(void **state)
{
	struct model_builder *b = *state;
	struct ct_process p;

	mb_call(b, CT_API_cudaMalloc, 0, 10);
	mb_call(b, CT_API_cudaMalloc, 19, 30);
	mb_call(b, CT_API_cudaMalloc, 130, 140);
	mb_thread(b, MB_B);
	mb_call(b, CT_API_cudaMalloc, 110, 135);
	p = take(b);
	assert_int_equal(p.end_ns - p.begin_ns, 140000);
	assert_int_equal(ct_process_outside_ns(&p), 80000);
	assert_int_equal(p.calls, 4);
	assert_int_equal(p.work_ns, 0);
	ct_process_free(&p);
}

static void test_identity(void **state)
{
	struct model_builder *b = *state;
	struct ct_process p;

	mb_call(b, CT_API_cudaMalloc, 0, 10);
	p = take(b);
	assert_int_equal(p.rank, CT_NONE);
	assert_int_equal(p.parent, CT_NONE);
	assert_string_equal(p.host, "");
	ct_process_free(&p);
	mb_restart(b);
	mb_call(b, CT_API_cudaMalloc, 0, 10);
	add_note(b, CT_NOTE_HOST, 0, "node\n7");
	add_note(b, CT_NOTE_PARENT, 99, "");
	add_note(b, CT_NOTE_RANK, 3, "RANK");
	add_note(b, CT_NOTE_LOCAL_RANK, 1ull << 40, "LOCAL_RANK");
	add_note(b, CT_NOTE_WORLD_SIZE, 3, "WORLD_SIZE"); /* too small for the rank */
	p = take(b);
	assert_string_equal(p.host, "node?7");
	assert_string_equal(p.variable, "RANK");
	assert_int_equal(p.parent, 99);
	assert_int_equal(p.rank, 3);
	assert_int_equal(p.local_rank, CT_NONE);
	assert_int_equal(p.size, CT_NONE);
	assert_string_equal(p.directory, "somewhere");
	ct_process_free(&p);
}

/* A trace without a single call has a beginning all the same. */
static void test_empty(void **state)
{
	struct model_builder *b = *state;
	struct ct_process p = take(b);

	assert_int_equal(p.begin_ns, p.end_ns);
	assert_int_equal(p.begin_ns, b->model->header->start_realtime_ns);
	assert_int_equal(p.calls, 0);
	ct_process_free(&p);
}

static uint64_t sum_of(const struct ct_spans *spans)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < spans->count; i++) {
		sum += spans->at[i].end - spans->at[i].start;
		if (i)
			assert_true(spans->at[i - 1].end < spans->at[i].start);
	}
	return sum;
}

/* Spans of 2, 3, 4, 2, ... us, 10 us apart. */
static struct ct_busy many(size_t count)
{
	struct ct_busy busy = { 0 };

	for (size_t i = 0; i < count; i++)
		assert_int_equal(ct_spans_append(&busy.active, 10 * i, 10 * i + 2 + i % 3), 0);
	return busy;
}

/* Too many spans become half as many, with all the time, each no earlier than it was. */
static void test_thin(void **state)
{
	struct ct_busy few = many(CT_BUSY_SPANS - 1), odd = many(CT_BUSY_SPANS + 1);
	uint64_t sum = sum_of(&odd.active);

	(void)state;
	ct_busy_thin(&few);
	assert_int_equal(few.active.count, CT_BUSY_SPANS - 1);
	ct_busy_thin(&odd);
	assert_int_equal(odd.active.count, CT_BUSY_SPANS / 2 + 1);
	assert_int_equal(sum_of(&odd.active), sum);
	assert_int_equal(odd.active.at[0].start, 8); /* of [0, 2) and [10, 13) */
	assert_int_equal(odd.active.at[0].end, 13);
	ct_busy_free(&few);
	ct_busy_free(&odd);
}

#define SITES (CT_PROCESS_SITES + 100)

/* More call sites, and more times apart, than are kept: the costliest, and the rest as one. */
static void test_bounds(void **state)
{
	struct model_builder *b = *state;
	struct ct_analysis a = { .directory = "somewhere" };
	struct ct_sites sites = { .all.at = calloc(SITES, sizeof(*sites.all.at)),
				  .all.count = SITES, .ranked = calloc(SITES, sizeof(*sites.ranked)) };
	struct ct_process p;
	uint64_t sum = 0;

	mb_call(b, CT_API_cudaFree, 10, 20);
	mb_serialize(b);
	a.model = b->model;
	a.serialization = b->serialization;
	a.busy = many(3 * CT_PROCESS_SPANS);
	a.busy.comm_wait_ns = calloc(SITES, sizeof(*a.busy.comm_wait_ns));
	assert_int_equal(ct_idle_find(b->model, &a.idle), 0);
	sites.of_call = b->sites->of_call;
	sites.places = b->sites->places;
	a.sites = &sites;
	for (uint32_t i = 0; i < SITES; i++) {
		sites.all.at[i] = (struct ct_site){ .name = "cudaFree", .where = "a.cu:1", .calls = 1,
						    .blocked_ns = i, .worst = CT_PART_LOCK_WAIT,
						    .worst_wait = CT_NONE };
		sites.ranked[SITES - 1 - i] = i;
		a.busy.comm_wait_ns[i] = 1;
	}
	assert_int_equal(ct_process_take(&a, &p), 0);
	assert_in_range(p.active.count, CT_PROCESS_SPANS / 2, CT_PROCESS_SPANS);
	assert_int_equal(sum_of(&p.active), sum_of(&a.busy.active));
	assert_int_equal(p.sites.count, CT_PROCESS_SITES);
	for (size_t i = 0; i < p.sites.count; i++)
		sum += p.sites.at[i].blocked_ns;
	assert_int_equal(sum, (uint64_t)SITES * (SITES - 1) / 2);
	assert_int_equal(p.sites.at[0].blocked_ns, SITES - 1);
	assert_string_equal(p.sites.at[CT_PROCESS_SITES - 1].where, "(other places)");
	assert_int_equal(p.sites.at[CT_PROCESS_SITES - 1].calls, 101);
	assert_int_equal(p.comm_wait_ns, SITES);
	ct_process_free(&p);
	ct_busy_free(&a.busy);
	ct_idle_destroy(a.idle);
	free(sites.all.at);
	free(sites.ranked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_communication),
		MB_TEST(test_communication_of_one_device),
		MB_TEST(test_communication_in_part),
		MB_TEST(test_outside),
		MB_TEST(test_identity),
		MB_TEST(test_empty),
		cmocka_unit_test(test_thin),
		MB_TEST(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
