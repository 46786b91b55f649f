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

struct ct_memory_map {
	struct ct_lookup blocks;
	CT_ARRAY(struct sum) sums;
	uint64_t last_ns, unknown;
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

/* A call, and who is to be told what it does. */
struct teller {
	struct ct_memory_map *map;
	const struct ct_host_call *call;
	int (*visit)(void *arg, const struct ct_host_call *call,
		     const struct ct_memory_event *event);
	void *arg;
};

static int tell(const struct teller *t, const struct block *block, bool freed)
{
	const struct sum *sum = &t->map->sums.at[block->sum];
	struct ct_memory_event event = {
		.bytes = block->bytes, .now_bytes = sum->bytes,
		.address = block->place.address, .device = sum->device, .kind = sum->kind,
		.freed = freed,
	};

	if (t->call->raw.leave_ns > t->map->last_ns)
		t->map->last_ns = t->call->raw.leave_ns;
	event.time_ns = t->map->last_ns;
	return t->visit(t->arg, t->call, &event);
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

static int allocated(const struct teller *t, const struct ct_model *model)
{
	struct ct_memory_map *map = t->map;
	enum ct_memory kind = kind_of(t->call);
	struct place place = place_of(t->call);
	struct block *block = ct_lookup_find(&map->blocks, &place, sizeof(place));
	uint32_t context = t->call->raw.context;
	long sum = sum_of(map, kind,
			  kind == CT_MEMORY_PINNED ? CT_NONE : device_of(model, context));

	if (sum < 0)
		return -ENOMEM;
	if (block) /* its free was not seen */
		map->sums.at[block->sum].bytes -= block->bytes;
	else
		block = add_block(map, place);
	if (!block)
		return -ENOMEM;
	block->bytes = t->call->raw.bytes;
	block->context = context;
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

static int freed(const struct teller *t)
{
	struct place place = place_of(t->call);
	struct block *block = ct_lookup_find(&t->map->blocks, &place, sizeof(place));

	if (block)
		return drop(t, block);
	t->map->unknown++;
	return 0;
}

/* Does a call end a context, and free all that was allocated in it? */
static bool resets(const struct ct_host_call *call)
{
	return call->effects & CT_INIT && call->effects & CT_DRAINS &&
	       (strstr(call->name, "Reset") || strstr(call->name, "CtxDestroy"));
}

static int reset(const struct teller *t)
{
	struct ct_link *link, *next;
	int r = 0;

	HASH_ITER(hh, t->map->blocks.first, link, next) {
		struct block *block = (struct block *)link;

		if (r == 0 && (!t->call->raw.context || block->context == t->call->raw.context))
			r = drop(t, block);
	}
	return r;
}

int ct_memory_take(struct ct_memory_map *map, const struct ct_model *model,
		   const struct ct_host_call *call,
		   int (*visit)(void *arg, const struct ct_host_call *call,
				const struct ct_memory_event *event),
		   void *arg)
{
	const struct teller t = { map, call, visit, arg };

	if (call->raw.error || call->raw.flags & CT_CALL_CAPTURING)
		return 0;
	if (resets(call))
		return reset(&t);
	if (!(call->effects & (CT_ALLOC | CT_FREE)) || !call->raw.addr || moves_nothing(call->name))
		return 0;
	return call->effects & CT_ALLOC ? allocated(&t, model) : freed(&t);
}

uint64_t ct_memory_unknown(const struct ct_memory_map *map)
{
	return map->unknown;
}
