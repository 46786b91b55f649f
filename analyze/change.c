/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/change.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/fixable.h"
#include "analyze/lookup.h"
#include "analyze/replay.h"
#include "analyze/serialize.h"
#include "analyze/sort.h"
#include "analyze/victim.h"

#define WORK (CT_REMOVE_WORK | CT_REMOVE_COLD)

/* A block that is allocated at the moment. */
struct block {
	struct ct_link link; /* by addr */
	uint64_t addr;
	uint32_t call;
	bool pooled; /* what was freed before has room for it */
};

struct finder {
	const struct ct_model *model;
	const struct ct_sites *sites;
	struct ct_change_items *out;
	uint32_t *first_of_site; /* its first call; CT_NONE */
	uint8_t *seen;           /* by call: kinds of order that it was found to cause */
	struct ct_lookup blocks;
	uint64_t pool_bytes; /* freed so far, and not allocated again */
	uint64_t frees_until_ns; /* the shim changes none later */
	int error;
};

static void add(struct finder *f, uint32_t site, uint32_t call, enum ct_change_kind kind, int low,
		int likely, int high)
{
	struct ct_change_item item = { CT_CHANGE_KEY(site, kind), call,
				       { (uint8_t)low, (uint8_t)likely, (uint8_t)high, (uint8_t)likely }, false };

	if (CT_PUSH(f->out, item) < 0)
		f->error = -ENOMEM;
}

static struct block *find_block(const struct finder *f, uint64_t addr)
{
	return ct_lookup_find(&f->blocks, &addr, sizeof(addr));
}

static struct block *add_block(struct finder *f, uint64_t addr)
{
	struct block *block = calloc(1, sizeof(*block));

	if (!block)
		return NULL;
	block->addr = addr;
	if (ct_lookup_add(&f->blocks, block, &block->addr, sizeof(block->addr)) == 0)
		return block;
	free(block);
	return NULL;
}

/* Of a block of unknown size it counts how many there are. */
static uint64_t size_of(const struct ct_host_call *allocation)
{
	return allocation->raw.bytes ? allocation->raw.bytes : 1;
}

static bool take_pooled(struct finder *f, const struct ct_host_call *allocation)
{
	if (allocation->effects & CT_HOSTMEM || size_of(allocation) > f->pool_bytes)
		return false;
	f->pool_bytes -= size_of(allocation);
	return true;
}

static void note_block(struct finder *f, uint32_t index)
{
	const struct ct_host_call *call = &f->model->calls.at[index];
	struct block *block = find_block(f, call->raw.addr);

	if (!block)
		block = add_block(f, call->raw.addr);
	if (!block) {
		f->error = -ENOMEM;
		return;
	}
	block->call = index;
	block->pooled = take_pooled(f, call);
}

/*
 * What is allocated once and kept is not freed either. The free's wait is another change's, which prove can
 * make; on top of that this takes what a free to a pool still costs.
 */
static void add_kept(struct finder *f, const struct block *block, uint32_t freed)
{
	uint32_t site = f->sites->of_call[block->call];

	if (block->call == f->first_of_site[site] || f->model->calls.at[block->call].parts[CT_PART_FIRST_USE])
		return;
	add(f, site, freed, CT_CHANGE_HOIST, CT_REMOVE_CALL, CT_REMOVE_CALL, CT_REMOVE_CALL);
	if (!f->error)
		f->out->at[f->out->count - 1].removed[CT_END_ALONE] |= CT_REMOVE_WAIT | WORK;
}

/* The allocation of what is freed costs nothing either, where the pool had as much to give. */
static void add_pooled(struct finder *f, uint32_t index)
{
	const struct ct_host_call *call = &f->model->calls.at[index];
	uint32_t site = f->sites->of_call[index], first = f->first_of_site[site];
	struct block *block = find_block(f, call->raw.addr);

	if (!block)
		return;
	f->pool_bytes += size_of(&f->model->calls.at[block->call]);
	if (block->call > first && block->pooled && !f->model->calls.at[block->call].parts[CT_PART_FIRST_USE])
		add(f, site, block->call, CT_CHANGE_FREE, 0, WORK, WORK);
	add_kept(f, block, index);
	ct_lookup_remove(&f->blocks, block);
	free(block);
}

static bool to_host(const struct finder *f, const struct ct_host_call *call)
{
	return call->op_count &&
	       f->model->ops.at[ct_model_op_of(f->model, call, 0)].raw.u.copy.direction == CT_DIRECTION_D2H;
}

/* Is a free known to be none of those that shim/fix.h says it changes? */
static bool is_unfixed(struct finder *f, const struct ct_host_call *call)
{
	const struct block *block = find_block(f, call->raw.addr);
	enum ct_api by = block ? f->model->calls.at[block->call].api : CT_API_cudaMalloc;

	return call->past & CT_PAST_STREAM_ORDERED || call->raw.enter_ns > f->frees_until_ns ||
	       (by != CT_API_cudaMalloc && by != CT_API_cuMemAlloc_v2);
}

static void add_free(struct finder *f, uint32_t index)
{
	const struct ct_host_call *call = &f->model->calls.at[index];
	size_t first = f->out->count;
	bool unfixed = is_unfixed(f, call);

	add(f, f->sites->of_call[index], index, CT_CHANGE_FREE, CT_REMOVE_WAIT, CT_REMOVE_WAIT | WORK,
	    CT_REMOVE_WAIT | WORK);
	add_pooled(f, index);
	for (; first < f->out->count; first++)
		f->out->at[first].unfixed = unfixed;
}

