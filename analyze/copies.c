/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/copies.h"

#include <stdio.h>
#include <stdlib.h>

#define PINNED_BYTES 1000000 /* copies of at least so much show the speed of pinned memory */

static const char *const directions[] = { "?",   "H2D", "D2H", "H2A", "A2H", "A2A",
					  "A2D", "D2A", "D2D", "H2H", "P2P", "?" };
static const char *const memories[] = { "unknown", "pageable", "pinned",        "device",
					"array",   "managed",  "device static", "managed static",
					"?" };

static unsigned direction_of(uint8_t direction)
{
	return direction < CT_COPY_DIRECTIONS ? direction : CT_COPY_DIRECTIONS - 1;
}

static unsigned memory_of(uint8_t memory)
{
	return memory < CT_COPY_MEMORIES ? memory : CT_COPY_MEMORIES - 1;
}

const char *ct_direction_name(uint8_t direction)
{
	return directions[direction_of(direction)];
}

const char *ct_memory_name(uint8_t memory)
{
	return memories[memory_of(memory)];
}

/* A memset stands behind all directions, and has no source. */
unsigned ct_copy_class(const struct ct_device_op *op)
{
	unsigned from = CT_COPY_DIRECTIONS * CT_COPY_MEMORIES;

	if (op->kind != CT_DEVICE_COPY && op->kind != CT_DEVICE_FILL)
		return CT_COPY_CLASSES;
	if (op->kind == CT_DEVICE_COPY)
		from = direction_of(op->u.copy.direction) * CT_COPY_MEMORIES +
		       memory_of(op->u.copy.source);
	return from * CT_COPY_MEMORIES + memory_of(op->u.copy.target);
}

int ct_copies_add(struct ct_copies *copies, const struct ct_device_op *op)
{
	unsigned class = ct_copy_class(op);

	if (class == CT_COPY_CLASSES)
		return 0;
	copies->bytes[class] += op->u.copy.bytes;
	return ct_durations_add(&copies->durations[class], op->end_ns - op->start_ns);
}

void ct_copies_destroy(struct ct_copies *copies)
{
	for (unsigned class = 0; copies && class < CT_COPY_CLASSES; class++)
		ct_durations_free(&copies->durations[class]);
	free(copies);
}

const char *ct_copy_class_name(unsigned class, char ret[64])
{
	const char *target = memories[class % CT_COPY_MEMORIES];
	unsigned from = class / CT_COPY_MEMORIES;

	if (from == CT_COPY_DIRECTIONS * CT_COPY_MEMORIES)
		snprintf(ret, 64, "memset %s", target);
	else
		snprintf(ret, 64, "copy %s %s to %s", directions[from / CT_COPY_MEMORIES],
			 memories[from % CT_COPY_MEMORIES], target);
	return ret;
}

void ct_copies_pinned_rate(const struct ct_model *model, float ret[2])
{
	for (size_t i = 0; i < model->ops.count; i++) {
		const struct ct_device_op *op = &model->ops.at[i].raw;
		bool from = op->u.copy.direction == CT_DIRECTION_D2H;
		float rate;

		if (op->kind != CT_DEVICE_COPY || op->u.copy.bytes < PINNED_BYTES ||
		    op->end_ns <= op->start_ns || (from ? op->u.copy.target : op->u.copy.source) != CT_MEMORY_PINNED)
			continue;
		rate = (float)op->u.copy.bytes / (float)(op->end_ns - op->start_ns);
		ret[from] = rate > ret[from] ? rate : ret[from];
	}
}
