/* SPDX-License-Identifier: Apache-2.0 */
/* What the traces of a run hold and what they do not, over all of its processes. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "analyze/report.h"
#include "analyze/run.h"

#define NAMES_SHOWN 6
#define NAMES_TAIL 32 /* bytes kept for " and 512 more" */
#define SIZE_MAX_CHECKED (1u << 20) /* ranks; no run is larger */

void ct_names_add(struct ct_names *names, const char *name)
{
	size_t room = sizeof(names->text) - NAMES_TAIL - names->used;
	int n;

	if (names->count++ > names->shown || names->shown == NAMES_SHOWN)
		return;
	n = snprintf(names->text + names->used, room, "%s%s", names->used ? ", " : "", name);
	if (n < 0 || (size_t)n >= room) {
		names->text[names->used] = '\0';
		return;
	}
	names->used += (size_t)n;
	names->shown++;
}

const char *ct_names_text(struct ct_names *names)
{
	if (names->count > names->shown)
		snprintf(names->text + names->used, sizeof(names->text) - names->used, "%s%zu more",
			 names->shown ? " and " : "", names->count - names->shown);
	return names->text;
}

unsigned ct_report_count_unseen(const struct ct_process *p)
{
	unsigned count = p->lost_otherwise > 0;

	for (int i = 0; i < CT_LOSS_COUNT; i++)
		count += p->lost[i] > 0;
	for (const char *at = p->unseen; (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

static void say(FILE *to, int *printed, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(FILE *to, int *printed, const char *format, ...)
{
	char text[CT_NAME_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ct_report_wrapped(to, (*printed)++ ? "          " : "NOT seen  ", "          ", "%s", text);
}

/* A kind of loss in all processes; kind CT_LOSS_COUNT: those without a name. */
static void print_loss(const struct ct_run *run, int kind, FILE *to, int *printed)
{
	struct ct_names names = { 0 };
	char text[CT_THINGS_BYTES];
	uint64_t sum = 0;

	for (size_t i = 0; i < run->processes.count; i++) {
		const struct ct_process *p = &run->processes.at[i];
		uint64_t lost = kind < CT_LOSS_COUNT ? p->lost[kind] : p->lost_otherwise;

		sum += lost;
		if (lost)
			ct_names_add(&names, p->label);
	}
	if (sum)
		say(to, printed, "%s (%s)", ct_report_things(sum, ct_report_loss(kind), text),
		    ct_names_text(&names));
}

enum likeness { DIFFERENT, OTHER_NUMBERS, SAME };

/* Do two lines say the same, but for their numbers? */
static enum likeness compare_lines(const char *a, const char *b)
{
	enum likeness result = SAME;

	for (;;) {
		size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");

		if (!n != !m)
			return DIFFERENT;
		if (n != m || strncmp(a, b, n) != 0)
			result = OTHER_NUMBERS;
		a += n;
		b += m;
		if (*a != *b)
			return DIFFERENT;
		if (*a == '\n')
			return result;
		a++;
		b++;
	}
}

/* In which way does a process's list of things not seen have this line? */
static enum likeness has_line(const struct ct_process *p, const char *line)
{
	enum likeness most = DIFFERENT;

	for (const char *at = p->unseen; *at; at = strchr(at, '\n') + 1) {
		enum likeness likeness = compare_lines(at, line);

		most = likeness > most ? likeness : most;
	}
	return most;
}

/* Each thing once, with the processes that say it: hundreds of ranks differ in numbers. */
static void print_lines(const struct ct_run *run, size_t process, FILE *to, int *printed)
{
	const char *line = run->processes.at[process].unseen;

	for (; *line; line = strchr(line, '\n') + 1) {
		struct ct_names same = { 0 }, alike = { 0 };
		bool said = false;

		for (size_t i = 0; i < run->processes.count; i++) {
			enum likeness likeness = has_line(&run->processes.at[i], line);

			said |= likeness != DIFFERENT && i < process;
			if (likeness != DIFFERENT)
				ct_names_add(likeness == SAME ? &same : &alike, run->processes.at[i].label);
		}
		if (!said && alike.count)
			say(to, printed, "%.*s (%s; with other numbers: %s)", (int)strcspn(line, "\n"),
			    line, ct_names_text(&same), ct_names_text(&alike));
		else if (!said)
			say(to, printed, "%.*s (%s)", (int)strcspn(line, "\n"), line,
			    ct_names_text(&same));
	}
}

/* The number of ranks that the processes state; 0 if none does. */
static uint32_t size_of(const struct ct_run *run)
{
	uint32_t size = 0;

	for (size_t i = 0; i < run->processes.count; i++)
		if (run->processes.at[i].size != CT_NONE && run->processes.at[i].size > size)
			size = run->processes.at[i].size;
	return size < SIZE_MAX_CHECKED ? size : 0;
}

static void print_missing(const struct ct_run *run, FILE *to, int *printed)
{
	uint32_t size = size_of(run);
	struct ct_names names = { 0 };
	size_t at = 0;
	char rank[48];

	for (uint32_t i = 0; i < size; i++) {
		while (at < run->processes.count && run->processes.at[at].rank < i)
			at++;
		if (at < run->processes.count && run->processes.at[at].rank == i)
			continue;
		ct_names_add(&names, ct_report_rank(i, CT_NONE, rank));
	}
	if (names.count)
		say(to, printed, "%s of %u: no trace of %s was given (did not use CUDA, or it is elsewhere)",
		    ct_names_text(&names), size, names.count == 1 ? "it" : "them");
}

static void print_left_out(const struct ct_run *run, FILE *to, int *printed)
{
	struct ct_names names = run->left_out;
	char count[48];

	if (names.count)
		say(to, printed, "%s could not be used (%s)",
		    ct_report_count(names.count, "trace", count), ct_names_text(&names));
}

void ct_report_run_coverage(const struct ct_run *run, FILE *to)
{
	uint64_t calls = 0, ops = 0;
	char text[48], more[48];
	int printed = 0;

	for (size_t i = 0; i < run->processes.count; i++) {
		calls += run->processes.at[i].calls;
		ops += run->processes.at[i].ops;
	}
	fprintf(to, "seen      %s, %s\n", ct_report_count(calls, "call", text),
		ct_report_count(ops, "device operation", more));
	print_missing(run, to, &printed);
	print_left_out(run, to, &printed);
	for (int kind = 0; kind <= CT_LOSS_COUNT; kind++)
		print_loss(run, kind, to, &printed);
	for (size_t i = 0; i < run->processes.count; i++)
		print_lines(run, i, to, &printed);
	if (!printed)
		fprintf(to, "not seen  nothing was dropped\n");
}
