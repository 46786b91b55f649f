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

static void tell(const struct ct_memory_map *map, const struct block *block, bool freed,
		 struct ct_memory_event *ret)
{
	const struct sum *sum = &map->sums.at[block->sum];

	*ret = (struct ct_memory_event){ .time_ns = map->last_ns, .bytes = block->bytes,
					 .now_bytes = sum->bytes, .address = block->place.address,
					 .device = sum->device, .kind = sum->kind, .freed = freed };
}

static int allocated(struct ct_memory_map *map, const struct ct_model *model,
		     const struct ct_host_call *call, struct ct_memory_event *ret)
{
	enum ct_memory kind = kind_of(call);
	struct place place = place_of(call);
	struct block *block = ct_lookup_find(&map->blocks, &place, sizeof(place));
	long sum = sum_of(map, kind,
			  kind == CT_MEMORY_PINNED ? CT_NONE : device_of(model, call->raw.context));

	if (sum < 0)
		return -ENOMEM;
	if (block) { /* its free was not seen */
		map->sums.at[block->sum].bytes -= block->bytes;
	} else {
		block = calloc(1, sizeof(*block));
		if (!block)
			return -ENOMEM;
		block->place = place;
		if (ct_lookup_add(&map->blocks, block, &block->place, sizeof(block->place)) < 0) {
			free(block);
			return -ENOMEM;
		}
	}
	block->bytes = call->raw.bytes;
	block->sum = (size_t)sum;
	map->sums.at[sum].bytes += block->bytes;
	tell(map, block, false, ret);
	return 1;
}

static int freed(struct ct_memory_map *map, const struct ct_host_call *call,
		 struct ct_memory_event *ret)
{
	struct place place = place_of(call);
	struct block *block = ct_lookup_find(&map->blocks, &place, sizeof(place));

	if (!block) {
		map->unknown++;
		return 0;
	}
	map->sums.at[block->sum].bytes -= block->bytes;
	tell(map, block, true, ret);
	ct_lookup_remove(&map->blocks, block);
	free(block);
	return 1;
}

int ct_memory_take(struct ct_memory_map *map, const struct ct_model *model,
		   const struct ct_host_call *call, struct ct_memory_event *ret)
{
	if (!(call->effects & (CT_ALLOC | CT_FREE)) || call->raw.error || !call->raw.addr ||
	    call->raw.flags & CT_CALL_CAPTURING || moves_nothing(call->name))
		return 0;
	if (call->raw.leave_ns > map->last_ns)
		map->last_ns = call->raw.leave_ns;
	return call->effects & CT_ALLOC ? allocated(map, model, call, ret) : freed(map, call, ret);
}

uint64_t ct_memory_unknown(const struct ct_memory_map *map)
{
	return map->unknown;
}
