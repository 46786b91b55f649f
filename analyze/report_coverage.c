/* SPDX-License-Identifier: Apache-2.0 */
/* What the trace holds and what it does not: the first thing a report says. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyze/fold.h"
#include "analyze/identity.h"
#include "analyze/report.h"
#include "analyze/script.h"
#include "analyze/seen.h"

static const char *const loss_texts[] = {
#define X(name, text) [CT_LOSS_##name] = text,
	CT_LOSSES(X)
#undef X
};

const char *ct_report_loss(int kind)
{
	return kind < CT_LOSS_COUNT ? loss_texts[kind] : "losses of a kind this version does not know";
}

const char *ct_report_rank(uint32_t rank, uint32_t size, char ret[48])
{
	if (rank == CT_NONE)
		*ret = '\0';
	else if (size == CT_NONE)
		snprintf(ret, 48, "rank %u", rank);
	else
		snprintf(ret, 48, "rank %u of %u", rank, size);
	return ret;
}

static void print_title(const struct ct_analysis *a, FILE *to)
{
	const struct ct_model *model = a->model;
	struct ct_identity id = ct_identity_of(model);
	time_t when = (time_t)(model->header->start_realtime_ns / 1000000000u);
	char date[32] = "", span[16], rank[48], gpus[512] = "";
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	ct_report_gpus(a, gpus, sizeof(gpus));
	ct_report_wrapped(to, "", "          ", "cutrace: %s (pid %u%s%s), %s, %s %s to last work%s", model->header->program, model->header->pid,
			  id.rank == CT_NONE ? "" : ", ", ct_report_rank(id.rank, id.size, rank), date,
			  ct_report_time(model->end_ns - model->begin_ns, span),
			  model->kept_from_ns ? "from the first record kept" :
			  ct_seen_windows(model) ? "from first call recorded" : "from first CUDA call", gpus);
}

static void print_seen(const struct ct_analysis *a, FILE *to)
{
	const uint64_t *by = a->totals.by_origin;
	uint64_t calling = 0, used = 0;
	char calls[48], ops[48], threads[48], streams[48];

	for (size_t t = 0; t < a->model->threads.count; t++)
		calling += a->model->threads.at[t].core_calls > 0;
	for (size_t i = 0; i < a->model->streams.count; i++)
		used += a->model->streams.at[i].core_ops > 0;
	fprintf(to, "seen      %s in %s, %s on %s\n",
		ct_report_count(a->totals.calls, "call", calls),
		ct_report_count(calling, "thread", threads),
		ct_report_count(a->totals.ops, "device operation", ops),
		ct_report_count(used, "stream", streams));
	fprintf(to, "          by wrappers %" PRIu64 " (%" PRIu64 " of them by CUPTI as well), by "
		"CUPTI only: runtime %" PRIu64 ", driver %" PRIu64 "\n", by[CT_ORIGIN_PLT],
		a->totals.wrapped_and_seen, by[CT_ORIGIN_RUNTIME], by[CT_ORIGIN_DRIVER]);
	if (by[CT_ORIGIN_ENTRY])
		fprintf(to, "          by the driver's entry points %" PRIu64 ", under the driver's names\n",
			by[CT_ORIGIN_ENTRY]);
}

static const char *lead(int printed)
{
	return printed ? "          " : "NOT seen  ";
}

#define LEAD_BYTES 10 /* what stands before each line of what was not seen */
#define GO_ON "            " /* the same and more: the line goes on with the one before */

