/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake device, as its three libraries see it. libcuda owns streams, memory and
 * time; libcudart is a thin layer of calls over it; libcupti listens through hooks.
 *
 * "Measured table, row X" in a comment names the row of the table of measured waits
 * (one H200, CUDA 13.0) that a rule follows. Rules without a row are guesses, and
 * say so.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Before cupti.h: it includes the generated parameter structs of every call. */
#include <cupti.h>

#define FAKE_EXPORT __attribute__((visibility("default")))

enum {
	FAKE_DEVICES_MOST = 8,
	FAKE_NULL_STREAM_ID = 7, /* what the real CUPTI says of the default stream */
	FAKE_DRIVER_VERSION = 13000,
};

enum fake_kind {
	FAKE_KERNEL,
	FAKE_COPY,
	FAKE_FILL,
	FAKE_HOST,
	FAKE_RECORD,
	FAKE_WAIT,
	FAKE_RELEASE,
	FAKE_GRAPH,
};

enum fake_memory_kind {
	FAKE_PAGEABLE, /* anything that is in no table */
	FAKE_PINNED,
	FAKE_REGISTERED,
	FAKE_DEVICE,
	FAKE_POOLED, /* of cudaMallocAsync */
	FAKE_MANAGED,
	FAKE_ARRAY,
};

struct fake_function {
	struct fake_function *next;
	const char *name; /* mangled; never freed, records point at it */
	bool timed;       /* its first argument is its duration */
	bool meets;       /* it lasts until others like it have come: see fake_meeting */
	bool loaded;
};

struct fake_array {
	void *data;
	size_t element_bytes;
	size_t width_bytes, height, depth;
};

/* A box of bytes; a 1-D copy has height and depth 1. */
struct fake_copy {
	void *dst;
	const void *src;
	size_t dst_pitch, dst_slice, src_pitch, src_slice; /* bytes */
	size_t width, height, depth;                       /* width in bytes */
	enum fake_memory_kind dst_kind, src_kind;
	uint32_t dst_device, src_device; /* of device memory */
};

struct fake_fill {
	void *dst;
	size_t pitch, slice;
	size_t width, height, depth; /* width in elements */
	uint32_t value;
	uint32_t element_bytes;
};

struct fake_launch {
	const struct fake_function *function;
	uint32_t grid[3], block[3];
	uint32_t shared_bytes;
};

/* A kernel that lasts until others have come, maybe of other processes: all end at one time. */
struct fake_meeting {
	struct {
		uint32_t come, unused;
		uint64_t last_ns; /* when the last of them did */
	} *at;        /* all zeros at first; NULL: it meets nobody */
	uint32_t all; /* it lasts until so many have come */
};

struct fake_stream;
struct fake_event;
struct fake_dep;

/* One operation of a stream, from its submission until its worker is through with it. */
struct fake_op {
	struct fake_op *next;
	struct fake_stream *stream;
	enum fake_kind kind;
	uint32_t correlation;
	uint32_t graph_id; /* 0 outside graphs */
	bool async;        /* a copy that its call need not wait for */
	uint64_t seq;      /* position in its stream, from 1 */
	uint64_t submit_ns, duration_ns, start_ns, end_ns; /* CLOCK_MONOTONIC */
	struct fake_dep *deps;
	size_t dep_count;
	struct fake_op *children; /* of a graph */
	void *staging;            /* freed with the operation */
	struct fake_meeting meeting;
	union {
		struct fake_launch launch;
		struct fake_copy copy;
		struct fake_fill fill;
		struct {
			void (*fn)(void *);
			void *data;
		} host;
		struct {
			struct fake_event *event;
			uint32_t event_id;
			uint64_t sync_id;
		} record;
		void *memory;
	};
};

/* One API call in progress; calls of a thread nest. */
struct fake_call {
	struct fake_call *outer;
	const char *name;
	const char *symbol; /* mangled kernel name of a launch */
	const void *params;
	uint64_t data; /* the CUPTI client's, from enter to exit */
	uint64_t start_ns;
	uint32_t correlation; /* of the outermost call */
	CUpti_CallbackDomain domain;
	CUpti_CallbackId cbid;
	bool per_thread; /* a _ptsz or _ptds twin */
	bool entered;    /* the client saw it begin, so it must see it end */
};

