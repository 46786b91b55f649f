/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A long run analyzed in many parts, by one thread or several, against the same run in one
 * piece. Usage: parts_test GEN_TRACE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "analyze/analysis.h"
#include "analyze/report.h"
#include "analyze/whatif.h"

static const char *gen_trace;
static char directory[64];

/* A trace of about 40000 calls. */
static void make_trace(const char *options)
{
	char command[512];

	strcpy(directory, "/tmp/cutrace-parts-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(command, sizeof(command), "'%s' --calls 40000 %s %s >/dev/null", gen_trace,
		 options, directory);
	assert_int_equal(system(command), 0);
}

static void remove_trace(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/trace.cutrace", directory);
	unlink(path);
	rmdir(directory);
}

static struct ct_analysis *analyze(uint64_t whole, uint64_t part, unsigned threads)
{
	const struct ct_analysis_options options = { .whole_records = whole, .part_records = part,
						     .threads = threads, .process = true };
	struct ct_analysis *a;

	assert_int_equal(ct_analysis_run(directory, &options, &a), 0);
	return a;
}

static struct ct_analysis *analyze_whole(void)
{
	return analyze(UINT64_MAX, 0, 1);
}

static struct ct_analysis *analyze_parts(uint64_t part, unsigned threads)
{
	return analyze(1, part, threads);
}

static void expect_near(uint64_t is, uint64_t should_be, double tolerance, uint64_t of)
{
	double off = is > should_be ? (double)(is - should_be) : (double)(should_be - is);

	if (off > tolerance * (double)of)
		fail_msg("%llu, expected %llu give or take %g of %llu", (unsigned long long)is,
			 (unsigned long long)should_be, tolerance, (unsigned long long)of);
}

/* What no cut can change. */
static void expect_same_records(const struct ct_analysis *a, const struct ct_analysis *b)
{
	assert_int_equal(a->totals.calls, b->totals.calls);
	assert_int_equal(a->totals.ops, b->totals.ops);
	assert_int_equal(a->totals.call_ns, b->totals.call_ns);
	assert_int_equal(a->totals.mismatches, 0);
	assert_int_equal(b->totals.mismatches, 0);
	assert_int_equal(a->totals.unjoined_ops, b->totals.unjoined_ops);
	assert_int_equal(a->totals.without_work, b->totals.without_work);
	assert_memory_equal(a->totals.by_origin, b->totals.by_origin, sizeof(a->totals.by_origin));
	assert_memory_equal(a->totals.script_calls, b->totals.script_calls,
			    sizeof(a->totals.script_calls));
	assert_int_equal(a->model->begin_ns, b->model->begin_ns);
	assert_int_equal(a->model->end_ns, b->model->end_ns);
	assert_int_equal(a->idle->work_ns, b->idle->work_ns);
	assert_int_equal(a->idle->busy_ns, b->idle->busy_ns);
	assert_memory_equal(a->idle->devices, b->idle->devices, sizeof(a->idle->devices));
	assert_int_equal(a->idle->idle_ns, b->idle->idle_ns);
	assert_int_equal(ct_spans_total(&a->busy.active), ct_spans_total(&b->busy.active));
}

static void expect_same_threads(const struct ct_model *a, const struct ct_model *b)
{
	assert_int_equal(a->threads.count, b->threads.count);
	for (size_t i = 0; i < a->threads.count; i++) {
		assert_int_equal(a->threads.at[i].tid, b->threads.at[i].tid);
		assert_int_equal(a->threads.at[i].core_calls, b->threads.at[i].core_calls);
		assert_int_equal(a->threads.at[i].blocked_ns, b->threads.at[i].blocked_ns);
	}
	assert_int_equal(a->streams.count, b->streams.count);
	for (size_t i = 0; i < a->streams.count; i++) {
		assert_int_equal(a->streams.at[i].id, b->streams.at[i].id);
		assert_int_equal(a->streams.at[i].core_ops, b->streams.at[i].core_ops);
		assert_int_equal(a->streams.at[i].work_ns, b->streams.at[i].work_ns);
	}
}

static uint64_t length(const struct ct_model *model, uint32_t wait)
{
	return wait == CT_NONE ? 0 : model->waits.at[wait].end_ns - model->waits.at[wait].start_ns;
}

/* The site of the other analysis: texts are equal, pointers are not. */
static const struct ct_site *same_site(const struct ct_sites *sites, const struct ct_site *like)
{
	for (size_t i = 0; i < sites->all.count; i++)
		if (!strcmp(sites->all.at[i].where, like->where) &&
		    !strcmp(sites->all.at[i].name, like->name))
			return &sites->all.at[i];
	fail_msg("no site %s at %s", like->name, like->where);
	return NULL;
}

