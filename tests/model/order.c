/* SPDX-License-Identifier: Apache-2.0 */
/* Every set of stores that can have reached the file. */
#include <stdlib.h>
#include <string.h>

#include "tests/model/step.h"

static bool (*check_set)(enum model_order order, const struct model_set *present);
static enum model_order order;
static struct model_set present;
static int file_events[MODEL_EVENTS], file_count;
static struct model_set needs[MODEL_EVENTS]; /* of each: stores to the file before it */
static uint64_t digests[MODEL_EVENTS], checked;

/* Sets, and runs, that were tried, by a digest of what they store where. */
static uint64_t *tried;
static size_t tried_room, tried_count;

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static bool insert(uint64_t *table, size_t room, uint64_t digest)
{
	size_t at = digest % room;

	for (; table[at]; at = (at + 1) % room)
		if (table[at] == digest)
			return false;
	table[at] = digest;
	return true;
}

/* Returns false if it was there already. */
static bool remember(uint64_t digest)
{
	if (2 * tried_count >= tried_room) {
		size_t room = tried_room ? 2 * tried_room : 1 << 16;
		uint64_t *grown = calloc(room, sizeof(*grown));

		if (!grown)
			abort();
		for (size_t i = 0; i < tried_room; i++)
			if (tried[i])
				insert(grown, room, tried[i]);
		free(tried);
		tried = grown;
		tried_room = room;
	}
	if (!insert(tried, tried_room, digest))
		return false;
	tried_count++;
	return true;
}

static uint64_t digest_of(const struct model_event *event, int before_it)
{
	uint64_t h = mix(mix((uint64_t)event->offset, event->bytes), event->record);

	for (uint32_t i = 0; i < event->bytes; i++)
		h = mix(h, event->value[i] + 1u);
	return mix(h, (uint64_t)before_it); /* the how manieth store to that place */
}

static void prepare(void)
{
	file_count = 0;
	for (int i = 0; i < model_count; i++) {
		const struct model_event *event = &model_events[i];
		int before_it = 0;

		if (event->offset < 0)
			continue;
		memset(&needs[file_count], 0, sizeof(needs[0]));
		for (int k = 0; k < file_count; k++) {
			before_it += model_events[file_events[k]].offset == event->offset;
			if (model_has(&event->before[order], file_events[k]))
				model_add(&needs[file_count], k);
		}
		digests[file_count] = digest_of(event, before_it);
		file_events[file_count++] = i;
	}
}

/* What a run stores, and in which orders it may: of other runs with the same nothing is new. */
static uint64_t digest_of_run(void)
{
	uint64_t sum = 0;

	for (int k = 0; k < file_count; k++) {
		uint64_t of_needs = 0;

		for (int i = 0; i < k; i++)
			if (model_has(&needs[k], i))
				of_needs += digests[i];
		sum += mix(mix(digests[k], of_needs), 3);
	}
	return mix(sum, (uint64_t)order);
}

static bool holds(const struct model_set *all, const struct model_set *part)
{
	for (int i = 0; i < MODEL_EVENTS / 64; i++)
		if (part->bits[i] & ~all->bits[i])
			return false;
	return true;
}

/* The k-th store to the file and those behind it: there, or not. Returns false to stop. */
static bool choose(int k, const struct model_set *chosen, uint64_t digest)
{
	const struct model_event *event;
	uint8_t old[MODEL_STORE_MAX];
	struct model_set with = *chosen;
	bool go_on;

	if (k == file_count) {
		if (!remember(mix(digest, (uint64_t)(order == MODEL_LIVE) + 1)))
			return true;
		checked++;
		return check_set(order, &present);
	}
	event = &model_events[file_events[k]];
	if (!choose(k + 1, chosen, digest))
		return false;
	if (!holds(chosen, &needs[k]))
		return true;
	memcpy(old, model_seen + event->offset, event->bytes);
	memcpy(model_seen + event->offset, event->value, event->bytes);
	model_add(&present, file_events[k]);
	model_add(&with, k);
	go_on = choose(k + 1, &with, digest + digests[k]);
	present.bits[file_events[k] / 64] &= ~((uint64_t)1 << file_events[k] % 64);
	memcpy(model_seen + event->offset, old, event->bytes);
	return go_on;
}

uint64_t model_images(enum model_order how,
		      bool (*check)(enum model_order order, const struct model_set *present))
{
	const struct model_set none = { { 0 } };

	check_set = check;
	order = how;
	checked = 0;
	memset(&present, 0, sizeof(present));
	prepare();
	if (remember(digest_of_run()))
		choose(0, &none, 0);
	return checked;
}
