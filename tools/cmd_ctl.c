/* SPDX-License-Identifier: Apache-2.0 */
/* cutrace ctl: begin and end recording in programs that run, and report on them meanwhile. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "analyze/report.h"
#include "tools/args.h"
#include "tools/control.h"
#include "tools/members.h"
#include "tools/tool.h"
#include "trace/apis.h"
#include "trace/reader.h"
#include "trace/tame.h"

enum verb { START, STOP, STATUS, REPORT_NOW, VERBS };

static const char *const verbs[VERBS] = {
	[START] = "start", [STOP] = "stop", [STATUS] = "status", [REPORT_NOW] = "report-now",
};

static const char *const modes[] = {
	[CT_MODE_FULL] = "full", [CT_MODE_LIGHT] = "light", [CT_MODE_OFF] = "off",
};

/* Why something that was asked for did not happen. */
static const char *why_not(int r)
{
	switch (r) {
	case -EPERM:
		return "belongs to another user, who can control it";
	case -ELOOP:
		return "trace.cutrace is a link: not followed";
	case -EBADMSG:
		return "not the trace of a program that runs: damaged, or packed";
	case -EACCES:
		return "may not be written by you, who would have to";
	case -ESRCH:
		return "the program has ended; `cutrace report` reads what it left";
	case -EOPNOTSUPP:
		return "the program runs with a cutrace that cannot be controlled";
	case -ETIMEDOUT:
		return "no answer within 20 seconds: the program is stopped or stuck; it may still do it";
	case -ENOSPC:
		return "the trace has no room to say so, so nothing was changed";
	default:
		return ct_trace_error(r);
	}
}

/* How much is in the trace so far. Returns 0 or -errno. */
static int count(const char *directory, uint64_t *ret_calls, uint64_t *ret_ops)
{
	struct ct_reader *reader;
	struct ct_item item;
	int r = ct_reader_open_in(directory, &reader);

	if (r < 0)
		return r;
	*ret_calls = *ret_ops = 0;
	while ((r = ct_reader_next(reader, &item)) > 0) {
		*ret_calls += item.type == CT_RECORD_CALL;
		*ret_ops += item.type == CT_RECORD_DEVICE;
	}
	ct_reader_close(reader);
	return r;
}

static uint64_t lost(const struct ct_file_header *header)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(header->lost) / sizeof(header->lost[0]); i++)
		sum += header->lost[i];
	return sum;
}

static void print_state(const struct ct_file_header *header, uint64_t now_ns)
{
	uint32_t mode = __atomic_load_n(&header->control.mode, __ATOMIC_RELAXED);
	uint64_t since_ns = __atomic_load_n(&header->control.since_ns, __ATOMIC_RELAXED);
	double seconds = now_ns > since_ns ? (double)(now_ns - since_ns) / 1e9 : 0;

	if (mode == CT_MODE_OFF)
		printf("not recording for %.1f s, ", seconds);
	else
		printf("recording (%s) for %.1f s, ", mode < CT_MODE_OFF ? modes[mode] : "?", seconds);
	printf("windows so far %" PRIu64, header->control.windows);
}

/* One line: who it is, what it does, what there is, what is missing. */
static int print_status(const char *directory, const struct ct_file_header *header)
{
	uint64_t silence_ns, calls, ops;
	enum ct_life_sign sign = ct_control_sure_sign(header, &silence_ns);
	char program[sizeof(header->program)], name[PATH_MAX], some[48], more[48];
	int r = count(directory, &calls, &ops);

	if (r < 0)
		return ct_fail(directory, ct_trace_error(r));
	snprintf(program, sizeof(program), "%.63s", header->program);
	ct_tame(program, '?');
	printf("%s: %s (pid %u), ", ct_shown(directory, name), program, header->pid);
	if (sign == CT_SIGN_ENDED)
		printf("ended");
	else if (sign == CT_SIGN_DIED)
		printf("died");
	else if (sign == CT_SIGN_DEAF)
		printf("cannot be controlled");
	else
		print_state(header, header->control.beat_ns + silence_ns);
	if (sign == CT_SIGN_SILENT)
		printf(", has not answered for %.1f s", (double)silence_ns / 1e9);
	printf("; %s, %s, %.1f MiB; ", ct_report_count(calls, "call", some),
	       ct_report_count(ops, "device operation", more),
	       (double)header->claimed_bytes / (1 << 20));
	if (lost(header))
		printf("%" PRIu64 " lost (cutrace report says of what)\n", lost(header));
	else
		printf("nothing lost\n");
	return 0;
}

static int tell(const char *directory, struct ct_file_header *header, enum verb verb)
{
	int r = ct_control_ask(header, verb == START ? CT_ASK_START : CT_ASK_STOP);
	char name[PATH_MAX];

	if (r < 0 && r != -EALREADY)
		return ct_fail(directory, why_not(r));
	if (verb == START)
		printf("%s: recording%s\n", ct_shown(directory, name), r ? " already" : "");
	else
		printf("%s: not recording%s\n", ct_shown(directory, name), r ? ", as before" : "");
	return 0;
}

/* Of a program that has ended, what is there is all there will be. */
static int fetch(const char *directory, struct ct_file_header *header)
{
	int r = ct_control_ask(header, CT_ASK_FETCH);

	return r < 0 && r != -ESRCH ? ct_fail(directory, why_not(r)) : 0;
}

static int act_on(const char *directory, enum verb verb)
{
	struct ct_file_header *header;
	int status, r = ct_control_open(directory, &header);

	if (r < 0)
		return ct_fail(directory, why_not(r));
	if (verb == STATUS)
		status = print_status(directory, header);
	else
		status = verb == REPORT_NOW ? fetch(directory, header) : tell(directory, header, verb);
	ct_control_close(header);
	return status;
}

static int report(const struct ct_members *members)
{
	if (members->count == 1)
		return ct_report_one(members->at[0].directory, CT_REPORT_PRINT);
	return members->count ? ct_report_several(members, CT_REPORT_PRINT, NULL) : 0;
}

static int act(const char *directory, enum verb verb)
{
	struct ct_members members = { 0 };
	int status = 0;

	if (ct_members_add(&members, directory) < 0)
		return ct_fail(directory, strerror(ENOMEM));
	for (size_t i = 0; i < members.count; i++)
		status |= act_on(members.at[i].directory, verb);
	if (verb == REPORT_NOW)
		status |= report(&members);
	if (members.bad)
		status = CT_EXIT_FAILED;
	ct_members_free(&members);
	return fflush(stdout) == 0 ? status : ct_fail("standard output", "cannot be written");
}

int ct_cmd_ctl(const struct ct_args *args)
{
	for (int verb = 0; verb < VERBS; verb++)
		if (strcmp(args->operands[1], verbs[verb]) == 0)
			return act(args->operands[0], (enum verb)verb);
	return ct_usage("ctl", "start, stop, status or report-now?");
}