static void expect_same_sites(const struct ct_analysis *a, const struct ct_analysis *b)
{
	assert_int_equal(a->sites->all.count, b->sites->all.count);
	for (size_t i = 0; i < a->sites->all.count; i++) {
		const struct ct_site *x = &a->sites->all.at[i], *y = same_site(b->sites, x);

		assert_int_equal(x->calls, y->calls);
		assert_int_equal(x->total_ns, y->total_ns);
		assert_int_equal(x->blocked_ns, y->blocked_ns);
		assert_memory_equal(x->parts, y->parts, sizeof(x->parts));
		assert_memory_equal(x->idle, y->idle, sizeof(x->idle));
		assert_int_equal(x->chances, y->chances);
		assert_int_equal(x->waited, y->waited);
		assert_int_equal(x->worst, y->worst);
		assert_int_equal(length(a->model, x->worst_wait), length(b->model, y->worst_wait));
		assert_string_equal(ct_site_certainty(a->model, x), ct_site_certainty(b->model, y));
		assert_string_equal(ct_site_remedy(a->model, x), ct_site_remedy(b->model, y));
	}
}

static void expect_same_ledger(const struct ct_ledger *a, const struct ct_ledger *b)
{
	assert_int_equal(a->lines.count, b->lines.count);
	for (size_t i = 0; i < a->lines.count; i++) {
		const struct ct_ledger_line *x = &a->lines.at[i], *y = &b->lines.at[i];

		assert_int_equal(x->api, y->api);
		assert_int_equal(x->calls, y->calls);
		assert_int_equal(x->chances, y->chances);
		assert_int_equal(x->waited, y->waited);
		assert_int_equal(x->locked, y->locked);
		assert_int_equal(x->blocked, y->blocked);
		assert_int_equal(x->longest_ns, y->longest_ns);
		assert_int_equal(x->longest_wait_ns, y->longest_wait_ns);
	}
}

/* Cut where nothing is under way, nothing is different. */
static void test_clean_cuts(void **state)
{
	struct ct_analysis *whole, *parts;

	(void)state;
	make_trace("--lockstep");
	whole = analyze_whole();
	parts = analyze_parts(4096, 2);
	assert_true(parts->parts > 10);
	assert_int_equal(parts->parts_cut, 0);
	expect_same_records(whole, parts);
	assert_memory_equal(&whole->totals, &parts->totals, sizeof(whole->totals));
	expect_same_threads(whole->model, parts->model);
	expect_same_sites(whole, parts);
	expect_same_ledger(whole->ledger, parts->ledger);
	assert_true(whole->serialization->lost_ns > 500000);
	expect_near(parts->serialization->lost_ns, whole->serialization->lost_ns, 0.001,
		    whole->serialization->lost_ns);
	assert_true(parts->serialization->pair_count > 10);
	assert_int_equal(parts->serialization->pairs.count, parts->serialization->pair_count);
	ct_analysis_destroy(whole);
	ct_analysis_destroy(parts);
	remove_trace();
}

/* What the sites of one thread cost adds up over parts. */
static void test_losses(void **state)
{
	struct ct_analysis *whole, *parts;

	(void)state;
	make_trace("--threads 1");
	whole = analyze_whole();
	parts = analyze_parts(4096, 2);
	expect_same_sites(whole, parts);
	assert_true(whole->serialization->lost_ns > 50000);
	for (size_t i = 0; i < whole->sites->all.count; i++) {
		const struct ct_site *x = &whole->sites->all.at[i];

		expect_near(same_site(parts->sites, x)->lost_ns, x->lost_ns, 0.001,
			    whole->serialization->lost_ns);
	}
	assert_int_equal(parts->serialization->pair_count, whole->serialization->pair_count);
	assert_int_equal(parts->serialization->pairs.count, whole->serialization->pairs.count);
	ct_analysis_destroy(whole);
	ct_analysis_destroy(parts);
	remove_trace();
}

