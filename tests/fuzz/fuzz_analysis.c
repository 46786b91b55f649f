/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of the analysis and every renderer: parts sum up, text is fit for a terminal, and what
 * is not whole does not look so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyze/analysis.h"
#include "analyze/debugfile.h"
#include "analyze/report.h"
#include "analyze/run.h"
#include "export/export.h"
#include "tests/fuzz/form.h"
#include "tests/fuzz/sink.h"

/* No file of this machine is opened, whatever a trace names: fuzz_symbol tries that. */
int ct_debugfile_open(const char *path, uint64_t bias, const uint8_t *build_id,
		      uint32_t build_id_length, Dwfl **ret_dwfl, Dwfl_Module **ret_module)
{
	(void)path, (void)bias, (void)build_id, (void)build_id_length;
	(void)ret_dwfl, (void)ret_module;
	return -ENOENT;
}

bool ct_debugfile_outside(Dwfl_Module *module)
{
	(void)module;
	return false;
}

static int check_calls(void *arg, const struct ct_analysis *a)
{
	(void)arg;
	for (size_t i = 0; i < a->model->calls.count; i++) {
		const struct ct_host_call *call = &a->model->calls.at[i];
		uint64_t sum = 0;

		for (int part = 0; part < CT_PART_COUNT; part++)
			sum += call->parts[part];
		MUST(!ct_model_in_core(a->model, (uint32_t)i) ||
		     sum == call->raw.leave_ns - call->raw.enter_ns);
	}
	return 0;
}

static void write_tables(const struct ct_analysis *a)
{
	for (const struct ct_table *table = ct_tables; table->file; table++) {
		FILE *sink = sink_open(true);

		fprintf(sink, "%s\n", table->header);
		table->write(a, sink);
		fclose(sink);
	}
}

/* Bytes that the reader passed over. */
static uint64_t damage(void)
{
	struct ct_reader *reader;
	struct ct_item item;
	uint64_t bytes;

	MUST(ct_reader_open(form_path(), &reader) == 0);
	while (ct_reader_next(reader, &item) == 1)
		;
	bytes = ct_reader_damage(reader, NULL);
	ct_reader_close(reader);
	return bytes;
}

static void write_text(const struct ct_analysis *a)
{
	const struct ct_file_header *header = a->model->header;
	FILE *sink = sink_open(false);
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	MUST(to);
	ct_report_text(a, true, to);
	MUST(fclose(to) == 0);
	MUST(strstr(text, "\nseen  "));
	if (damage() || header->finish == CT_FINISH_CUT_OFF ||
	    header->claimed_bytes > ct_reader_size(a->model->reader))
		MUST(strstr(text, "\nNOT seen  ") && !strstr(text, "nothing was dropped"));
	fputs(text, sink);
	free(text);
	ct_report_text(a, false, sink);
	fclose(sink);
}

/* As one of two processes of a run. */
static void report_run(const struct ct_analysis *a)
{
	struct ct_run *run = ct_run_create();
	const char *file;
	FILE *sink;

	MUST(run);
	for (int i = 0; i < 2; i++) {
		struct ct_process process;

		MUST(ct_process_take(a, &process) == 0 && ct_run_add(run, &process) == 0);
	}
	MUST(ct_run_finish(run) == 0);
	for (int summary_only = 0; summary_only < 2; summary_only++) {
		sink = sink_open(false);
		ct_report_run(run, summary_only, sink);
		fclose(sink);
	}
	MUST(ct_report_run_write(run, form_directory(), &file) == 0);
	ct_run_destroy(run);
}

/* Where an export goes: `path` if it is written by name. */
static FILE *open_export(const struct ct_export_format *format, const char *path)
{
	if (!format->by_name)
		return format->binary ? fopen("/dev/null", "w") : sink_open(false);
	fclose(fopen(path, "w"));
	return NULL;
}

/* An analysis in one piece, as ct_export_write() has it exported. */
static void export_whole(const struct ct_export_format *format, const struct ct_analysis *a,
			 const struct ct_export *export)
{
	const struct ct_export_process process = { .export = export, .directory = a->directory };
	void *writer = NULL;

	MUST(format->open(export, &writer) == 0);
	MUST(!format->begin_process || format->begin_process(writer, &process, a->model) == 0);
	MUST(!format->part || format->part(writer, &process, a) == 0);
	MUST(format->end_process(writer, &process, a) == 0);
	MUST(!format->finish || format->finish(writer) == 0);
	format->destroy(writer);
}

/* part_records: of parts, which are analyzed once more for it; 0: in one piece. */
static void export_as(const struct ct_export_format *format, const struct ct_analysis *a,
		      uint64_t part_records)
{
	char path[600], *directory = a->directory;
	const char *failed;
	FILE *to;

	snprintf(path, sizeof(path), "%s/export", directory);
	to = open_export(format, path);
	if (part_records) {
		const struct ct_export_job job = {
			.format = format, .directories = &directory, .count = 1, .left_out = 1,
			.to = to, .path = path, .part_records = part_records,
		};

		MUST(ct_export_write(&job, &failed) == 0);
	} else {
		export_whole(format, a, &(struct ct_export){ .to = to, .path = path, .processes = 1 });
	}
	if (to)
		MUST(fclose(to) == 0);
	unlink(path);
}

static void clean_up(void)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/ranks.csv", form_directory());
	unlink(path);
	snprintf(path, sizeof(path), "%s/ranks_callsites.csv", form_directory());
	unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static bool begun;
	struct form_head head = form_write(input, size);
	struct ct_analysis_options options = { .threads = 1, .process = true };
	struct ct_analysis *a;

	if (!begun)
		atexit(clean_up);
	begun = true;
	if (!head.kind)
		return 0;
	if (head.flags & FORM_PARTS) {
		options.whole_records = 1;
		options.part_records = head.part_records + 1u;
		options.part = check_calls;
	}
	if (ct_analysis_run(form_directory(), &options, &a) < 0)
		return 0;
	if (!a->parts)
		check_calls(NULL, a);
	MUST(!a->totals.mismatches);
	write_text(a);
	write_tables(a);
	report_run(a);
	for (size_t i = 0; ct_export_formats[i]; i++)
		if (!a->parts || i == size % 5) /* or it would take too long */
			export_as(ct_export_formats[i], a, a->parts ? options.part_records : 0);
	ct_analysis_destroy(a);
	return 0;
}
