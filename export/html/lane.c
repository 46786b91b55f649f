/* SPDX-License-Identifier: Apache-2.0 */
#include "export/html/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ct_lanes_init(struct ct_lanes *lanes)
{
	*lanes = (struct ct_lanes){ .shift = CT_LANE_FIRST_SHIFT, .limit = CT_LANE_BUCKETS_MOST };
}

void ct_lanes_free(struct ct_lanes *lanes)
{
	for (size_t i = 0; i < lanes->all.count; i++)
		free(lanes->all.at[i]->buckets);
	ct_lookup_free(&lanes->lookup);
	free(lanes->all.at);
}

/*
 * Find what is most of a bucket, in little memory: a newcomer that has no slot takes away from
 * all (J. Misra, D. Gries, Finding repeated elements, 1982). Whatever has more than a share
 * of 1 in slots + 1 is among them at the end.
 */
static void vote(struct ct_lane_vote *slots, int count, uint32_t key, uint64_t weight_ns)
{
	uint64_t least = weight_ns;

	for (int i = 0; i < count; i++)
		if (slots[i].weight_ns && slots[i].key == key) {
			slots[i].weight_ns += weight_ns;
			return;
		}
	for (int i = 0; i < count; i++)
		least = slots[i].weight_ns < least ? slots[i].weight_ns : least;
	for (int i = 0; i < count; i++)
		slots[i].weight_ns -= least;
	for (int i = 0; i < count && weight_ns > least; i++)
		if (!slots[i].weight_ns) {
			slots[i] = (struct ct_lane_vote){ key, weight_ns - least };
			return;
		}
}

static void merge(struct ct_lane_bucket *to, const struct ct_lane_bucket *from)
{
	to->busy_ns += from->busy_ns;
	to->blocked_ns += from->blocked_ns;
	to->count += from->count;
	for (int i = 0; i < CT_LANE_NAMES; i++)
		if (from->names[i].weight_ns)
			vote(to->names, CT_LANE_NAMES, from->names[i].key, from->names[i].weight_ns);
	if (from->part.weight_ns)
		vote(&to->part, 1, from->part.key, from->part.weight_ns);
}

static void fold_lane(struct ct_lane *lane)
{
	size_t half = (lane->count + 1) / 2;

	for (size_t i = 0; i < half; i++) {
		struct ct_lane_bucket both = lane->buckets[2 * i];

		if (2 * i + 1 < lane->count)
			merge(&both, &lane->buckets[2 * i + 1]);
		lane->buckets[i] = both;
	}
	memset(lane->buckets + half, 0, (lane->count - half) * sizeof(*lane->buckets));
	lane->count = half;
}

void ct_lanes_fold(struct ct_lanes *lanes)
{
	for (size_t i = 0; i < lanes->all.count; i++)
		if (lanes->all.at[i]->count)
			fold_lane(lanes->all.at[i]);
	lanes->shift++;
}

size_t ct_lanes_reach(struct ct_lanes *lanes, uint64_t time_ns)
{
	while (time_ns >> lanes->shift >= lanes->limit)
		ct_lanes_fold(lanes);
	return (size_t)(time_ns >> lanes->shift);
}

/* The more lanes, the fewer buckets each. */
static void share_buckets(struct ct_lanes *lanes)
{
	size_t all = (size_t)CT_LANES_MAX * CT_LANE_BUCKETS_LEAST;

	while (lanes->limit > CT_LANE_BUCKETS_LEAST && lanes->limit * lanes->all.count > all) {
		lanes->limit /= 2;
		ct_lanes_fold(lanes);
	}
}

static struct ct_lane *add_lane(struct ct_lanes *lanes, const struct ct_lane_key *key)
{
	struct ct_lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return NULL;
	lane->key = *key;
	lane->device = CT_NONE;
	lane->index = (uint32_t)lanes->all.count;
	if (ct_lookup_add(&lanes->lookup, lane, &lane->key, sizeof(lane->key)) < 0) {
		free(lane);
		return NULL;
	}
	if (CT_PUSH(&lanes->all, lane) < 0) {
		ct_lookup_remove(&lanes->lookup, lane);
		free(lane);
		return NULL;
	}
	share_buckets(lanes);
	return lane;
}

struct ct_lane *ct_lanes_get(struct ct_lanes *lanes, const struct ct_lane_key *key)
{
	const struct ct_lane_key shared = { key->process, key->kind, 0, CT_LANE_SHARED };
	struct ct_lane *lane = ct_lookup_find(&lanes->lookup, key, sizeof(*key));

	if (lane)
		return lane;
	if (lanes->all.count < CT_LANES_MAX)
		return add_lane(lanes, key);
	lanes->shared++;
	lane = ct_lookup_find(&lanes->lookup, &shared, sizeof(shared));
	return lane ? lane : add_lane(lanes, &shared);
}

static int make_room(struct ct_lane *lane, size_t count)
{
	size_t room = lane->room ? lane->room : 64;
	struct ct_lane_bucket *more;

	if (lane->count < count && lane->room < count) {
		while (room < count)
			room *= 2;
		more = realloc(lane->buckets, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		memset(more + lane->room, 0, (room - lane->room) * sizeof(*more));
		lane->buckets = more;
		lane->room = room;
	}
	lane->count = count > lane->count ? count : lane->count;
	return 0;
}

/* A stretch of time of a lane: of calls or operations, or blocked. */
struct stretch {
	uint64_t start_ns, end_ns;
	uint32_t key;
	bool blocked;
};

static void add_to(struct ct_lane_bucket *bucket, const struct stretch *s, uint64_t ns)
{
	if (s->blocked) {
		bucket->blocked_ns += ns;
		vote(&bucket->part, 1, s->key, ns);
	} else {
		bucket->busy_ns += ns;
		vote(bucket->names, CT_LANE_NAMES, s->key, ns);
	}
}

static int spread(struct ct_lanes *lanes, struct ct_lane *lane, const struct stretch *s)
{
	uint64_t at = s->start_ns;
	size_t last;

	if (s->end_ns <= at)
		return 0;
	last = ct_lanes_reach(lanes, s->end_ns - 1);
	if (make_room(lane, last + 1) < 0)
		return -ENOMEM;
	while (at < s->end_ns) {
		uint64_t bucket = at >> lanes->shift, next = (bucket + 1) << lanes->shift;

		next = next < s->end_ns ? next : s->end_ns;
		add_to(&lane->buckets[bucket], s, next - at);
		at = next;
	}
	return 0;
}

int ct_lane_add(struct ct_lanes *lanes, struct ct_lane *lane, uint64_t start_ns, uint64_t end_ns,
		uint32_t name)
{
	struct stretch s = { start_ns, end_ns, name, false };
	size_t first = ct_lanes_reach(lanes, start_ns);

	if (make_room(lane, first + 1) < 0)
		return -ENOMEM;
	lane->buckets[first].count++;
	lane->items++;
	if (s.start_ns < lane->last_end_ns)
		s.start_ns = lane->last_end_ns; /* what runs beside another makes it no busier */
	if (s.end_ns <= s.start_ns)
		return 0;
	lane->last_end_ns = s.end_ns;
	lane->busy_ns += s.end_ns - s.start_ns;
	return spread(lanes, lane, &s);
}

int ct_lane_block(struct ct_lanes *lanes, struct ct_lane *lane, uint64_t start_ns,
		  uint64_t end_ns, enum ct_part part)
{
	const struct stretch s = { start_ns, end_ns, part, true };

	lane->blocked_ns += end_ns - start_ns;
	return spread(lanes, lane, &s);
}
