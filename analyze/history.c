/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/history.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/capture.h"
#include "analyze/device.h"
#include "analyze/lookup.h"

/* An address in a set: of memory, or of a function of the device. */
struct known {
	struct ct_link link;
	uint64_t addr;
	uint32_t device; /* of memory: that has it */
};

#define RECENT 1024

struct ct_history {
	uint64_t recent[RECENT];      /* of `launched`, where most launches find theirs */
	struct ct_captures *captures;
	struct ct_lookup stream_ordered; /* memory whose last allocation was stream-ordered */
	struct ct_lookup owned;          /* memory that an allocation put on a device, if there are several */
	struct ct_lookup launched;       /* functions, by the address or handle they are launched with */
	bool pool_freed;              /* stream-ordered memory was freed since the last synchronise */
	uint64_t pool_made_ns[CT_DEVICES_MOST + 1]; /* first stream-ordered allocation's return; 0 = none yet */
};

static int add_on(struct ct_lookup *set, uint64_t addr, uint32_t device)
{
	struct known *one = calloc(1, sizeof(*one));

	if (!one)
		return -ENOMEM;
	one->addr = addr;
	one->device = device;
	if (ct_lookup_add(set, one, &one->addr, sizeof(one->addr)) < 0) {
		free(one);
		return -ENOMEM;
	}
	return 0;
}

static int add(struct ct_lookup *set, uint64_t addr)
{
	return add_on(set, addr, CT_NONE);
}

static struct known *find(const struct ct_lookup *set, uint64_t addr)
{
	return ct_lookup_find(set, &addr, sizeof(addr));
}

int ct_history_create(struct ct_history **ret)
{
	struct ct_history *history = calloc(1, sizeof(*history));

	if (!history)
		return -ENOMEM;
	if (ct_captures_create(&history->captures) < 0) {
		free(history);
		return -ENOMEM;
	}
	*ret = history;
	return 0;
}

void ct_history_destroy(struct ct_history *history)
{
	if (!history)
		return;
	ct_lookup_free(&history->stream_ordered);
	ct_lookup_free(&history->owned);
	ct_lookup_free(&history->launched);
	ct_captures_destroy(history->captures);
	free(history);
}

static void forget(struct ct_lookup *set, uint64_t addr)
{
	struct known *one = find(set, addr);

	if (!one)
		return;
	ct_lookup_remove(set, one);
	free(one);
}

static int note_allocation(struct ct_history *h, const struct ct_host_call *call)
{
	if (call->effects & CT_ASYNC)
		return find(&h->stream_ordered, call->raw.addr) ? 0 : add(&h->stream_ordered, call->raw.addr);
	forget(&h->stream_ordered, call->raw.addr);
	return 0;
}

/* Which device memory is on does not depend on which one is current when it is freed. */
static int note_owner(struct ct_history *h, const struct ct_model *model,
		      const struct ct_host_call *call)
{
	if (!ct_devices_several(model) || !call->raw.addr || call->raw.error)
		return 0;
	if (call->effects & (CT_ALLOC | CT_FREE))
		forget(&h->owned, call->raw.addr);
	return call->effects & CT_ALLOC && call->device != CT_NONE
		       ? add_on(&h->owned, call->raw.addr, call->device)
		       : 0;
}

/*
 * CUPTI's records of loading do not cover all of what a first launch may take. Of what a
 * flight recorder kept, nobody knows which launch is a first one.
 */
static bool first_launch(struct ct_history *h, const struct ct_model *model,
			 const struct ct_host_call *call)
{
	uint64_t *recent = &h->recent[call->raw.addr * 0x9e3779b97f4a7c15u >> 54];

	if (!(call->effects & CT_LAUNCH) || !call->raw.addr || model->kept_from_ns ||
	    *recent == call->raw.addr)
		return false;
	if (!find(&h->launched, call->raw.addr))
		return true;
	*recent = call->raw.addr;
	return false;
}

/* When the first stream-ordered allocation on its device returned, where this is one. NULL: it is none. */
static uint64_t *pool_of(struct ct_history *h, const struct ct_model *model, const struct ct_host_call *call)
{
	if ((call->effects & (CT_ALLOC | CT_ASYNC)) != (CT_ALLOC | CT_ASYNC) || call->raw.error ||
	    model->kept_from_ns) /* of what a flight recorder kept nobody knows which is the first */
		return NULL;
	return &h->pool_made_ns[call->device < CT_DEVICES_MOST ? call->device : CT_DEVICES_MOST];
}

/* Does the call make a pool, or come while another does? */
static bool makes_pool(struct ct_history *h, const struct ct_model *model, const struct ct_host_call *call)
{
	const uint64_t *made_ns = pool_of(h, model, call);

	return made_ns && (!*made_ns || call->raw.enter_ns < *made_ns);
}

static void look_back(struct ct_history *h, const struct ct_model *model,
		      struct ct_host_call *call)
{
	const struct known *owned = call->effects & CT_FREE && h->owned.first
					    ? find(&h->owned, call->raw.addr)
					    : NULL;

	call->past = 0;
	if (owned)
		call->device = owned->device;
	if (first_launch(h, model, call))
		call->past |= CT_PAST_FIRST_LAUNCH;
	if (makes_pool(h, model, call))
		call->past |= CT_PAST_FIRST_POOL;
	if (h->pool_freed)
		call->past |= CT_PAST_POOL_FREED;
	if (call->effects & CT_FREE && h->stream_ordered.first &&
	    find(&h->stream_ordered, call->raw.addr))
		call->past |= CT_PAST_STREAM_ORDERED;
}

static int note(struct ct_history *h, const struct ct_model *model, const struct ct_host_call *call)
{
	uint64_t *made_ns = pool_of(h, model, call);

	if (made_ns && !*made_ns)
		*made_ns = call->raw.leave_ns;
	if (call->effects & CT_SYNC)
		h->pool_freed = false;
	else if (call->effects & CT_FREE && call->effects & CT_ASYNC)
		h->pool_freed = true;
	if (call->past & CT_PAST_FIRST_LAUNCH)
		return add(&h->launched, call->raw.addr);
	if (call->effects & CT_ALLOC && call->raw.addr && !call->raw.error)
		return note_allocation(h, call);
	return 0;
}

int ct_history_mark(struct ct_history *history, struct ct_model *model)
{
	int r = ct_captures_mark(history->captures, model);

	for (uint32_t i = 0; r == 0 && i < model->calls.count; i++) {
		look_back(history, model, &model->calls.at[i]);
		if (!ct_model_in_core(model, i))
			continue;
		r = note(history, model, &model->calls.at[i]);
		if (r == 0)
			r = note_owner(history, model, &model->calls.at[i]);
	}
	return r;
}
