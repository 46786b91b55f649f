/* SPDX-License-Identifier: Apache-2.0 */
#include "export/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/lookup.h"

/* Handles of cuMemCreate() are no addresses. */
struct place {
	uint64_t address;
	uint64_t handle;
};

struct block {
	struct ct_link link; /* by place */
	struct place place;
	uint64_t bytes;
	uint32_t context;
	size_t sum; /* into sums */
};

/* Bytes of a kind of memory on a device. */
struct sum {
	enum ct_memory kind;
	uint32_t device;
	uint64_t bytes;
};

enum deed { ALLOCATES, FREES, RESETS };

/* What a call does, and when that is to be told. */
struct action {
	uint64_t time_ns;
	enum deed deed;
	enum ct_memory kind;
	struct place place;
	uint64_t bytes;
	uint32_t device, context, correlation;
};

struct ct_memory_map {
	struct ct_lookup blocks;
	CT_ARRAY(struct sum) sums;
	CT_ARRAY(struct action) due; /* by time: of calls that had not returned, so few */
	uint64_t unknown;
};

int ct_memory_create(struct ct_memory_map **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void ct_memory_destroy(struct ct_memory_map *map)
{
	if (!map)
		return;
	ct_lookup_free(&map->blocks);
	free(map->sums.at);
	free(map->due.at);
	free(map);
}

/* Calls that reserve addresses, map or trim: no memory comes or goes by them. */
static bool moves_nothing(const char *name)
{
	static const char *const names[] = { "cuMemMap", "cuMemUnmap", "cuMemSetAccess",
					     "cuMemAddress", "cuMemPoolTrim", "cudaMemPoolTrim" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(name, names[i], strlen(names[i])))
			return true;
	return false;
}

static enum ct_memory kind_of(const struct ct_host_call *call)
{
	if (call->effects & CT_HOSTMEM)
		return CT_MEMORY_PINNED;
	if (strstr(call->name, "Managed"))
		return CT_MEMORY_MANAGED;
	return strstr(call->name, "Array") ? CT_MEMORY_ARRAY : CT_MEMORY_DEVICE;
}

static uint32_t device_of(const struct ct_model *model, uint32_t context)
{
	for (size_t i = 0; i < model->contexts.count; i++)
		if (model->contexts.at[i].context == context)
			return model->contexts.at[i].device;
	return CT_NONE;
}

static struct place place_of(const struct ct_host_call *call)
{
	bool handle = !strcmp(call->name, "cuMemCreate") || !strcmp(call->name, "cuMemRelease");

	return (struct place){ call->raw.addr, handle };
}

/* Returns the index of a sum, or -ENOMEM. */
static long sum_of(struct ct_memory_map *map, enum ct_memory kind, uint32_t device)
{
	const struct sum fresh = { .kind = kind, .device = device };

	for (size_t i = 0; i < map->sums.count; i++)
		if (map->sums.at[i].kind == kind && map->sums.at[i].device == device)
			return (long)i;
	return CT_PUSH(&map->sums, fresh) < 0 ? -ENOMEM : (long)map->sums.count - 1;
}

/* An action, and who is to be told of it. */
struct teller {
	struct ct_memory_map *map;
	const struct action *action;
	ct_memory_visit visit;
	void *arg;
};

static int tell(const struct teller *t, const struct block *block, bool freed)
{
	const struct sum *sum = &t->map->sums.at[block->sum];
	const struct ct_memory_event event = {
		.time_ns = t->action->time_ns, .bytes = block->bytes, .now_bytes = sum->bytes,
		.address = block->place.address, .device = sum->device, .kind = sum->kind,
		.context = t->action->context, .correlation = t->action->correlation,
		.freed = freed,
	};

	return t->visit(t->arg, &event);
}

static struct block *add_block(struct ct_memory_map *map, struct place place)
{
	struct block *block = calloc(1, sizeof(*block));

	if (!block)
		return NULL;
	block->place = place;
	if (ct_lookup_add(&map->blocks, block, &block->place, sizeof(block->place)) == 0)
		return block;
	free(block);
	return NULL;
}

static struct block *find(const struct ct_memory_map *map, struct place place)
{
	return ct_lookup_find(&map->blocks, &place, sizeof(place));
}

static int allocate(const struct teller *t)
{
	struct ct_memory_map *map = t->map;
	struct block *block = find(map, t->action->place);
	long sum = sum_of(map, t->action->kind, t->action->device);

	if (sum < 0)
		return -ENOMEM;
	if (block) /* its free was not seen */
		map->sums.at[block->sum].bytes -= block->bytes;
	else
		block = add_block(map, t->action->place);
	if (!block)
		return -ENOMEM;
	block->bytes = t->action->bytes;
	block->context = t->action->context;
	block->sum = (size_t)sum;
	map->sums.at[sum].bytes += block->bytes;
	return tell(t, block, false);
}

static int drop(const struct teller *t, struct block *block)
{
	int r;

	t->map->sums.at[block->sum].bytes -= block->bytes;
	r = tell(t, block, true);
	ct_lookup_remove(&t->map->blocks, block);
	free(block);
	return r;
}

static int drop_all(const struct teller *t)
{
	struct ct_link *link, *next;
	int r = 0;

	HASH_ITER(hh, t->map->blocks.first, link, next) {
		struct block *block = (struct block *)link;

		if (r == 0 && (!t->action->context || block->context == t->action->context))
			r = drop(t, block);
	}
	return r;
}

static int act(const struct teller *t)
{
	struct block *block;

	if (t->action->deed == ALLOCATES)
		return allocate(t);
	if (t->action->deed == RESETS)
		return drop_all(t);
	block = find(t->map, t->action->place);
	if (block)
		return drop(t, block);
	t->map->unknown++;
	return 0;
}

/* Do what is due until a time. */
static int act_until(struct ct_memory_map *map, uint64_t ns, ct_memory_visit visit, void *arg)
{
	size_t done = 0;
	int r = 0;

	while (r == 0 && done < map->due.count && map->due.at[done].time_ns <= ns) {
		const struct teller t = { map, &map->due.at[done++], visit, arg };

		r = act(&t);
	}
	if (done) {
		map->due.count -= done;
		memmove(map->due.at, map->due.at + done, map->due.count * sizeof(*map->due.at));
	}
	return r;
}

/* Does a call end a context, and free all that was allocated in it? */
static bool resets(const struct ct_host_call *call)
{
	return call->effects & CT_INIT && call->effects & CT_DRAINS &&
	       (strstr(call->name, "Reset") || strstr(call->name, "CtxDestroy"));
}

/* Has the call anything to do with memory? */
static bool matters(const struct ct_host_call *call)
{
	if (call->raw.error || call->raw.flags & CT_CALL_CAPTURING)
		return false;
	return resets(call) || (call->effects & (CT_ALLOC | CT_FREE) && call->raw.addr &&
				!moves_nothing(call->name));
}

/* Stream-ordered memory is of its stream's context, whichever is current. */
static uint32_t context_of(const struct ct_model *model, const struct ct_host_call *call)
{
	return call->effects & CT_ASYNC && call->stream < model->streams.count
		       ? model->streams.at[call->stream].context
		       : call->raw.context;
}

/*
 * A free gives its address away at some time after it was called, and an allocation has got
 * its own by the time that it returns: in this order, no address is had by two.
 */
static int note(struct ct_memory_map *map, const struct ct_model *model,
		const struct ct_host_call *call)
{
	enum deed deed = resets(call) ? RESETS : call->effects & CT_ALLOC ? ALLOCATES : FREES;
	enum ct_memory kind = kind_of(call);
	uint32_t context = context_of(model, call);
	const struct action action = {
		.time_ns = deed == ALLOCATES ? call->raw.leave_ns : call->raw.enter_ns,
		.deed = deed,
		.kind = kind,
		.place = place_of(call),
		.bytes = call->raw.bytes,
		.device = kind == CT_MEMORY_PINNED ? CT_NONE : device_of(model, context),
		.context = context,
		.correlation = call->raw.correlation,
	};
	size_t at = map->due.count;

	if (CT_PUSH(&map->due, action) < 0)
		return -ENOMEM;
	for (; at && map->due.at[at - 1].time_ns > action.time_ns; at--)
		map->due.at[at] = map->due.at[at - 1];
	map->due.at[at] = action;
	return 0;
}

int ct_memory_take(struct ct_memory_map *map, const struct ct_model *model,
		   const struct ct_host_call *call, ct_memory_visit visit, void *arg)
{
	int r;

	if (!matters(call))
		return 0;
	r = note(map, model, call);
	return r < 0 ? r : act_until(map, call->raw.enter_ns, visit, arg);
}

int ct_memory_finish(struct ct_memory_map *map, ct_memory_visit visit, void *arg)
{
	return act_until(map, UINT64_MAX, visit, arg);
}

uint64_t ct_memory_unknown(const struct ct_memory_map *map)
{
	return map->unknown;
}
