/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/blocking.h"
#include "analyze/device.h"
#include "analyze/seen.h"
#include "analyze/sort.h"

static const struct {
	const char *prefix, *statement, *source;
} docs[] = {
#define CT_DOC(prefix, statement, source) { prefix, statement, source },
#include "analyze/ledger.def"
#undef CT_DOC
};

static void look_up(struct ct_ledger_line *line)
{
	const char *name = ct_apis[line->api].name;

	line->documented = line->source = "";
	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
		if (strncmp(name, docs[i].prefix, strlen(docs[i].prefix)) == 0) {
			line->documented = docs[i].statement;
			line->source = docs[i].source;
			return;
		}
}

/*
 * Running maximum of the ends of operations, by device, in order of submission: was anything in
 * flight when a call began? Calls come in order of time, so one pass does.
 */
struct flight {
	const struct ct_model *model;
	const struct ct_ranked *by_submission;
	size_t next;
	uint64_t *last_end_ns;
};

/* Had a call's device work in flight, and had another? Of a call about none in particular: any. */
struct busy {
	bool own, other;
};

static struct busy in_flight(struct flight *f, const struct ct_host_call *call)
{
	uint64_t time_ns = call->raw.enter_ns;
	struct busy busy = { false, false };

	while (f->next < f->model->ops.count) {
		const struct ct_op *op = &f->model->ops.at[f->by_submission[f->next].index];
		uint64_t *last = &f->last_end_ns[ct_device_place(f->model, op->raw.device)];

		if (op->submit_ns >= time_ns)
			break;
		if (op->raw.end_ns > *last)
			*last = op->raw.end_ns;
		f->next++;
	}
	for (size_t i = 0; i <= f->model->device_count; i++)
		if (f->last_end_ns[i] > time_ns)
			*(call->device == CT_NONE || call->device == i ? &busy.own : &busy.other) = true;
	return busy;
}

static void add_waits(const struct ct_model *model, const struct ct_host_call *call,
		      struct ct_ledger_line *line)
{
	for (uint32_t i = 0; i < call->wait_count; i++) {
		const struct ct_wait *wait = &model->waits.at[call->first_wait + i];
		uint64_t ns = wait->end_ns - wait->start_ns;

		if (wait->part == CT_PART_DRIVER_WORK || wait->part == CT_PART_TOOL ||
		    ns < CT_LEDGER_BLOCKED_NS || ns <= line->longest_wait_ns)
			continue;
		line->longest_wait_ns = ns;
		line->longest_wait = call->first_wait + i;
	}
}

static void add_call(const struct ct_model *model, const struct ct_host_call *call,
		     struct busy busy, struct ct_ledger_line *line)
{
	uint64_t took = call->raw.leave_ns - call->raw.enter_ns;
	bool known = ct_seen_call(model, call) != CT_SEEN_LIGHT;
	bool waited = known && call->parts[CT_PART_DEVICE_WAIT] >= CT_LEDGER_BLOCKED_NS;

	line->api = call->api;
	line->calls++;
	line->chances += known && busy.own;
	line->elsewhere += known && busy.other && !busy.own;
	line->waited += waited && !call->elsewhere;
	line->waited_elsewhere += waited && call->elsewhere;
	line->locked += call->parts[CT_PART_LOCK_WAIT] > 0;
	line->blocked += ct_blocking_blocked(call) >= CT_LEDGER_BLOCKED_NS;
	if (took > line->longest_ns)
		line->longest_ns = took;
	add_waits(model, call, line);
}

static int by_longest_wait(const void *a, const void *b)
{
	const struct ct_ledger_line *x = a, *y = b;

	if (x->longest_wait_ns != y->longest_wait_ns)
		return x->longest_wait_ns > y->longest_wait_ns ? -1 : 1;
	return strcmp(ct_apis[x->api].name, ct_apis[y->api].name);
}

int ct_ledger_of(const struct ct_ledger_line all[CT_API_COUNT], struct ct_ledger **ret)
{
	struct ct_ledger *ledger = calloc(1, sizeof(*ledger));

	for (int api = 0; ledger && api < CT_API_COUNT; api++) {
		struct ct_ledger_line line = all[api];

		if (!line.calls)
			continue;
		look_up(&line);
		if (CT_PUSH(&ledger->lines, line) < 0) {
			ct_ledger_destroy(ledger);
			return -ENOMEM;
		}
	}
	if (!ledger)
		return -ENOMEM;
	if (ledger->lines.count)
		qsort(ledger->lines.at, ledger->lines.count, sizeof(*ledger->lines.at),
		      by_longest_wait);
	*ret = ledger;
	return 0;
}

int ct_ledger_make(const struct ct_model *model, struct ct_ledger **ret)
{
	struct ct_ledger_line *all = calloc(CT_API_COUNT, sizeof(*all));
	struct ct_ranked *order = malloc((model->ops.count + 1) * sizeof(*order));
	uint64_t *ends = calloc(model->device_count + 1, sizeof(*ends));
	struct flight flight = { .model = model, .by_submission = order, .last_end_ns = ends };
	int r = all && order && ends ? 0 : -ENOMEM;

	for (int api = 0; r == 0 && api < CT_API_COUNT; api++)
		all[api].longest_wait = CT_NONE;
	for (uint32_t i = 0; r == 0 && i < model->ops.count; i++)
		order[i] = (struct ct_ranked){ model->ops.at[i].submit_ns, i };
	if (r == 0)
		r = ct_sort_ranked(order, model->ops.count);
	for (uint32_t i = model->core.first_call; r == 0 && i < model->core.end_call; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		const struct busy chance = in_flight(&flight, call);

		if (!call->left_out)
			add_call(model, call, chance, &all[call->api]);
	}
	if (r == 0)
		r = ct_ledger_of(all, ret);
	free(all);
	free(order);
	free(ends);
	return r;
}

void ct_ledger_destroy(struct ct_ledger *ledger)
{
	if (!ledger)
		return;
	free(ledger->lines.at);
	free(ledger);
}
