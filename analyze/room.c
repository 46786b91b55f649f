/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/device.h"

/* Engines of a device. */
enum { KERNELS, TO_DEVICE, FROM_DEVICE, ENGINES };

/* The operations placed last on an engine, and how much of it each fills. */
struct ct_engine {
	uint64_t start_ns[CT_ROOM_RUNNING], end_ns[CT_ROOM_RUNNING];
	float share[CT_ROOM_RUNNING];
	uint64_t group_end_ns[CT_ROOM_RUNNING / CT_ROOM_GROUP]; /* all of one ended by then */
	size_t placed;
};

/* The device that a copy between two reads: if nothing tells, the one that it is listed on. */
static uint32_t source_of(const struct ct_device_op *op)
{
	uint32_t source = ct_device_source(op);

	return source == CT_NONE && ct_device_target(op) != op->device ? op->device : source;
}

static uint32_t greater(uint32_t a, uint32_t b)
{
	return b != CT_NONE && b > a ? b : a;
}

int ct_room_init(struct ct_room *room, const struct ct_model *model)
{
	uint32_t most = 0;

	for (size_t i = 0; i < model->ops.count; i++) {
		const struct ct_device_op *op = &model->ops.at[i].raw;

		most = greater(greater(greater(most, op->device), ct_device_source(op)),
			       ct_device_target(op));
	}
	room->count = ((size_t)most + 1) * ENGINES;
	room->engines = calloc(room->count, sizeof(*room->engines));
	return room->engines ? 0 : -ENOMEM;
}

void ct_room_finish(struct ct_room *room)
{
	free(room->engines);
}

void ct_room_clear(struct ct_room *room)
{
	memset(room->engines, 0, room->count * sizeof(*room->engines));
}

/* Add what runs at a time of one group. Without branches: nobody can guess them. */
static float add_group(const struct ct_engine *e, int first, uint64_t time_ns, float load,
		       uint64_t *first_end_ns)
{
	for (int i = first; i < first + CT_ROOM_GROUP; i++) {
		uint64_t end_ns = e->end_ns[i];
		bool runs = (e->start_ns[i] <= time_ns) & (end_ns > time_ns);
		uint64_t ends = end_ns | ((uint64_t)runs - 1); /* UINT64_MAX if it does not */

		load += e->share[i] * (float)runs;
		*first_end_ns = ends < *first_end_ns ? ends : *first_end_ns;
	}
	return load;
}

/*
 * How much of an engine an operation and what runs at a time fill together, and when the
 * first of those ends; UINT64_MAX if none runs.
 */
static float load_at(const struct ct_engine *e, uint64_t time_ns, float load,
		     uint64_t *ret_first_end_ns)
{
	uint64_t first_end_ns = UINT64_MAX;

	for (int g = 0; g < CT_ROOM_RUNNING / CT_ROOM_GROUP; g++)
		if (e->group_end_ns[g] > time_ns)
			load = add_group(e, g * CT_ROOM_GROUP, time_ns, load, &first_end_ns);
	*ret_first_end_ns = first_end_ns;
	return load;
}

/* Put an operation in the place of the one that was placed longest ago. */
static void put(struct ct_engine *e, uint64_t start_ns, uint64_t end_ns, float share)
{
	size_t slot = e->placed++ % CT_ROOM_RUNNING, group = slot / CT_ROOM_GROUP;

	e->start_ns[slot] = start_ns;
	e->end_ns[slot] = end_ns;
	e->share[slot] = share;
	if (end_ns > e->group_end_ns[group])
		e->group_end_ns[group] = end_ns;
}

static int engine_of(const struct ct_device_op *op)
{
	if (op->kind != CT_DEVICE_COPY)
		return KERNELS;
	switch (op->u.copy.direction) {
	case CT_DIRECTION_H2D:
	case CT_DIRECTION_H2A:
		return TO_DEVICE;
	case CT_DIRECTION_D2H:
	case CT_DIRECTION_A2H:
	case CT_DIRECTION_P2P:
		return FROM_DEVICE;
	default:
		return KERNELS;
	}
}

/* How much of its engine an operation needs. */
static float need_of(enum ct_sharing sharing, const struct ct_op *op, int engine)
{
	if (sharing == CT_SHARE_NOTHING)
		return 0;
	if (op->raw.kind == CT_DEVICE_KERNEL)
		return sharing == CT_SHARE_DEVICE ? op->spread : op->share;
	if (engine != KERNELS)
		return sharing >= CT_SHARE_ENGINES;
	return sharing == CT_SHARE_DEVICE && op->raw.kind != CT_DEVICE_GRAPH;
}

static struct ct_engine *engine(struct ct_room *room, uint32_t device, int kind)
{
	return &room->engines[(size_t)device * ENGINES + (size_t)kind];
}

/* The engines that an operation needs: two of a copy between devices, one of each. Their number. */
static int engines_of(struct ct_room *room, const struct ct_device_op *op, int kind,
		      struct ct_engine *ret[2])
{
	uint32_t source = source_of(op), target = ct_device_target(op);
	int n = 0;

	if (!ct_device_peers(op)) {
		ret[0] = engine(room, op->device, kind);
		return 1;
	}
	if (source != CT_NONE)
		ret[n++] = engine(room, source, FROM_DEVICE);
	if (target != CT_NONE)
		ret[n++] = engine(room, target, TO_DEVICE);
	return n;
}

/* When the first operation ends that one has no room beside; 0: it has room on all engines. */
static uint64_t full_until(struct ct_engine *const engines[2], int count, uint64_t time_ns, float need)
{
	uint64_t first_end_ns;

	for (int i = 0; i < count; i++)
		if (load_at(engines[i], time_ns, need, &first_end_ns) > CT_ROOM_FULL &&
		    first_end_ns != UINT64_MAX)
			return first_end_ns;
	return 0;
}

uint64_t ct_room_place(struct ct_room *room, const struct ct_op *op, uint64_t start_ns,
		       uint64_t took_ns)
{
	int kind = engine_of(&op->raw);
	float need = need_of(room->sharing, op, kind);
	struct ct_engine *engines[2];
	int count = engines_of(room, &op->raw, kind, engines);
	uint64_t until_ns;

	while (need > CT_ROOM_SMALL && start_ns < op->raw.start_ns &&
	       (until_ns = full_until(engines, count, start_ns, need)))
		start_ns = until_ns < op->raw.start_ns ? until_ns : op->raw.start_ns;
	for (int i = 0; i < count; i++)
		put(engines[i], start_ns, start_ns + took_ns, need);
	return start_ns;
}
