/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of NCCL's kernels, from a model whose waits have been found. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/demangle.h"
#include "analyze/nccl.h"

#define NAME_BYTES 4608
#define NAME_WIDTH 60 /* of other kernels, in characters */
#define CHAIN_MAX 64  /* operations, one after the other, that a wait is followed back through */

/* Times by key (a site, a kernel), of few. */
struct sum {
	uint32_t key, example;
	uint64_t ns;
};

struct tally {
	CT_ARRAY(struct sum) sums;
};

struct finder {
	const struct ct_model *model;
	const struct ct_sites *sites;
	struct ct_nccl *to;
	uint8_t *op_of_name;     /* by string id: enum ct_nccl_op */
	uint32_t *text_of_name;  /* of NCCL's, by string id: 1 + its text; 0: not yet */
	uint32_t *text_of_site;  /* likewise */
	uint32_t *kept_as;       /* by operation: 1 + its index in its lane's; 0: none is */
	uint32_t *lane_of;       /* by operation with one */
	uint64_t *ended;         /* by operation: when the last of those up to it ended */
	struct tally tallies[CT_BEFORE_COUNT]; /* all empty between collectives */
};

static int tally_add(struct tally *t, uint32_t key, uint32_t example, uint64_t ns)
{
	struct sum fresh = { key, example, ns };

	if (!ns)
		return 0;
	for (size_t i = 0; i < t->sums.count; i++)
		if (t->sums.at[i].key == key) {
			t->sums.at[i].ns += ns;
			return 0;
		}
	return CT_PUSH(&t->sums, fresh);
}

/* The example of what has most; CT_NONE if there is nothing. Empties the tally. */
static uint32_t tally_most(struct tally *t)
{
	uint32_t most = CT_NONE;
	uint64_t ns = 0;

	for (size_t i = 0; i < t->sums.count; i++)
		if (t->sums.at[i].ns > ns) {
			ns = t->sums.at[i].ns;
			most = t->sums.at[i].example;
		}
	t->sums.count = 0;
	return most;
}