/* An explicit wait. */
struct fake_wait {
	CUpti_ActivitySynchronizationType type;
	uint64_t start_ns, end_ns;
	uint32_t device; /* whose stream, event or context it was */
	uint32_t stream_id, event_id; /* CUPTI's invalid id where neither is meant */
	uint64_t event_sync_id;
};

struct fake_hooks {
	void (*enter)(struct fake_call *call);
	void (*leave)(struct fake_call *call, const void *result);
	void (*done)(const struct fake_op *op); /* on the stream's worker */
	void (*waited)(const struct fake_wait *wait);
	void (*overhead)(CUpti_ActivityOverheadKind kind, uint64_t start_ns, uint64_t end_ns);
	void (*resource)(CUpti_CallbackIdResource what, uint32_t device,
			 struct fake_stream *stream);
};

/* What libcuda exports to the other two. */
FAKE_EXPORT void fake_hooks(const struct fake_hooks *hooks);
FAKE_EXPORT void fake_enter(struct fake_call *call);
FAKE_EXPORT void fake_leave(struct fake_call *call, const void *result);
FAKE_EXPORT struct fake_call *fake_current_call(void);
FAKE_EXPORT uint64_t fake_now(void);
FAKE_EXPORT uint32_t fake_device_count(void);
FAKE_EXPORT uint32_t fake_device(void); /* of the calling thread's context; 0 without one */
FAKE_EXPORT CUcontext fake_context(uint32_t device); /* its primary one; NULL before it exists */
FAKE_EXPORT bool fake_device_of(CUcontext context, uint32_t *ret_device);
FAKE_EXPORT uint32_t fake_context_id(uint32_t device); /* as CUPTI numbers them */
FAKE_EXPORT struct fake_function *fake_function_get(const char *name);
FAKE_EXPORT uint32_t fake_stream_id(const struct fake_stream *stream);
FAKE_EXPORT bool fake_stream_non_blocking(const struct fake_stream *stream);
FAKE_EXPORT uint32_t fake_stream_device(const struct fake_stream *stream);
FAKE_EXPORT struct fake_stream *fake_stream_of(CUstream handle, bool per_thread, uint32_t device);
FAKE_EXPORT void *fake_symbol_memory(size_t size_bytes);
FAKE_EXPORT enum fake_memory_kind fake_memory_kind_of(const void *ptr, void **base,
						      size_t *size_bytes);
FAKE_EXPORT uint32_t fake_memory_device(const void *ptr); /* 0 if it is in no table */

/*
 * An exported entry point: evaluates launched, the mangled name of the kernel launched
 * or NULL, announces the call, runs fn, announces its end. params is the generated
 * parameter struct, whose members stand in the order of the arguments.
 */
#define FAKE_UNPAREN(...) __VA_ARGS__
#define FAKE_CALL(launched, type, domain_, fn, entry, id, twin, struct_, parameters, arguments)    \
	FAKE_EXPORT type entry parameters;                                                         \
	FAKE_EXPORT type entry parameters                                                          \
	{                                                                                          \
		struct_ params = { FAKE_UNPAREN arguments };                                       \
		struct fake_call call = {                                                          \
			.name = #entry, .symbol = (launched), .params = &params,                   \
			.domain = (domain_), .cbid = (id), .per_thread = (twin),                   \
		};                                                                                 \
		fake_enter(&call);                                                                 \
		type result = fn arguments;                                                        \
		fake_leave(&call, &result);                                                        \
		return result;                                                                     \
	}

#define FAKE_CALL_VOID(launched, type, domain_, fn, entry, id)                                     \
	FAKE_EXPORT type entry(void);                                                              \
	FAKE_EXPORT type entry(void)                                                               \
	{                                                                                          \
		struct fake_call call = {                                                          \
			.name = #entry, .symbol = (launched), .domain = (domain_), .cbid = (id),   \
		};                                                                                 \
		fake_enter(&call);                                                                 \
		type result = fn();                                                                \
		fake_leave(&call, &result);                                                        \
		return result;                                                                     \
	}

#endif