static void add_pin(struct finder *f, uint32_t index)
{
	const struct ct_host_call *call = &f->model->calls.at[index];
	const int all = CT_REMOVE_WAIT | CT_REMOVE_PAGEABLE;
	size_t first = f->out->count;

	add(f, f->sites->of_call[index], index, CT_CHANGE_PIN,
	    to_host(f, call) ? 0 : CT_REMOVE_WAIT | CT_KEEP_TRANSFER, all, all);
	for (; first < f->out->count; first++)
		f->out->at[first].unfixed = !ct_fixable_copy(f->model, index);
}

/* Memory calls; false for others. */
static bool add_memory(struct finder *f, uint32_t index)
{
	const struct ct_host_call *call = &f->model->calls.at[index];
	uint32_t site = f->sites->of_call[index];
	const int most = CT_REMOVE_WAIT | CT_REMOVE_WORK | CT_REMOVE_CALL, all = most | CT_REMOVE_COLD;

	if (call->effects & CT_ASYNC || !(call->effects & (CT_ALLOC | CT_FREE)))
		return false;
	if (!call->raw.addr || call->raw.error)
		return true; /* nothing was allocated or freed */
	if (call->effects & CT_ALLOC)
		note_block(f, index);
	if (call->parts[CT_PART_FIRST_USE])
		return true; /* it paid for something else */
	if (call->effects & CT_ALLOC) {
		if (index != f->first_of_site[site])
			add(f, site, index, CT_CHANGE_HOIST, most, all, all);
	} else if (call->effects & CT_HOSTMEM) {
		add(f, site, index, CT_CHANGE_HOIST, CT_REMOVE_WAIT, all, all);
	} else if (call->effects & CT_DRAINS) {
		add_free(f, index);
	}
	return true;
}

static void add_call(struct finder *f, uint32_t index)
{
	const struct ct_host_call *call = &f->model->calls.at[index];
	uint32_t site = f->sites->of_call[index];

	if (f->first_of_site[site] == CT_NONE)
		f->first_of_site[site] = index;
	if (call->effects & CT_SYNC || call->raw.flags & CT_CALL_CAPTURING || add_memory(f, index))
		return;
	if (call->effects & CT_COPY && call->effects & CT_ASYNC && call->pageable)
		add_pin(f, index);
	else if (call->parts[CT_PART_QUEUE_FULL] >= CT_VICTIM_LEAST_NS)
		add(f, site, index, CT_CHANGE_QUEUE, CT_REMOVE_WAIT, CT_REMOVE_WAIT, CT_REMOVE_WAIT);
	else if (ct_serialize_culprit(call))
		add(f, site, index, CT_CHANGE_OTHER,
		    call->effects & CT_COPY && to_host(f, call) ? 0 : CT_REMOVE_WAIT, CT_REMOVE_WAIT,
		    CT_REMOVE_WAIT);
}

/* When an operation could have started but for an order of one kind. */
static uint64_t ready_without(const struct finder *f, const struct ct_op *op, int without)
{
	uint64_t ready = op->submit_ns;

	if (op->previous != CT_NONE && f->model->ops.at[op->previous].raw.end_ns > ready)
		ready = f->model->ops.at[op->previous].raw.end_ns;
	for (int kind = 0; kind < CT_EDGES; kind++)
		if (kind != without && kind != CT_EDGE_ALIAS && op->edges[kind].op != CT_NONE &&
		    f->model->ops.at[op->edges[kind].op].raw.end_ns > ready)
			ready = f->model->ops.at[op->edges[kind].op].raw.end_ns;
	return ready;
}

/* Orders between streams that the program did not ask for, where they held something up. */
static void add_orders(struct finder *f, const struct ct_op *op)
{
	static const enum ct_change_kind kinds[CT_EDGES] = {
		[CT_EDGE_DEFAULT] = CT_CHANGE_STREAM,
		[CT_EDGE_REUSE] = CT_CHANGE_OTHER,
		[CT_EDGE_ALIAS] = CT_CHANGE_QUEUE,
		[CT_EDGE_LOADING] = CT_CHANGE_OTHER,
		[CT_EDGE_PEERS] = CT_CHANGE_OTHER,
	};

	for (int kind = CT_EDGE_DEFAULT; kind < CT_EDGES; kind++) {
		const struct ct_edge *edge = &op->edges[kind];

		if (edge->op == CT_NONE || edge->cause == CT_NONE || f->seen[edge->cause] & 1 << kind ||
		    ready_without(f, op, kind) + CT_VICTIM_LEAST_NS > op->raw.start_ns)
			continue;
		f->seen[edge->cause] |= (uint8_t)(1 << kind);
		add(f, f->sites->of_call[edge->cause], edge->cause, kinds[kind], CT_REMOVE_ORDER,
		    CT_REMOVE_ORDER, CT_REMOVE_ORDER);
	}
}

static void forget(struct finder *f)
{
	ct_lookup_free(&f->blocks);
	free(f->first_of_site);
	free(f->seen);
}

int ct_changes_find(const struct ct_model *model, const struct ct_sites *sites,
		    struct ct_change_items *ret)
{
	struct finder f = { .model = model, .sites = sites, .out = ret,
			    .frees_until_ns = ct_fixable_frees_until(model) };

	f.first_of_site = malloc((sites->all.count + 1) * sizeof(*f.first_of_site));
	f.seen = calloc(model->calls.count + 1, sizeof(*f.seen));
	if (!f.first_of_site || !f.seen) {
		forget(&f);
		return -ENOMEM;
	}
	for (size_t i = 0; i < sites->all.count; i++)
		f.first_of_site[i] = CT_NONE;
	for (uint32_t i = 0; i < model->calls.count; i++)
		add_call(&f, i);
	for (size_t i = 0; i < model->ops.count; i++)
		add_orders(&f, &model->ops.at[i]);
	forget(&f);
	if (f.error == 0 && ret->count)
		f.error = CT_SORT_BY(*ret, key, NULL);
	return f.error;
}