static uint64_t overlap(uint64_t start, uint64_t end, uint64_t from, uint64_t to)
{
	start = start > from ? start : from;
	end = end < to ? end : to;
	return start < end ? end - start : 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static enum ct_nccl_op op_of(const struct finder *f, uint32_t index)
{
	const struct ct_device_op *op = &f->model->ops.at[index].raw;

	return op->kind == CT_DEVICE_KERNEL && op->name < f->model->strings.count
		       ? (enum ct_nccl_op)f->op_of_name[op->name]
		       : CT_NCCL_OPS;
}

/* The place of a call as a text of the digest. */
static int place_text(const struct finder *f, uint32_t call, uint32_t *ret)
{
	const struct ct_site *site = &f->sites->all.at[f->sites->of_call[call]];
	uint32_t *known = &f->text_of_site[f->sites->of_call[call]];
	char text[NAME_BYTES];

	if (!*known) {
		snprintf(text, sizeof(text), "%s at %s", site->name, site->where);
		*known = ct_nccl_text(f->to, text) + 1; /* CT_NONE + 1 is 0 */
	}
	*ret = *known - 1;
	return *known ? 0 : -ENOMEM;
}

static int op_text(const struct finder *f, uint32_t op, uint32_t *ret)
{
	char name[NAME_BYTES], text[NAME_WIDTH + 4];

	ct_model_op_name(f->model, op, name, sizeof(name));
	ct_demangle_short(name, text, sizeof(text), NAME_WIDTH);
	*ret = ct_nccl_text(f->to, text);
	return *ret == CT_NONE ? -ENOMEM : 0;
}

static bool blocks(const struct ct_wait *wait)
{
	return wait->part != CT_PART_TOOL && wait->part != CT_PART_DRIVER_WORK;
}

/* How long a call was blocked between two times. */
static uint64_t blocked_ns(const struct ct_model *model, const struct ct_host_call *call, uint64_t from_ns,
			   uint64_t to_ns)
{
	uint64_t sum = 0;

	for (uint32_t w = 0; w < call->wait_count; w++) {
		const struct ct_wait *wait = &model->waits.at[call->first_wait + w];

		if (blocks(wait))
			sum += overlap(wait->start_ns, wait->end_ns, from_ns, to_ns);
	}
	return sum;
}

/* How long the thread of `launch` was in calls between two times, blocked or not, and in which most. */
static int find_calls(struct finder *f, uint32_t launch, uint64_t from_ns, uint64_t to_ns,
		      struct ct_collective *c)
{
	const struct ct_model *model = f->model;
	const struct ct_thread_info *thread = &model->threads.at[model->calls.at[launch].thread];
	int r = 0;

	for (uint32_t i = ct_model_first_ending(model, thread, from_ns); r == 0 && i < thread->call_count; i++) {
		const struct ct_host_call *call = &model->calls.at[thread->calls[i]];
		uint64_t in_ns = overlap(call->raw.enter_ns, call->raw.leave_ns, from_ns, to_ns);
		uint64_t blocked = blocked_ns(model, call, from_ns, to_ns);
		uint32_t site = f->sites->of_call[thread->calls[i]];

		if (call->raw.enter_ns >= to_ns)
			break;
		c->before_ns[CT_BEFORE_BLOCKED] += blocked;
		c->before_ns[CT_BEFORE_CALLS] += in_ns - blocked;
		r = tally_add(&f->tallies[CT_BEFORE_BLOCKED], site, thread->calls[i], blocked);
		if (r == 0)
			r = tally_add(&f->tallies[CT_BEFORE_CALLS], site, thread->calls[i], in_ns - blocked);
	}
	for (int what = CT_BEFORE_CALLS; what <= CT_BEFORE_BLOCKED; what++) {
		uint32_t most = tally_most(&f->tallies[what]);

		if (r == 0 && most != CT_NONE)
			r = place_text(f, most, &c->before[what]);
	}
	return r;
}

/* What the device did longest between two times, before operation `index` began. */
static int find_ran(struct finder *f, uint32_t index, uint64_t from_ns, uint64_t to_ns,
		    struct ct_collective *c)
{
	uint16_t device = f->model->ops.at[index].raw.device;
	uint32_t most;
	int r = 0;

	for (uint32_t i = index; r == 0 && i-- > 0 && f->ended[i] > from_ns;) {
		const struct ct_device_op *op = &f->model->ops.at[i].raw;
		uint64_t ns = overlap(op->start_ns, op->end_ns, from_ns, to_ns);

		if (ns && op->device == device && op_of(f, i) == CT_NCCL_OPS)
			r = tally_add(&f->tallies[CT_BEFORE_DEVICE], op->kind == CT_DEVICE_KERNEL ? op->name :
				      CT_NONE - op->kind, i, ns);
	}
	most = tally_most(&f->tallies[CT_BEFORE_DEVICE]);
	return r == 0 && most != CT_NONE ? op_text(f, most, &c->before[CT_BEFORE_DEVICE]) : r;
}

/* What was done since the collective before, which ended at from_ns. */
static int find_before(struct finder *f, uint32_t index, uint64_t from_ns, struct ct_collective *c)
{
	const struct ct_op *op = &f->model->ops.at[index];
	uint64_t start_ns = op->raw.start_ns;
	uint64_t launch_ns = earlier(later(op->submit_ns, from_ns), start_ns), in_calls_ns;
	int r = 0;

	if (from_ns >= start_ns)
		return 0;
	if (op->call != CT_NONE)
		r = find_calls(f, op->call, from_ns, launch_ns, c);
	in_calls_ns = c->before_ns[CT_BEFORE_CALLS] + c->before_ns[CT_BEFORE_BLOCKED];
	c->before_ns[CT_BEFORE_OWN] = launch_ns - from_ns - earlier(in_calls_ns, launch_ns - from_ns);
	c->before_ns[CT_BEFORE_DEVICE] = start_ns - launch_ns;
	return r < 0 ? r : find_ran(f, index, launch_ns, start_ns, c);
}

static int count_kernel(struct finder *f, uint32_t index, enum ct_nccl_op kind)
{
	const struct ct_op *op = &f->model->ops.at[index];
	uint64_t ns = op->raw.end_ns - op->raw.start_ns;
	struct ct_nccl_call call = { .op = kind, .at = CT_NONE, .grid = op->raw.u.kernel.grid_x,
				     .count = 1, .total_ns = ns, .least_ns = ns, .most_ns = ns };
	uint32_t *known = &f->text_of_name[op->raw.name];
	int r = 0;

	if (!*known) {
		r = op_text(f, index, &call.kernel);
		*known = call.kernel + 1;
	}
	call.kernel = *known - 1;
	if (r == 0 && op->call != CT_NONE)
		r = place_text(f, op->call, &call.at);
	return r < 0 ? r : ct_nccl_count(f->to, call);
}

/* A collective of the model. Those before the core only say what the first in it follows. */
static int add_collective(struct finder *f, uint32_t index, enum ct_nccl_op kind)
{
	const struct ct_device_op *op = &f->model->ops.at[index].raw;
	struct ct_nccl_lane *lane = ct_nccl_lane(f->to, op->device, op->context, op->stream);
	struct ct_collective c = { .start_ns = op->start_ns, .end_ns = op->end_ns, .op = kind,
				   .host_at = CT_NONE, .before = { CT_NONE, CT_NONE, CT_NONE, CT_NONE } };
	uint64_t seen_from_ns = later(f->model->begin_ns, f->model->core.from_ns);
	int r;

	if (!lane)
		return -ENOMEM;
	if (index < f->model->core.first_op) {
		lane->last_end_ns = op->end_ns;
		return 0;
	}
	r = find_before(f, index, later(lane->last_end_ns, seen_from_ns), &c);
	if (r < 0)
		return r;
	if (lane->kept.count < CT_NCCL_KEPT) {
		f->kept_as[index] = (uint32_t)lane->kept.count + 1;
		f->lane_of[index] = (uint32_t)(lane - f->to->lanes.at);
	}
	return ct_nccl_add(lane, f->model->strings.at[op->name], &c);
}

static int add_kernels(struct finder *f)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < f->model->core.end_op; i++) {
		enum ct_nccl_op kind = op_of(f, i);

		f->ended[i] = later(f->model->ops.at[i].raw.end_ns, i ? f->ended[i - 1] : 0);
		if (kind == CT_NCCL_OPS)
			continue;
		if (i >= f->model->core.first_op)
			r = count_kernel(f, i, kind);
		if (r == 0 && ct_nccl_meets[kind] != CT_NCCL_MEETS_NONE)
			r = add_collective(f, i, kind);
	}
	return r;
}

