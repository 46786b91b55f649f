/* SPDX-License-Identifier: Apache-2.0 */
/* Traces whose beginning was overwritten: what is left out, and that nothing false is said. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/model_builder.h"

#include "analyze/report.h"
#include "analyze/site_totals.h"
#include "analyze/totals.h"

static struct model_builder *of(void **state)
{
	return *state;
}

/* What began before is left out, but not work that went on until later. */
static void test_edge(void **state)
{
	struct model_builder *b = of(state);
	struct ct_totals totals;
	struct ct_model *model;

	mb_stream(b, 13, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, 13, 10, 12, 13, 90);    /* over before 100 */
	mb_launch(b, 13, 20, 22, 91, 150);   /* runs across it */
	mb_call(b, CT_API_cudaMalloc, 95, 105);
	mb_launch(b, 13, 110, 112, 151, 160);
	b->kept_from_us = 100;
	mb_serialize(b);
	model = b->model;
	ct_totals_find(model, b->sites, &totals);
	assert_int_equal(model->calls.count, 1);
	assert_int_equal(model->early_calls, 3);
	assert_int_equal(model->ops.count, 2);
	assert_int_equal(model->early_ops, 1);
	assert_int_equal(model->early_submits, 1);
	assert_int_equal(totals.unjoined_ops, 0);
	assert_int_equal(model->begin_ns, mb_ns(100));
	b->kept_from_us = 0;
	model = mb_load(b);
	assert_int_equal(model->calls.count, 4);
	assert_int_equal(model->ops.count, 3);
	assert_int_equal(model->early_calls + model->early_ops + model->early_submits, 0);
}

/* Work submitted before was in the queue all along: a wait for it is a wait for it. */
static void test_queued_before(void **state)
{
	struct model_builder *b = of(state);
	struct ct_call *sync;
	const struct ct_host_call *call;

	mb_stream(b, 13, CT_STREAM_FLAG_NON_BLOCKING);
	mb_launch(b, 13, 10, 12, 13, 500);
	mb_launch(b, 13, 20, 22, 501, 900);
	sync = mb_sync_device(b, 200, 901);
	b->kept_from_us = 100;
	call = &mb_split(b)->calls.at[mb_host_index(b, sync)];
	assert_int_equal(call->parts[CT_PART_DEVICE_WAIT], mb_ns(900) - mb_ns(200));
	assert_int_equal(call->parts[CT_PART_UNEXPLAINED], 0);
}

/* The first launch that is left is not known to be the first. */
static void test_first_use(void **state)
{
	struct model_builder *b = of(state);
	enum ct_part wanted[] = { CT_PART_FIRST_USE, CT_PART_UNEXPLAINED };

	for (int early = 0; early < 2; early++) {
		const struct ct_host_call *call;
		struct ct_device_op *op;

		mb_restart(b);
		mb_stream(b, 13, CT_STREAM_FLAG_NON_BLOCKING);
		op = mb_launch(b, 13, 200, 5200, 5201, 5300);
		mb_launcher(b, op)->addr = 0x1234;
		b->kept_from_us = early ? 100 : 0;
		call = &mb_split(b)->calls.at[0];
		assert_true(call->parts[wanted[early]] > 0);
		assert_int_equal(call->parts[wanted[!early]], 0);
	}
}

/* An event that was recorded before still orders the streams. */
static void test_event_before(void **state)
{
	struct model_builder *b = of(state);
	struct ct_event *event;
	struct ct_device_op *first, *second;
	struct ct_model *model;

	mb_stream(b, 13, CT_STREAM_FLAG_NON_BLOCKING);
	mb_stream(b, 14, CT_STREAM_FLAG_NON_BLOCKING);
	first = mb_launch(b, 13, 10, 12, 13, 500);
	event = mb_record_event(b, 1, 13, 20, 22);
	mb_wait_event(b, event, 14, 200, 202);
	second = mb_launch(b, 14, 210, 212, 501, 600);
	b->kept_from_us = 100;
	(void)first;
	model = mb_load(b);
	assert_int_equal(model->ops.count, 2);
	assert_int_equal(model->ops.at[1].raw.correlation, second->correlation);
	assert_int_equal(model->ops.at[1].edges[CT_EDGE_EVENT].op, 0);
}