/* Cut in the middle of things, every record is there once, and next to nothing is misjudged. */
static void test_cuts_in_flight(void **state)
{
	struct ct_analysis *whole, *parts;

	(void)state;
	make_trace("");
	whole = analyze_whole();
	parts = analyze_parts(4096, 2);
	assert_true(parts->parts_cut > 5);
	expect_same_records(whole, parts);
	assert_int_equal(whole->sites->all.count, parts->sites->all.count);
	for (int part = 0; part < CT_PART_COUNT; part++)
		expect_near(parts->totals.parts_ns[part], whole->totals.parts_ns[part], 0.001,
			    whole->totals.call_ns);
	expect_near(parts->serialization->lost_ns, whole->serialization->lost_ns, 0.05,
		    whole->serialization->lost_ns);
	ct_analysis_destroy(whole);
	ct_analysis_destroy(parts);
	remove_trace();
}

/* Operations that wait in deep queues are joined to calls long before; some parts are of one device. */
static void test_deep_queues(void **state)
{
	struct ct_analysis *whole, *parts;

	(void)state;
	make_trace("--deep --second-device");
	whole = analyze_whole();
	parts = analyze_parts(2048, 2);
	assert_int_equal(whole->totals.unjoined_ops, 0);
	assert_true(whole->idle->devices[1].idle_ns && parts->model->several_devices);
	expect_same_records(whole, parts);
	ct_analysis_destroy(whole);
	ct_analysis_destroy(parts);
	remove_trace();
}

static size_t lines_of(const char *file)
{
	char path[128];
	size_t lines = 0;
	FILE *from;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	from = fopen(path, "r");
	for (int c = 0; from && c != EOF; c = fgetc(from))
		lines += c == '\n';
	if (from)
		fclose(from);
	return lines;
}

static size_t remove_files(void)
{
	char path[128];
	size_t removed = 0;

	for (const struct ct_table *table = ct_tables; table->file; table++) {
		snprintf(path, sizeof(path), "%s/%s", directory, table->file);
		removed += unlink(path) == 0;
	}
	snprintf(path, sizeof(path), "%s/report.txt", directory);
	return removed + (unlink(path) == 0);
}

/* A row for each call and operation on demand; else none, and none that is left from before. */
static void test_rows(void **state)
{
	struct ct_analysis_options options = { .whole_records = 1, .part_records = 8192 };
	struct ct_analysis *a;
	struct ct_rows *rows;
	const char *file;

	(void)state;
	make_trace("");
	assert_int_equal(ct_rows_open(directory, &rows), 0);
	options.part = ct_rows_add;
	options.arg = rows;
	assert_int_equal(ct_analysis_run(directory, &options, &a), 0);
	assert_int_equal(ct_report_write(a, rows, &file), 0);
	ct_rows_close(rows);
	assert_int_equal(lines_of("calls.csv"), a->totals.calls + 1);
	assert_int_equal(lines_of("device.csv"), a->totals.ops + 1);
	assert_true(lines_of("blocked.csv") > 100);
	assert_true(lines_of("callsites.csv") > 10);
	assert_int_equal(ct_report_write(a, NULL, &file), 0);
	assert_int_equal(lines_of("calls.csv"), 0);
	assert_int_equal(lines_of("device.csv"), 0);
	assert_int_equal(lines_of("blocked.csv"), 0);
	assert_int_equal(remove_files(), 8);
	ct_analysis_destroy(a);
	remove_trace();
}

static char *text_of(const struct ct_analysis *a)
{
	size_t size;
	char *text;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	ct_report_text(a, false, to);
	for (const struct ct_table *table = ct_tables; table->file; table++)
		table->write(a, to);
	fclose(to);
	return text;
}

/* However many threads there are, the report is the same. */
static void test_threads(void **state)
{
	struct ct_analysis *one, *five;
	char *text_one, *text_five;

	(void)state;
	make_trace("");
	one = analyze_parts(4096, 1);
	five = analyze_parts(4096, 5);
	text_one = text_of(one);
	text_five = text_of(five);
	assert_string_equal(text_one, text_five);
	free(text_one);
	free(text_five);
	ct_analysis_destroy(one);
	ct_analysis_destroy(five);
	remove_trace();
}

/* Change one byte range of the trace. */
static void patch(size_t offset, const void *bytes, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/trace.cutrace", directory);
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, size, 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

/* Where the note of the clocks lies in the trace: of those a synthetic one has. */
static size_t find_clock_note(void)
{
	struct ct_note note = { 0 };
	size_t at = CT_CHUNK_UNIT;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/trace.cutrace", directory);
	file = fopen(path, "r");
	assert_non_null(file);
	for (;; at += CT_SLOT_BYTES) {
		assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
		assert_int_equal(fread(&note, sizeof(note), 1, file), 1);
		if (CT_COMMIT_TYPE(note.commit) == CT_RECORD_NOTE && note.code == CT_NOTE_CLOCK_ERROR)
			break;
	}
	fclose(file);
	return at;
}

/* One space for any white space. */
static void squeeze(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (*from > ' ')
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	*to = '\0';
}

/* The section of the report and the sentence at the end, in one line, for free(). */
static char *predictions_of(const struct ct_analysis *a)
{
	char *text;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);

	assert_non_null(to);
	ct_report_whatif(a, 5, to);
	ct_report_whatif_best(a, to);
	fclose(to);
	squeeze(text);
	return text;
}

