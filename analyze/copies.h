/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of copies and memsets by what they move, and from where to where. */
#ifndef CT_ANALYZE_COPIES_H
#define CT_ANALYZE_COPIES_H

#include "analyze/durations.h"
#include "analyze/model.h"
#include "trace/record.h"

#define CT_COPY_DIRECTIONS 12 /* enum ct_direction, and one for any other byte */
#define CT_COPY_MEMORIES 9    /* enum ct_memory, the same */
#define CT_COPY_CLASSES ((CT_COPY_DIRECTIONS * CT_COPY_MEMORIES + 1) * CT_COPY_MEMORIES)

/* All zeros is nothing yet. */
struct ct_copies {
	struct ct_durations durations[CT_COPY_CLASSES];
	uint64_t bytes[CT_COPY_CLASSES];
};

/* Which of the classes an operation is of; CT_COPY_CLASSES: it is no copy and no memset. */
unsigned ct_copy_class(const struct ct_device_op *op);

/* Add an operation, if it is a copy or memset. Returns 0 or -ENOMEM. */
int ct_copies_add(struct ct_copies *copies, const struct ct_device_op *op);
void ct_copies_destroy(struct ct_copies *copies); /* of calloc(); accepts NULL */

/* "copy H2D pageable to device", "memset device". Returns ret. */
const char *ct_copy_class_name(unsigned class, char ret[64]);

/*
 * The speed of the run's own pinned copies to the device and from it, in bytes a nanosecond: the best of those
 * of a million bytes and more. 0: there are none.
 */
void ct_copies_pinned_rate(const struct ct_model *model, float ret[2]);

/* "H2D", "pinned"; "?" for a byte that has no name. */
const char *ct_direction_name(uint8_t direction);
const char *ct_memory_name(uint8_t memory);

#endif
