/* SPDX-License-Identifier: Apache-2.0 */
/* Which device a context, a call or an operation belongs to, where there are several. */
#ifndef CT_ANALYZE_DEVICE_H
#define CT_ANALYZE_DEVICE_H

#include "analyze/model.h"

/* No host has so many: records with higher numbers are damaged, and their device is not known. */
#define CT_DEVICES_MOST 64

/* The device of a context; CT_NONE if nothing tells. */
uint32_t ct_device_of_context(const struct ct_model *model, uint32_t context);

/* Give streams the devices of their contexts; those of their operations come later. */
void ct_devices_of_streams(struct ct_model *model);

/*
 * Of a joined model: count its devices, and note with each call which one it is about: where
 * its work ran, else its stream's, else that of the context that was current. Of frees,
 * history.c knows better: memory is freed where it is.
 */
void ct_devices_find(struct ct_model *model);

/* Has the run more than one device? */
static inline bool ct_devices_several(const struct ct_model *model)
{
	return model->several_devices;
}

/* Of arrays by device, which have a place more than there are: that of the unknown ones. */
static inline size_t ct_device_place(const struct ct_model *model, uint32_t device)
{
	return device < model->device_count ? device : model->device_count;
}

/* Is it a copy between two devices? Those from a device to itself are not of this sort. */
static inline bool ct_device_peers(const struct ct_device_op *op)
{
	return op->kind == CT_DEVICE_COPY && op->u.copy.direction == CT_DIRECTION_P2P;
}

/* Whose memory such a copy reads and writes; CT_NONE: not known, as in old traces. */
static inline uint32_t ct_device_source(const struct ct_device_op *op)
{
	uint32_t device = op->u.copy.peer.source - 1u;

	return ct_device_peers(op) && device < CT_DEVICES_MOST ? device : CT_NONE;
}

static inline uint32_t ct_device_target(const struct ct_device_op *op)
{
	uint32_t device = op->u.copy.peer.target - 1u;

	return ct_device_peers(op) && device < CT_DEVICES_MOST ? device : CT_NONE;
}

/* May two of these be the same device? One that is not known may be any. */
static inline bool ct_device_same(uint32_t a, uint32_t b)
{
	return a == b || a == CT_NONE || b == CT_NONE;
}

#endif