/* A line of what was not seen. Returns 1: then there is one. */
__attribute__((format(printf, 3, 4))) static int say(FILE *to, int printed, const char *format, ...)
{
	char text[CT_NAME_BYTES + 256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ct_report_wrapped(to, lead(printed), GO_ON, "%s", text);
	return 1;
}

/* Without CUPTI. Its tables of functions without names are how the runtime reaches some of them. */
#define UNSEEN                                                                                     \
	"what waits were for; calls that reach the driver by its private tables or RTLD_DEEPBIND, "    \
	"and those of code linked to it"

static void print_yield(const struct ct_model *model, const struct ct_note_info *note,
			const char *first, FILE *to)
{
	uint64_t at = model->cupti_end_ns > model->begin_ns ? model->cupti_end_ns - model->begin_ns : 0;
	char text[16];

	ct_report_wrapped(to, first, GO_ON, "device times from %s on, since the program's own profiler "
			  "took CUPTI (%s); CUTRACE_CUPTI=on keeps them and refuses the profiler",
			  ct_report_time(at, text), note->text);
}

/* What share of the run was recorded in which mode. */
static int print_modes(const struct ct_model *model, FILE *to, int printed)
{
	uint64_t span = model->end_ns - model->begin_ns, seen = ct_seen_ns(model);
	char full[16], all[16], windows[48];

	if (ct_seen_windows(model)) {
		ct_report_windows(model, lead(printed), GO_ON, to);
		printed = 1;
	}
	if (!ct_seen_light_mode(model))
		return printed;
	if (!seen)
		ct_report_wrapped(to, lead(printed), GO_ON, "kernels and launches, and so what waits were "
				  "for: the mode was light all %s (CUTRACE_MODE); nothing is extrapolated",
				  ct_seen_windows(model) ? "through the windows" :
				  ct_report_overwritten(model) ? "through the part kept" : "the time");
	else
		ct_report_wrapped(to, lead(printed), GO_ON, "full for %s of %s (%.1f %%, %s), light "
				  "otherwise: kernels and launches of that time were not recorded; nothing "
				  "is extrapolated", ct_report_time(seen, full), ct_report_time(span, all),
				  span ? 100.0 * (double)seen / (double)span : 0,
				  ct_report_count(model->sights.count, "window", windows));
	return 1;
}

/* Had calls ended when CUPTI was started? In other modes it is started within the first. */
static bool started_late(const struct ct_model *model)
{
	for (size_t i = 0; i < model->calls.count; i++)
		if (model->calls.at[i].raw.leave_ns < model->cupti_begin_ns)
			return true;
		else if (model->calls.at[i].raw.enter_ns > model->cupti_begin_ns)
			return false;
	return false;
}

/* Under `auto`, the first long call starts CUPTI: what it shows is unknown until then. */
static int print_late_start(const struct ct_model *model, FILE *to, int printed)
{
	char text[16];

	if (!ct_seen_partly(model) || model->has_no_cupti)
		return printed;
	if (!model->has_cupti && ct_seen_windows(model) && !model->calls.count)
		return printed; /* there was no window, or nothing in it */
	if (!model->has_cupti && !ct_seen_light_mode(model))
		ct_report_wrapped(to, lead(printed), GO_ON, "device times: CUPTI was never started");
	else if (!model->has_cupti)
		ct_report_wrapped(to, lead(printed), GO_ON, "device times: CUPTI was never started (under "
				  "CUTRACE_MODE=auto the first long call does it)");
	else if (started_late(model))
		ct_report_wrapped(to, lead(printed), GO_ON, "device times of the first %s: CUPTI had not been "
				  "started",
				  ct_report_time(model->cupti_begin_ns - model->begin_ns, text));
	else
		return printed;
	ct_report_wrapped(to, lead(1), GO_ON, "%s" UNSEEN, model->has_cupti ? "until then, " : "");
	return 1;
}

/* Why there may be no device times, in the words of whoever found out. */
static int print_blindness(const struct ct_model *model, FILE *to, int printed)
{
	for (size_t i = 0; i < model->notes.count; i++) {
		const struct ct_note_info *note = &model->notes.at[i];

		if (note->code == CT_NOTE_NO_CUPTI) {
			ct_report_wrapped(to, lead(printed), GO_ON, "device times: %s", note->text);
			ct_report_wrapped(to, lead(1), GO_ON, UNSEEN);
			printed = 1;
		} else if (note->code == CT_NOTE_YIELDED && model->cupti_end_ns) {
			print_yield(model, note, lead(printed), to);
			ct_report_wrapped(to, lead(1), GO_ON, "from then on, " UNSEEN);
			printed = 1;
		} else if (note->code == CT_NOTE_FIX) {
			printed = say(to, printed, "the program as it is: cutrace changed it (%s)",
				      note->text);
		} else if (note->code == CT_NOTE_NO_NVTX) {
			printed = say(to, printed, "NVTX ranges: %s", note->text);
		} else if (note->code == CT_NOTE_SHARED_GPU) {
			printed = say(to, printed, "the work of other processes that share the GPU (%s)",
				      note->text);
		} else if (note->code == CT_NOTE_PARTIAL_CUPTI || note->code == CT_NOTE_NO_UNWINDER) {
			printed = say(to, printed, "%s", note->text);
		}
	}
	return printed;
}

static int print_losses(const struct ct_model *model, FILE *to, int printed)
{
	char text[CT_THINGS_BYTES];

	for (uint32_t i = 0; i < model->header->loss_count; i++) {
		if (!model->header->lost[i])
			continue;
		printed = say(to, printed, "%s",
			      ct_report_things(model->header->lost[i], ct_report_loss((int)i), text));
	}
	return printed;
}

static int print_scripts(const struct ct_totals *totals, FILE *to, int printed)
{
	char text[48];

	for (uint32_t state = 0; state <= CT_SCRIPT_STATE_COUNT; state++) {
		const char *missing = ct_script_missing(state);
		uint64_t calls = missing ? totals->script_calls[state] : 0;

		if (!calls)
			continue;
		printed = say(to, printed, "the Python lines of %s: %s",
			      ct_report_count(calls, "call", text), missing);
	}
	return printed;
}

static int print_flight(const struct ct_model *model, FILE *to, int printed)
{
	if (!ct_report_overwritten(model))
		return printed;
	ct_report_flight(model, lead(printed), lead(1), GO_ON, to);
	return 1;
}

/* What the files of modules did not say, or may say wrongly. */
static int print_modules(const struct ct_symbols *symbols, FILE *to, int printed)
{
	char modules[48];

	if (ct_symbols_mismatched(symbols)) {
		char gone[64] = "";

		if (ct_symbols_missing(symbols))
			snprintf(gone, sizeof(gone), ", %u whose file is gone", ct_symbols_missing(symbols));
		printed = say(to, printed, "source lines in %s whose file has changed since%s",
			      ct_report_count(ct_symbols_mismatched(symbols), "module", modules),
			      gone);
	} else if (ct_symbols_missing(symbols)) {
		printed = say(to, printed, "source lines in %s whose file is gone",
			      ct_report_count(ct_symbols_missing(symbols), "module", modules));
	}
	if (ct_symbols_unverified(symbols)) {
		printed = say(to, printed, "whether %s without a build id changed since: their "
			      "source lines may be wrong",
			      ct_report_count(ct_symbols_unverified(symbols), "module", modules));
	}
	if (ct_symbols_outside(symbols)) {
		printed = say(to, printed, "source lines or inlined functions of %s: files that "
			      "their debug information names (.dwo, dwz) are not opened",
			      ct_report_count(ct_symbols_outside(symbols), "module", modules));
	}
	return printed;
}

/* Of what was written; a program that died has claimed a chunk at least. */
static uint64_t missing_bytes(const struct ct_model *model)
{
	uint64_t claimed = model->header->claimed_bytes, size = ct_reader_size(model->reader);

	return claimed > CT_CHUNK_UNIT && claimed > size ? claimed - size : 0;
}

bool ct_report_damaged(const struct ct_analysis *a)
{
	return missing_bytes(a->model) || a->model->damaged_bytes;
}

bool ct_report_nothing(const struct ct_analysis *a)
{
	return !a->totals.calls && !a->totals.ops && !a->site_totals->all.count &&
	       (ct_report_damaged(a) || a->model->header->finish == CT_FINISH_CUT_OFF);
}

/* Device records without possible times, but for those that CUPTI delivered so: they are a loss. */
static uint64_t impossible_ops(const struct ct_model *model)
{
	uint64_t known = model->header->loss_count > CT_LOSS_UNTIMED ? model->header->lost[CT_LOSS_UNTIMED] : 0;

	return model->untimed_ops > known ? model->untimed_ops - known : 0;
}

/* What is wrong with the file itself. */
static int print_damage(const struct ct_analysis *a, FILE *to, int printed)
{
	const struct ct_model *model = a->model;
	char count[48];

	if (missing_bytes(model)) {
		printed = say(to, printed, "%s missing at the end of the trace file",
			      ct_report_count(missing_bytes(model), "byte", count));
	}
	if (model->damaged_bytes) {
		printed = say(to, printed, "%s of the trace, the first at offset %" PRIu64,
			      ct_report_count(model->damaged_bytes, "damaged byte", count),
			      model->damaged_at);
	}
	if (ct_reader_gaps(model->reader)) {
		printed = say(to, printed, "%s of the trace holding nothing: a thread was "
			      "stopped, or the disk full, as it began to write there, or damage",
			      ct_report_count(ct_reader_gaps(model->reader), "byte", count));
	}
	if (model->unknown_records) {
		printed = say(to, printed, "%s of kinds that this version does not know: of a "
			      "newer one, or damaged",
			      ct_report_count(model->unknown_records, "record", count));
	}
	if (impossible_ops(model)) {
		printed = say(to, printed, "%s whose times cannot be: an end before the start, or "
			      "no start",
			      ct_report_count(impossible_ops(model), "device record", count));
	}
	if (a->totals.nameless) {
		printed = say(to, printed, "which call it was, of %s whose names are missing in "
			      "the trace",
			      ct_report_count(a->totals.nameless, "call", count));
	}
	return printed;
}

#define CUT_OFF "the end: the run was cut off (killed, or still going); "

/* CUPTI is asked for its records once a second, and by `cutrace ctl report-now`. */
static int print_end(const struct ct_model *model, FILE *to, int printed)
{
	uint64_t fetched_ns = model->header->control.fetched_ns;
	char text[16] = "second";

	if (fetched_ns && fetched_ns >= model->end_ns)
		return say(to, printed, CUT_OFF "CUPTI was asked for device records after the last call");
	if (fetched_ns)
		ct_report_time(model->end_ns - fetched_ns, text);
	return say(to, printed, CUT_OFF "the last %s of device records may be missing", text);
}

static int print_gaps(const struct ct_analysis *a, FILE *to, int printed)
{
	const struct ct_model *model = a->model;
	char count[48];

	if (model->header->finish == CT_FINISH_CUT_OFF)
		printed = print_end(model, to, printed);
	printed = print_damage(a, to, printed);
	if (a->totals.without_work) {
		printed = say(to, printed, "what %s submitted: no device record of it came (it "
			      "had not ended when the program did, %sor CUPTI lost it)",
			      ct_report_count(a->totals.without_work, "call", count),
			      model->header->finish == CT_FINISH_CUT_OFF ? "CUPTI still had it, " :
			      "");
	}
	if (a->totals.without_work_cut) {
		printed = say(to, printed, "what %s submitted: no device record of it came before %s",
			      ct_report_count(a->totals.without_work_cut, "call", count),
			      ct_seen_windows(model) ? "the window ended" :
			      "the mode was light again");
	}
	if (a->totals.managed) {
		printed = say(to, printed, "page faults and migrations of managed memory (%s); "
			      "kernels that touch it may take longer for them",
			      ct_report_count(a->totals.managed, "allocation", count));
	}
	if (a->totals.unjoined_ops) {
		printed = say(to, printed, "the calls that submitted %s%s",
			      ct_report_count(a->totals.unjoined_ops, "device operation", count),
			      ct_seen_windows(model) ?
			      ": made outside the windows, or at their edges" :
			      ct_seen_partly(model) ? ": made while the mode was light" : "");
	}
	printed = print_modules(a->sites->places->symbols, to, printed);
	if (a->totals.without_line) {
		printed = say(to, printed, "the source lines of %s: no module on their stacks has "
			      "debug information",
			      ct_report_count(a->totals.without_line, "blocked call", count));
	}
	if (a->totals.unknown_apis) {
		printed = say(to, printed, "the meaning of %s of a newer version",
			      ct_report_count(a->totals.unknown_apis, "call", count));
	}
	return printed;
}

int ct_report_unseen(const struct ct_analysis *a, char **ret)
{
	size_t size, used = 0;
	char *text = NULL;
	FILE *to = open_memstream(&text, &size);
	int printed;

	if (!to)
		return -ENOMEM;
	printed = print_modes(a->model, to, 0);
	printed = print_late_start(a->model, to, printed);
	printed = print_blindness(a->model, to, printed);
	printed = print_flight(a->model, to, printed);
	print_gaps(a, to, print_scripts(&a->totals, to, printed));
	if (fclose(to) != 0) {
		free(text);
		return -ENOMEM;
	}
	for (size_t at = 0; at < size;) {
		size_t next = at + strcspn(text + at, "\n") + 1, skip = LEAD_BYTES;

		if (used && strncmp(text + at, GO_ON, strlen(GO_ON)) == 0) {
			text[used - 1] = ' ';
			skip = strlen(GO_ON);
		}
		memmove(text + used, text + at + skip, next - at - skip);
		used += next - at - skip;
		at = next;
	}
	text[used] = '\0';
	*ret = text;
	return 0;
}

/* What a long run's analysis in parts may have made of it, and where the rows are. */
static void print_parts(const struct ct_analysis *a, FILE *to)
{
	char parts[48];

	if (!a->parts)
		return;
	ct_report_wrapped(to, "long run  ", "          ", "analyzed in %s, %zu of them cut where work was "
			  "under way: a wait or a loss that spans more of them than one and its "
			  "neighbourhood may be missed", ct_report_count(a->parts, "part", parts),
			  a->parts_cut);
	ct_report_wrapped(to, "          ", "          ", "serialized.csv and idle.csv have the rows that "
			  "cost most, %u at most", CT_FOLD_ROWS);
	if (!a->all_rows && !a->filter)
		ct_report_wrapped(to, "          ", "          ", "calls.csv, device.csv and blocked.csv "
				  "are left out: `cutrace report --all-rows %s` makes them",
				  a->directory);
}

void ct_report_coverage(const struct ct_analysis *a, FILE *to)
{
	int printed;

	print_title(a, to);
	ct_report_filter(a, to);
	print_seen(a, to);
	printed = print_modes(a->model, to, 0);
	printed = print_late_start(a->model, to, printed);
	printed = print_blindness(a->model, to, printed);
	printed = print_flight(a->model, to, printed);
	printed = print_losses(a->model, to, printed);
	printed = print_scripts(&a->totals, to, printed);
	printed = print_gaps(a, to, printed);
	if (!printed)
		fprintf(to, "not seen  nothing was dropped\n");
	print_parts(a, to);
	ct_report_trust(a, to);
}