static struct ct_total *count(struct ct_total *total, uint64_t calls, uint64_t ns, uint64_t longest)
{
	total->calls = calls;
	total->total_ns = ns;
	total->longest_ns = longest;
	total->bytes = 2 * calls;
	total->long_calls = calls / 2;
	total->failed = calls / 4;
	return total;
}

/* Records of several threads about one place are one row, the costly first. */
static void test_totals(void **state)
{
	struct model_builder *b = of(state);
	struct ct_site_totals *totals;

	count(mb_total(b, CT_API_cudaFree, 0), 4, 100, 50);
	count(mb_total(b, CT_API_cudaMalloc, 0), 8, 1000, 70);
	count(mb_total(b, CT_API_cudaFree, 0), 40, 950, 60);
	count(mb_total(b, CT_API_cudaFree, 77), 100, 2, 1); /* its stack was lost: the same place */
	count(mb_total(b, CT_API_cudaMalloc, 0), 4, 8, 8)->rest = 1; /* any number of places */
	mb_total(b, CT_API_cudaMemset, 0); /* killed before the first was counted */
	mb_call(b, CT_API_cudaMalloc, 200, 201);
	b->kept_from_us = 100;
	mb_serialize(b);
	assert_int_equal(ct_site_totals_make(b->model, b->sites, &totals), 0);
	assert_int_equal(totals->all.count, 3);
	assert_int_equal(totals->calls, 156);
	assert_string_equal(totals->all.at[0].name, "cudaFree");
	assert_int_equal(totals->all.at[0].calls, 144);
	assert_int_equal(totals->all.at[0].total_ns, 1052);
	assert_int_equal(totals->all.at[0].longest_ns, 60);
	assert_int_equal(totals->all.at[0].bytes, 288);
	assert_int_equal(totals->all.at[0].long_calls, 72);
	assert_int_equal(totals->all.at[0].failed, 36);
	assert_string_equal(totals->all.at[1].name, "cudaMalloc");
	assert_int_equal(totals->all.at[1].calls, 8);
	assert_int_equal(totals->all.at[2].calls, 4);
	ct_site_totals_destroy(totals);
}

/* What the report says of the flight recorder, in one line; to be freed. */
static char *said(const struct ct_model *model)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	ct_report_flight(model, "first ", "next ", "", to);
	fclose(to);
	for (char *end = text; (end = strchr(end, '\n'));)
		*end = ' ';
	return text;
}

/* Of many threads, each holds what is older than what another has overwritten. */
static void test_nothing_kept(void **state)
{
	struct model_builder *b = of(state);
	char *text;

	mb_call(b, CT_API_cudaMalloc, 50, 60);
	b->kept_from_us = 100;
	text = said(mb_load(b));
	assert_non_null(strstr(text, "first flight recorder: nothing is kept from when all was recorded: the "
			       "limit, 64 MiB, is too small for so many threads; 1234 records were "
			       "overwritten; totals cover the whole run next 1 call and"));
	assert_null(strstr(text, "0 ns"));
	free(text);
}

/* What the report says of it, once for each reason to say it. */
static void test_text(void **state)
{
	struct model_builder *b = of(state);
	char *text;

	mb_call(b, CT_API_cudaMalloc, 50, 60);
	mb_call(b, CT_API_cudaMalloc, 3000000, 5100000);
	b->kept_from_us = 100000;
	text = said(mb_load(b));
	assert_non_null(strstr(text, "first flight recorder: the last 5.00 s of 5.10 s "));
	assert_non_null(strstr(text, "are kept (limit 64 MiB); 1234 records before that were overwritten; "
			       "totals cover the whole run next 1 call and 0 device operations"));
	assert_null(strstr(text, "submitted"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_edge),	  MB_TEST(test_queued_before), MB_TEST(test_first_use),
		MB_TEST(test_event_before), MB_TEST(test_totals),	MB_TEST(test_text),
		MB_TEST(test_nothing_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
