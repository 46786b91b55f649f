/* SPDX-License-Identifier: Apache-2.0 */
#include "export/html/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/sort.h"

struct block {
	struct ct_link link; /* by addr */
	uint64_t addr, bytes;
};

/*
 * Is it memory that becomes taken or free? Mapping and access rights are no memory of their
 * own: that is cuMemCreate's. Trimming a pool gives back what frees have freed.
 */
static bool about_memory(const struct ct_host_call *call)
{
	static const char *const no_memory[] = { "cuMemMap", "cuMemUnmap", "cuMemSetAccess",
						 "cuMemAddressReserve", "cuMemAddressFree",
						 "cuMemPoolTrimTo", "cudaMemPoolTrimTo" };

	if (!(call->effects & (CT_ALLOC | CT_FREE)) || call->raw.error || !call->raw.addr)
		return false;
	for (size_t i = 0; i < sizeof(no_memory) / sizeof(no_memory[0]); i++)
		if (strcmp(call->name, no_memory[i]) == 0)
			return false;
	return true;
}

int ct_html_memory_see(struct ct_html_memory *memory, const struct ct_host_call *call,
		       uint64_t time_ns)
{
	struct ct_html_event event = {
		.time_ns = time_ns,
		.addr = call->raw.addr,
		.bytes = call->raw.bytes,
		.pool = call->effects & CT_HOSTMEM ? CT_HTML_HOST : CT_HTML_DEVICE,
		.free = call->effects & CT_FREE,
	};

	return about_memory(call) ? CT_PUSH(&memory->events, event) : 0;
}

/* Take a block away. Returns false if it is not known. */
static bool give_back(struct ct_html_memory *memory, uint32_t pool, uint64_t addr)
{
	struct block *block = ct_lookup_find(&memory->blocks[pool], &addr, sizeof(addr));

	if (!block)
		return false;
	ct_lookup_remove(&memory->blocks[pool], block);
	memory->bytes[pool] -= block->bytes;
	free(block);
	return true;
}

static int take(struct ct_html_memory *memory, const struct ct_html_event *event)
{
	struct block *block;

	give_back(memory, event->pool, event->addr); /* its free was not seen */
	memory->allocations++;
	memory->sizeless += !event->bytes;
	if (HASH_COUNT(memory->blocks[event->pool].first) >= CT_HTML_BLOCKS) {
		memory->dropped++;
		return 0;
	}
	block = malloc(sizeof(*block));
	if (!block)
		return -ENOMEM;
	block->addr = event->addr;
	block->bytes = event->bytes;
	if (ct_lookup_add(&memory->blocks[event->pool], block, &block->addr,
			  sizeof(block->addr)) < 0) {
		free(block);
		return -ENOMEM;
	}
	memory->bytes[event->pool] += event->bytes;
	if (memory->bytes[event->pool] > memory->most_bytes[event->pool])
		memory->most_bytes[event->pool] = memory->bytes[event->pool];
	return 0;
}

/* Note the level after a change. */
static int note(struct ct_html_memory *memory, uint32_t pool, uint64_t time_ns)
{
	size_t count = memory->levels[pool].count;
	struct ct_html_level now = { time_ns >> memory->shift, memory->bytes[pool],
				     memory->bytes[pool] };
	struct ct_html_level *last = count ? &memory->levels[pool].at[count - 1] : NULL;

	if (!last || last->bucket != now.bucket)
		return CT_PUSH(&memory->levels[pool], now);
	last->last_bytes = now.last_bytes;
	if (last->most_bytes < now.most_bytes)
		last->most_bytes = now.most_bytes;
	return 0;
}

static int apply(struct ct_html_memory *memory, const struct ct_html_event *event)
{
	int r = 0;

	if (!event->free)
		r = take(memory, event);
	else if (!give_back(memory, event->pool, event->addr))
		memory->unknown_frees++;
	return r < 0 ? r : note(memory, event->pool, event->time_ns);
}

/* Levels of the buckets of a wider shift. */
static void widen(struct ct_html_memory *memory, unsigned shift)
{
	for (int pool = 0; pool < CT_HTML_POOLS; pool++) {
		struct ct_html_level *at = memory->levels[pool].at;
		size_t count = 0;

		for (size_t i = 0; i < memory->levels[pool].count; i++) {
			struct ct_html_level level = at[i];

			level.bucket >>= shift - memory->shift;
			if (count && at[count - 1].bucket == level.bucket) {
				at[count - 1].last_bytes = level.last_bytes;
				if (at[count - 1].most_bytes < level.most_bytes)
					at[count - 1].most_bytes = level.most_bytes;
			} else {
				at[count++] = level;
			}
		}
		memory->levels[pool].count = count;
	}
	memory->shift = shift;
}

int ct_html_memory_settle(struct ct_html_memory *memory, uint64_t until_ns, unsigned shift)
{
	size_t done = 0;
	int r;

	if (shift > memory->shift)
		widen(memory, shift);
	r = CT_SORT_BY(memory->events, time_ns, NULL);
	while (r == 0 && done < memory->events.count && memory->events.at[done].time_ns < until_ns)
		r = apply(memory, &memory->events.at[done++]);
	if (done) {
		memory->events.count -= done;
		memmove(memory->events.at, memory->events.at + done,
			memory->events.count * sizeof(*memory->events.at));
	}
	return r;
}

void ct_html_memory_free(struct ct_html_memory *memory)
{
	for (int pool = 0; pool < CT_HTML_POOLS; pool++) {
		ct_lookup_free(&memory->blocks[pool]);
		free(memory->levels[pool].at);
	}
	free(memory->events.at);
}