/* What is predicted of a part in the middle, and said to be; of steps that are all alike. */
static void test_predictions(void **state)
{
	struct ct_analysis *whole, *parts, *again;
	const struct ct_model *excerpt;
	uint64_t middle_ns, part_ns, permille;
	char *text, *same;

	(void)state;
	make_trace("--lockstep");
	whole = analyze_whole();
	parts = analyze_parts(4096, 2);
	assert_true(!whole->excerpt && !parts->whatif && parts->excerpt);
	excerpt = parts->excerpt->model;
	part_ns = excerpt->end_ns - excerpt->begin_ns;
	middle_ns = (whole->model->begin_ns + whole->model->end_ns) / 2;
	assert_true(excerpt->begin_ns < middle_ns && middle_ns < excerpt->end_ns);
	assert_int_equal(parts->excerpt->whatif->span_ns, part_ns);
	assert_true(parts->excerpt->whatif->end_error_ns * 100 < part_ns);
	assert_true(parts->excerpt->whatif->all.high_ns < part_ns);
	permille = whole->whatif->all.likely_ns * 1000 / whole->whatif->span_ns;
	expect_near(parts->excerpt->whatif->all.likely_ns * 1000 / part_ns, permille, 0.5, permille);
	text = predictions_of(parts);
	assert_non_null(strstr(text, "so only its part from "));
	assert_non_null(strstr(text, "known causes alone, the part of"));
	assert_non_null(strstr(text, "of this long run"));
	again = analyze_parts(4096, 1);
	same = predictions_of(again);
	assert_string_equal(same, text);
	free(text);
	free(same);
	ct_analysis_destroy(again);
	ct_analysis_destroy(whole);
	ct_analysis_destroy(parts);
	remove_trace();
}

static void patch_header(size_t offset, uint64_t value, size_t size)
{
	patch(offset, &value, size);
}

/* Is it analyzed in one piece? Returns how many calls were left out. */
static uint64_t expect_whole(uint64_t calls)
{
	struct ct_analysis *a = analyze_parts(4096, 2);
	uint64_t early = a->model->early_calls;

	assert_int_equal(a->parts, 0);
	assert_int_equal(a->totals.calls + early, calls);
	ct_analysis_destroy(a);
	return early;
}

/* Where records begin or end to be complete in the middle, all is needed at once. */
static void test_one_piece(void **state)
{
	uint64_t from_ns, calls, light = CT_MODE_LIGHT;
	uint16_t mode = CT_NOTE_MODE;
	struct ct_analysis *a;
	size_t note;

	(void)state;
	make_trace("");
	a = analyze_parts(4096, 2);
	assert_true(a->parts > 1);
	calls = a->totals.calls;
	from_ns = (a->model->begin_ns + a->model->end_ns) / 2;
	ct_analysis_destroy(a);
	patch_header(offsetof(struct ct_file_header, kept_from_ns), from_ns, sizeof(from_ns));
	assert_true(expect_whole(calls) > calls / 4);
	patch_header(offsetof(struct ct_file_header, kept_from_ns), 0, sizeof(from_ns));
	patch_header(offsetof(struct ct_file_header, mode), CT_MODE_LIGHT, sizeof(uint32_t));
	assert_int_equal(expect_whole(calls), 0);
	patch_header(offsetof(struct ct_file_header, mode), CT_MODE_FULL, sizeof(uint32_t));
	note = find_clock_note();
	patch(note + offsetof(struct ct_note, value), &light, sizeof(light));
	patch(note + offsetof(struct ct_note, code), &mode, sizeof(mode));
	assert_int_equal(expect_whole(calls), 0);
	remove_trace();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_cuts), cmocka_unit_test(test_losses),
		cmocka_unit_test(test_cuts_in_flight),
		cmocka_unit_test(test_deep_queues), cmocka_unit_test(test_rows),
		cmocka_unit_test(test_threads), cmocka_unit_test(test_one_piece),
		cmocka_unit_test(test_predictions),
	};

	if (argc != 2)
		return 2;
	gen_trace = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
