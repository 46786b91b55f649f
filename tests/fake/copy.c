/* SPDX-License-Identifier: Apache-2.0 */
/* Copies and fills: what they wait for, what they hold, how long they take. */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

enum {
	COPY_SETUP_NS = 3000,
	PINNED_BYTES_PER_US = 25000, /* about PCIe 5 x16, one direction, with a margin */
	/* Measured table: 64 MiB pageable to the device takes 9.1 ms, back about 5.5. */
	PAGEABLE_TO_DEVICE_BYTES_PER_US = 8000,
	PAGEABLE_TO_HOST_BYTES_PER_US = 12000,
	ON_DEVICE_BYTES_PER_US = 1500000,
	/* Neither is measured: NVLink, and by way of the host. */
	PEER_BYTES_PER_US = 150000,
	PEERLESS_BYTES_PER_US = PINNED_BYTES_PER_US / 2,
	/* Measured table, row "cudaMemcpyAsync H2D, pageable, up to 1 MiB": staged. */
	STAGED_BYTES = 1 << 20,
};

static bool pageable(enum fake_memory_kind kind)
{
	return kind == FAKE_PAGEABLE;
}

static bool on_host(enum fake_memory_kind kind)
{
	return kind < FAKE_DEVICE;
}

static size_t box_bytes(const struct fake_copy *copy)
{
	return copy->width * copy->height * copy->depth;
}

static uint64_t on_device_rate(const struct fake_copy *copy)
{
	if (copy->src_device == copy->dst_device)
		return ON_DEVICE_BYTES_PER_US;
	return fake_peer_access(copy->src_device, copy->dst_device) ||
			       fake_peer_access(copy->dst_device, copy->src_device) ?
		       PEER_BYTES_PER_US :
		       PEERLESS_BYTES_PER_US;
}

static uint64_t copy_ns(const struct fake_copy *copy)
{
	uint64_t rate = PINNED_BYTES_PER_US;

	if (!on_host(copy->src_kind) && !on_host(copy->dst_kind))
		rate = on_device_rate(copy);
	else if (pageable(copy->src_kind))
		rate = PAGEABLE_TO_DEVICE_BYTES_PER_US;
	else if (pageable(copy->dst_kind))
		rate = PAGEABLE_TO_HOST_BYTES_PER_US;
	return COPY_SETUP_NS + box_bytes(copy) * 1000 / rate;
}

/* Takes the source at call time, so the caller may change it on return. */
static void stage(struct fake_op *op)
{
	struct fake_copy *copy = &op->copy;
	char *packed = malloc(box_bytes(copy) + 1);

	if (!packed)
		abort();
	for (size_t z = 0; z < copy->depth; z++)
		for (size_t y = 0; y < copy->height; y++)
			memcpy(packed + (z * copy->height + y) * copy->width,
			       (const char *)copy->src + z * copy->src_slice +
				       y * copy->src_pitch, copy->width);
	copy->src = packed;
	copy->src_pitch = copy->width;
	copy->src_slice = copy->width * copy->height;
	op->staging = packed;
}

CUresult fake_do_copy(struct fake_copy copy, struct fake_stream *stream, bool async)
{
	struct fake_op *op = fake_op_new(FAKE_COPY, stream);
	bool to_pageable = pageable(copy.dst_kind);
	bool from_pageable = pageable(copy.src_kind);
	bool staged = async && from_pageable && !to_pageable && box_bytes(&copy) <= STAGED_BYTES;
	bool touches_host = on_host(copy.src_kind) || on_host(copy.dst_kind);

	op->copy = copy;
	op->async = async;
	op->duration_ns = copy_ns(&copy);
	if (staged)
		stage(op);
	if (stream->capture || staged || (async && !to_pageable && !from_pageable) ||
	    !touches_host) {
		/* Measured table, rows "pageable, up to 1 MiB" and "pinned": wait for nothing. */
		fake_submit(op);
		return CUDA_SUCCESS;
	}
	/*
	 * Measured table, rows "cudaMemcpyAsync D2H, pageable" and "H2D, pageable, 64 MiB":
	 * waits for its stream, then for itself; two-thread table: other threads cannot
	 * allocate meanwhile. That a cudaMemcpy holds no lock is a guess.
	 */
	if (async)
		fake_allocation_lock(stream->device);
	fake_wait_for(fake_submit(op));
	if (async)
		fake_allocation_unlock(stream->device);
	return CUDA_SUCCESS;
}

/*
 * Programming guide, peer-to-peer memory copy: a copy in the default stream between two devices
 * starts after what was asked of either before, and what is asked of them later starts after it.
 * Measured, table of two devices: that does not hold for non-blocking streams; the call returns
 * before the copy is done, as its manual says.
 */
CUresult fake_do_peer_copy(struct fake_copy copy, struct fake_stream *stream)
{
	struct fake_op *op = fake_op_new(FAKE_COPY, stream);
	const uint32_t devices[] = { copy.dst_device, copy.src_device };

	op->copy = copy;
	op->duration_ns = copy_ns(&copy);
	fake_submit_between(op, devices);
	return CUDA_SUCCESS;
}

/*
 * Asynchronous to the host: measured table, row "cudaMemcpy, cudaMemset". Except, says the
 * manual, that cudaMemset of pinned or managed memory waits for itself.
 */
CUresult fake_do_fill(struct fake_fill fill, struct fake_stream *stream, bool async)
{
	enum fake_memory_kind kind = fake_memory_kind_of(fill.dst, NULL, NULL);
	struct fake_op *op = fake_op_new(FAKE_FILL, stream);
	uint64_t bytes = fill.width * fill.element_bytes * fill.height * fill.depth;

	op->fill = fill;
	op->duration_ns = COPY_SETUP_NS + bytes * 1000 / ON_DEVICE_BYTES_PER_US;
	struct fake_dep filled = fake_submit(op);
	if (!async && !stream->capture && (on_host(kind) || kind == FAKE_MANAGED))
		fake_wait_for(filled);
	return CUDA_SUCCESS;
}
