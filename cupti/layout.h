/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of each CUPTI activity record that we read. CUPTI only ever appends to
 * a record, so these prefixes hold for every CUPTI of CUDA 12.0 and later whatever
 * headers we are built with; fields of newer versions are read only after asking
 * cuptiGetVersion(). layout.c asserts them against the newest headers.
 */
#ifndef CT_CUPTI_LAYOUT_H
#define CT_CUPTI_LAYOUT_H

#include <stdint.h>

struct ct_cupti_kernel {
	uint32_t kind;
	uint16_t cache_and_shared;
	uint16_t registers;
	uint32_t partitioned[2];
	uint64_t start, end, completed;
	uint32_t device, context, stream;
	int32_t grid_x, grid_y, grid_z;
	int32_t block_x, block_y, block_z;
	int32_t static_shared, dynamic_shared;
	uint32_t local_per_thread, local_total;
	uint32_t correlation;
	int64_t grid_id;
	const char *name;
	void *reserved;
	uint64_t queued, submitted;
	uint32_t launch_and_carveout;
	uint32_t shared_executed;
	uint64_t graph_node;
	uint32_t shmem_limit;
	uint32_t graph;
	void *access_policy;
	uint32_t channel;
};

struct ct_cupti_memcpy {
	uint32_t kind;
	uint8_t copy_kind, source, target, flags;
	uint64_t bytes, start, end;
	uint32_t device, context, stream, correlation;
	uint32_t runtime_correlation, pad;
	void *reserved;
	uint64_t graph_node;
	uint32_t graph;
};

struct ct_cupti_memcpy_peer {
	uint32_t kind;
	uint8_t copy_kind, source, target, flags;
	uint64_t bytes, start, end;
	uint32_t device, context, stream;
	uint32_t source_device, source_context, target_device, target_context;
	uint32_t correlation;
	void *reserved;
	uint64_t graph_node;
	uint32_t graph;
};

struct ct_cupti_memset {
	uint32_t kind;
	uint32_t value;
	uint64_t bytes, start, end;
	uint32_t device, context, stream, correlation;
	uint16_t flags, memory;
	uint32_t pad;
	void *reserved;
	uint64_t graph_node;
	uint32_t graph;
};

struct ct_cupti_sync {
	uint32_t kind;
	uint32_t type;
	uint64_t start, end;
	uint32_t correlation, context, stream, event;
	uint64_t event_sync; /* from version CT_CUPTI_EVENT_SYNC on */
};

struct ct_cupti_event {
	uint32_t kind;
	uint32_t correlation, context, stream, event, pad;
	/* the rest from version CT_CUPTI_EVENT_SYNC on */
	uint32_t device, pad2;
	void *reserved;
	uint64_t device_timestamp;
	uint64_t event_sync;
};
/* cuptiGetVersion() of CUDA 12.8, which added cudaEventSyncId; versions counted up by one
 * (19 was CUDA 12.0) until CUDA 13.0 made them 130000 and up */
#define CT_CUPTI_EVENT_SYNC 26u
#define CT_CUPTI_EVENT_SYNC_NONE 0xffffffffu /* its "invalid" */
#define CT_CUPTI_NULL_STREAM_NONE 0xffffu

struct ct_cupti_overhead {
	uint32_t kind;
	uint32_t overhead;
	uint32_t object_kind;
	union {
		struct {
			uint32_t process, thread;
		} pt;
		struct {
			uint32_t device, context, stream;
		} dcs;
	} object;
	uint64_t start, end;
	uint32_t correlation; /* read from version CT_CUPTI_EVENT_SYNC on, where it surely is */
};

struct ct_cupti_graph {
	uint32_t kind;
	uint32_t correlation;
	uint64_t start, end;
	uint32_t device, graph, context, stream;
};

struct ct_cupti_stream {
	uint32_t kind;
	uint32_t context, stream, priority, flag, correlation;
};

struct ct_cupti_context {
	uint32_t kind;
	uint32_t context, device;
	uint16_t api, null_stream;
};

struct ct_cupti_device {
	uint32_t kind;
	uint32_t flags;
	uint64_t memory_bandwidth, memory_bytes;
	uint32_t constant_bytes, l2_bytes, warp_threads, clock_rate, copy_engines;
	uint32_t multiprocessors, max_ipc, warps_per_multiprocessor, blocks_per_multiprocessor;
	uint32_t shared_per_multiprocessor, registers_per_multiprocessor;
	uint32_t registers_per_block, shared_per_block, threads_per_block;
	uint32_t block_dim[3], grid_dim[3];
	uint32_t capability_major, capability_minor, id;
	uint32_t ecc;
	uint8_t uuid[16];
	const char *name;
};

#endif
