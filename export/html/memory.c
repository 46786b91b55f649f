/* SPDX-License-Identifier: Apache-2.0 */
#include "export/html/memory.h"

#include <errno.h>
#include <stdlib.h>

int ct_html_memory_begin(struct ct_html_memory *memory, uint64_t early_ns)
{
	memory->early_ns = early_ns;
	return ct_memory_create(&memory->map);
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

/* A pool is what all its kinds have on all devices. Returns 0 or -ENOMEM. */
static int set_sum(struct ct_html_memory *memory, const struct ct_memory_event *event,
		   uint32_t pool)
{
	struct ct_html_sum *sum = NULL;
	const struct ct_html_sum fresh = { event->kind, event->device, 0 };

	for (size_t i = 0; i < memory->sums.count && !sum; i++)
		if (memory->sums.at[i].kind == event->kind &&
		    memory->sums.at[i].device == event->device)
			sum = &memory->sums.at[i];
	if (!sum && CT_PUSH(&memory->sums, fresh) < 0)
		return -ENOMEM;
	if (!sum)
		sum = &memory->sums.at[memory->sums.count - 1];
	memory->bytes[pool] += event->now_bytes - sum->bytes;
	sum->bytes = event->now_bytes;
	return 0;
}

static int changed(void *arg, const struct ct_memory_event *event)
{
	struct ct_html_memory *memory = arg;
	uint32_t pool = event->kind == CT_MEMORY_PINNED ? CT_HTML_HOST : CT_HTML_DEVICE;
	int64_t time_ns;

	if (set_sum(memory, event, pool) < 0)
		return -ENOMEM;
	if (memory->most_bytes[pool] < memory->bytes[pool])
		memory->most_bytes[pool] = memory->bytes[pool];
	memory->allocations += !event->freed;
	memory->sizeless += !event->freed && !event->bytes;
	time_ns = (int64_t)(event->time_ns - memory->early_ns);
	return note(memory, pool, time_ns > 0 ? (uint64_t)time_ns : 0);
}

int ct_html_memory_see(struct ct_html_memory *memory, const struct ct_model *model,
		       const struct ct_host_call *call)
{
	return ct_memory_take(memory->map, model, call, changed, memory);
}

int ct_html_memory_finish(struct ct_html_memory *memory)
{
	return ct_memory_finish(memory->map, changed, memory);
}

void ct_html_memory_widen(struct ct_html_memory *memory, unsigned shift)
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

void ct_html_memory_free(struct ct_html_memory *memory)
{
	for (int pool = 0; pool < CT_HTML_POOLS; pool++)
		free(memory->levels[pool].at);
	free(memory->sums.at);
	ct_memory_destroy(memory->map);
}