/* A host thread waited for a collective: keep it if it is the longest such wait. */
static int add_host_wait(struct finder *f, const struct ct_wait *wait, uint32_t op)
{
	struct ct_collective *c = &f->to->lanes.at[f->lane_of[op]].kept.at[f->kept_as[op] - 1];
	uint64_t start_ns = later(wait->start_ns, c->start_ns), end_ns = earlier(wait->end_ns, c->end_ns);

	if (start_ns >= end_ns || end_ns - start_ns <= c->host_end_ns - c->host_start_ns)
		return 0;
	c->host_start_ns = start_ns;
	c->host_end_ns = end_ns;
	return place_text(f, wait->call, &c->host_at);
}

/* Which operation kept one from starting: of those that it had to follow, the last to end. */
static uint32_t held_by(const struct ct_model *model, uint32_t index)
{
	const struct ct_op *op = &model->ops.at[index];
	uint32_t last = op->previous;

	for (int edge = 0; edge < CT_EDGES; edge++) {
		uint32_t other = op->edges[edge].op;

		if (other != CT_NONE && (last == CT_NONE ||
		    model->ops.at[other].raw.end_ns > model->ops.at[last].raw.end_ns))
			last = other;
	}
	return last;
}

/* The wait may be for what follows a collective: back along what followed what. */
static int follow_waits(struct finder *f)
{
	const struct ct_model *model = f->model;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->waits.count; i++) {
		const struct ct_wait *wait = &model->waits.at[i];
		uint32_t op = wait->part == CT_PART_DEVICE_WAIT ? wait->op : CT_NONE;

		for (int n = 0; r == 0 && n < CHAIN_MAX && op != CT_NONE &&
		     model->ops.at[op].raw.end_ns > wait->start_ns; n++) {
			if (f->kept_as[op])
				r = add_host_wait(f, wait, op);
			op = held_by(model, op);
		}
	}
	return r;
}

/* Is any of NCCL's there? Most programs have none, and pay nothing more. */
static int name_kernels(struct finder *f, bool *ret_any)
{
	*ret_any = false;
	f->op_of_name = malloc(f->model->strings.count + 1);
	if (!f->op_of_name)
		return -ENOMEM;
	for (size_t i = 0; i < f->model->strings.count; i++) {
		const char *name = f->model->strings.at[i];

		f->op_of_name[i] = (uint8_t)(name ? ct_nccl_op_of(name) : CT_NCCL_OPS);
		*ret_any |= f->op_of_name[i] != CT_NCCL_OPS;
	}
	return 0;
}

static int find(struct finder *f)
{
	size_t ops = f->model->ops.count + 1;
	int r;

	f->text_of_name = calloc(f->model->strings.count + 1, sizeof(*f->text_of_name));
	f->text_of_site = calloc(f->sites->all.count + 1, sizeof(*f->text_of_site));
	f->kept_as = calloc(ops, sizeof(*f->kept_as));
	f->lane_of = calloc(ops, sizeof(*f->lane_of));
	f->ended = calloc(ops, sizeof(*f->ended));
	if (!f->text_of_name || !f->text_of_site || !f->kept_as || !f->lane_of || !f->ended)
		return -ENOMEM;
	r = add_kernels(f);
	return r < 0 ? r : follow_waits(f);
}

int ct_nccl_find(const struct ct_model *model, const struct ct_sites *sites, struct ct_nccl *ret)
{
	struct ct_nccl found = { 0 };
	struct finder f = { .model = model, .sites = sites, .to = &found };
	bool any;
	int r = name_kernels(&f, &any);

	if (r == 0 && any)
		r = find(&f);
	free(f.op_of_name);
	free(f.text_of_name);
	free(f.text_of_site);
	free(f.kept_as);
	free(f.lane_of);
	free(f.ended);
	for (int what = 0; what < CT_BEFORE_COUNT; what++)
		free(f.tallies[what].sums.at);
	if (r < 0) {
		ct_nccl_free(&found);
		return r;
	}
	*ret = found;
	return 0;
}
